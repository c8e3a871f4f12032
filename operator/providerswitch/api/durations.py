"""Durations as Kubernetes users write them: Go syntax (`30s`, `1m30s`, `1.5h`), in a pydantic type.

The grammar is that of Go's time.ParseDuration; parsing is durationpy's, minus its extra units (days, years), which
the API server's CEL `duration()` does not know either.
"""

import re
from datetime import timedelta
from typing import Annotated, Final

import durationpy
from pydantic import BeforeValidator, PlainSerializer

MICROSECOND: Final = timedelta(microseconds=1)
MILLISECOND: Final = 1_000
SECOND: Final = 1_000_000
"""In microseconds."""
GO_DURATION: Final = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?(?:h|ms|m|s))+")


def parse_duration(text: str) -> timedelta:
    """Parse a positive Go duration.

    Raises:
        ValueError: not a duration with units h, m, s or ms.
    """
    if not GO_DURATION.fullmatch(text):
        raise ValueError(f'"{text}" is not a duration: write a number and a unit, such as 30s, 5m or 1h30m')
    return timedelta(seconds=durationpy.from_str(text).total_seconds())


def format_duration(span: timedelta) -> str:
    """Write a duration >= 0 as users would, e.g. `1m30s`: exact to the microsecond, in the units that are read."""
    hours, rest = divmod(span // MICROSECOND, 3_600_000_000)
    minutes, rest = divmod(rest, 60_000_000)
    whole = f"{hours}h" * bool(hours) + f"{minutes}m" * bool(minutes)
    if whole and not rest:
        return whole
    if whole or not rest or rest >= SECOND:
        return whole + _decimal(rest / SECOND) + "s"
    return _decimal(rest / MILLISECOND) + "ms"


def _decimal(number: float) -> str:
    return f"{number:.6f}".rstrip("0").rstrip(".")


def _coerce(value: object) -> object:
    return parse_duration(value) if isinstance(value, str) else value


Duration = Annotated[timedelta, BeforeValidator(_coerce), PlainSerializer(format_duration, return_type=str)]
"""A `timedelta` that is a Go duration string in YAML."""
