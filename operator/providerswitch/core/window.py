"""The newest outcomes of one provider, and what they say in numbers.

The memory is constant: the newest 512 outcomes, so that probes in quick succession make a window shorter, not larger.

A percentile is the nearest rank: the p-th of n values is the one at place ceil(p/100 * n) in ascending order. It is
always a value that was seen; of fewer than twenty values the 95th percentile is the largest.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Final, NamedTuple

from providerswitch.api.health import HealthClass
from providerswitch.api.provider import Cost
from providerswitch.core.measures import Latency, Measures
from providerswitch.core.outcome import Allowance, Outcome, Tier

CAPACITY: Final = 512
"""Outcomes that are kept."""

SAYS_NOTHING: Final = frozenset({HealthClass.UNKNOWN, HealthClass.CONFIG_INVALID})
"""Neither a success nor a failure of the provider: nobody could ask it, or read what it said."""

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)


class _Sample(NamedTuple):
    """What is kept of an outcome.

    Attributes:
        at: end of the probe, in microseconds since 1970: whole numbers add up without an error.
        depth: 1 for the shallowest tier.
        seconds: to the last byte; >= 0 even where the clock was put back meanwhile.
        first_byte: seconds to the first byte.
    """

    at: int
    alive: bool
    depth: int
    seconds: float
    first_byte: float | None


_at: Final = attrgetter("at")


class Window:
    """Collects the outcomes of one provider."""

    def __init__(self) -> None:
        self._samples: list[_Sample] = []
        self._allowance: tuple[int, Allowance] | None = None

    def add(self, outcome: Outcome) -> None:
        """Take in one more outcome. One that says nothing of the provider only tells of its rate limits."""
        at = _micros(outcome.ended_at)
        if outcome.allowance and (self._allowance is None or at >= self._allowance[0]):
            self._allowance = (at, outcome.allowance)
        if outcome.health_class not in SAYS_NOTHING:
            insort(self._samples, _sample(outcome, at), key=_at)
            del self._samples[:-CAPACITY]

    def measure(self, *, now: datetime, span: timedelta, min_samples: int, deepest: Tier = Tier.GENERATION) -> Measures:
        """Return what the outcomes from `now - span` to `now` amount to; the rest of the measures is not known here.

        Values of fewer than `min_samples` (>= 1) are unknown. `deepest` is the tier of the deepest probes that
        are made; what a deeper one once found is disproved by one of that tier.
        """
        start, end = _micros(now - span), _micros(now)
        samples = self._samples[bisect_left(self._samples, start, key=_at) : bisect_right(self._samples, end, key=_at)]
        answers = [sample for sample in samples if sample.alive]
        enough = len(samples) >= min_samples
        failures = [sample.alive for sample in samples].count(False)
        return Measures(
            samples=len(samples),
            failures=failures if enough else None,
            latency=_latency(answers, min_samples),
            error_rate=(len(samples) - len(answers)) / len(samples) if enough else None,
            availability=_availability(samples, end, _depth(deepest)) if enough else None,
            allowance=self._allowance_between(start, end),
        )

    def _allowance_between(self, start: int, end: int) -> Allowance:
        known = self._allowance
        return known[1] if known and start <= known[0] <= end else Allowance()


def blend_cost(cost: Cost | None) -> float | None:
    """Return the price of a million tokens of which three in four are sent and one is answered; None if unknown."""
    if cost is None:
        return None
    return (3 * cost.input_per_million_tokens + cost.output_per_million_tokens) / 4


def _sample(outcome: Outcome, at: int) -> _Sample:
    first_byte = None if outcome.first_byte is None else outcome.first_byte.total_seconds()
    return _Sample(at, outcome.alive, _depth(outcome.tier), max(0.0, outcome.took.total_seconds()), first_byte)


def _micros(moment: datetime) -> int:
    return (moment - EPOCH) // MICROSECOND


def _depth(tier: Tier) -> int:
    return 1 + list(Tier).index(tier)


def _latency(answers: Sequence[_Sample], min_samples: int) -> Latency | None:
    """Answers of two tiers are not mixed: a generated token takes longer than a list of models."""
    for wanted in range(len(Tier), 0, -1):
        times = [(seconds, first) for _, _, depth, seconds, first in answers if depth == wanted]
        if len(times) >= min_samples:
            return _summary(times, min_samples)
    return None


def _summary(times: Sequence[tuple[float, float | None]], min_samples: int) -> Latency:
    whole = sorted([seconds for seconds, _ in times])
    first = sorted([seconds for _, seconds in times if seconds is not None])
    return Latency(
        p50=_percentile(whole, 50),
        p95=_percentile(whole, 95),
        mean=sum(whole) / len(whole),
        first_byte_p95=_percentile(first, 95) if len(first) >= min_samples else None,
    )


def _percentile(ordered: Sequence[float], percent: int) -> float:
    place = -(-percent * len(ordered) // 100)
    return ordered[place - 1]


def _availability(samples: Sequence[_Sample], end: int, deepest: int) -> float:
    """Return the share of time in which it worked: a verdict holds until the next one, the last until the end.

    So a burst of probes weighs no more than the time it took. A failure is disproved by a probe at least as deep, as in
    the health of a provider: that models can be listed does not say that they answer.
    """
    down = failing = 0
    since = samples[0].at
    for at, alive, depth, _, _ in samples:
        down += at - since if failing else 0
        since = at
        if not alive:
            failing = max(failing, min(depth, deepest))
        elif depth >= failing:
            failing = 0
    down += end - since if failing else 0
    observed = end - samples[0].at
    return 1 - down / observed if observed else float(not failing)
