"""The values that travel between provider types, the transport and the classifier."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from typing_extensions import override

from providerswitch.api.health import ALIVE, HealthClass


class SecretKey:
    """An API key that cannot be printed by accident: `repr` and `str` are `***`. Compared by value."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the key itself, for authentication headers (provider types) and the published Secret; nobody else."""
        return self._value

    def fingerprint(self) -> str:
        """Return 16 hex digits that tell keys apart inside one process; never published."""
        return hashlib.sha256(self._value.encode()).hexdigest()[:16]

    @override
    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretKey) and other._value == self._value

    @override
    def __hash__(self) -> int:
        return hash(self._value)

    @override
    def __repr__(self) -> str:
        return "***"


@dataclass(frozen=True, slots=True)
class Question:
    """What a provider type needs to know to build a probe.

    Attributes:
        key: None probes liveness only.
        model: the model a generation probe asks, or None for the type's cheapest default.
        path: where a plain `http` check goes, below the base URL.
        headers: extra non-secret headers from the policy, sent with each request.
    """

    key: SecretKey | None = None
    model: str | None = None
    path: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ProbeRequest:
    """One HTTP request below a provider's native base URL.

    Attributes:
        path: begins with "/", may hold a query; appended to the base URL.
        body: JSON bytes, or None for no body (then no content-type is sent).
    """

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP answer.

    Attributes:
        headers: lower-case names.
        body: at most 64 KiB, content encoding removed.
        truncated: the answer was longer than that.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """A health class and the reason for it, in words of our own.

    Attributes:
        why: a short phrase for users, e.g. `HTTP 429 insufficient_quota`. Never holds a key or free text of an answer
            longer than an error code.
        retry_after: how long the provider asked to be left alone, unclamped, or None.
    """

    health_class: HealthClass
    why: str
    retry_after: timedelta | None = None

    @property
    def alive(self) -> bool:
        """The provider can serve requests."""
        return self.health_class in ALIVE
