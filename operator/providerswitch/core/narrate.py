"""What is worth an Event, told from the difference between two statuses. Pure.

An identity names one happening, so that the same one told again after a crash is the same Event.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, Literal

from providerswitch.api.meta import ADOPT_ANNOTATION
from providerswitch.api.status import Condition, ConditionType, HealthState, PolicyStatus, ProviderStatus, Switch
from providerswitch.core.case import Reason, Trigger
from providerswitch.core.report import SWITCH_REFUSED


@dataclass(frozen=True, slots=True)
class Related:
    """Another object that an Event is also about, in the same namespace.

    Attributes:
        uid: None where it is not known.
    """

    api_version: str
    kind: str
    name: str
    uid: str | None = None


@dataclass(frozen=True, slots=True)
class PolicyEvent:
    """Something worth telling.

    Attributes:
        reason: CamelCase, documented in docs/reference/events.md.
        identity: tells two happenings of the same reason apart; equal identities are one Event.
        related: the published object that it is also about.
    """

    type: Literal["Normal", "Warning"]
    reason: str
    note: str
    identity: str
    related: Related | None = field(default=None, compare=False)


SWITCH_REASONS: Final = {
    Trigger.INITIAL: "Activated",
    Trigger.MANUAL_SWITCH: "Switched",
    Trigger.FAILOVER: "FailedOver",
    Trigger.FAILBACK: "FailedBack",
    Trigger.SPEC_CHANGE: "Switched",
    Trigger.SCHEDULE: "SwitchedBySchedule",
    Trigger.DEGRADATION: "SwitchedFromDegraded",
    Trigger.PERFORMANCE: "SwitchedToBetter",
    Trigger.COST: "SwitchedToBetter",
    Trigger.WEIGHT: "SwitchedToBetter",
    Trigger.ROTATION: "Rotated",
    Trigger.OVERRIDE: "Overridden",
    Trigger.OVERRIDE_ENDED: "OverrideEnded",
    Trigger.DRILL_ENDED: "DrillEnded",
}
TOLD_OTHERWISE: Final = frozenset({Reason.WAITING})
"""Reasons for not being ready that need no Event: they pass by themselves."""


OF_A_DRILL: Final = re.compile(r'Drill "[^"]+": ')
"""How the reason of a switch begins that a drill made."""


def of_drill(name: str, sentence: str) -> str:
    """Return a sentence about what a drill did; nobody shall take it for a failure."""
    return f'Drill "{name}": {sentence}'


def tell_switch(switch: Switch) -> PolicyEvent:
    """Return the Event of a finished switch."""
    played = OF_A_DRILL.match(switch.reason)
    if played is None:
        return _switch(switch)
    event = _switch(switch.model_copy(update={"reason": switch.reason[played.end() :]}))
    return replace(event, type="Normal", note=f"{played[0]}{event.note}")


def _switch(switch: Switch) -> PolicyEvent:
    whose = f'Task "{switch.task}": ' if switch.task else ""
    identity = f"{switch.revision}/{switch.task}" if switch.task else f"{switch.revision}"
    if switch.outcome == "RolledBack":
        way = f'from "{switch.from_provider}" to "{switch.to}"' if switch.from_provider else f'to "{switch.to}"'
        note = f"{whose}Switch {way} was undone, the former choice is published again: {switch.reason}"
        return PolicyEvent("Warning", "SwitchRolledBack", note, f"{identity}/{switch.to}")
    kind: Literal["Normal", "Warning"] = "Warning" if switch.trigger == Trigger.FAILOVER else "Normal"
    if switch.outcome == "Shadow":
        note = f"Shadow: would {_would(switch)}{_for_task(switch)}: {switch.reason}. Nothing is published."
        return PolicyEvent(kind, _switch_reason(switch.trigger), note, f"shadow/{identity}/{switch.to}")
    note = f"{whose}{_what(switch)} (revision {switch.revision}): {switch.reason}. {_times(switch)}."
    return PolicyEvent(kind, _switch_reason(switch.trigger), note, identity)


def _what(switch: Switch) -> str:
    if switch.from_provider:
        return f'Switched from "{switch.from_provider}" to "{switch.to}"'
    return f'"{switch.to}" is the first choice'


def _would(switch: Switch) -> str:
    way = f'from "{switch.from_provider}" to "{switch.to}"' if switch.from_provider else f'to "{switch.to}" first'
    return f"switch {way}"


def _for_task(switch: Switch) -> str:
    return f' for task "{switch.task}"' if switch.task else ""


def _times(switch: Switch) -> str:
    seen = f", {switch.detect_millis} ms after the first failed probe" if switch.detect_millis is not None else ""
    return f"Published and verified in {switch.switch_millis} ms{seen}"


def _switch_reason(trigger: str) -> str:
    """A switch that is finished after a restart may have been begun by a release with other triggers."""
    return next((reason for known, reason in SWITCH_REASONS.items() if known == trigger), "Switched")


def tell_drift(related: Related, changed: str, managers: Sequence[str], now: datetime) -> PolicyEvent:
    """Return the Event of an object that was put right: one for each kind and hour, whatever else changes meanwhile.

    Args:
        related: The object.
        changed: What was done to it: "changed" or "deleted".
        managers: Field managers that did it, as far as the API server recorded them.
        now: When it was put right.
    """
    by = ", ".join(f'"{manager}"' for manager in managers) or "somebody the API server keeps no record of"
    note = (
        f'{related.kind} "{related.name}" was {changed} by {by} and has been put right. What follows within the hour '
        "is only counted (providerswitch_drift_repairs_total)."
    )
    return PolicyEvent("Warning", "DriftCorrected", note, f"{related.kind}/{hour_of(now)}", related)


def hour_of(moment: datetime) -> str:
    """Return the hour of the day, UTC, as a word.

    >>> from datetime import UTC
    >>> hour_of(datetime(2026, 11, 2, 9, 59, 59, tzinfo=UTC))
    '2026-11-02T09'
    """
    return f"{moment:%Y-%m-%dT%H}"


def tell_adoption(related: Related) -> PolicyEvent:
    """Return the Event of an object of somebody else's that was taken over because its annotation allows it."""
    note = (
        f'{related.kind} "{related.name}" was there before and has been adopted, as its annotation {ADOPT_ANNOTATION} '
        "allows: it belongs to this policy now. What others wrote into it stays."
    )
    return PolicyEvent("Normal", "Adopted", note, f"{related.kind}/{related.name}/{related.uid}", related)


def tell_changes(before: PolicyStatus, after: PolicyStatus) -> tuple[PolicyEvent, ...]:
    """Return the Events of everything but switches."""
    tellers = (_providers, _degraded, _frozen, _ready, _refused, _held, _budget)
    return tuple(event for tell in tellers for event in tell(before, after))


def _providers(before: PolicyStatus, after: PolicyStatus) -> Iterator[PolicyEvent]:
    former = {entry.name: entry for entry in before.providers}
    for entry in after.providers:
        state = former[entry.name].state if entry.name in former else HealthState.UNKNOWN
        if state is not entry.state:
            yield from _played(before, after, entry.name, _provider(state, entry))


def _played(
    before: PolicyStatus, after: PolicyStatus, name: str, events: Iterator[PolicyEvent]
) -> Iterator[PolicyEvent]:
    """A provider that only seems to fail alarms nobody."""
    drill = after.drill or before.drill
    for event in events:
        played = drill is not None and drill.provider == name
        yield replace(event, type="Normal", note=of_drill(drill.name, event.note)) if drill and played else event


def _provider(state: HealthState, entry: ProviderStatus) -> Iterator[PolicyEvent]:
    identity = f"{entry.name}/{entry.since}"
    if entry.state is HealthState.DOWN:
        note = f'Provider "{entry.name}" is down ({entry.health_class}): {entry.why}'
        yield PolicyEvent("Warning", "ProviderDown", note, identity)
    elif entry.state is HealthState.RATE_LIMITED:
        note = f'Provider "{entry.name}" is rate limited until {entry.rate_limited_until:%H:%M:%S} UTC: {entry.why}'
        yield PolicyEvent("Warning", "ProviderRateLimited", note, identity)
    elif entry.state is HealthState.HEALTHY and state in {HealthState.DOWN, HealthState.RATE_LIMITED}:
        yield PolicyEvent("Normal", "ProviderRecovered", f'Provider "{entry.name}" may serve again.', identity)


def condition(status: PolicyStatus, kind: ConditionType) -> Condition | None:
    """Return a condition of a status, or None."""
    return next((entry for entry in status.conditions if entry.type == kind), None)


def _frozen(before: PolicyStatus, after: PolicyStatus) -> Iterator[PolicyEvent]:
    was, now = condition(before, ConditionType.FROZEN), condition(after, ConditionType.FROZEN)
    if now is None or now.status == (was.status if was else "False"):
        return
    identity = f"{now.last_transition_time}"
    if now.status == "True":
        yield PolicyEvent("Warning", "Frozen", now.message, identity)
    else:
        yield PolicyEvent("Normal", "Thawed", "The network answers again; choices are made as usual.", identity)


def _ready(before: PolicyStatus, after: PolicyStatus) -> Iterator[PolicyEvent]:
    was, now = condition(before, ConditionType.READY), condition(after, ConditionType.READY)
    if now is None or now.status != "False" or now.reason in TOLD_OTHERWISE:
        return
    if was is None or (was.status, was.reason) != (now.status, now.reason):
        yield PolicyEvent("Warning", now.reason, now.message, f"{now.last_transition_time}")


def _refused(before: PolicyStatus, after: PolicyStatus) -> Iterator[PolicyEvent]:
    """In automatic mode a refused wish of a person is a failover, so that Ready does not tell it."""
    was, now = condition(before, ConditionType.FAILED_OVER), condition(after, ConditionType.FAILED_OVER)
    if now is None or now.reason != SWITCH_REFUSED:
        return
    if was is None or (was.reason, was.observed_generation) != (now.reason, now.observed_generation):
        yield PolicyEvent("Warning", SWITCH_REFUSED, now.message, f"{now.observed_generation}")


def _degraded(before: PolicyStatus, after: PolicyStatus) -> Iterator[PolicyEvent]:
    former = {entry.name: entry.degraded for entry in before.providers}
    for entry in after.providers:
        was = former.get(entry.name)
        yield from _played(before, after, entry.name, _thresholds(entry, was, after.revision))


def _thresholds(entry: ProviderStatus, was: str | None, revision: int) -> Iterator[PolicyEvent]:
    identity = f"{entry.name}/{revision}/{entry.degraded or was}"
    if entry.degraded and not was:
        yield PolicyEvent("Warning", "ProviderDegraded", f'"{entry.name}" is degraded: {entry.degraded}', identity)
    elif was and not entry.degraded:
        note = f'"{entry.name}" is within all thresholds again.'
        yield PolicyEvent("Normal", "ProviderNotDegraded", note, identity)


def _held(before: PolicyStatus, after: PolicyStatus) -> Iterator[PolicyEvent]:
    """One Event for each switch that is held back, however often it is looked at meanwhile."""
    if after.held and not before.held:
        note = f"{after.held[0].upper()}{after.held[1:]}."
        yield PolicyEvent("Normal", "SwitchHeld", note, f"{after.revision}/{after.held}")


def _budget(before: PolicyStatus, after: PolicyStatus) -> Iterator[PolicyEvent]:
    was, now = condition(before, ConditionType.BUDGET_EXHAUSTED), condition(after, ConditionType.BUDGET_EXHAUSTED)
    if now and now.status == "True" and (was is None or was.status != "True"):
        yield PolicyEvent("Warning", now.reason, now.message, f"{now.last_transition_time}")
