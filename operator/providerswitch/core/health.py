"""The health state machine of one provider, as one policy sees it.

```
Unknown ──ok──> Healthy <──ok── Suspect        Suspect: failing, threshold not reached
   │               │  ^            │
   └──fail──> Suspect │            └─ failureThreshold, or a class that trips ─> Down (blacklisted)
                      └── recoveryThreshold successes and blacklist over ────────┘
Healthy ── rate limit longer than the probe interval, or failureThreshold of them ─> RateLimited ──ok──> Healthy
```
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from providerswitch.api.health import NETWORK, TRIPS_AT_ONCE, TRIPS_WHEN_CONFIRMED, HealthClass
from providerswitch.api.status import HealthState
from providerswitch.core.flapping import CLOCKS_DIFFER, blacklist_for, count_relapses
from providerswitch.core.outcome import Outcome, Tier

RETRY_AFTER_BOUNDS: Final = (timedelta(seconds=1), timedelta(hours=1))
"""A provider's Retry-After is honoured within these, so that a wrong one neither floods it nor exiles it."""

CONFIRMATIONS: Final = 2

ENDS_BY_ITSELF: Final = frozenset({HealthClass.CONFIG_INVALID, HealthClass.MODEL_LOADING})
"""A corrected mistake or a loaded model is no relapse to fear: such a provider is left, but not blacklisted."""


@dataclass(frozen=True, slots=True)
class HealthRules:
    """The thresholds of a policy.

    Attributes:
        patience: a rate limit that ends within this time is waited out.
        deepest: tier of the deepest probes that are made; what a deeper one once found can no longer be disproved.
    """

    failure_threshold: int
    recovery_threshold: int
    blacklist_duration: timedelta
    patience: timedelta
    deepest: Tier = Tier.GENERATION


@dataclass(frozen=True, slots=True)
class ProviderHealth:
    """Where a provider stands for a policy.

    Attributes:
        since: when it came into `state`; None while unknown.
        failures: consecutive failed probes.
        successes: consecutive good probes while Down.
        failing_tier: the tier that failed; only a good probe at least as deep disproves the failure.
        first_failure_at: end of the first failed probe of the present trouble; where detection time counts from.
        last_probe_at: end of the last probe.
        ejections: how often it was blacklisted and that is not forgotten; each doubles the next blacklist time.
        ejected_at: when it was blacklisted last.
        back_since: when it came back after having been down; None while it was never away.
    """

    state: HealthState = HealthState.UNKNOWN
    health_class: HealthClass = HealthClass.UNKNOWN
    why: str = "not probed yet"
    since: datetime | None = None
    failures: int = 0
    successes: int = 0
    failing_tier: Tier = Tier.LIVENESS
    blacklisted_until: datetime | None = None
    limited_until: datetime | None = None
    first_failure_at: datetime | None = None
    last_probe_at: datetime | None = None
    ejections: int = 0
    ejected_at: datetime | None = None
    back_since: datetime | None = None

    @property
    def may_stay(self) -> bool:
        """Whether an active provider in this state is kept."""
        return self.state not in {HealthState.DOWN, HealthState.RATE_LIMITED}


def clamp_retry_after(asked: timedelta | None, default: timedelta) -> timedelta:
    """Return how long to leave a rate-limited provider alone."""
    low, high = RETRY_AFTER_BOUNDS
    return max(low, min(high, default if asked is None else asked))


def observe(health: ProviderHealth, outcome: Outcome, rules: HealthRules) -> ProviderHealth:
    """Return the health after one more outcome."""
    if outcome.health_class is HealthClass.UNKNOWN:
        why = outcome.why if health.state is HealthState.UNKNOWN else health.why
        return replace(health, why=why, last_probe_at=outcome.ended_at)
    if outcome.alive:
        after = _succeed(health, outcome, rules)
    elif outcome.health_class is HealthClass.RATE_LIMITED:
        after = _limit(health, outcome, rules)
    else:
        after = _fail(health, outcome, rules)
    moved = after.state is not health.state
    return replace(after, last_probe_at=outcome.ended_at, since=outcome.ended_at if moved else health.since)


def witness(health: ProviderHealth, outcome: Outcome, rules: HealthRules) -> ProviderHealth:
    """Return the health after a silence that our own network may explain: it makes a suspect, and counts once."""
    if health.failures or rules.failure_threshold == 1 or not health.may_stay:
        return replace(health, last_probe_at=outcome.ended_at)
    return observe(health, outcome, rules)


def acquit(health: ProviderHealth, last_answer_at: datetime | None) -> ProviderHealth:
    """Return the health where a silence turns out to be everybody's: who went down in it is a suspect again.

    Probes are not in step: one host can have been silent often enough before a second one was asked.
    """
    began = health.first_failure_at
    within = began is not None and (last_answer_at is None or began > last_answer_at)
    if health.state is not HealthState.DOWN or health.health_class not in NETWORK or not within:
        return health
    ejections = max(0, health.ejections - 1)
    return replace(
        health, state=HealthState.SUSPECT, failures=1, successes=0, blacklisted_until=None, ejections=ejections
    )


def succeed(own: ProviderHealth, recorded: ProviderHealth | None) -> ProviderHealth:
    """Return what a replica that begins to lead holds of a provider: what its own probes say, and what was recorded.

    Its own are newer. But they asked nothing that is billed, and may have missed what came before them: an ejection
    lasts, and a failure that only billed probes find stands until they disprove it. One that it found itself is of an
    earlier term, and whoever led since knows more.
    """
    if recorded is None:
        return own
    if own.last_probe_at is None or own.failing_tier is Tier.GENERATION:
        return recorded
    if not recorded.may_stay and _outlasts(recorded, own.last_probe_at):
        return recorded
    return replace(
        own,
        since=recorded.since if recorded.state is own.state else own.since,
        blacklisted_until=_later(own.blacklisted_until, recorded.blacklisted_until),
        ejections=max(own.ejections, recorded.ejections),
        ejected_at=_later(own.ejected_at, recorded.ejected_at),
        back_since=_later(own.back_since, recorded.back_since),
    )


def _outlasts(recorded: ProviderHealth, last_probe_at: datetime) -> bool:
    """Tell whether a provider is out of service for a reason that a liveness probe cannot disprove."""
    until = recorded.blacklisted_until
    return recorded.failing_tier is Tier.GENERATION or (until is not None and until > last_probe_at)


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((moment for moment in (one, other) if moment), default=None)


def _succeed(health: ProviderHealth, outcome: Outcome, rules: HealthRules) -> ProviderHealth:
    if min(health.failing_tier, rules.deepest, key=_depth) is Tier.GENERATION and outcome.tier is Tier.LIVENESS:
        return health
    if health.state is not HealthState.DOWN:
        return _well(health, outcome)
    successes = health.successes + 1
    health = _mend_blacklist(health, outcome.ended_at, rules)
    until = health.blacklisted_until
    if _recovered(health, successes, rules) and (until is None or outcome.ended_at >= until):
        return replace(_well(health, outcome), back_since=outcome.ended_at)
    return replace(
        health, why=f"answers again: {outcome.why}", failures=0, successes=successes, failing_tier=Tier.LIVENESS
    )


def _mend_blacklist(health: ProviderHealth, now: datetime, rules: HealthRules) -> ProviderHealth:
    """A blacklist time that is longer than any was begun by a clock that went wrong: it begins now."""
    longest = now + blacklist_for(health.ejections, rules.blacklist_duration)
    until, begun = health.blacklisted_until, health.ejected_at
    if until is None or begun is None or begun <= now + CLOCKS_DIFFER or until <= longest + CLOCKS_DIFFER:
        return health
    return replace(health, blacklisted_until=longest, ejected_at=now)


def _recovered(health: ProviderHealth, successes: int, rules: HealthRules) -> bool:
    """A mistake in the configuration is mended or not; there is nothing to wait and see."""
    mended = health.health_class is HealthClass.CONFIG_INVALID and health.blacklisted_until is None
    return mended or successes >= rules.recovery_threshold


def _well(health: ProviderHealth, outcome: Outcome) -> ProviderHealth:
    return ProviderHealth(
        HealthState.HEALTHY,
        outcome.health_class,
        outcome.why,
        ejections=health.ejections,
        ejected_at=health.ejected_at,
        back_since=health.back_since,
    )


def _limit(health: ProviderHealth, outcome: Outcome, rules: HealthRules) -> ProviderHealth:
    """A short rate limit is waited out; a long or lasting one moves consumers, without a blacklist."""
    if health.state is HealthState.DOWN:
        return replace(health, successes=0, failing_tier=_deeper(health, outcome))
    pause = clamp_retry_after(outcome.retry_after, rules.patience)
    failures = health.failures + 1
    leave = pause > rules.patience or failures >= rules.failure_threshold or health.state is HealthState.RATE_LIMITED
    return _failing(
        health,
        outcome,
        state=HealthState.RATE_LIMITED if leave else HealthState.SUSPECT,
        limited_until=outcome.ended_at + pause,
    )


def _fail(health: ProviderHealth, outcome: Outcome, rules: HealthRules) -> ProviderHealth:
    if health.state is HealthState.DOWN:
        tier = _deeper(health, outcome)
        return replace(health, successes=0, health_class=outcome.health_class, why=outcome.why, failing_tier=tier)
    if health.failures + 1 < _threshold(outcome.health_class, rules):
        return _doubt(health, outcome)
    failing = _failing(health, outcome, state=HealthState.DOWN, limited_until=None)
    return failing if outcome.health_class in ENDS_BY_ITSELF else _eject(failing, outcome.ended_at, rules)


def _doubt(health: ProviderHealth, outcome: Outcome) -> ProviderHealth:
    """One failure more, too few to be down; it makes nobody fitter than before."""
    if health.state is HealthState.RATE_LIMITED:
        return replace(health, failures=health.failures + 1, failing_tier=_deeper(health, outcome))
    return _failing(health, outcome, state=HealthState.SUSPECT, limited_until=None)


def _threshold(health_class: HealthClass, rules: HealthRules) -> int:
    if health_class in TRIPS_AT_ONCE or health_class is HealthClass.CONFIG_INVALID:
        return 1
    if health_class in TRIPS_WHEN_CONFIRMED:
        return min(CONFIRMATIONS, rules.failure_threshold)
    return rules.failure_threshold


def _eject(health: ProviderHealth, now: datetime, rules: HealthRules) -> ProviderHealth:
    """Blacklist a provider, the longer the more often it went down lately."""
    base = rules.blacklist_duration
    ejections = count_relapses(health.ejections, last=health.ejected_at, now=now, blacklist=base) + 1
    until = now + blacklist_for(ejections, base)
    return replace(health, blacklisted_until=until, ejections=ejections, ejected_at=now)


def _failing(
    health: ProviderHealth, outcome: Outcome, *, state: HealthState, limited_until: datetime | None
) -> ProviderHealth:
    return replace(
        health,
        state=state,
        health_class=outcome.health_class,
        why=outcome.why,
        failures=health.failures + 1,
        successes=0,
        failing_tier=_deeper(health, outcome),
        limited_until=limited_until,
        first_failure_at=health.first_failure_at or outcome.ended_at,
    )


def _deeper(health: ProviderHealth, outcome: Outcome) -> Tier:
    return max(health.failing_tier, outcome.tier, key=_depth)


_depth: Final[Callable[[Tier], int]] = list(Tier).index
