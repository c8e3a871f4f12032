"""The vocabulary of the tests of scores and strategies: measures, contenders and fields, short to write."""

from collections.abc import Sequence
from datetime import datetime

from tests.core.moments import NOON

from providerswitch.api.selection import ScoreWeights, Selection
from providerswitch.core.measures import Latency, Measures
from providerswitch.core.score import Score, score_all
from providerswitch.core.strategies.field import Contender, Field

ONLY_AVAILABILITY = ScoreWeights(latency=0, accuracy=0, cost=0, availability=1)
UNKNOWN = Measures()


def measured(
    p95: float = 1,
    *,
    quality: float | None = None,
    cost: float | None = None,
    availability: float | None = 1,
    error_rate: float | None = 0,
) -> Measures:
    """Return measures of a provider that has been seen for a while."""
    latency = Latency(p50=p95 / 2, p95=p95, mean=p95 / 2)
    return Measures(
        samples=30, latency=latency, error_rate=error_rate, availability=availability, quality=quality, cost=cost
    )


def worth(total: float | None) -> Score | None:
    """Return a score with a total; its parts do not matter."""
    return None if total is None else Score(total, total, total, total, total)


def contender(
    name: str,
    total: float | None = None,
    *,
    may_serve: bool = True,
    degraded: bool = False,
    cost: float | None = None,
    weight: int = 100,
    back_since: datetime | None = None,
) -> Contender:
    """Return a contender with a score."""
    return Contender(name, may_serve, degraded, Measures(cost=cost), worth(total), weight, back_since)


def field(
    *contenders: Contender, active: str | None = None, selection: Selection | None = None, now: datetime = NOON
) -> Field:
    """Return a field; the first contender is the primary."""
    return Field(now, contenders, active, selection or Selection())


def scored(named: Sequence[tuple[str, Measures]], active: str | None = None) -> Field:
    """Return a field of providers that may all serve, scored with the default weights."""
    scores = score_all(dict(named), ScoreWeights())
    return field(*(Contender(name, True, False, each, scores[name]) for name, each in named), active=active)
