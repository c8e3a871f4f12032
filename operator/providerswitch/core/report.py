"""Tell a policy's state: the status that users, `kubectl wait`, kstatus and Argo CD read. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from providerswitch.api.policy import Mode
from providerswitch.api.status import Condition, ConditionType, HealthState, PolicyStatus, ProviderStatus
from providerswitch.core.decide import LONGEST_WHY, Case, Decision, Reason, refused_request, rejection, shorten
from providerswitch.core.health import ProviderHealth
from providerswitch.core.memory import Memory
from providerswitch.core.outcome import Tier

SERVED: Final = frozenset({Reason.FAILED_OVER, Reason.FAILBACK_HELD})
NOT_READY: Final = frozenset({Reason.NO_HEALTHY_PROVIDER, Reason.WAITING})
LONGEST_MESSAGE: Final = 1024
UNBILLED_ONLY: Final = "; unbilled checks cannot see an outage of generation alone, see healthCheck.generation"
SWITCH_REFUSED: Final = "SwitchRefused"
"""Reason of Ready in manual mode, where the spec is not honoured, and else of FailedOver, where it is a failover."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something only the user can mend: condition reason and sentence."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The essence of a condition."""

    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str


def build_status(
    case: Case,
    decision: Decision,
    memory: Memory,
    *,
    problems: Sequence[Problem],
    generation: int,
    before: PolicyStatus,
) -> PolicyStatus:
    """Return the whole status; `before` keeps the transition times of conditions that did not change."""
    verdicts = {
        ConditionType.READY: judge_ready(case, decision, memory, problems),
        ConditionType.FAILED_OVER: judge_failed_over(case, decision, memory),
        ConditionType.FROZEN: judge_frozen(case),
    }
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
            _condition(kind, verdict, before, case.now, generation) for kind, verdict in verdicts.items()
        ],
        providers=[_provider(case, name) for name in case.healths],
        history=list(memory.history),
        switching=memory.counts,
    )  # fmt: skip


def judge_ready(case: Case, decision: Decision, memory: Memory, problems: Sequence[Problem]) -> Verdict:
    """Ready: consumers have a working provider and the spec is honoured."""
    if problems:
        return Verdict("False", problems[0].reason, " ".join(problem.message for problem in problems))
    if decision.reason in NOT_READY or memory.active is None:
        return Verdict("False", decision.reason, decision.why)
    if decision.reason is Reason.FROZEN:
        return Verdict("Unknown", decision.reason, decision.why)
    if case.mode is Mode.MANUAL and not case.may_stay(memory.active):
        return Verdict("False", "ActiveProviderDown", decision.why)
    refused = tell_refusal(case)
    if case.mode is Mode.MANUAL and refused:
        return Verdict("False", SWITCH_REFUSED, refused)
    blind = case.deepest is Tier.LIVENESS
    return Verdict("True", decision.reason, decision.why + (UNBILLED_ONLY if blind else ""))


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
    """FailedOver: another provider than the primary serves."""
    if memory.active is None or memory.active == case.primary:
        return Verdict("False", "PrimaryActive" if memory.active else "NothingPublished", decision.why)
    refused = tell_refusal(case)
    if refused and decision.reason in SERVED:
        return Verdict("True", SWITCH_REFUSED, refused)
    return Verdict("True", decision.reason, decision.why)


def judge_frozen(case: Case) -> Verdict:
    """Frozen: our own network is at fault."""
    if case.frozen:
        return Verdict("True", "LocalNetworkFault", case.frozen.why)
    return Verdict("False", "NetworkWorks", "no sign of a fault of the cluster's own network")


def _condition(
    kind: ConditionType, verdict: Verdict, before: PolicyStatus, now: datetime, generation: int
) -> Condition:
    former = next((condition for condition in before.conditions if condition.type == kind), None)
    same = former is not None and former.status == verdict.status
    return Condition(
        type=kind,
        status=verdict.status,
        reason=verdict.reason,
        message=verdict.message[:LONGEST_MESSAGE],
        last_transition_time=former.last_transition_time if former and same else now.replace(microsecond=0),
        observed_generation=generation,
    )


def _provider(case: Case, name: str) -> ProviderStatus:
    health = case.health(name)
    return ProviderStatus(
        name=name,
        state=health.state,
        health_class=health.health_class,
        since=health.since,
        blacklisted_until=health.blacklisted_until,
        rate_limited_until=health.limited_until,
        eligible=rejection(case, name) is None,
        why=shorten(_why(case.config_errors.get(name), health), LONGEST_MESSAGE),
    )


def _why(config_error: str | None, health: ProviderHealth) -> str:
    """A mistake in the configuration does not hide what the probes find."""
    if config_error is None:
        return health.why
    found = health.state not in {HealthState.UNKNOWN, HealthState.HEALTHY}
    return f"{config_error} Its probes: {health.why}." if found else config_error
