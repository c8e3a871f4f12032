"""Which provider shall serve? The rules, in the order in which they are asked.

Everything a rule needs is in the `Case`; the first rule with an answer wins, and the answer carries its reasons:
the same words go to status, Event, log and metrics.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Final

from providerswitch.api.meta import FAILBACK_ANNOTATION
from providerswitch.api.policy import Mode
from providerswitch.api.selection import Strategy
from providerswitch.api.status import HealthState
from providerswitch.core.case import Case, Decision, Held, Reason, Rejected, Trigger
from providerswitch.core.flapping import find_hold
from providerswitch.core.override import Detour, Override
from providerswitch.core.wording import before, complaint, rejection, spell

BY_STRATEGY: Final[Mapping[Strategy, tuple[Reason, Trigger]]] = {
    Strategy.PRIORITY: (Reason.FAILED_OVER, Trigger.FAILBACK),
    Strategy.PERFORMANCE: (Reason.BEST_SCORE, Trigger.PERFORMANCE),
    Strategy.COST: (Reason.CHEAPEST, Trigger.COST),
    Strategy.WEIGHTED: (Reason.HIGHEST_WEIGHT, Trigger.WEIGHT),
    Strategy.ROUND_ROBIN: (Reason.ITS_TURN, Trigger.ROTATION),
}

FOR_THE_BETTER: Final = frozenset(
    {Trigger.SCHEDULE, Trigger.DEGRADATION, *(trigger for _, trigger in BY_STRATEGY.values())}
)
"""Switches that nobody is in need of: flap control may hold them back."""


def forced(case: Case) -> Decision | None:
    """A forced override goes past health and past a freeze, but not past what cannot work."""
    order = case.override
    if order is None or not order.force or not case.suits(order.provider):
        return None
    return _obey(case, order)


def overridden(case: Case) -> Decision | None:
    """A person on call is obeyed while that provider may serve; while it may not, consumers need one that does."""
    order = case.override
    if order is None or not case.may_serve(order.provider):
        return None
    return _obey(case, order)


def _obey(case: Case, order: Override) -> Decision:
    trigger = None if case.active == order.provider else Trigger.OVERRIDE
    return Decision(order.provider, Reason.OVERRIDDEN, order.why, trigger)


def released(case: Case) -> Decision | None:
    """What was changed for a while is undone at once: no dwell time, no mode and no rule of failback keeps it."""
    detour = case.detour
    if detour is None or case.override or case.active is None:
        return None
    for name in _way_back(case, detour):
        if name == case.active and case.may_stay(name):
            return None
        if rejection(case, name) is None:
            why = f"the {'drill' if detour.drill else 'override'} is over"
            return Decision(name, _reason(case, name), why, _ended(case, detour), before(case, name))
    return None


def _ended(case: Case, detour: Detour) -> Trigger:
    """What a schedule in force leads back to is the schedule's, which takes it away again."""
    if case.scheduled:
        return Trigger.SCHEDULE
    return Trigger.DRILL_ENDED if detour.drill else Trigger.OVERRIDE_ENDED


def awaits_origin(case: Case, decision: Decision, unanswered: Collection[str]) -> bool:
    """Tell whether the way back is only put off, because whoever served before is just being asked."""
    origin = case.detour.origin if case.detour else None
    if decision.trigger or origin is None or origin == case.active or origin not in case.order:
        return False
    return origin in unanswered or case.health(origin).state is HealthState.SUSPECT


def _way_back(case: Case, detour: Detour) -> tuple[str, ...]:
    """Whoever served before, where only a person would have moved on from there; else the best by the rules."""
    by_hand = Mode.MANUAL in {case.mode, case.failback}
    stays = by_hand and case.strategy is Strategy.PRIORITY and not case.scheduled
    return (detour.origin, *case.preference) if stays and detour.origin in case.order else case.preference


def hold_in_freeze(case: Case) -> Decision | None:
    """A fault of our own network says nothing about providers: what is, stays."""
    if case.frozen is None or case.active is None:
        return None
    return Decision(case.active, Reason.FROZEN, case.frozen.why)


def refused_request(case: Case) -> Rejected | None:
    """Return why the provider a person asked for cannot be given, or None."""
    return rejection(case, case.primary) if case.requested else None


def wait_for_the_first(case: Case) -> Decision | None:
    """The first choice is made when the best has been asked, so that it does not depend on who answers first."""
    best = case.ideal[0]
    asked = case.health(best).last_probe_at is not None
    if case.active is not None or asked or case.health(best).state is not HealthState.UNKNOWN:
        return None
    if best in case.config_errors or best in case.misfits:
        return None
    return Decision(None, Reason.WAITING, f'waiting for the first probe of "{best}"')


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
        return Decision(None, Reason.NO_HEALTHY_PROVIDER, spell((refusal,)), rejected=(refusal,))
    return Decision(case.primary, Reason.MANUAL, f'"{case.primary}" is the primary', Trigger.INITIAL)


def _manual_why(case: Case) -> str:
    active = case.active or ""
    if case.may_stay(active):
        return f'failover.mode is Manual: "{active}" stays until spec.primary is edited'
    return f"{spell((complaint(case, active),))}; failover.mode is Manual: {_advice(case)}"


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
    """With manual failback, a backup that works keeps serving; what the schedule brought, it takes away again."""
    active = case.active
    if case.failback is not Mode.MANUAL or active is None or active == case.primary or not case.may_stay(active):
        return None
    if case.strategy is not Strategy.PRIORITY or case.scheduled or case.arrived_by == Trigger.SCHEDULE:
        return None
    why = f'"{active}" stays: failover.failback is Manual'
    return Decision(active, Reason.FAILBACK_HELD, why, rejected=before(case, active))


def ranked(case: Case) -> Decision | None:
    """The best that may serve; the active one only has to be good enough to stay."""
    for name in case.preference:
        if name == case.active and case.may_stay(name):
            return _stay(case, name)
        if rejection(case, name) is None:
            return _move(case, name)
    return None


def last_resort(case: Case) -> Decision | None:
    """Nobody may serve by the rules, but one that is only still blacklisted answers well: better than one that is dead.

    It stays blacklisted, and is left as soon as anybody may serve.
    """
    answering = [name for name in case.ideal if case.answers_again(name)]
    if not answering:
        return None
    name = case.active if case.active in answering else answering[0]
    rejected = before(case, name)
    why = f'"{name}" answers again and nobody else may serve, so its blacklist time is not waited for'
    if name == case.active:
        return Decision(name, Reason.LAST_RESORT, why, rejected=rejected)
    trigger = Trigger.FAILOVER if case.active else Trigger.INITIAL
    return Decision(name, Reason.LAST_RESORT, f"{why}: {spell(rejected)}" if rejected else why, trigger, rejected)


def is_failed_over(case: Case, name: str) -> bool:
    """Tell whether a provider serves only because a better one cannot. By order alone, a better one always should."""
    by_order = case.strategy is Strategy.PRIORITY
    best = next((each for each in case.ideal if by_order or each not in case.misfits), name)
    return name != best and (by_order or rejection(case, best) is not None)


def _is_left(case: Case, name: str) -> bool:
    """Tell whether a provider that may serve is passed over for being degraded."""
    leaves = case.outlook is not None and case.outlook.leaves_degraded
    return leaves and name in case.degraded and rejection(case, name) is None


def _reason(case: Case, name: str) -> Reason:
    if is_failed_over(case, name):
        return Reason.LESS_DEGRADED if _is_left(case, case.ideal[0]) else Reason.FAILED_OVER
    if case.scheduled:
        return Reason.SCHEDULED
    by_order = case.strategy is Strategy.PRIORITY
    return Reason.PRIMARY_HEALTHY if by_order else BY_STRATEGY[case.strategy][0]


def _stay(case: Case, name: str) -> Decision:
    reason, rejected = _reason(case, name), before(case, name)
    if reason is Reason.PRIMARY_HEALTHY:
        return Decision(name, reason, f'the primary "{name}" serves')
    merit = _merit(case, name, rejected)
    return Decision(name, reason, f'"{name}" serves{": " if merit else ""}{merit}', rejected=rejected)


def _move(case: Case, name: str) -> Decision:
    trigger, rejected = _trigger(case), before(case, name)
    if trigger in FOR_THE_BETTER and (held := _hold(case, name, trigger)):
        staying = _stay(case, case.active or "")
        return replace(staying, why=f"{staying.why}; {held.why}", held=held)
    return Decision(name, _reason(case, name), _because(case, name, trigger, rejected), trigger, rejected)


def _hold(case: Case, name: str, trigger: Trigger) -> Held | None:
    hold = find_hold(case.flap_rules, now=case.now, active_since=case.active_since, recent=case.recent_switches)
    return Held(name, trigger, hold) if hold else None


def _trigger(case: Case) -> Trigger:
    if case.active is None:
        return Trigger.INITIAL
    if case.active not in case.order or case.active in case.misfits:
        return Trigger.SPEC_CHANGE
    if not case.may_stay(case.active):
        return Trigger.FAILOVER
    return _preferring(case, case.active)


def _preferring(case: Case, active: str) -> Trigger:
    """Return why another one than a working active provider is preferred."""
    if case.outlook and case.outlook.leaves_degraded and active in case.degraded:
        return Trigger.DEGRADATION
    return Trigger.SCHEDULE if case.scheduled else BY_STRATEGY[case.strategy][1]


def _because(case: Case, name: str, trigger: Trigger, rejected: tuple[Rejected, ...]) -> str:
    active = case.active or ""
    match trigger:
        case Trigger.FAILBACK:
            return f'"{name}" is preferred to "{active}" and may serve'
        case Trigger.SPEC_CHANGE:
            return _unwanted(case, active)
        case Trigger.FAILOVER:
            lost = complaint(case, active)
            return spell((lost, *(other for other in rejected if other.provider != active)))
        case Trigger.DEGRADATION:
            return f'"{active}" is degraded: {case.degraded[active]}'
        case Trigger.INITIAL if case.strategy is Strategy.PRIORITY and not case.scheduled:
            return spell(rejected) or f'"{name}" is the primary'
        case _:
            return _merit(case, name, rejected)


def _unwanted(case: Case, active: str) -> str:
    if active in case.misfits:
        return spell((complaint(case, active),))
    return f'"{active}" is neither the primary nor a backup any more'


def _merit(case: Case, name: str, rejected: tuple[Rejected, ...]) -> str:
    """Say what speaks for a provider, and who was passed over for it."""
    merits = (f'the schedule "{case.scheduled}" is in force' if case.scheduled else "", _strategy_says(case, name))
    passed = (*merits, _degraded_before(case, name), spell(rejected))
    return "; ".join(part for part in passed if part)


def _strategy_says(case: Case, name: str) -> str:
    """By order alone, the order is all there is to say."""
    if case.outlook is None or case.strategy is Strategy.PRIORITY or name != case.preference[0]:
        return ""
    return case.outlook.why


def _degraded_before(case: Case, name: str) -> str:
    preferred = case.ideal[: case.ideal.index(name)]
    return "; ".join(f'"{other}" is degraded: {case.degraded[other]}' for other in preferred if _is_left(case, other))


def keep(case: Case) -> Decision:
    """Nothing may serve: stay, because an empty choice breaks every consumer."""
    rejected = tuple(refusal for refusal in (rejection(case, name) for name in case.order) if refusal)
    held = f'"{case.active}" stays published' if case.active else "nothing is published yet"
    return Decision(case.active, Reason.NO_HEALTHY_PROVIDER, f"{spell(rejected)}; {held}", rejected=rejected)


PRECEDENCE: Final[tuple[Callable[[Case], Decision | None], ...]] = (
    forced,
    hold_in_freeze,
    overridden,
    wait_for_the_first,
    requested,
    released,
    manual,
    hold_failback,
    hold_refused,
    ranked,
    last_resort,
)
"""The promise of the user guide, in one line."""


def decide(case: Case) -> Decision:
    """Apply the rules in order; the first that has an answer wins."""
    for rule in PRECEDENCE:
        answer = rule(case)
        if answer:
            return replace(answer, rule=rule.__name__)
    return replace(keep(case), rule="keep")
