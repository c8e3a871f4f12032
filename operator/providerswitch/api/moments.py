"""Field types of every status: moments as Kubernetes writes them, and bounded text."""

from datetime import datetime
from typing import Annotated

from pydantic import PlainSerializer, StringConstraints


def _rfc3339(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def _rfc3339_micro(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


Time = Annotated[datetime, PlainSerializer(_rfc3339, return_type=str)]
"""Seconds, UTC, as metav1.Time."""
MicroTime = Annotated[datetime, PlainSerializer(_rfc3339_micro, return_type=str)]
"""Microseconds, UTC, as metav1.MicroTime."""
Short = Annotated[str, StringConstraints(max_length=253)]
Sentence = Annotated[str, StringConstraints(max_length=1024)]
