"""Statuses as the operator writes them: made by core/report.py from a policy in the middle of much trouble."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from providerswitch.api.drill import Fault
from providerswitch.api.health import HealthClass
from providerswitch.api.selection import ScheduleEntry, Strategy
from providerswitch.api.status import HealthState, PolicyStatus, Rejection, ShadowStatus, Switch, SwitchCounts
from providerswitch.core.budget import Spending
from providerswitch.core.case import Case, Decision, Held, Reason, Trigger
from providerswitch.core.drill_record import DrillRecord
from providerswitch.core.flapping import Hold
from providerswitch.core.health import ProviderHealth
from providerswitch.core.measures import Latency, Measures
from providerswitch.core.memory import Memory, Rotation, Seat
from providerswitch.core.outcome import Allowance, Tier
from providerswitch.core.outlook import Outlook
from providerswitch.core.override import Detour, Override
from providerswitch.core.recommend import Advice
from providerswitch.core.report import Background, Problem, Settled, build_status
from providerswitch.core.resilience import Track
from providerswitch.core.schedule import Standing
from providerswitch.core.score import Score

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


MEASURES = Measures(
    samples=30,
    latency=Latency(0.4, 0.9, 0.5, 0.3),
    error_rate=0.01,
    availability=0.99,
    quality=0.8,
    quality_confidence=0.5,
    cost=0.3,
    allowance=Allowance(500, 499, 30_000, 29_000, NOON),
    requests_per_second=1.5,
)


OVERRIDE = Override("calm", "uid-1", "google", NOON, "latency", requested_by="alice", task="embed", force=True)


def build_full() -> PolicyStatus:
    """Return a status in which no field is left out."""
    memory = replace(
        build_memory(),
        history=(replace_switch(task="embed"), replace_switch(outcome="RolledBack")),
        recent=(NOON,),
        seats={"embed": Seat("google", NOON, "google", "Initial")},
        rotation=Rotation(NOON, "openai"),
        spending=Spending(NOON.date(), 3, 0.01),
        tracks={"openai": Track(timedelta(hours=1), timedelta(minutes=1), 1)},
        observed=Track(timedelta(hours=1), timedelta(seconds=4), 1),
        detours={"embed": Detour("openai", override=OVERRIDE)},
        drill=DrillRecord("rehearsal", "uid-2", "openai", Fault.OUTAGE, "openai", NOON, ("embed",)),
    )
    advice = Advice("openai", 0.2, "p95 response time 0.4 s instead of 0.9 s")
    outlook = Outlook(
        strategy=Strategy.WEIGHTED,
        names=tuple(HEALTHS),
        ideal=tuple(HEALTHS),
        degraded={"openai": "response time p95 6.2 s is over 5 s"},
        measures=dict.fromkeys(HEALTHS, MEASURES),
        scores=dict.fromkeys(HEALTHS, Score(0.8, 0.7, 0.8, 0.9, 1.0)),
        shares=dict.fromkeys(HEALTHS, 33),
        advice=advice,
    )
    ejected = {
        name: replace(health, ejections=1, ejected_at=NOON, failing_tier=Tier.GENERATION, back_since=NOON)
        for name, health in HEALTHS.items()
    }
    case = Case(NOON, tuple(HEALTHS), ejected, active="anthropic", acted_primary="openai", outlook=outlook)
    held = Held("openai", Trigger.FAILBACK, Hold("minDwell", NOON, "failover.minDwell holds it back"))
    decision = Decision("anthropic", Reason.HIGHEST_WEIGHT, "the largest share of traffic (60 %)", held=held)
    background = Background(
        shadow=ShadowStatus(since=NOON, published_provider="openai", published_revision=1),
        tasks=(Settled("embed", case, decision),),
        standing=Standing(ENTRY, NOON, NOON, '"nights" ends'),
        exhausted="the budget of the day is used up",
        budgeted=True,
        source="query errorRate failed",
        config_load=timedelta(milliseconds=12),
        resilient=True,
    )
    return build_status(case, decision, memory, problems=[], generation=1, before=PolicyStatus(), background=background)


def replace_switch(**changes: object) -> Switch:
    """Return a switch with other values."""
    return build_switch().model_copy(update=changes)


ENTRY = ScheduleEntry.model_validate({"name": "nights", "cron": "0 22 * * *", "duration": "8h", "primary": "openai"})
