"""Gauges that repeat the figures of a status: what is not defined there has no series here."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry, Gauge

from providerswitch.api.status import PolicyStatus, ProviderStatus, Reliability
from providerswitch.kube.objects import ObjectKey

POLICY: Final = ("namespace", "policy")
PROVIDER: Final = (*POLICY, "provider")


@dataclass(frozen=True, slots=True)
class OfProvider:
    """A figure of each provider."""

    name: str
    meaning: str
    read: Callable[[ProviderStatus], float | None]


@dataclass(frozen=True, slots=True)
class OfPolicy:
    """A figure of each policy."""

    name: str
    meaning: str
    read: Callable[[PolicyStatus], float | None]


def _seen(field: str) -> Callable[[ProviderStatus], float | None]:
    return lambda entry: getattr(entry.reliability, field) if entry.reliability else None


def _served(field: str) -> Callable[[PolicyStatus], float | None]:
    def read(status: PolicyStatus) -> float | None:
        found: Reliability | None = status.resilience.observed if status.resilience else None
        value: float | None = getattr(found, field) if found else None
        return value

    return read


def _millis(entry: ProviderStatus, field: str) -> float | None:
    value = getattr(entry.response_time, field) if entry.response_time else None
    return None if value is None else value / 1000


OF_PROVIDERS: Final = (
    OfProvider("score", "Weighted sum of the parts of its score, 0 to 1", lambda entry: entry.score),
    OfProvider("rank", "Its place among those that may be chosen, 1 for the best", lambda entry: entry.rank),
    OfProvider("weight_percent", "Its present part of the traffic under strategy Weighted", lambda entry: entry.weight),
    OfProvider("degraded", "1 while it exceeds a threshold", lambda entry: int(entry.degraded is not None)),
    OfProvider("eligible", "1 while it may be chosen", lambda entry: int(entry.eligible)),
    OfProvider(
        "response_time_p50_seconds", "Median response time in the window", lambda entry: _millis(entry, "p50_millis")
    ),
    OfProvider(
        "response_time_p95_seconds",
        "95th percentile of response times in the window",
        lambda entry: _millis(entry, "p95_millis"),
    ),
    OfProvider("error_ratio", "Share of failed probes in the window", lambda entry: entry.error_rate),
    OfProvider("recent_availability_ratio", "Share of the window in which it worked", lambda entry: entry.availability),
    OfProvider("quality_ratio", "Quality of answers, declared or measured, 0 to 1", lambda entry: entry.quality),
    OfProvider(
        "requests_remaining",
        "Requests left of its rate limit, by its own headers",
        lambda entry: entry.throughput.requests_remaining if entry.throughput else None,
    ),
    OfProvider(
        "tokens_remaining",
        "Tokens left of its rate limit, by its own headers",
        lambda entry: entry.throughput.tokens_remaining if entry.throughput else None,
    ),
    OfProvider("observed_seconds", "Time under observation", _seen("observed_seconds")),
    OfProvider("down_seconds", "Of the observed time, time out of service", _seen("down_seconds")),
    OfProvider("failures", "Times it went out of service", _seen("failures")),
    OfProvider("mtbf_seconds", "Mean time between failures", _seen("mtbf_seconds")),
    OfProvider("mttr_seconds", "Mean time to repair", _seen("mttr_seconds")),
    OfProvider("availability_ratio", "Time in service divided by observed time", _seen("availability")),
)

OF_POLICIES: Final = (
    OfPolicy("observed_seconds", "Time under observation", _served("observed_seconds")),
    OfPolicy("down_seconds", "Of it, time in which consumers had no working provider", _served("down_seconds")),
    OfPolicy("failures", "Times consumers lost a working provider", _served("failures")),
    OfPolicy("mtbf_seconds", "Mean time between failures, as consumers saw them", _served("mtbf_seconds")),
    OfPolicy("mttr_seconds", "Mean time to repair, as consumers saw it", _served("mttr_seconds")),
    OfPolicy(
        "availability_ratio", "Share of the observed time in which consumers were served", _served("availability")
    ),
    OfPolicy(
        "redundancy",
        "Eligible healthy backups in other failure domains than the active provider's",
        lambda status: status.resilience.redundancy if status.resilience else None,
    ),
    OfPolicy(
        "fault_tolerance",
        "Failure domains that may fail at once while a provider is left",
        lambda status: status.resilience.fault_tolerance if status.resilience else None,
    ),
    OfPolicy("switch_held", "1 while flap control holds back a switch", lambda status: int(status.held is not None)),
    OfPolicy(
        "budget_probes",
        "Billed requests of today",
        lambda status: status.budget.probes if status.budget else None,
    ),
    OfPolicy(
        "budget_cost",
        "Price of the billed requests of today, in the currency of spec.providers[].cost",
        lambda status: status.budget.cost if status.budget else None,
    ),
)


class Figures:
    """One gauge for each figure."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._listed: dict[ObjectKey, frozenset[str]] = {}
        self._providers = [
            (each, Gauge(f"providerswitch_provider_{each.name}", each.meaning, PROVIDER, registry=registry))
            for each in OF_PROVIDERS
        ]
        self._policies = [
            (each, Gauge(f"providerswitch_policy_{each.name}", each.meaning, POLICY, registry=registry))
            for each in OF_POLICIES
        ]

    @property
    def gauges(self) -> tuple[Gauge, ...]:
        """All gauges."""
        return (*(gauge for _, gauge in self._providers), *(gauge for _, gauge in self._policies))

    def show(self, key: ObjectKey, status: PolicyStatus) -> None:
        """Show the figures of a policy; what is no longer defined, and who is no longer listed, goes."""
        listed = frozenset(entry.name for entry in status.providers)
        self._forget_providers(key, self._listed.get(key, frozenset()) - listed)
        self._listed[key] = listed
        for of_policy, gauge in self._policies:
            _set(gauge, (key.namespace, key.name), of_policy.read(status))
        for of_provider, gauge in self._providers:
            for entry in status.providers:
                _set(gauge, (key.namespace, key.name, entry.name), of_provider.read(entry))

    def forget(self, key: ObjectKey) -> None:
        """Drop the figures of a policy that is gone."""
        self._forget_providers(key, self._listed.pop(key, frozenset()))
        for _, gauge in self._policies:
            gauge.remove(key.namespace, key.name)

    def _forget_providers(self, key: ObjectKey, names: frozenset[str]) -> None:
        for _, gauge in self._providers:
            for name in names:
                gauge.remove(key.namespace, key.name, name)


def _set(gauge: Gauge, labels: tuple[str, ...], value: float | None) -> None:
    if value is None:
        gauge.remove(*labels)
    else:
        gauge.labels(*labels).set(value)
