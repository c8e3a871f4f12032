"""Statuses as the operator writes them: made by core/report.py from a policy in the middle of much trouble."""

from datetime import UTC, datetime, timedelta

from providerswitch.api.health import HealthClass
from providerswitch.api.status import HealthState, PolicyStatus, Rejection, Switch, SwitchCounts
from providerswitch.core.case import Case, Decision, Reason
from providerswitch.core.health import ProviderHealth
from providerswitch.core.memory import Memory
from providerswitch.core.report import Problem, build_status

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


def build_failed_over() -> PolicyStatus:
    """Return the status of a policy whose openai is down, whose google is rate limited, and which anthropic serves.

    Every field that a status can have is set.
    """
    case = Case(NOON, ("openai", "anthropic", "google"), HEALTHS, active="anthropic", acted_primary="openai")
    return build_status(
        case,
        Decision("anthropic", Reason.FAILED_OVER, "openai is down: Timeout"),
        build_memory(),
        problems=[],
        generation=1,
        before=PolicyStatus(),
    )


def build_refused() -> PolicyStatus:
    """Return the status of a policy that its user has to mend, before anything was published."""
    return build_status(
        Case(NOON, ("openai",), {}),
        Decision(None, Reason.WAITING, "no provider was probed yet"),
        Memory(),
        problems=[Problem("SecretNotFound", 'Secret "llm-keys" does not exist. Create it.')],
        generation=1,
        before=PolicyStatus(),
    )


def build_memory(switches: int = 1) -> Memory:
    """Return a memory with so many switches behind it."""
    return Memory(
        active="anthropic",
        active_since=NOON,
        revision=2,
        acted_primary="openai",
        arrived_by="Failover" if switches else "",
        handled_failback="2026-11-01",
        last_good_generation=1,
        history=(build_switch(),) * switches,
        counts=SwitchCounts(total=3, succeeded=2, rolled_back=1),
    )


def build_switch(why: str = "rate limited for 30 s", rejected: int = 1) -> Switch:
    """Return a failover from openai to anthropic that passed over so many others."""
    return Switch(
        time=NOON,
        from_provider="openai",
        to="anthropic",
        revision=2,
        trigger="Failover",
        reason="openai is down: Timeout",
        detect_millis=2100,
        switch_millis=40,
        outcome="Succeeded",
        rejected=[Rejection(provider="google", why=why)] * rejected,
    )


HEALTHS = {
    "openai": ProviderHealth(
        HealthState.DOWN,
        HealthClass.TIMEOUT,
        "no answer within 10 s",
        since=NOON,
        blacklisted_until=NOON + timedelta(microseconds=300_000_001),
    ),
    "anthropic": ProviderHealth(HealthState.HEALTHY, HealthClass.HEALTHY, "200 in 120 ms", since=NOON),
    "google": ProviderHealth(
        HealthState.RATE_LIMITED,
        HealthClass.RATE_LIMITED,
        "429, retry after 30 s",
        since=NOON,
        limited_until=NOON + timedelta(seconds=30),
    ),
}
