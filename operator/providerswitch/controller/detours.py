"""What overrides and drills change for a while in the reconciles of a policy, and the way back from it."""

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Final

from providerswitch.api.selection import Task
from providerswitch.api.status import HealthState
from providerswitch.controller.entry import Entry
from providerswitch.core.case import Case, Decision, Reason
from providerswitch.core.decide import awaits_origin, decide
from providerswitch.core.detours import come_back, depart
from providerswitch.core.drill_rules import Field
from providerswitch.core.health import ProviderHealth
from providerswitch.core.memory import Memory
from providerswitch.core.narrate import of_drill
from providerswitch.core.report import Settled
from providerswitch.core.situation import Situation, build_case

NOBODY_MOVES: Final = frozenset({Reason.FROZEN, Reason.NO_HEALTHY_PROVIDER, Reason.LAST_RESORT, Reason.WAITING})
"""What an override changed cannot be undone yet."""


def settle_detour(entry: Entry, made: Settled) -> Memory:
    """Note the way back from an override that holds now, or that there is none any more.

    While a drill runs it stays on record, even on its way back: what it played is not forgotten yet.
    """
    settled = _settle(entry.memory, made, entry.passed_over)
    return replace(settled, drill=entry.memory.drill) if entry.rehearsal else settled


def _settle(memory: Memory, made: Settled, unanswered: Collection[str]) -> Memory:
    """Note the way back from an override that holds now, or that it was gone; not before it is enacted."""
    order, seat = made.case.override, memory.seat(made.task)
    if seat.active != made.decision.provider:
        return memory
    if order is None and made.case.detour is None:
        return memory
    if order is None:
        asked = _is_unasked(made.case) or awaits_origin(made.case, made.decision, unanswered)
        waits = made.decision.reason in NOBODY_MOVES or asked
        unseen = made.case.detour != memory.detours.get(made.task)
        return memory if waits or unseen else come_back(memory, made.task)
    return depart(memory, order) if made.decision.reason is Reason.OVERRIDDEN else memory


def _is_unasked(case: Case) -> bool:
    """Tell whether nobody knows yet how the provider is that a drill took out of service."""
    origin = case.detour.origin if case.detour and case.detour.drill else None
    if origin is None or origin not in case.order or not case.suits(origin):
        return False
    return case.health(origin).state in {HealthState.UNKNOWN, HealthState.SUSPECT}


def tell_drill(entry: Entry, case: Case, decision: Decision) -> Decision:
    """Say of a switch that a drill makes it."""
    drill = entry.memory.drill
    if drill is None or decision.trigger is None or not drill.made(case.active, decision.provider):
        return decision
    return replace(decision, why=of_drill(drill.name, decision.why))


def real_health(entry: Entry) -> dict[str, ProviderHealth]:
    """Return the health of a provider whose failure is only played."""
    rehearsal = entry.rehearsal
    return {rehearsal.run.record.provider: rehearsal.real} if rehearsal and rehearsal.run.begun else {}


def survey(entry: Entry, look: Callable[[Entry], Situation]) -> Field | None:
    """Return what a drill has to know of a policy; None before it was looked at."""
    policy = entry.policy
    if policy is None or not entry.restored or entry.following or not entry.targets:
        return None
    seen = look(entry)
    return Field(
        spec=policy.spec,
        generation=policy.generation,
        token=policy.failback_token,
        case=build_case(policy.spec, entry.memory, seen),
        memory=entry.memory,
        overrides=entry.overrides,
        conditions={each.type: each for each in entry.status.conditions},
        drilled=entry.rehearsal is not None or entry.memory.drill is not None,
        tasks={task.name: build_case(policy.spec, entry.memory, seen, task) for task in policy.spec.tasks},
    )


def hold(entry: Entry, task: Task | None, situation: Situation) -> Settled:
    """Return what holds now that a decision has been enacted, from the same that was seen then."""
    assert entry.policy is not None
    case = build_case(entry.policy.spec, entry.memory, situation, task)
    return Settled(task.name if task else None, case, decide(case))
