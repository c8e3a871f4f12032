"""Tell a policy's state: the status that users, `kubectl wait`, kstatus and Argo CD read. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from providerswitch.api.drill_in_force import DrillInForce
from providerswitch.api.policy import Mode
from providerswitch.api.selection import Strategy
from providerswitch.api.status import (
    BudgetStatus,
    ConditionType,
    PolicyStatus,
    Recommendation,
    Resilience,
    ScheduleStatus,
    ShadowStatus,
    SwitchCounts,
    TaskStatus,
)
from providerswitch.core.budget import Spending, spent_today
from providerswitch.core.case import Case, Decision, Reason
from providerswitch.core.decide import is_failed_over, refused_request
from providerswitch.core.drill_record import DrillRecord
from providerswitch.core.figures import tell_provider
from providerswitch.core.memory import Memory, Rotation
from providerswitch.core.outcome import Tier
from providerswitch.core.outlook import Outlook
from providerswitch.core.override_report import judge_overridden, tell_overrides
from providerswitch.core.resilience import build_resilience, success_rate
from providerswitch.core.schedule import Standing
from providerswitch.core.shadow import SHADOW, explain_shadow
from providerswitch.core.verdict import Verdict, as_condition
from providerswitch.core.wording import LONGEST_WHY, complaint, rejection, shorten, spell

SERVED: Final = frozenset({Reason.FAILED_OVER, Reason.FAILBACK_HELD, Reason.LESS_DEGRADED, Reason.LAST_RESORT})
NOT_READY: Final = frozenset({Reason.NO_HEALTHY_PROVIDER, Reason.WAITING})
UNSERVED: Final = frozenset({Reason.NO_HEALTHY_PROVIDER})
LONGEST_MESSAGE: Final = 1024
UNBILLED_ONLY: Final = "; unbilled checks cannot see an outage of generation alone, see healthCheck.generation"
SWITCH_REFUSED: Final = "SwitchRefused"
"""Reason of Ready in manual mode, where the spec is not honoured, and else of FailedOver, where it is a failover."""
LIMIT_EXCEEDED: Final = "LimitExceeded"
"""Reason of Ready of a policy for which its namespace has no place."""
CONTESTED: Final = "Contested"
"""Reason of Ready while somebody else changes a published object again and again."""
SPEC_INVALID: Final = "SpecInvalid"
"""Reason of Ready of a policy whose newest spec cannot be read."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something only the user can mend: condition reason and sentence."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Settled:
    """What was decided for a task, or for the policy itself, and from what."""

    task: str | None
    case: Case
    decision: Decision


@dataclass(frozen=True, slots=True)
class Background:
    """What a status tells besides the decision about the policy itself.

    Attributes:
        standing: of the schedule; None where there is none.
        domains: failure domain of each provider.
        exhausted: what the budget of billed requests says, None where there is room or no budget.
        budgeted: whether there is a budget.
        source: what is wrong with the metrics source; None where nothing is.
        config_load: from the arrival of the last changed spec to its decision in force.
        resilient: whether figures of resilience can be told already.
        shadow: what consumers are really sent to, in shadow mode; None while choices are published.
    """

    tasks: tuple[Settled, ...] = ()
    standing: Standing | None = None
    domains: Mapping[str, str] = field(default_factory=dict)
    exhausted: str | None = None
    budgeted: bool = False
    source: str | None = None
    config_load: timedelta | None = None
    resilient: bool = False
    shadow: ShadowStatus | None = None


def build_status(
    case: Case,
    decision: Decision,
    memory: Memory,
    *,
    problems: Sequence[Problem],
    generation: int,
    before: PolicyStatus,
    background: Background | None = None,
) -> PolicyStatus:
    """Return the whole status; `before` keeps the transition times of conditions that did not change."""
    behind = background or Background()
    verdicts = _verdicts(case, decision, memory, problems, behind)
    return PolicyStatus(
        observed_generation=generation,
        active_provider=memory.active,
        active_since=memory.active_since,
        reason=decision.reason,
        revision=memory.revision,
        primary=memory.acted_primary,
        last_handled_failback=memory.handled_failback,
        last_good_generation=memory.last_good_generation,
        conditions=[
            as_condition(kind, _cut(verdict), before.conditions, case.now, generation)
            for kind, verdict in verdicts.items()
        ],
        providers=[tell_provider(case, memory, name) for name in case.healths],
        history=list(memory.history),
        switching=_switching(memory),
        held=shorten(decision.held.why, LONGEST_MESSAGE) if decision.held else None,
        tasks=[_task(settled, memory) for settled in behind.tasks] or None,
        recommendation=_recommendation(case.outlook),
        metrics_source=shorten(behind.source, LONGEST_MESSAGE) if behind.source else None,
        schedule=_schedule(behind.standing, memory.rotation),
        overrides=tell_overrides(memory) or None,
        drill=_drill(memory.drill),
        budget=_budget(memory.spending, case.now) if behind.budgeted else None,
        resilience=_resilience(case, memory, behind),
        shadow=behind.shadow,
    )  # fmt: skip


def _cut(verdict: Verdict) -> Verdict:
    return replace(verdict, message=verdict.message[:LONGEST_MESSAGE])


def _verdicts(
    case: Case, decision: Decision, memory: Memory, problems: Sequence[Problem], behind: Background
) -> dict[ConditionType, Verdict]:
    verdicts = {
        ConditionType.READY: _in_shadow(
            judge_ready(case, decision, memory, problems, behind.tasks), decision, memory, behind.shadow
        ),
        ConditionType.FAILED_OVER: judge_failed_over(case, decision, memory),
        ConditionType.FROZEN: judge_frozen(case),
        ConditionType.DEGRADED: judge_degraded(case, memory),
        ConditionType.OVERRIDDEN: judge_overridden((case, *(each.case for each in behind.tasks))),
    }
    return {**verdicts, ConditionType.BUDGET_EXHAUSTED: judge_budget(behind)} if behind.budgeted else verdicts


def _in_shadow(ready: Verdict, decision: Decision, memory: Memory, shadow: ShadowStatus | None) -> Verdict:
    """Nothing that is wrong is hidden by shadow mode."""
    if shadow is None or ready.status != "True":
        return ready
    return Verdict("True", SHADOW, explain_shadow(shadow, memory.active or "", decision))


def _switching(memory: Memory) -> SwitchCounts:
    extra = {"success_rate": success_rate(memory.counts), "last_hour": list(memory.recent) or None}
    return memory.counts.model_copy(update=extra)


def _recommendation(outlook: Outlook | None) -> Recommendation | None:
    advice = outlook.advice if outlook else None
    if advice is None:
        return None
    return Recommendation(
        provider=advice.provider, gain=round(advice.gain, 3), why=shorten(advice.why, LONGEST_MESSAGE)
    )


def _task(settled: Settled, memory: Memory) -> TaskStatus:
    seat = memory.seat(settled.task)
    return TaskStatus(
        name=settled.task or "",
        active_provider=seat.active,
        active_since=seat.active_since,
        reason=settled.decision.reason,
        why=shorten(settled.decision.why, LONGEST_MESSAGE),
        primary=seat.acted_primary,
        recommendation=_recommendation(settled.case.outlook),
    )


def _schedule(standing: Standing | None, rotation: Rotation) -> ScheduleStatus | None:
    """Nothing where there is nothing to say: an API server takes an empty object for one that is to be removed."""
    if standing is None:
        return None
    told = ScheduleStatus(
        active=standing.active.name if standing.active else None,
        next_change_at=standing.next_change_at,
        next_change=standing.next_change,
        rotated_at=rotation.at,
        rotated_to=rotation.provider,
    )
    return told if told != ScheduleStatus() else None


def _budget(spending: Spending | None, now: datetime) -> BudgetStatus:
    """What was used up yesterday is none of today's."""
    today = spent_today(spending or Spending(now.date()), now)
    return BudgetStatus(day=today.day.isoformat(), probes=today.probes, cost=round(today.cost, 6))


def _drill(record: DrillRecord | None) -> DrillInForce | None:
    if record is None:
        return None
    return DrillInForce(
        name=record.name,
        uid=record.uid,
        provider=record.provider,
        fault=record.fault,
        origin=record.origin,
        tasks=list(record.tasks) or None,
        started_at=record.started_at,
    )


def _resilience(case: Case, memory: Memory, behind: Background) -> Resilience | None:
    if not behind.resilient:
        return None
    return build_resilience(
        active=memory.active,
        fit=[name for name in case.order if case.may_serve(name)],
        domains=behind.domains,
        observed=memory.observed,
        history=memory.history,
        config_load=behind.config_load,
        now=case.now,
    )


def judge_ready(
    case: Case, decision: Decision, memory: Memory, problems: Sequence[Problem], tasks: Sequence[Settled] = ()
) -> Verdict:
    """Ready: consumers have a working provider and the spec is honoured."""
    if problems:
        return Verdict("False", problems[0].reason, " ".join(problem.message for problem in problems))
    if decision.reason in NOT_READY or memory.active is None:
        return Verdict("False", decision.reason, decision.why)
    if decision.reason is Reason.FROZEN:
        return Verdict("Unknown", decision.reason, decision.why)
    if decision.reason is Reason.OVERRIDDEN and not case.may_stay(memory.active):
        return Verdict("False", "OverriddenToFailing", f"{spell((complaint(case, memory.active),))}; {decision.why}")
    if unmet := _unmet(case, decision, memory.active, tasks):
        return unmet
    blind = UNBILLED_ONLY if case.deepest is Tier.LIVENESS else ""
    return Verdict("True", decision.reason, f"{decision.why}{_alone(case, memory.active)}{blind}")


def _unmet(case: Case, decision: Decision, active: str, tasks: Sequence[Settled]) -> Verdict | None:
    """Return what is not as the spec wants it though a provider is published."""
    if case.mode is Mode.MANUAL and not case.may_stay(active):
        unsuitable = active in case.misfits
        return Verdict("False", "ActiveProviderUnsuitable" if unsuitable else "ActiveProviderDown", decision.why)
    refused = tell_refusal(case)
    if case.mode is Mode.MANUAL and refused:
        return Verdict("False", SWITCH_REFUSED, refused)
    unserved = [f'task "{each.task}": {each.decision.why}' for each in tasks if each.decision.reason in UNSERVED]
    return Verdict("False", "TaskNotServed", "; ".join(unserved)) if unserved else None


def _alone(case: Case, active: str) -> str:
    """Tell a policy that nobody can ever take over; that a backup is down now is told elsewhere."""
    others = [name for name in case.order if name != active]
    misfits = tuple(refusal for name in others if name in case.misfits and (refusal := rejection(case, name)))
    if not others or len(misfits) < len(others):
        return ""
    return f"; no backup may ever take over (redundancy 0): {spell(misfits)}"


def tell_refusal(case: Case) -> str | None:
    """Say why the switch that a person asked for is not made, and what to do; None where there is no such wish."""
    refusal = refused_request(case)
    if refusal is None:
        return None
    asked, why = refusal.provider, shorten(refusal.why, LONGEST_WHY)
    edited = case.acted_primary not in {None, asked}
    wish = f'spec.primary asks for "{asked}"' if edited else f'The return to "{asked}" was requested'
    way_back = " Set spec.primary back to withdraw it." if edited else ""
    return (
        f'{wish}, but it may not serve ({why}); "{case.active}" stays active. The switch is made as soon as "{asked}" '
        f"is well.{way_back}"
    )


def judge_failed_over(case: Case, decision: Decision, memory: Memory) -> Verdict:
    """FailedOver: a provider serves because one that is preferred to it cannot."""
    if memory.active is None:
        return Verdict("False", "NothingPublished", decision.why)
    if decision.reason is Reason.OVERRIDDEN:
        return Verdict("False", decision.reason, decision.why)
    by_hand = case.mode is Mode.MANUAL and memory.active == case.primary
    if memory.active not in case.ideal or (is_failed_over(case, memory.active) and not by_hand):
        refused = tell_refusal(case)
        if refused and decision.reason in SERVED:
            return Verdict("True", SWITCH_REFUSED, refused)
        return Verdict("True", decision.reason, decision.why)
    by_order = by_hand or (case.strategy is Strategy.PRIORITY and not case.scheduled)
    return Verdict("False", "PrimaryActive" if by_order else "PreferredActive", decision.why)


def judge_frozen(case: Case) -> Verdict:
    """Frozen: our own network is at fault."""
    if case.frozen:
        return Verdict("True", "LocalNetworkFault", case.frozen.why)
    return Verdict("False", "NetworkWorks", "no sign of a fault of the cluster's own network")


def judge_degraded(case: Case, memory: Memory) -> Verdict:
    """Degraded: the active provider works, but badly."""
    active = memory.active or ""
    if active in case.degraded:
        return Verdict("True", "ThresholdExceeded", f'"{active}": {case.degraded[active]}')
    return Verdict("False", "WithinThresholds", "the active provider exceeds none of selection.thresholds")


def judge_budget(behind: Background) -> Verdict:
    """BudgetExhausted: only unbilled checks go on."""
    if behind.exhausted:
        return Verdict("True", "BudgetExhausted", behind.exhausted)
    return Verdict("False", "WithinBudget", "there is room in healthCheck.budget")
