"""How long a provider asks to be left alone: from headers, structured details, or the sentence in the error. Pure.

Sources: RFC 9110 (Retry-After), Azure (retry-after-ms), Google (google.rpc.RetryInfo), read 2026-11; for the headers of
limits see `rate_limits`.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from providerswitch.probes.envelope import Body, Complaint
from providerswitch.probes.exchange import Reply
from providerswitch.probes.rate_limits import request_limits, token_limits
from providerswitch.probes.waits import parse_span, until_http_date

WAIT_SENTENCE: Final = re.compile(
    r"(?:retry|try again|wait|available again|reset)s?\s+(?:in|after|for)?\s*"
    r"(?P<span>\d[\d.]*\s*[a-z]+(?:\s*\d[\d.]*\s*[a-z]+)*)",
    re.IGNORECASE,
)
SPAN_PART: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]+)", re.IGNORECASE)
UNIT_SECONDS: Final[Mapping[str, float]] = {
    "ms": 0.001, "millisecond": 0.001, "s": 1, "sec": 1, "second": 1, "m": 60, "min": 60, "minute": 60,
    "h": 3600, "hr": 3600, "hour": 3600, "d": 86400, "day": 86400,
}  # fmt: skip


def find_retry_after(reply: Reply, body: Body, complaint: Complaint, now: datetime) -> timedelta | None:
    """Return the wait that an answer asks for, never negative, or None; headers first, then the body."""
    found = next(_waits(reply, body, complaint, now), None)
    return None if found is None else max(timedelta(0), found)


def _waits(reply: Reply, body: Body, complaint: Complaint, now: datetime) -> Iterator[timedelta]:
    """Yield the waits that can be read, the most reliable first."""
    headers = reply.headers
    candidates = (
        parse_span(headers.get("retry-after-ms"), 0.001),
        parse_retry_after(headers.get("retry-after"), now),
        *(_retry_delay(document) for document in body.documents),
        _spent_limits(headers, now),
        *(_sentence(text) for text in complaint.texts),
        *(parse_span(_member(document, "estimated_time"), 1) for document in body.documents),
    )
    return (wait for wait in candidates if wait is not None)


def parse_retry_after(value: str | None, now: datetime) -> timedelta | None:
    """Parse Retry-After: seconds (fractions too, as some send), or an HTTP date."""
    if value is None:
        return None
    seconds = parse_span(value, 1)
    return seconds if seconds is not None else until_http_date(value, now)


def _retry_delay(document: Any) -> timedelta | None:
    """Read google.rpc.RetryInfo: `{"retryDelay": "34s"}` among the details of an error."""
    error = _member(document[0] if isinstance(document, list) and document else document, "error")
    details = _member(error, "details")
    for detail in details if isinstance(details, list) else ():
        delay = _member(detail, "retryDelay")
        if isinstance(delay, str):
            return _spelled(delay)
    return None


def _member(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _spent_limits(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """Return when all limits that are used up have begun anew."""
    limits = (*request_limits(headers, now), *token_limits(headers, now))
    return max((limit.reset for limit in limits if limit.spent and limit.reset is not None), default=None)


def _sentence(text: str) -> timedelta | None:
    """Read `Please try again in 9m38.016s`, `retry after 20 seconds`."""
    found = WAIT_SENTENCE.search(text)
    return _spelled(found["span"]) if found else None


def _spelled(text: str) -> timedelta | None:
    parts = SPAN_PART.findall(text)
    units = [(float(number), UNIT_SECONDS.get(_singular(unit))) for number, unit in parts]
    known = [number * unit for number, unit in units if unit is not None]
    return parse_span(sum(known), 1) if known else None


def _singular(unit: str) -> str:
    lowered = unit.lower()
    return lowered if lowered in UNIT_SECONDS else lowered.removesuffix("s")
