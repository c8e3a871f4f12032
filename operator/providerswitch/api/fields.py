"""Bounded field types that policies are made of. Each bound keeps the API server's CEL cost estimate finite."""

from datetime import timedelta
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

from providerswitch.api.durations import format_duration

SECOND: Final = timedelta(seconds=1)
MINUTE: Final = timedelta(minutes=1)
HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)

DNS_LABEL: Final = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
DNS_SUBDOMAIN: Final = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
SECRET_KEY: Final = r"^[-._a-zA-Z0-9]+$"  # noqa: S105  # a pattern
HEADER_NAME: Final = r"^[A-Za-z0-9-]+$"
URL_PATH: Final = r"^/[^\s]*$"
CRON: Final = r"^[^\s]+( [^\s]+){4}$"
TIME_ZONE: Final = r"^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$"
ONE_LINE: Final = r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$"

Label = Annotated[str, StringConstraints(min_length=1, max_length=63, pattern=DNS_LABEL)]
"""A DNS label (RFC 1123)."""

ObjectName = Annotated[str, StringConstraints(min_length=1, max_length=253, pattern=DNS_SUBDOMAIN)]
"""The name of a Kubernetes object."""

SecretKeyName = Annotated[str, StringConstraints(min_length=1, max_length=253, pattern=SECRET_KEY)]
"""A key in a Secret's data."""

Url = Annotated[str, StringConstraints(min_length=1, max_length=2048)]
"""An http or https URL; the API server checks it with CEL."""

Path = Annotated[str, StringConstraints(min_length=1, max_length=1024, pattern=URL_PATH)]
"""An absolute URL path."""

Text = Annotated[str, StringConstraints(min_length=1, max_length=253, pattern=ONE_LINE)]
"""One line of text."""


ProviderRef = Annotated[str, StringConstraints(min_length=1, max_length=63)]
"""The name of a listed provider."""

Share = Annotated[float, Field(ge=0, le=1)]
"""A part of the whole, 0 to 1."""

CronLine = Annotated[str, StringConstraints(min_length=9, max_length=120, pattern=CRON)]
"""Five fields of a crontab."""

TimeZone = Annotated[str, StringConstraints(min_length=1, max_length=63, pattern=TIME_ZONE)]
"""IANA name of a time zone."""

Query = Annotated[str, StringConstraints(min_length=1, max_length=2048)]
"""A PromQL query."""


class Model(BaseModel):
    """Base of every shape in the API: camelCase in YAML, immutable, and tolerant of fields of a newer release."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, frozen=True, extra="ignore", use_attribute_docstrings=True
    )


def duration_field(default: str, low: timedelta, high: timedelta) -> Any:
    """Describe a duration with a default and inclusive bounds; the CRD carries both."""
    bounds: dict[str, Any] = {"x-duration": [format_duration(low), format_duration(high)]}
    return Field(default=default, validate_default=True, ge=low, le=high, json_schema_extra=bounds)


def optional_duration_field(low: timedelta, high: timedelta) -> Any:
    """Describe a duration that may be left out, with inclusive bounds."""
    bounds: dict[str, Any] = {"x-duration": [format_duration(low), format_duration(high)]}
    return Field(default=None, ge=low, le=high, json_schema_extra=bounds)
