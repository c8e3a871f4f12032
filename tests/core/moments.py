"""The vocabulary of the tests of the pure core: one clock, outcomes at its seconds, healths and cases."""

from datetime import UTC, datetime, timedelta

from providerswitch.api.health import HealthClass
from providerswitch.api.status import HealthState
from providerswitch.core.case import Case
from providerswitch.core.health import HealthRules, ProviderHealth, observe
from providerswitch.core.outcome import Outcome, Tier

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
RULES = HealthRules(
    failure_threshold=3,
    recovery_threshold=5,
    blacklist_duration=timedelta(seconds=300),
    patience=timedelta(seconds=30),
)
"""The defaults of a policy."""
GONE = "no answer within 10 s"


def at(seconds: float) -> datetime:
    """Return the moment so many seconds after noon."""
    return NOON + timedelta(seconds=seconds)


def outcome(
    kind: HealthClass, seconds: float = 0, *, tier: Tier = Tier.LIVENESS, retry_after: float | None = None
) -> Outcome:
    """Return an outcome that was asked for and came at a second after noon."""
    asked = None if retry_after is None else timedelta(seconds=retry_after)
    return Outcome(kind, f"HTTP: {kind}", at(seconds), at(seconds), asked, tier)


def after(health: ProviderHealth, *outcomes: Outcome, rules: HealthRules = RULES) -> ProviderHealth:
    """Return the health after these outcomes, in order."""
    for each in outcomes:
        health = observe(health, each, rules)
    return health


WELL = ProviderHealth(HealthState.HEALTHY, HealthClass.HEALTHY, "200 in 120 ms", since=NOON)
NEVER_PROBED = ProviderHealth()
SUSPECT = ProviderHealth(HealthState.SUSPECT, HealthClass.TIMEOUT, GONE, since=NOON, failures=1)
DOWN = ProviderHealth(HealthState.DOWN, HealthClass.TIMEOUT, GONE, since=NOON, blacklisted_until=at(300))
LIMITED = ProviderHealth(HealthState.RATE_LIMITED, HealthClass.RATE_LIMITED, "429", since=NOON, limited_until=at(60))


def case(active: str | None = "openai", /, *, now: datetime = NOON, **healths: ProviderHealth) -> Case:
    """Return a case whose order is that of the healths; the primary was acted upon, unless nothing is published."""
    order = tuple(healths)
    return Case(now, order, healths, active=active, acted_primary=order[0] if active else None)
