"""Health classes: what an answer (or none) says about a provider.

The set and its meaning follow the taxonomy in docs/architecture.md. Names are part of the API: they appear in
status, Events, metrics and the output of `classify`.
"""

from enum import StrEnum
from typing import Final


class HealthClass(StrEnum):
    """What one probe outcome means."""

    HEALTHY = "Healthy"
    SLOW = "Slow"
    AUTH_INVALID = "AuthInvalid"
    PERMISSION_DENIED = "PermissionDenied"
    REGION_BLOCKED = "RegionBlocked"
    QUOTA_EXHAUSTED = "QuotaExhausted"
    RATE_LIMITED = "RateLimited"
    OVERLOADED = "Overloaded"
    MODEL_UNAVAILABLE = "ModelUnavailable"
    MODEL_LOADING = "ModelLoading"
    SERVER_ERROR = "ServerError"
    TIMEOUT = "Timeout"
    DNS = "Dns"
    CONNECT_REFUSED = "ConnectRefused"
    RESET = "Reset"
    TLS = "Tls"
    PROTOCOL = "Protocol"
    PROBE_REQUEST_INVALID = "ProbeRequestInvalid"
    CONTENT_FILTERED = "ContentFiltered"
    CONFIG_INVALID = "ConfigInvalid"
    UNKNOWN = "Unknown"


ALIVE: Final = frozenset(
    {HealthClass.HEALTHY, HealthClass.SLOW, HealthClass.PROBE_REQUEST_INVALID, HealthClass.CONTENT_FILTERED}
)
"""The provider answers; requests of consumers may be served."""

NETWORK: Final = frozenset(
    {HealthClass.DNS, HealthClass.TIMEOUT, HealthClass.CONNECT_REFUSED, HealthClass.RESET, HealthClass.TLS}
)
"""No HTTP answer came, so the fault may be on our own side."""

TRIPS_AT_ONCE: Final = frozenset(
    {HealthClass.QUOTA_EXHAUSTED, HealthClass.MODEL_UNAVAILABLE, HealthClass.REGION_BLOCKED}
)
"""Asking again does not help: one such answer ejects the provider."""

TRIPS_WHEN_CONFIRMED: Final = frozenset({HealthClass.AUTH_INVALID, HealthClass.PERMISSION_DENIED})
"""Two in a row eject the provider: key servers have blips, and a false alarm here moves everybody."""
