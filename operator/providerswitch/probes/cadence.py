"""When to probe next, and how long to wait for the answer. Pure.

Probes are paced by their starts. After a first failure they follow each other every `fastInterval` until the provider
has answered or has failed often enough. A provider that hangs must not stretch that: after a failure the next probe has
only the fast interval (at least a second) to answer, and after a timeout it starts at once, so that three failures take
as long whether the provider refuses or is silent. Only one that is slow when it is well gets longer, or one lost probe
would bring it down.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from providerswitch.api.health import TRIPS_AT_ONCE, TRIPS_WHEN_CONFIRMED, HealthClass
from providerswitch.core.health import CONFIRMATIONS, clamp_retry_after
from providerswitch.core.outcome import Outcome, Tier
from providerswitch.probes.target import Cadence

SHORTEST_DEADLINE: Final = timedelta(seconds=1)
UNUSUAL_FACTOR: Final = 4
"""A silence this much longer than usual is a failure: a new connection takes up to four round trips, a kept one takes
one."""

FORGETTING: Final = 0.9
"""A slow answer is remembered for some ten probes."""

MOST_DOUBLINGS: Final = 20
"""100 ms doubled so often is more than any interval."""

SLOW_FACTOR: Final = 5
"""A rejected key is asked about this much more rarely: some providers lock accounts that insist."""


@dataclass(frozen=True, slots=True)
class Streak:
    """What the probes of a target have shown lately.

    Attributes:
        failures: consecutive failed probes.
        failing_tier: the tier that fails; asked again until it is well.
        generated_at: start of the last billed probe.
        usual: how long an answer takes while the provider is well: the slowest of about the last ten.
    """

    failures: int = 0
    failing_tier: Tier = Tier.LIVENESS
    generated_at: datetime | None = None
    usual: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class NextProbe:
    """The plan for the next probe of a target."""

    at: datetime
    tier: Tier
    deadline: timedelta


def follow(streak: Streak, outcome: Outcome) -> Streak:
    """Return the streak after one more outcome."""
    generated = outcome.started_at if outcome.tier is Tier.GENERATION else streak.generated_at
    if not outcome.alive:
        return Streak(streak.failures + 1, _deeper(streak, outcome.tier), generated, streak.usual)
    if streak.failing_tier is Tier.GENERATION and outcome.tier is Tier.LIVENESS:
        return replace(streak, generated_at=generated)
    usual = max(outcome.ended_at - outcome.started_at, streak.usual * FORGETTING)
    return Streak(generated_at=generated, usual=usual)


def _deeper(streak: Streak, tier: Tier) -> Tier:
    failing_deep = streak.failures > 0 and streak.failing_tier is Tier.GENERATION
    return Tier.GENERATION if failing_deep else tier


def plan_next(cadence: Cadence, streak: Streak, outcome: Outcome) -> NextProbe:
    """Return when and how to probe after an outcome; `streak` includes it."""
    at = _next_start(cadence, streak, outcome)
    return NextProbe(at, _tier(cadence, streak, at), _deadline(cadence, streak, outcome))


def plan_hinted(cadence: Cadence, streak: Streak, outcome: Outcome, unfounded: int, now: datetime) -> NextProbe:
    """Return the next probe if somebody says meanwhile that the provider fails; `streak` includes the last outcome.

    Each of the last `unfounded` probes that such hints brought about, and that found it well, doubles the pace from
    `fastInterval` on, up to `interval`: who cries wolf is heard less and less. Nothing but the time is another than
    without hints; a shorter deadline could bring down a provider that is slow.
    """
    pace = min(cadence.interval, cadence.fast_interval * 2 ** min(unfounded, MOST_DOUBLINGS))
    at = max(now, outcome.started_at + pace)
    return NextProbe(at, _tier(cadence, streak, at), _deadline(cadence, streak, outcome))


def _next_start(cadence: Cadence, streak: Streak, outcome: Outcome) -> datetime:
    if outcome.health_class is HealthClass.RATE_LIMITED:
        return outcome.ended_at + clamp_retry_after(outcome.retry_after, _patience(cadence, streak))
    return max(outcome.ended_at, outcome.started_at + _pace(cadence, streak, outcome.health_class))


def _patience(cadence: Cadence, streak: Streak) -> timedelta:
    """Return how long to leave one alone that is rate limited and does not say how long.

    Until it has refused often enough, it is asked more often, so that a limit that lasts is left within one interval.
    """
    settled = streak.failures >= cadence.failure_threshold
    return cadence.interval if settled else max(cadence.fast_interval, cadence.interval / cadence.failure_threshold)


def _pace(cadence: Cadence, streak: Streak, health_class: HealthClass) -> timedelta:
    if health_class in TRIPS_WHEN_CONFIRMED and streak.failures >= CONFIRMATIONS:
        return cadence.interval * SLOW_FACTOR
    return cadence.fast_interval if _in_doubt(cadence, streak, health_class) else cadence.interval


def _in_doubt(cadence: Cadence, streak: Streak, health_class: HealthClass) -> bool:
    """More probes would change the verdict: it fails, but not often enough to be down."""
    settled = TRIPS_AT_ONCE | {HealthClass.UNKNOWN, HealthClass.CONFIG_INVALID}
    return 0 < streak.failures < cadence.failure_threshold and health_class not in settled


def _tier(cadence: Cadence, streak: Streak, at: datetime) -> Tier:
    if cadence.generation_interval is None:
        return Tier.LIVENESS
    last = streak.generated_at
    due = last is None or at >= last + cadence.generation_interval
    return Tier.GENERATION if due or streak.failing_tier is Tier.GENERATION else Tier.LIVENESS


def _deadline(cadence: Cadence, streak: Streak, outcome: Outcome) -> timedelta:
    """Of a provider that never answered well nobody knows how long it takes; only its silence is held against it."""
    judged = streak.usual > timedelta(0) or outcome.health_class is HealthClass.TIMEOUT
    if judged and _in_doubt(cadence, streak, outcome.health_class):
        return min(cadence.timeout, max(cadence.fast_interval, SHORTEST_DEADLINE, streak.usual * UNUSUAL_FACTOR))
    return cadence.timeout


def start_spread(targets: int, interval: timedelta) -> timedelta:
    """Return over how long the first probes of a start are spread: 200 a second, within one interval.

    One CPU makes about 1,200 probes a second over kept connections and 500 over new TLS ones (platform notes, 2026-11);
    this leaves room for deciding.
    """
    return min(interval, timedelta(seconds=targets / 200))
