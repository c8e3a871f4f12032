"""Does a provider work badly? It is degraded while it exceeds one of `selection.thresholds`, and known values only.

One that was degraded is well again when it keeps a safe distance from every threshold, so that it does not go to and
fro: `selection.hysteresis` is the share of the way from the threshold to the best value there is. With 0.1, a limit of
5 s is left behind at 4.5 s, an error rate of 5 % at 4.5 %, an availability of 95 % at 95.5 %, a quality of 0.7 at 0.73.
More than half of the way is never asked for.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from providerswitch.api.selection import Thresholds
from providerswitch.core.measures import Measures, tell_apart, tell_quality, tell_seconds, tell_share

FEWEST_FAILURES: Final = 2
"""Of few probes, one that failed is already a large share; it says no more than one among many."""

FARTHEST: Final = 0.5
"""A provider that had to reach the best value there is would never be well again."""


@dataclass(frozen=True, slots=True)
class _Limit:
    """A threshold beside the value that it is for.

    Attributes:
        best: the best value there is; it lies on the good side of the limit.
        tell: writes a value with a number of digits.
    """

    name: str
    value: float
    limit: float
    best: float
    tell: Callable[[float, int], str]


def judge(measures: Measures, thresholds: Thresholds, *, hysteresis: float, was_degraded: bool) -> str | None:
    """Return the phrase that names each threshold that is exceeded, with both numbers; None where none is.

    `was_degraded` tells that the last judgement was not None; `hysteresis` (0..1) only matters then.
    """
    distance = min(hysteresis, FARTHEST) if was_degraded else 0
    found = (_complaint(limit, distance) for limit in _limits(measures, thresholds))
    return "; ".join(complaint for complaint in found if complaint) or None


def judge_again(before: str | None, measures: Measures, thresholds: Thresholds, *, hysteresis: float) -> str | None:
    """Return the judgement that follows another; while there are too few samples to judge by, that one stands.

    So a provider that was left for working badly is not returned to because the operator was restarted.
    """
    if before is not None and measures.latency is None and measures.error_rate is None:
        return before
    return judge(measures, thresholds, hysteresis=hysteresis, was_degraded=before is not None)


def _limits(measures: Measures, thresholds: Thresholds) -> Iterator[_Limit]:
    if measures.latency is not None:
        limit = thresholds.response_time.total_seconds()
        yield _Limit("response time p95", measures.latency.p95, limit, 0, tell_seconds)
    counts = measures.failures is None or measures.failures >= FEWEST_FAILURES
    if measures.error_rate is not None and counts:
        yield _Limit("error rate", measures.error_rate, thresholds.error_rate, 0, tell_share)
    if measures.availability is not None and counts:
        yield _Limit("availability", measures.availability, thresholds.availability, 1, tell_share)
    if measures.quality is not None and thresholds.quality is not None:
        yield _Limit("quality", measures.quality, thresholds.quality, 1, tell_quality)


def _complaint(limit: _Limit, distance: float) -> str | None:
    """Say what is wrong with a value: beyond its limit or, at a distance > 0, not far enough from it."""
    if _is_beyond(limit, limit.limit):
        value, told = tell_apart(limit.tell, limit.value, limit.limit)
        return f"{limit.name} {value} is {'under' if limit.best else 'over'} {told}"
    aim = limit.limit + distance * (limit.best - limit.limit)
    if _is_beyond(limit, aim):
        value, told = tell_apart(limit.tell, limit.value, aim)
        return f"{limit.name} {value} has not come back {'over' if limit.best else 'under'} {told}"
    return None


def _is_beyond(limit: _Limit, bound: float) -> bool:
    return limit.value < bound if limit.best else limit.value > bound
