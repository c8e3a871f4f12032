"""How good is a provider, in one number from 0 to 1?

Four parts from 0 to 1 are weighted by `selection.weights`, of which only the proportions matter:

- latency: the quickest known p95 divided by the provider's own. Times under a millisecond count as one.
- accuracy: the quality of its answers; 0.5 where it is unknown.
- cost: 1 - (own price - cheapest price) / dearest price; 1 where all are free, 0.5 where it is unknown.
- availability: as it was measured.

A provider of unknown response time or availability has no score. Weights that are all zero count as equal ones.

Each part is chosen so that a provider that betters one value gains on every other one: the others' parts can only stay
or fall. So it never loses a place by it.

An example with the default weights 0.4, 0.3, 0.2 and 0.1. OpenAI answers in 0.8 s, quality 0.9, price 2.00; Google in
0.4 s, quality 0.8, price 0.50; both always worked:

- openai: 0.4 * (0.4 / 0.8) + 0.3 * 0.9 + 0.2 * (1 - (2.00 - 0.50) / 2.00) + 0.1 * 1 = 0.20 + 0.27 + 0.05 + 0.10 = 0.62
- google: 0.4 * (0.4 / 0.4) + 0.3 * 0.8 + 0.2 * (1 - (0.50 - 0.50) / 2.00) + 0.1 * 1 = 0.40 + 0.24 + 0.20 + 0.10 = 0.94

>>> def measured(p95: float, quality: float, cost: float) -> Measures:
...     return Measures(latency=Latency(p95, p95, p95), availability=1.0, quality=quality, cost=cost)
>>> scores = score_all({"openai": measured(0.8, 0.9, 2.00), "google": measured(0.4, 0.8, 0.50)}, ScoreWeights())
>>> {name: round(score.total, 2) for name, score in scores.items() if score}
{'openai': 0.62, 'google': 0.94}
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import fsum
from typing import Final

from providerswitch.api.selection import ScoreWeights
from providerswitch.core.measures import Latency, Measures

UNKNOWN_PART: Final = 0.5
"""What a quality or price counts that nobody declared: in the middle."""

SHORTEST: Final = 0.001
"""Seconds; what is quicker is as quick, and nothing is divided by zero."""


@dataclass(frozen=True, slots=True)
class Score:
    """What a provider is worth; all from 0 to 1.

    Attributes:
        total: the weighted mean of the parts.
    """

    total: float
    latency: float
    accuracy: float
    cost: float
    availability: float


@dataclass(frozen=True, slots=True)
class _Yardstick:
    """The best and worst known values of all providers, that each is compared with."""

    quickest: float
    cheapest: float
    dearest: float


def score_all(measures: Mapping[str, Measures], weights: ScoreWeights) -> dict[str, Score | None]:
    """Return the score of each provider; None where too little is known of it."""
    times = [_seconds(each.latency) for each in measures.values() if each.latency]
    prices = [each.cost for each in measures.values() if each.cost is not None]
    yardstick = _Yardstick(min(times, default=SHORTEST), min(prices, default=0), max(prices, default=0))
    return {name: _score(each, yardstick, weights) for name, each in measures.items()}


def _score(measures: Measures, yardstick: _Yardstick, weights: ScoreWeights) -> Score | None:
    if measures.latency is None or measures.availability is None:
        return None
    latency = yardstick.quickest / _seconds(measures.latency)
    accuracy = UNKNOWN_PART if measures.quality is None else measures.quality
    cost = _cost_part(measures.cost, yardstick)
    total = _weighted_mean(
        (latency, accuracy, cost, measures.availability),
        (weights.latency, weights.accuracy, weights.cost, weights.availability),
    )
    return Score(total, latency, accuracy, cost, measures.availability)


def _seconds(latency: Latency) -> float:
    return max(latency.p95, SHORTEST)


def _cost_part(cost: float | None, yardstick: _Yardstick) -> float:
    if cost is None:
        return UNKNOWN_PART
    if not yardstick.dearest:
        return 1
    return 1 - (cost - yardstick.cheapest) / yardstick.dearest


def _weighted_mean(parts: tuple[float, ...], weights: tuple[float, ...]) -> float:
    """Sums are rounded once, so that a part that grows never makes the mean smaller."""
    known = weights if any(weights) else (1.0,) * len(parts)
    return fsum(weight * part for weight, part in zip(known, parts, strict=True)) / fsum(known)
