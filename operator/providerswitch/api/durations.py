"""Durations as Kubernetes users write them: Go syntax (`30s`, `1m30s`, `1.5h`), in a pydantic type.

The grammar is that of Go's time.ParseDuration; parsing is durationpy's, minus its extra units (days, years), which
the API server's CEL `duration()` does not know either.
"""

import re
from datetime import timedelta
from typing import Annotated, Final

import durationpy
from pydantic import BeforeValidator, PlainSerializer

GO_DURATION: Final = re.compile(r"(?:\d+(?:\.\d+)?(?:h|ms|m|s))+")


def parse_duration(text: str) -> timedelta:
    """Parse a positive Go duration.

    Raises:
        ValueError: not a duration with units h, m, s or ms.
    """
    if not GO_DURATION.fullmatch(text):
        raise ValueError(f'"{text}" is not a duration: write a number and a unit, such as 30s, 5m or 1h30m')
    return timedelta(seconds=durationpy.from_str(text).total_seconds())


def format_duration(span: timedelta) -> str:
    """Write a duration as Go does, e.g. `1m30s`."""
    return str(durationpy.to_str(span))


def _coerce(value: object) -> object:
    return parse_duration(value) if isinstance(value, str) else value


Duration = Annotated[timedelta, BeforeValidator(_coerce), PlainSerializer(format_duration, return_type=str)]
"""A `timedelta` that is a Go duration string in YAML."""
