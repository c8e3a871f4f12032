"""How providers write a span or a moment in a header. Pure; never raises.

Sources: RFC 9110 (HTTP dates), RFC 3339, OpenAI's rate limit guide (Go durations), OpenRouter's (milliseconds since
1970), Cerebras' (seconds with fractions), read 2026-11.
"""

import math
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

from providerswitch.api.durations import parse_duration

LONGEST: Final = timedelta(days=366)
"""Anything longer is a mistake, and may not fit into a timedelta."""

EPOCH_SECONDS: Final = 1e9
EPOCH_MILLISECONDS: Final = 1e11
"""From here on a number is a moment: as a span it would be 31 years, and as seconds since 1970 the year 5138."""


def parse_span(value: object, unit_seconds: float) -> timedelta | None:
    """Parse a number of units; None where it is none, negative, or longer than a year."""
    number = _number(value)
    return None if number is None else _span(number * unit_seconds)


def _number(value: object) -> float | None:
    try:
        return float(str(value))
    except ValueError:
        return None


def _span(seconds: float) -> timedelta | None:
    fits = math.isfinite(seconds) and 0 <= seconds <= LONGEST.total_seconds()
    return timedelta(seconds=seconds) if fits else None


def until_http_date(value: str, now: datetime) -> timedelta | None:
    """Return the span until an HTTP date; negative for one in the past."""
    try:
        found = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return _until(found if found.tzinfo else found.replace(tzinfo=UTC), now)


def _until(moment: datetime, now: datetime) -> timedelta | None:
    wait = moment - now
    return wait if abs(wait) <= LONGEST else None


def parse_reset(value: str, now: datetime) -> timedelta | None:
    """Parse when a limit begins anew, however it is written, as the span until then; 0 where that is past.

    Seconds, seconds or milliseconds since 1970, a Go duration, an RFC 3339 time or an HTTP date: no text is
    two of them.
    """
    number = _number(value)
    if number is not None:
        return _counted(number, now)
    readings = (_go_duration(value), _until_rfc3339(value, now), until_http_date(value, now))
    found = next((reading for reading in readings if reading is not None), None)
    return None if found is None else max(timedelta(0), found)


def _counted(number: float, now: datetime) -> timedelta | None:
    if not EPOCH_SECONDS <= number < math.inf:
        return _span(number)
    seconds = number / 1000 if number >= EPOCH_MILLISECONDS else number
    ahead = seconds - now.timestamp()
    return None if ahead < -LONGEST.total_seconds() else _span(max(0, ahead))


def _go_duration(value: str) -> timedelta | None:
    try:
        span = parse_duration(value)
    except (ValueError, OverflowError):
        return None
    return span if span <= LONGEST else None


def _until_rfc3339(value: str, now: datetime) -> timedelta | None:
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    return _until(found, now) if found.tzinfo else None
