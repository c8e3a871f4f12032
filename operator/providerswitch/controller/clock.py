"""The only place that reads the clock."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """Return the present moment, UTC."""
    return datetime.now(UTC)
