"""Say moments and lengths of time to people, the same way wherever they read them. Pure.

>>> from datetime import UTC
>>> now = datetime(2026, 11, 2, 12, tzinfo=UTC)
>>> tell_moment(now - timedelta(minutes=3), now)
'11:57:00 UTC (3 min ago)'
>>> tell_moment(now + timedelta(hours=30), now)
'2026-11-03 18:00:00 UTC (in 30 h)'
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from providerswitch.core.measures import tell_seconds

NOTHING: Final = timedelta(0)
UNITS: Final = (
    (timedelta(days=1), "d"),
    (timedelta(hours=1), "h"),
    (timedelta(minutes=1), "min"),
    (timedelta(seconds=1), "s"),
)
"""Largest first."""

AT_LEAST: Final = 2
"""So many of a unit before it is used: 90 minutes say more than one hour."""


def tell_moment(moment: datetime, now: datetime) -> str:
    """Write a moment in UTC, with its date where that is not today's, and how far away it is."""
    there, today = in_utc(moment), in_utc(now).date()
    written = f"{there:%H:%M:%S}" if there.date() == today else f"{there:%Y-%m-%d %H:%M:%S}"
    return f"{written} UTC ({tell_distance(moment, now)})"


def tell_distance(moment: datetime, now: datetime) -> str:
    """Write how far away a moment is: `3 min ago`, `in 2 h`, `now`."""
    passed = in_utc(now) - in_utc(moment)
    if abs(passed) < timedelta(seconds=1):
        return "now"
    told = _in_one_unit(abs(passed))
    return f"{told} ago" if passed > NOTHING else f"in {told}"


def in_utc(moment: datetime) -> datetime:
    """Return a moment in UTC; one without a time zone, as a hand-written file may have it, is taken for UTC."""
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _in_one_unit(span: timedelta) -> str:
    unit, name = next(((unit, name) for unit, name in UNITS if span >= AT_LEAST * unit), UNITS[-1])
    return f"{span // unit} {name}"


def tell_span(span: timedelta) -> str:
    """Write a length of time >= 0 in its two largest units: `11 h 57 min`; under a minute with decimals: `2.05 s`."""
    if span < timedelta(minutes=1):
        return tell_seconds(span.total_seconds())
    place = next(place for place, (unit, _) in enumerate(UNITS) if span >= unit)
    (large, large_name), (small, small_name) = UNITS[place : place + 2]
    whole, rest = divmod(span, large)
    return f"{whole} {large_name}" + (f" {rest // small} {small_name}" if rest >= small else "")
