"""The only place that reads the clocks."""

import time
from datetime import UTC, datetime


def utc_now() -> datetime:
    """Return the present moment, UTC."""
    return datetime.now(UTC)


def seconds_since_boot() -> float:
    """Return a clock that nobody can set, and that goes on while the machine sleeps: what a Lease is measured with."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()
