"""Measured values from elsewhere: what a metrics source says of a provider, and how it takes the place of probes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from math import inf
from typing import Final

from providerswitch.core.measures import Latency, Measures


class Signal(StrEnum):
    """What a source can be asked for; the name of its query in a policy."""

    RESPONSE_TIME = "responseTime"
    ERROR_RATE = "errorRate"
    AVAILABILITY = "availability"
    THROUGHPUT = "throughput"


ROUNDS_KEPT: Final = 3
"""A value that is not renewed for so many rounds is forgotten."""

ROUNDING: Final = 1e-6
"""How far a value may lie beyond its bounds and still be meant to lie on them: `1 - x` of floats can be -1e-17."""

SHARE: Final = (0.0, 1.0)
BOUNDS: Final[Mapping[Signal, tuple[float, float]]] = {
    Signal.RESPONSE_TIME: (0.0, inf),
    Signal.ERROR_RATE: SHARE,
    Signal.AVAILABILITY: SHARE,
    Signal.THROUGHPUT: (0.0, inf),
}


@dataclass(frozen=True, slots=True)
class SourceValues:
    """What a source says of one provider. None: it says nothing of that.

    Attributes:
        at: when the oldest of the values came.
        response_time: seconds.
        error_rate: share of failed requests; as the source gave it, so perhaps not from 0 to 1.
        availability: share of time; as the source gave it.
    """

    at: datetime
    response_time: float | None = None
    error_rate: float | None = None
    availability: float | None = None
    requests_per_second: float | None = None


def longest_age(interval: timedelta) -> timedelta:
    """Return how old values may be that are renewed once an interval."""
    return ROUNDS_KEPT * interval


def override(measures: Measures, values: SourceValues | None, *, now: datetime, max_age: timedelta) -> Measures:
    """Put what a source says in the place of what probes measured, signal by signal.

    One response time stands for p50, p95 and mean alike, because the source gives only one, whatever its query makes of
    the traffic; the time to the first byte stays that of the probes. Values older than `max_age`, and those that cannot
    be what they are said to be, are passed over.
    """
    if values is None or now - values.at > max_age:
        return measures
    seconds = plausible(Signal.RESPONSE_TIME, values.response_time)
    told = (values.error_rate, values.availability) != (None, None)
    return replace(
        measures,
        failures=None if told else measures.failures,
        latency=measures.latency if seconds is None else _same_throughout(seconds, measures.latency),
        error_rate=_either(plausible(Signal.ERROR_RATE, values.error_rate), measures.error_rate),
        availability=_either(plausible(Signal.AVAILABILITY, values.availability), measures.availability),
        requests_per_second=_either(
            plausible(Signal.THROUGHPUT, values.requests_per_second), measures.requests_per_second
        ),
    )


def _same_throughout(seconds: float, probed: Latency | None) -> Latency:
    return Latency(seconds, seconds, seconds, probed.first_byte_p95 if probed else None)


def _either(said: float | None, probed: float | None) -> float | None:
    return probed if said is None else said


def plausible(signal: Signal, value: float | None) -> float | None:
    """Return a value within the bounds of its signal, or None for one beyond them, NaN and infinity."""
    least, most = BOUNDS[signal]
    if value is None or not least - ROUNDING <= value <= most + ROUNDING or value == inf:
        return None
    return min(max(value, least), most)


def find_implausible(signal: Signal, values: Mapping[str, float]) -> str | None:
    """Say of which provider a value cannot be, and what to do; None where all can."""
    wrong = next((name for name, value in values.items() if plausible(signal, value) is None), None)
    if wrong is None:
        return None
    what = f'{signal} of "{wrong}" is {values[wrong]:g}'
    if BOUNDS[signal] == SHARE:
        return f"{what}, which is no share from 0 to 1; divide percentages by 100, or put clamp(..., 0, 1) around it"
    return f"{what}, which is less than nothing; correct the query"
