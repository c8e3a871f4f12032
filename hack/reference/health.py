"""docs/reference/health-classes.md: what each class means, and what the health state machine does about it.

How many outcomes of a class take a provider out is not written here but found out, by showing them to the state machine
under the default thresholds.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from providerswitch.api.health import ALIVE, NETWORK, TRIPS_WHEN_CONFIRMED, HealthClass
from providerswitch.api.health_check import HealthCheck
from providerswitch.api.policy import Failover
from providerswitch.api.status import HealthState
from providerswitch.core.health import HealthRules, ProviderHealth, observe
from providerswitch.core.outcome import Outcome
from reference.markdown import code, page, section, table

NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)
CHECK: Final = HealthCheck()
RULES: Final = HealthRules(
    CHECK.failure_threshold, CHECK.recovery_threshold, Failover().blacklist_duration, CHECK.interval
)

MEANINGS: Final[Mapping[HealthClass, tuple[str, str]]] = {
    HealthClass.HEALTHY: ("The answer that was asked for.", ""),
    HealthClass.SLOW: ("A good answer that took long. No probe of this release says so.", ""),
    HealthClass.AUTH_INVALID: ("The key is wrong, revoked or missing.", "Put a valid key into the Secret."),
    HealthClass.PERMISSION_DENIED: (
        "The key is known but may not do this: a role, a scope, a network rule, a disabled account.",
        "Give the key the right, or use another one.",
    ),
    HealthClass.REGION_BLOCKED: ("Refused because of country or location.", "Choose another provider or egress."),
    HealthClass.QUOTA_EXHAUSTED: ("No credit, budget or plan allowance.", "Add credit, or raise the limit."),
    HealthClass.RATE_LIMITED: ("Too many requests in a time window.", "Wait, or ask for a higher limit."),
    HealthClass.OVERLOADED: ("The provider lacks capacity.", "Wait."),
    HealthClass.MODEL_UNAVAILABLE: (
        "The model is unknown, retired, or closed to this account; or there is no such path (HTTP 404).",
        "Correct `model` or `baseURL` of the provider.",
    ),
    HealthClass.MODEL_LOADING: ("The model server is warming up.", "Wait."),
    HealthClass.SERVER_ERROR: ("The provider failed with an error of its own.", "Wait; see its status page."),
    HealthClass.TIMEOUT: ("No complete answer within the deadline.", "See `healthCheck.timeout`."),
    HealthClass.DNS: ("The host name has no address, or DNS does not answer.", "Check `baseURL` and DNS."),
    HealthClass.CONNECT_REFUSED: ("The host takes no connection, or the network does not reach it.", "Check egress."),
    HealthClass.RESET: ("The connection was closed before the answer was complete.", "Check proxies on the way."),
    HealthClass.TLS: ("No TLS connection: certificate, name or protocol.", "For private authorities see `--ca-file`."),
    HealthClass.PROTOCOL: (
        "Not a provider's answer: HTML of a proxy, cut JSON, malformed HTTP.",
        "Check `baseURL` and proxies on the way.",
    ),
    HealthClass.PROBE_REQUEST_INVALID: ("The request of the probe was refused as wrong. The provider is alive.", ""),
    HealthClass.CONTENT_FILTERED: ("The answer was blocked by a content policy. The provider is alive.", ""),
    HealthClass.CONFIG_INVALID: (
        "The probe cannot be sent (refused address, illegal header, unusable URL), or there is no such path.",
        "Correct the provider in the policy, `baseURL` first; see `--allow-probe-cidr` for refused addresses.",
    ),
    HealthClass.UNKNOWN: ("The outcome could not be read.", "See the operator's log."),
}  # fmt: skip


def build_health_page() -> str:
    """Return the page."""
    rows = [(code(kind), MEANINGS[kind][0], effect(kind), MEANINGS[kind][1]) for kind in HealthClass]
    return page(
        "Health classes",
        "operator/providerswitch/api/health.py and core/health.py",
        "What a probe's outcome says about a provider. The class stands in `status.providers[].healthClass`, in Events,"
        " in metrics and in the output of `classify`.",
        table(("class", "meaning", "what it does, by default", "what to do"), rows),
        section(
            "Groups",
            f"- Counts: a provider goes down after `failureThreshold` ({RULES.failure_threshold}) in a row.\n"
            "- Confirmed: two in a row take a provider down, because key servers have blips and a false alarm moves"
            " everybody.\n"
            "- At once: asking again does not help.\n"
            "- No blacklist: it is chosen again as soon as it is well. After others it is out for `blacklistDuration`,"
            " longer after each [relapse](../guide/choosing.md#flap-control).\n"
            "- Alive: clears earlier failures.\n"
            "- Network: no HTTP answer came. When every probed host is silent in this way, nothing is switched "
            "([freeze](../architecture.md#freeze)).",
        ),
    )


def effect(kind: HealthClass) -> str:
    """Say what outcomes of a class do to a healthy provider."""
    if kind in ALIVE:
        return "alive"
    if kind is HealthClass.UNKNOWN:
        return "changes nothing"
    if kind is HealthClass.RATE_LIMITED:
        return (
            f"suspends: waited out up to `interval`; longer, or {find_trip(kind)[0]} in a row, moves consumers without"
            " a blacklist"
        )
    needed, blacklisted = find_trip(kind)
    group = "confirmed" if kind in TRIPS_WHEN_CONFIRMED else "counts"
    when = "at once" if needed == 1 else f"{group}: {needed} in a row"
    return when + (", network" if kind in NETWORK else "") + ("" if blacklisted else "; no blacklist")


def find_trip(kind: HealthClass) -> tuple[int, bool]:
    """Return how many outcomes of a class take a healthy provider out, and whether they blacklist it."""
    health = ProviderHealth(HealthState.HEALTHY, HealthClass.HEALTHY, "")
    for count in range(1, 101):
        health = observe(health, Outcome(kind, "", NOW, NOW, timedelta(seconds=1)), RULES)
        if not health.may_stay:
            return count, health.blacklisted_until is not None
    raise ValueError(f"{kind} never takes a provider out")
