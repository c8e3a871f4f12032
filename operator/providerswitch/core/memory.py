"""What a policy remembers between decisions, and how it comes back after a restart of the operator.

Status is the memory's home; where it is lost (a restore from backup drops it), the published objects still say which
provider is active, so nothing flips.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Final

from providerswitch.api.status import (
    HISTORY_LIMIT,
    BudgetStatus,
    HealthState,
    OverrideInForce,
    PolicyStatus,
    ProviderStatus,
    Reliability,
    Switch,
    SwitchCounts,
    TaskStatus,
)
from providerswitch.core.budget import Spending
from providerswitch.core.drill_record import DrillRecord, restore_drill
from providerswitch.core.flapping import HOUR
from providerswitch.core.health import ProviderHealth
from providerswitch.core.outcome import Tier
from providerswitch.core.override import Detour, Override
from providerswitch.core.resilience import Track, restore

SWITCHES_KEPT: Final = 10
"""The API server reads and writes all of a policy at each edit; every switch in it costs a tenth of a millisecond
(docs/adr/0012)."""

SCHEDULED: Final = "Schedule"
"""Trigger of a switch that the schedule made."""

OUT_OF_SERVICE: Final = frozenset({HealthState.DOWN, HealthState.RATE_LIMITED})


@dataclass(frozen=True, slots=True)
class Seat:
    """Who serves a task.

    Attributes:
        acted_primary: the primary last acted upon.
        arrived_by: trigger of the last switch.
    """

    active: str | None = None
    active_since: datetime | None = None
    acted_primary: str | None = None
    arrived_by: str = ""


@dataclass(frozen=True, slots=True)
class Rotation:
    """Whose turn it is under a rotating entry of the schedule.

    Attributes:
        at: the turn that was last taken.
    """

    at: datetime | None = None
    provider: str | None = None


@dataclass(frozen=True, slots=True)
class Memory:
    """The lasting state of one policy.

    Attributes:
        revision: of the last publication; 0 before the first.
        acted_primary: the primary last acted upon.
        arrived_by: trigger of the last switch of the policy itself; empty where that is not known.
        handled_failback: value of the failback annotation last acted upon.
        history: newest first.
        recent: times of the switches of the last hour, newest first.
        seats: by task.
        degraded: sentence for each provider that exceeded a threshold at the last look.
        spending: what billed requests used up today; None before the first.
        tracks: how long each provider was seen up and down.
        observed: the same of the policy, as its consumers saw it.
        drill: the drill that runs, or that is to be undone.
        detours: what was changed for a while and is to be undone; by task, None is the policy itself.
    """

    active: str | None = None
    active_since: datetime | None = None
    revision: int = 0
    acted_primary: str | None = None
    arrived_by: str = ""
    handled_failback: str | None = None
    last_good_generation: int | None = None
    healths: Mapping[str, ProviderHealth] = field(default_factory=dict)
    history: tuple[Switch, ...] = ()
    recent: tuple[datetime, ...] = ()
    counts: SwitchCounts = field(default_factory=SwitchCounts)
    seats: Mapping[str, Seat] = field(default_factory=dict)
    rotation: Rotation = field(default_factory=Rotation)
    degraded: Mapping[str, str] = field(default_factory=dict)
    spending: Spending | None = None
    tracks: Mapping[str, Track] = field(default_factory=dict)
    observed: Track = field(default_factory=Track)
    drill: DrillRecord | None = None
    detours: Mapping[str | None, Detour] = field(default_factory=dict)

    def seat(self, task: str | None) -> Seat:
        """Return who serves a task, or the policy itself."""
        if task is not None:
            return self.seats.get(task, Seat())
        return Seat(self.active, self.active_since, self.acted_primary, self.arrived_by)


@dataclass(frozen=True, slots=True)
class Publication:
    """What the published objects say about the choice.

    Attributes:
        primary: the primary at the time of publication.
        trigger: what made the choice.
        why: sentence with the cause.
        decided_at: when the choice was made.
        tasks: provider of each task.
    """

    active: str
    revision: int
    primary: str | None = None
    previous: str | None = None
    trigger: str = ""
    why: str = ""
    decided_at: datetime | None = None
    tasks: Mapping[str, str] = field(default_factory=dict)


def restore_memory(status: PolicyStatus) -> Memory:
    """Return the memory that a status holds."""
    schedule, drill = status.schedule, restore_drill(status.drill)
    known = [entry for entry in status.providers if drill is None or entry.name != drill.provider]
    return Memory(
        active=status.active_provider,
        active_since=status.active_since,
        revision=status.revision,
        acted_primary=status.primary,
        arrived_by=_arrived_by(status.history, None, status.active_provider),
        handled_failback=status.last_handled_failback,
        last_good_generation=status.last_good_generation,
        healths={entry.name: _restore_health(entry) for entry in known},
        history=tuple(status.history),
        recent=tuple(status.switching.last_hour or ()),
        counts=status.switching.model_copy(update={"last_hour": None, "success_rate": None}),
        seats={task.name: _restore_seat(task, status.history) for task in status.tasks or ()},
        rotation=Rotation(schedule.rotated_at, schedule.rotated_to) if schedule else Rotation(),
        degraded={entry.name: entry.degraded for entry in known if entry.degraded},
        spending=_restore_spending(status.budget),
        tracks={entry.name: _restore_track(entry, drill) for entry in status.providers if entry.reliability},
        observed=_restore_observed(status, drill),
        drill=drill,
        detours={each.task: _restore_detour(each) for each in status.overrides or ()},
    )


def _restore_detour(told: OverrideInForce) -> Detour:
    order = Override(
        name=told.name,
        uid=told.uid,
        provider=told.provider,
        until=told.until,
        reason=told.reason,
        requested_by=told.requested_by or "",
        task=told.task,
        force=told.force,
    )
    return Detour(told.origin, override=order)


def _arrived_by(history: Sequence[Switch], task: str | None, active: str | None) -> str:
    """What brought the active provider; a choice of shadow mode keeps its cause when it goes live."""
    made = switches_made(history, task)
    causes = [switch for switch in made[1:2] if switch.outcome == "Shadow" and switch.to == active]
    return [*causes, *made][0].trigger if made and made[0].to == active else ""


def _restore_seat(task: TaskStatus, history: Sequence[Switch]) -> Seat:
    arrived_by = _arrived_by(history, task.name, task.active_provider)
    return Seat(task.active_provider, task.active_since, task.primary, arrived_by)


def _restore_spending(budget: BudgetStatus | None) -> Spending | None:
    """A day that cannot be read is over."""
    try:
        return Spending(date.fromisoformat(budget.day), budget.probes, budget.cost) if budget else None
    except ValueError:
        return None


def _restore_track(entry: ProviderStatus, drill: DrillRecord | None) -> Track:
    return restore(entry.reliability or Reliability(), down_since=_down_since(entry, drill))


def _restore_observed(status: PolicyStatus, drill: DrillRecord | None) -> Track:
    """An outage that outlasts a restart is no second one."""
    serving = next((entry for entry in status.providers if entry.name == status.active_provider), None)
    since = _down_since(serving, drill) if serving else None
    return restore(status.resilience.observed, down_since=since) if status.resilience else Track()


def _down_since(entry: ProviderStatus, drill: DrillRecord | None) -> datetime | None:
    """What a drill played was no outage."""
    if drill and drill.provider == entry.name:
        return None
    return entry.since if entry.state in OUT_OF_SERVICE else None


def _restore_health(entry: ProviderStatus) -> ProviderHealth:
    return ProviderHealth(
        state=entry.state,
        health_class=entry.health_class,
        why=entry.why or ("not probed yet" if entry.state is HealthState.UNKNOWN else entry.health_class),
        since=entry.since,
        blacklisted_until=entry.blacklisted_until,
        limited_until=entry.rate_limited_until,
        failing_tier=Tier.GENERATION if entry.failing_tier else Tier.LIVENESS,
        ejections=entry.ejections or 0,
        ejected_at=entry.ejected_at,
        back_since=entry.back_since,
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
    moved = published.active != memory.active
    return replace(
        memory,
        active=published.active,
        active_since=published.decided_at if moved else memory.active_since,
        arrived_by=published.trigger if moved else memory.arrived_by,
        revision=published.revision,
        acted_primary=acted,
        rotation=memory.rotation if memory.rotation.provider else _turn_of(published),
        seats={**memory.seats, **_adopt_seats(memory, published)},
    )


def _turn_of(published: Publication) -> Rotation:
    """With the status lost, whoever the schedule brought has the turn."""
    return Rotation(published.decided_at, published.active) if published.trigger == SCHEDULED else Rotation()


def _adopt_seats(memory: Memory, published: Publication) -> dict[str, Seat]:
    seats = {task: memory.seat(task) for task in published.tasks}
    return {
        task: replace(seat, active=published.tasks[task], active_since=published.decided_at, arrived_by="")
        for task, seat in seats.items()
        if seat.active != published.tasks[task]
    }


def settle_requests(memory: Memory, primary: str, failback_token: str | None) -> Memory:
    """Return the memory after what a person asked for was done, or could not be.

    A request is done with when the primary serves. A first choice that had to pass over the primary has acted upon it
    too, or the next edit of it would not be told from the one that was there.
    """
    settled = settle_primary(memory, None, primary)
    if memory.active != primary or failback_token in {None, memory.handled_failback}:
        return settled
    return replace(settled, handled_failback=failback_token, detours=_lead_back(memory, None, primary))


def settle_primary(memory: Memory, task: str | None, primary: str) -> Memory:
    """Return the memory after what a person asked for, in a task or the policy itself, was done or could not be.

    A primary that was chosen while an override held is where it leads back to.
    """
    seat = memory.seat(task)
    acted = _acted(seat, primary)
    chosen = acted not in {None, seat.acted_primary} and seat.acted_primary is not None
    detours = _lead_back(memory, task, primary) if chosen else memory.detours
    if task is None:
        return replace(memory, acted_primary=acted, detours=detours)
    return replace(memory, seats={**memory.seats, task: replace(seat, acted_primary=acted)}, detours=detours)


def _lead_back(memory: Memory, task: str | None, origin: str) -> Mapping[str | None, Detour]:
    detour = memory.detours.get(task)
    return {**memory.detours, task: replace(detour, origin=origin)} if detour else memory.detours


def _acted(seat: Seat, primary: str) -> str | None:
    first = seat.active is not None and seat.acted_primary is None
    return primary if seat.active == primary or first else seat.acted_primary


def commit(memory: Memory, switch: Switch) -> Memory:
    """Return the memory after one finished switch, undone ones included; those of a drill are not counted."""
    done = switch.outcome != "RolledBack"
    played = memory.drill is not None and memory.drill.made(switch.from_provider, switch.to)
    kept = replace(
        memory,
        history=(switch, *memory.history)[:SWITCHES_KEPT],
        counts=memory.counts if played or switch.outcome == "Shadow" else _count(memory.counts, done=done),
        recent=_recent(memory.recent, switch.time) if done and not played else memory.recent,
    )
    if not done:
        return kept
    arrived_by = _arrived_by(kept.history, switch.task, switch.to)
    if switch.task:
        seat = replace(memory.seat(switch.task), active=switch.to, active_since=switch.time, arrived_by=arrived_by)
        return replace(kept, seats={**memory.seats, switch.task: seat}, revision=switch.revision)
    return replace(kept, active=switch.to, active_since=switch.time, arrived_by=arrived_by, revision=switch.revision)


def unpublished(memory: Memory, task: str | None) -> bool:
    """Tell whether the choice was made in shadow mode and was not published since."""
    made = switches_made(memory.history, task)
    return bool(made) and made[0].outcome == "Shadow"


def switches_made(history: Sequence[Switch], task: str | None) -> list[Switch]:
    """Return the switches of a task, or of the policy itself, that were not undone; newest first."""
    return [switch for switch in history if switch.task == task and switch.outcome != "RolledBack"]


def _count(counts: SwitchCounts, *, done: bool) -> SwitchCounts:
    return SwitchCounts(
        total=counts.total + 1, succeeded=counts.succeeded + done, rolled_back=counts.rolled_back + (not done)
    )


def _recent(recent: Sequence[datetime], now: datetime) -> tuple[datetime, ...]:
    """Return the times of the last hour; what was published at once, for policy and tasks, counts once."""
    return tuple(dict.fromkeys((now, *(at for at in recent if at > now - HOUR))))[:HISTORY_LIMIT]
