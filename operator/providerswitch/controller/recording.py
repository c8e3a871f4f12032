"""Write down what came of a decision: the history entry of a switch. Pure."""

from datetime import datetime, timedelta

from providerswitch.api.status import Rejection, Switch, SwitchOutcome
from providerswitch.controller.entry import Entry
from providerswitch.core.case import Case, Decision, Trigger
from providerswitch.core.memory import Publication


def detection(case: Case, trigger: Trigger | None, decided: datetime) -> timedelta | None:
    """Return how long it took from the first failed probe of the active provider to the decision to leave it.

    None where the moment was not the operator's to choose: an override begins and ends when a person wants.
    """
    if trigger in {Trigger.OVERRIDE, Trigger.OVERRIDE_ENDED}:
        return None
    health = case.health(case.active) if case.active else None
    if health is None or health.may_stay or health.first_failure_at is None:
        return None
    return max(timedelta(0), decided - health.first_failure_at)


def build_switch(
    decision: Decision,
    publication: Publication,
    *,
    former: str | None,
    decided_at: datetime,
    now: datetime,
    detected: timedelta | None,
    outcome: SwitchOutcome,
    task: str | None = None,
) -> Switch:
    """Return the history entry of a switch of the policy itself, or of a task."""
    took = now - decided_at
    return Switch(
        time=now,
        from_provider=former,
        to=decision.provider or "",
        revision=publication.revision,
        trigger=decision.trigger or "",
        reason=decision.why[:1024],
        detect_millis=round(detected.total_seconds() * 1000) if detected is not None else None,
        switch_millis=round(took.total_seconds() * 1000),
        outcome=outcome,
        task=task,
        rejected=[Rejection(provider=each.provider, why=each.why[:512]) for each in decision.rejected] or None,
    )


def repeats(entry: Entry, switch: Switch) -> bool:
    """Tell whether a switch was undone like the last one: tried again for hours, it would drive out all history."""
    return switch.outcome == "RolledBack" and any(
        (last.outcome, last.revision, last.to, last.task) == (switch.outcome, switch.revision, switch.to, switch.task)
        for last in entry.memory.history[:1]
    )
