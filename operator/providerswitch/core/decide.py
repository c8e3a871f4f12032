"""Which provider shall serve? The rules, in the order in which they are asked.

Everything a rule needs is in the `Case`; the first rule with an answer wins, and the answer carries its reasons:
the same words go to status, Event, log and metrics.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from itertools import accumulate
from typing import Final

from providerswitch.api.meta import FAILBACK_ANNOTATION
from providerswitch.api.policy import Mode
from providerswitch.api.status import HealthState
from providerswitch.core.freeze import Frozen
from providerswitch.core.health import ProviderHealth
from providerswitch.core.outcome import Tier

LONGEST_WHY: Final = 512
"""Characters of one provider's reason, as in status.history[].rejected[].why."""
LONGEST_LIST: Final = 768
"""Characters of the reasons of several; with what stands around them they are a sentence of at most 1024."""


class Reason(StrEnum):
    """Why a provider is active, in one word: the column REASON of `kubectl get pswitch`."""

    PRIMARY_HEALTHY = "PrimaryHealthy"
    FAILED_OVER = "FailedOver"
    FAILBACK_HELD = "FailbackHeld"
    MANUAL = "Manual"
    FROZEN = "Frozen"
    WAITING = "WaitingForProbes"
    NO_HEALTHY_PROVIDER = "NoHealthyProvider"


class Trigger(StrEnum):
    """What made a switch: the rule that decided."""

    INITIAL = "Initial"
    MANUAL_SWITCH = "ManualSwitch"
    FAILOVER = "Failover"
    FAILBACK = "Failback"
    SPEC_CHANGE = "SpecChange"


@dataclass(frozen=True, slots=True)
class Rejected:
    """A provider that may not be chosen, and why."""

    provider: str
    why: str


@dataclass(frozen=True, slots=True)
class Case:
    """All that a decision rests on.

    Attributes:
        order: providers that may be chosen, best first; the first is the primary.
        healths: health of each provider of the spec, those outside `order` included.
        config_errors: providers whose configuration cannot be honoured, with the sentence for the user.
        active: the published provider, None before the first publication.
        acted_primary: the primary that was last acted upon; another one in the spec is a request to switch.
        failback_requested: the user asked for the return to the primary.
        frozen: a fault of our own network.
        deepest: tier of the deepest probes that are made.
    """

    now: datetime
    order: tuple[str, ...]
    healths: Mapping[str, ProviderHealth]
    config_errors: Mapping[str, str] = field(default_factory=dict)
    mode: Mode = Mode.AUTOMATIC
    failback: Mode = Mode.AUTOMATIC
    active: str | None = None
    acted_primary: str | None = None
    failback_requested: bool = False
    frozen: Frozen | None = None
    deepest: Tier = Tier.GENERATION

    @property
    def primary(self) -> str:
        """The provider the user prefers."""
        return self.order[0]

    @property
    def requested(self) -> bool:
        """Whether the user asks for the primary by name, not only by rank."""
        edited = self.acted_primary is not None and self.acted_primary != self.primary
        return (edited or self.failback_requested) and self.active != self.primary

    def health(self, name: str) -> ProviderHealth:
        """Return the health of a provider; unknown for one that was never probed."""
        return self.healths.get(name, ProviderHealth())

    def may_stay(self, name: str) -> bool:
        """Tell whether the active provider may remain: it is still in the spec, and neither down nor rate limited."""
        return name in self.order and self.health(name).may_stay


@dataclass(frozen=True, slots=True)
class Decision:
    """The provider that shall serve, and why.

    Attributes:
        provider: None only while nothing has been published yet.
        trigger: None where the active provider stays.
        why: a sentence for users.
        rejected: providers that were preferred to the chosen one and could not be chosen, best first.
    """

    provider: str | None
    reason: Reason
    why: str
    trigger: Trigger | None = None
    rejected: tuple[Rejected, ...] = ()


def rejection(case: Case, name: str) -> Rejected | None:
    """Return why a provider may not become active, or None when it may."""
    if name in case.config_errors:
        return Rejected(name, case.config_errors[name])
    health = case.health(name)
    if health.state is HealthState.HEALTHY:
        return None
    return Rejected(name, _unfit(health, case.now))


def _unfit(health: ProviderHealth, now: datetime) -> str:
    match health.state:
        case HealthState.UNKNOWN:
            return health.why
        case HealthState.SUSPECT:
            return f"failing: {health.why}"
        case HealthState.RATE_LIMITED:
            return f"rate limited{_until(health.limited_until, now)}: {health.why}"
        case _:
            return f"down{_until(health.blacklisted_until, now, 'blacklisted ')}: {health.why}"


def _until(moment: datetime | None, now: datetime, prefix: str = "") -> str:
    return f", {prefix}until {moment:%H:%M:%S} UTC" if moment and moment > now else ""


def hold_in_freeze(case: Case) -> Decision | None:
    """A fault of our own network says nothing about providers: what is, stays."""
    if case.frozen is None or case.active is None:
        return None
    return Decision(case.active, Reason.FROZEN, case.frozen.why)


def refused_request(case: Case) -> Rejected | None:
    """Return why the provider a person asked for cannot be given, or None."""
    return rejection(case, case.primary) if case.requested else None


def wait_for_the_primary(case: Case) -> Decision | None:
    """The first choice is made when the primary has been asked, so that it does not depend on who answers first."""
    asked = case.health(case.primary).last_probe_at is not None
    if case.active is not None or asked or case.health(case.primary).state is not HealthState.UNKNOWN:
        return None
    if case.primary in case.config_errors:
        return None
    return Decision(None, Reason.WAITING, f'waiting for the first probe of "{case.primary}"')


def requested(case: Case) -> Decision | None:
    """A person who edits the primary is obeyed at once, if that provider may serve."""
    if not case.requested or rejection(case, case.primary):
        return None
    why = f'"{case.primary}" was made the primary'
    if case.failback_requested and case.acted_primary == case.primary:
        why = f'the return to "{case.primary}" was requested'
    return Decision(case.primary, Reason.PRIMARY_HEALTHY, why, Trigger.MANUAL_SWITCH)


def manual(case: Case) -> Decision | None:
    """In manual mode only a person switches; without a person there is the primary or nothing."""
    if case.mode is not Mode.MANUAL or (case.active is not None and case.active not in case.order):
        return None
    if case.active is not None:
        return Decision(case.active, Reason.MANUAL, _manual_why(case))
    refusal = rejection(case, case.primary)
    if refusal:
        return Decision(None, Reason.NO_HEALTHY_PROVIDER, _spell((refusal,)), rejected=(refusal,))
    return Decision(case.primary, Reason.MANUAL, f'"{case.primary}" is the primary', Trigger.INITIAL)


def _manual_why(case: Case) -> str:
    active = case.active or ""
    if case.may_stay(active):
        return f'failover.mode is Manual: "{active}" stays until spec.primary is edited'
    refusal = Rejected(active, _unfit(case.health(active), case.now))
    return f"{_spell((refusal,))}; failover.mode is Manual: {_advice(case)}"


def _advice(case: Case) -> str:
    """Say what a person can do; an edit that changes nothing would be no request."""
    fit = next((name for name in case.order if rejection(case, name) is None), None)
    if fit is None:
        return "no other provider is healthy"
    if fit == case.primary:
        return f'"{fit}" is healthy; set the annotation {FAILBACK_ANNOTATION} to the present time to return to it'
    return f'edit spec.primary to "{fit}", which is healthy'


def hold_refused(case: Case) -> Decision | None:
    """A wish that cannot be granted moves nobody: without it, the new order would."""
    if not case.requested or case.active is None or not case.may_stay(case.active):
        return None
    return _stay(case, case.active)


def hold_failback(case: Case) -> Decision | None:
    """With manual failback, a backup that works keeps serving."""
    active = case.active
    if case.failback is not Mode.MANUAL or active is None or active == case.primary or not case.may_stay(active):
        return None
    why = f'"{active}" stays: failover.failback is Manual'
    return Decision(active, Reason.FAILBACK_HELD, why, rejected=_before(case, active))


def ranked(case: Case) -> Decision | None:
    """The first in order that may serve; the active one only has to be good enough to stay."""
    for name in case.order:
        if name == case.active and case.may_stay(name):
            return _stay(case, name)
        if rejection(case, name) is None:
            return _move(case, name)
    return None


def _stay(case: Case, name: str) -> Decision:
    if name == case.primary:
        return Decision(name, Reason.PRIMARY_HEALTHY, f'the primary "{name}" serves')
    rejected = _before(case, name)
    return Decision(name, Reason.FAILED_OVER, f'"{name}" serves: {_spell(rejected)}', rejected=rejected)


def _move(case: Case, name: str) -> Decision:
    trigger, rejected = _trigger(case), _before(case, name)
    reason = Reason.PRIMARY_HEALTHY if name == case.primary else Reason.FAILED_OVER
    return Decision(name, reason, _because(case, name, trigger, rejected), trigger, rejected)


def _trigger(case: Case) -> Trigger:
    if case.active is None:
        return Trigger.INITIAL
    if case.active not in case.order:
        return Trigger.SPEC_CHANGE
    if not case.may_stay(case.active):
        return Trigger.FAILOVER
    return Trigger.FAILBACK


def _because(case: Case, name: str, trigger: Trigger, rejected: tuple[Rejected, ...]) -> str:
    match trigger:
        case Trigger.FAILBACK:
            return f'"{name}" is preferred to "{case.active}" and may serve'
        case Trigger.SPEC_CHANGE:
            return f'"{case.active}" is neither the primary nor a backup any more'
        case Trigger.FAILOVER:
            lost = Rejected(case.active or "", _unfit(case.health(case.active or ""), case.now))
            return _spell((lost, *(other for other in rejected if other.provider != case.active)))
        case _:
            return _spell(rejected) or f'"{name}" is the primary'


def _before(case: Case, name: str) -> tuple[Rejected, ...]:
    """Return those that are preferred to `name` but may not be chosen."""
    preferred = case.order[: case.order.index(name)]
    return tuple(refusal for refusal in (rejection(case, other) for other in preferred) if refusal)


def _spell(rejected: tuple[Rejected, ...]) -> str:
    told = [f'"{refusal.provider}": {shorten(refusal.why.rstrip("."), LONGEST_WHY)}' for refusal in rejected]
    fitting = sum(length <= LONGEST_LIST for length in accumulate(len(sentence) + len("; ") for sentence in told))
    left = [f"and {len(told) - fitting} more"] if fitting < len(told) else []
    return "; ".join((*told[:fitting], *left))


def shorten(text: str, limit: int) -> str:
    """Return the text, cut where it is longer than `limit` characters."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def keep(case: Case) -> Decision:
    """Nothing may serve: stay, because an empty choice breaks every consumer."""
    rejected = tuple(refusal for refusal in (rejection(case, name) for name in case.order) if refusal)
    held = f'"{case.active}" stays published' if case.active else "nothing is published yet"
    return Decision(case.active, Reason.NO_HEALTHY_PROVIDER, f"{_spell(rejected)}; {held}", rejected=rejected)


PRECEDENCE: Final[tuple[Callable[[Case], Decision | None], ...]] = (
    hold_in_freeze,
    wait_for_the_primary,
    requested,
    manual,
    hold_failback,
    hold_refused,
    ranked,
)
"""The promise of the user guide, in one line."""


def decide(case: Case) -> Decision:
    """Apply the rules in order; the first that has an answer wins."""
    answers = (rule(case) for rule in PRECEDENCE)
    return next((answer for answer in answers if answer), None) or keep(case)
