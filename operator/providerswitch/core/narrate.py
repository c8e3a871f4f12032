"""What is worth an Event, told from the difference between two statuses. Pure.

An identity names one happening, so that the same one told again after a crash is the same Event.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from providerswitch.api.status import Condition, ConditionType, HealthState, PolicyStatus, ProviderStatus, Switch
from providerswitch.core.decide import Reason, Trigger
from providerswitch.core.report import SWITCH_REFUSED


@dataclass(frozen=True, slots=True)
class PolicyEvent:
    """Something worth telling.

    Attributes:
        reason: CamelCase, documented in docs/reference/events.md.
        identity: tells two happenings of the same reason apart; equal identities are one Event.
    """

    type: Literal["Normal", "Warning"]
    reason: str
    note: str
    identity: str


SWITCH_REASONS: Final = {
    Trigger.INITIAL: "Activated",
    Trigger.MANUAL_SWITCH: "Switched",
    Trigger.FAILOVER: "FailedOver",
    Trigger.FAILBACK: "FailedBack",
    Trigger.SPEC_CHANGE: "Switched",
}
TOLD_OTHERWISE: Final = frozenset({Reason.WAITING})
"""Reasons for not being ready that need no Event: they pass by themselves."""


def tell_switch(switch: Switch) -> PolicyEvent:
    """Return the Event of a finished switch."""
    way = f'from "{switch.from_provider}" to "{switch.to}"' if switch.from_provider else f'to "{switch.to}"'
    took = f"published and verified in {switch.switch_millis} ms"
    seen = f", {switch.detect_millis} ms after the first failed probe" if switch.detect_millis is not None else ""
    if switch.outcome == "RolledBack":
        note = f"Switch {way} was undone, the former choice is published again: {switch.reason}"
        return PolicyEvent("Warning", "SwitchRolledBack", note, f"{switch.revision}/{switch.to}")
    kind: Literal["Normal", "Warning"] = "Warning" if switch.trigger == Trigger.FAILOVER else "Normal"
    first = f'"{switch.to}" is the first choice'
    what = f"Switched {way}" if switch.from_provider else first
    note = f"{what} (revision {switch.revision}): {switch.reason}. {took.capitalize()}{seen}."
    return PolicyEvent(kind, _switch_reason(switch.trigger), note, f"{switch.revision}")


def _switch_reason(trigger: str) -> str:
    """A switch that is finished after a restart may have been begun by a release with other triggers."""
    return next((reason for known, reason in SWITCH_REASONS.items() if known == trigger), "Switched")


def tell_changes(before: PolicyStatus, after: PolicyStatus) -> tuple[PolicyEvent, ...]:
    """Return the Events of everything but switches."""
    return (*_providers(before, after), *_frozen(before, after), *_ready(before, after), *_refused(before, after))


def _providers(before: PolicyStatus, after: PolicyStatus) -> Iterator[PolicyEvent]:
    former = {entry.name: entry for entry in before.providers}
    for entry in after.providers:
        state = former[entry.name].state if entry.name in former else HealthState.UNKNOWN
        if state is not entry.state:
            yield from _provider(state, entry)


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
