"""What a policy remembers between decisions, and how it comes back after a restart of the operator.

Status is the memory's home; where it is lost (a restore from backup drops it), the published objects still say which
provider is active, so nothing flips.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from providerswitch.api.status import HealthState, PolicyStatus, ProviderStatus, Switch, SwitchCounts
from providerswitch.core.health import ProviderHealth

SWITCHES_KEPT: Final = 10
"""The API server reads and writes all of a policy at each edit; every switch in it costs a tenth of a millisecond
(docs/adr/0012)."""


@dataclass(frozen=True, slots=True)
class Memory:
    """The lasting state of one policy.

    Attributes:
        revision: of the last publication; 0 before the first.
        acted_primary: the primary last acted upon.
        handled_failback: value of the failback annotation last acted upon.
        history: newest first.
    """

    active: str | None = None
    active_since: datetime | None = None
    revision: int = 0
    acted_primary: str | None = None
    handled_failback: str | None = None
    last_good_generation: int | None = None
    healths: Mapping[str, ProviderHealth] = field(default_factory=dict)
    history: tuple[Switch, ...] = ()
    counts: SwitchCounts = field(default_factory=SwitchCounts)


@dataclass(frozen=True, slots=True)
class Publication:
    """What the published objects say about the choice.

    Attributes:
        primary: the primary at the time of publication.
        trigger: what made the choice.
        why: sentence with the cause.
        decided_at: when the choice was made.
    """

    active: str
    revision: int
    primary: str | None = None
    previous: str | None = None
    trigger: str = ""
    why: str = ""
    decided_at: datetime | None = None


def restore_memory(status: PolicyStatus) -> Memory:
    """Return the memory that a status holds."""
    return Memory(
        active=status.active_provider,
        active_since=status.active_since,
        revision=status.revision,
        acted_primary=status.primary,
        handled_failback=status.last_handled_failback,
        last_good_generation=status.last_good_generation,
        healths={entry.name: _restore_health(entry) for entry in status.providers},
        history=tuple(status.history),
        counts=status.switching,
    )


def _restore_health(entry: ProviderStatus) -> ProviderHealth:
    return ProviderHealth(
        state=entry.state,
        health_class=entry.health_class,
        why=entry.why or ("not probed yet" if entry.state is HealthState.UNKNOWN else entry.health_class),
        since=entry.since,
        blacklisted_until=entry.blacklisted_until,
        limited_until=entry.rate_limited_until,
    )


def unfinished(memory: Memory, published: Publication | None) -> Publication | None:
    """Return the publication that a crash left uncommitted, or None when status and objects agree."""
    if published is None or published.revision <= memory.revision:
        return None
    return published


def adopt(memory: Memory, published: Publication) -> Memory:
    """Return the memory after believing what is published.

    With the status lost, the primary of that time is taken for acted upon: only another one is a person's wish.
    """
    acted = published.primary if published.active == published.primary else memory.acted_primary or published.primary
    return replace(
        memory,
        active=published.active,
        active_since=published.decided_at if published.active != memory.active else memory.active_since,
        revision=published.revision,
        acted_primary=acted,
    )


def settle_requests(memory: Memory, primary: str, failback_token: str | None) -> Memory:
    """Return the memory after what a person asked for was done, or could not be.

    A request is done with when the primary serves. A first choice that had to pass over the primary has acted upon it
    too, or the next edit of it would not be told from the one that was there.
    """
    if memory.active == primary:
        return replace(memory, acted_primary=primary, handled_failback=failback_token or memory.handled_failback)
    if memory.active is not None and memory.acted_primary is None:
        return replace(memory, acted_primary=primary)
    return memory


def commit(memory: Memory, switch: Switch) -> Memory:
    """Return the memory after one finished switch, undone ones included."""
    done = switch.outcome != "RolledBack"
    counts = memory.counts
    counted = SwitchCounts(
        total=counts.total + 1, succeeded=counts.succeeded + done, rolled_back=counts.rolled_back + (not done)
    )
    kept = replace(memory, history=(switch, *memory.history)[:SWITCHES_KEPT], counts=counted)
    if not done:
        return kept
    return replace(kept, active=switch.to, active_since=switch.time, revision=switch.revision)
