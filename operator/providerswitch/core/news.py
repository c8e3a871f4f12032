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
    "rollbackMillis", "configLoadMillis", "lastHour", "successRate", "rateLimitedUntil",
})  # fmt: skip
"""Members that change with every probe."""

COUNTERS: Final = frozenset({"samples", "observedSeconds", "downSeconds", "mtbfSeconds", "availability", "resetAt",
                             "requestsRemaining", "tokensRemaining", "lastHour"})  # fmt: skip
"""Members that change all the time and are no reason to write."""

MEASURED_REASONS: Final = frozenset({Reason.BEST_SCORE, Reason.CHEAPEST, Reason.LESS_DEGRADED, "ThresholdExceeded"})
"""Reasons whose sentence quotes measured values."""

DIGITS: Final = re.compile(r"\d+(\.\d+)?")


def without_numbers(text: str) -> str:
    """Return a sentence in which all numbers look the same."""
    return DIGITS.sub("#", text)


def is_worth_writing(before: Mapping[str, Any], after: Mapping[str, Any], *, written: datetime, now: datetime) -> bool:
    """Tell whether a status has news against the one that was stored at `written`, or was first read then."""
    if _strip(before) != _strip(after):
        return True
    if now - written < REFRESH:
        return False
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
    if name == "recommendation" and isinstance(value, dict):
        return value.get("provider")
    if name in {"degraded", "message", "held", "metricsSource"} and isinstance(value, str):
        return without_numbers(value)
    return _strip(value)


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
