"""A drill beside its policy: probes are played on paper, at the policy's own cadence, and nothing is touched. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from providerswitch.core.case import Case, Decision
from providerswitch.core.decide import decide
from providerswitch.core.drill import Played, PlayedFault, play
from providerswitch.core.drill_rules import suppose
from providerswitch.core.health import HealthRules, ProviderHealth, observe
from providerswitch.core.outcome import Outcome, Tier
from providerswitch.probes.cadence import NextProbe, Streak, follow, plan_next
from providerswitch.probes.target import Cadence

MOST_PROBES: Final = 10_000
"""An hour of probes at the shortest interval that is of use; a run that needs more does not notice its fault."""


@dataclass(frozen=True, slots=True)
class Paper:
    """What a fault would lead to.

    Attributes:
        first_bad_at: end of the first probe that failed.
        decided_at: when it would be decided to leave the provider, or for one that does not serve, when it is down.
        decision: None where nothing would be switched.
    """

    first_bad_at: datetime | None = None
    decided_at: datetime | None = None
    decision: Decision | None = None


def rehearse(case: Case, name: str, fault: PlayedFault, cadence: Cadence, rules: HealthRules) -> Paper:
    """Return what would come of a fault of a provider."""
    health, streak = case.health(name), Streak()
    plan, first = NextProbe(fault.begins, Tier.LIVENESS, cadence.timeout), None
    for _ in range(MOST_PROBES):
        played = play(fault, plan.at)
        if played is None:
            break
        outcome = _ask(played, plan)
        first = first or (None if outcome.alive else outcome.ended_at)
        health, streak = observe(health, outcome, rules), follow(streak, outcome)
        paper = _decide(case, name, health, outcome.ended_at)
        if paper:
            return replace(paper, first_bad_at=first)
        plan = plan_next(cadence, streak, outcome)
    return Paper(first)


def _ask(played: Played, plan: NextProbe) -> Outcome:
    takes = plan.deadline if played.takes is None else played.takes
    return Outcome(
        played.health_class,
        played.why,
        plan.at,
        plan.at + takes,
        retry_after=played.retry_after,
        replied=played.replied,
    )


def _decide(case: Case, name: str, health: ProviderHealth, now: datetime) -> Paper | None:
    if name != case.active:
        return None if health.may_stay else Paper(decided_at=now)
    if health.may_stay:
        return None
    decision = decide(suppose(replace(case, now=now), name, health))
    return Paper(decided_at=now, decision=decision) if decision.trigger else None
