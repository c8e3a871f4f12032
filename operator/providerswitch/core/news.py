"""Is a status worth writing? At once where something happened; where only numbers moved, now and then. Pure.

Statuses are compared as they are stored, so that whatever a release stores takes part.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from providerswitch.core.case import Reason

REFRESH: Final = timedelta(minutes=5)
"""Numbers that moved are written this often at most."""

TOLERANCE: Final = 0.2
"""Numbers that moved by a smaller part than this did not move."""
SMALLEST: Final = 0.02
"""Nor did shares that moved by less than this."""

NUMBERS: Final = frozenset({
    "samples", "responseTime", "errorRate", "availability", "throughput", "quality", "qualityConfidence", "score",
    "scoreParts", "rank", "reliability", "gain", "budget", "observed", "detectMillis", "switchMillis",
    "rollbackMillis", "configLoadMillis", "lastHour", "successRate", "rateLimitedUntil", "recommendation",
})  # fmt: skip
"""Members that change with every probe."""

COUNTERS: Final = frozenset({"samples", "observedSeconds", "downSeconds", "mtbfSeconds", "availability", "resetAt",
                             "requestsRemaining", "tokensRemaining", "lastHour"})  # fmt: skip
"""Members that change all the time and are no reason to write."""

KEPT: Final = timedelta(hours=6)
"""Whatever moved is written then, so that a restart of the operator loses at most so much of what was observed."""

MEASURED_REASONS: Final = frozenset(
    {Reason.BEST_SCORE, Reason.CHEAPEST, Reason.LESS_DEGRADED, "PreferredActive", "ThresholdExceeded"}
)
"""Reasons whose sentence quotes measured values."""

DIGITS: Final = re.compile(r"\d+(\.\d+)?")
COMPARISON: Final = re.compile(
    r'best score \([^)]*\)|score #; "[^"]*" has #, not more than # above it'
    r'|the cheapest \([^)]*\)|as cheap as "[^"]*" \([^)]*\), and before it by score or order'
    r"|(is|has not come back) (over|under) #"
)
"""Phrases of core/strategies and core/degradation, without their numbers: which of them is said changes with these."""


def without_numbers(text: str) -> str:
    """Return a sentence in which all numbers look the same, and whatever compares them."""
    return COMPARISON.sub("~", DIGITS.sub("#", text))


def is_worth_writing(before: Mapping[str, Any], after: Mapping[str, Any], *, written: datetime, now: datetime) -> bool:
    """Tell whether a status has news against the one that was stored at `written`, or was first read then."""
    if _strip(before) != _strip(after):
        return True
    if now - written < REFRESH:
        return False
    if now - written >= KEPT or _advised(before) != _advised(after):
        return before != after
    old, new = dict(_numbers(before, "")), dict(_numbers(after, ""))
    return any(_moved(old.get(path), new.get(path)) for path in old.keys() | new.keys())


def _strip(node: Any) -> Any:
    if isinstance(node, list):
        return [_strip(each) for each in node]
    if not isinstance(node, dict):
        return node
    quotes = node.get("reason") in MEASURED_REASONS
    return {name: _told(name, value, quotes=quotes) for name, value in node.items() if name not in NUMBERS}


def _told(name: str, value: Any, *, quotes: bool) -> Any:
    """A sentence that quotes measured values is no news, nor is another number in one that does not."""
    if name in {"message", "why"} and quotes:
        return ""
    if name in {"degraded", "message", "held", "metricsSource"} and isinstance(value, str):
        return without_numbers(value)
    return _strip(value)


def _advised(status: Mapping[str, Any]) -> list[Any]:
    """Return whom a status recommends, for the policy and each task; that follows from the scores."""
    told = [status.get("recommendation"), *(task.get("recommendation") for task in status.get("tasks", []))]
    return [advice.get("provider") if advice else None for advice in told]


def _numbers(node: Any, path: str) -> Iterable[tuple[str, float]]:
    """Yield all numbers of a status by their path, but for counters."""
    if isinstance(node, dict):
        for name, value in node.items():
            if name not in COUNTERS:
                yield from _numbers(value, f"{path}.{name}")
    elif isinstance(node, list):
        for place, value in enumerate(node):
            yield from _numbers(value, f"{path}[{place}]")
    elif isinstance(node, int | float) and not isinstance(node, bool):
        yield path, node


def _moved(before: float | None, after: float | None) -> bool:
    if before is None or after is None:
        return before is not after
    return abs(after - before) > max(TOLERANCE * max(abs(before), abs(after)), SMALLEST)
