"""The status of a ProviderSwitchPolicy: what the operator tells, and what it remembers across a restart."""

from enum import StrEnum
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import Field, StringConstraints

from providerswitch.api.drill_in_force import DrillInForce
from providerswitch.api.fields import Model
from providerswitch.api.health import HealthClass
from providerswitch.api.moments import MicroTime, Sentence, Short, Time

LARGEST_NUMBER = 10**12
"""No count and no span of a status comes near it: one with more was not written by us."""
HISTORY_LIMIT = 50
"""Switches that a status may hold; the operator keeps fewer."""


SwitchOutcome: TypeAlias = Literal["Succeeded", "RolledBack", "Resumed", "Shadow"]
"""What came of a switch."""


class HealthState(StrEnum):
    """Where a provider stands for one policy."""

    UNKNOWN = "Unknown"
    HEALTHY = "Healthy"
    SUSPECT = "Suspect"
    DOWN = "Down"
    RATE_LIMITED = "RateLimited"


class ConditionType(StrEnum):
    """The conditions of a policy."""

    READY = "Ready"
    FAILED_OVER = "FailedOver"
    FROZEN = "Frozen"
    DEGRADED = "Degraded"
    OVERRIDDEN = "Overridden"
    BUDGET_EXHAUSTED = "BudgetExhausted"


class Condition(Model):
    """One condition, as metav1.Condition."""

    type: Short
    """Ready, FailedOver, Frozen, Degraded, Overridden or BudgetExhausted."""
    status: Literal["True", "False", "Unknown"]
    """True, False or Unknown."""
    reason: Short
    """CamelCase word for programs."""
    message: Annotated[str, StringConstraints(max_length=4096)]
    """Sentence for people: what is the case, and what to do."""
    last_transition_time: Time
    """When status last changed."""
    observed_generation: int
    """Generation of the policy this was derived from."""


class ResponseTime(Model):
    """How long successful answers take, over the window."""

    p50_millis: int
    """Median, to the last byte."""
    p95_millis: int
    """95th percentile, to the last byte."""
    mean_millis: int
    """Mean, to the last byte."""
    first_byte_p95_millis: int | None = None
    """95th percentile, to the first byte."""


class Throughput(Model):
    """What a provider lets through, from its own rate-limit headers or a metrics source."""

    requests_limit: int | None = None
    """Requests a minute (or the provider's own period) it allows."""
    requests_remaining: int | None = None
    """Requests left of them."""
    tokens_limit: int | None = None
    """Tokens a minute (or the provider's own period) it allows."""
    tokens_remaining: int | None = None
    """Tokens left of them."""
    reset_at: Time | None = None
    """When the limit with the least left is full again."""
    requests_per_second: float | None = None
    """Measured by the metrics source."""


class ScoreParts(Model):
    """The parts of a score, 0 to 1 each, before they are weighted."""

    latency: float
    """The quickest provider's response time divided by this one's."""
    accuracy: float
    """Quality of answers."""
    cost: float
    """1 for the cheapest."""
    availability: float
    """Share of time in which it worked."""


class Reliability(Model):
    """What was seen of a provider (or of a policy, as consumers saw it) since observation began."""

    observed_seconds: int = 0
    """Time under observation."""
    down_seconds: int = 0
    """Of that, time in which it could not serve."""
    failures: int = 0
    """Times it stopped to serve."""
    mtbf_seconds: int | None = None
    """Mean time between failures: time in service divided by failures; absent before the first."""
    mttr_seconds: float | None = None
    """Mean time to repair: time out of service divided by failures; absent before the first."""
    availability: float | None = None
    """Time in service divided by observed time."""


class ProviderStatus(Model):
    """What is known about one provider."""

    name: Short
    """Name of the provider in the spec."""
    state: HealthState
    """Healthy, Suspect (failing, threshold not reached), Down, RateLimited or Unknown (not probed yet)."""
    health_class: HealthClass
    """Class of the outcome that brought the provider into this state."""
    since: Time | None = None
    """When it came into this state."""
    blacklisted_until: MicroTime | None = None
    """Not chosen before this time."""
    rate_limited_until: MicroTime | None = None
    """Left alone until this time, as it asked."""
    failing_tier: Short | None = None
    """Set where a billed probe found it failing: only a billed one brings it back."""
    eligible: bool
    """Whether it may be chosen now."""
    why: Sentence | None = None
    """Why it may not be chosen, or what its last probe said."""
    degraded: Sentence | None = None
    """Which threshold it exceeds; absent where it exceeds none."""
    ejections: int | None = None
    """How often it went down lately: each time doubles its blacklist time."""
    ejected_at: MicroTime | None = None
    """When it went down last."""
    back_since: MicroTime | None = None
    """When it came back from there; strategy Weighted eases it in from then on."""
    rank: int | None = None
    """Its place among those that may be chosen, 1 for the best."""
    score: float | None = None
    """Weighted sum of the parts, 0 to 1; absent while too little is known."""
    score_parts: ScoreParts | None = None
    """What the score is made of."""
    weight: int | None = None
    """Its present part of the traffic under strategy Weighted, in percent."""
    samples: int | None = None
    """Probes in the window."""
    response_time: ResponseTime | None = None
    """Of successful answers."""
    error_rate: float | None = None
    """Share of probes in the window that failed."""
    availability: float | None = None
    """Share of the window in which it worked."""
    throughput: Throughput | None = None
    """What it lets through."""
    quality: float | None = None
    """Quality of answers, declared or measured, 0 to 1."""
    quality_confidence: float | None = None
    """How far measured answers, and not the declared value, make up the quality, 0 to 1."""
    reliability: Reliability | None = None
    """Failures and repairs since observation began."""


class Rejection(Model):
    """A candidate that was not chosen."""

    provider: Short
    """Name of the provider."""
    why: Annotated[str, StringConstraints(max_length=512)]
    """Why it was not chosen."""


class Switch(Model):
    """One switch of the active provider."""

    time: MicroTime
    """When it was committed."""
    from_provider: Short | None = Field(default=None, alias="from")
    """The provider that was active before; absent for the first choice."""
    to: Short
    """The provider that became active, or that was tried."""
    revision: int
    """Revision that was published."""
    trigger: Short
    """What made it: Initial, ManualSwitch, Failover, Failback, SpecChange, Schedule, Degradation, Performance, Cost,
    Weight, Rotation, Override, OverrideEnded or DrillEnded; Unknown for a task's that was finished after a restart."""
    reason: Sentence
    """Sentence with the cause."""
    detect_millis: int | None = None
    """From the first failed probe to the decision."""
    switch_millis: int
    """From the decision to the verified publication."""
    outcome: SwitchOutcome
    """Succeeded, RolledBack (verification failed, the former choice is published again), Resumed (finished after a
    restart of the operator) or Shadow (decided in shadow mode, not published)."""
    task: Short | None = None
    """The task that was switched; absent for the policy itself."""
    rejected: list[Rejection] | None = Field(default=None, max_length=32)
    """Candidates that were preferred but could not be chosen, and why."""


class SwitchCounts(Model):
    """How switches went since the policy was made."""

    total: int = 0
    """Switches tried."""
    succeeded: int = 0
    """Switches committed."""
    rolled_back: int = 0
    """Switches undone."""
    success_rate: float | None = None
    """Succeeded divided by tried; absent before the first."""
    last_hour: list[MicroTime] | None = Field(default=None, max_length=50)
    """Times of the switches of the last hour, newest first; failover.maxSwitchesPerHour counts them."""


class Recommendation(Model):
    """The provider with the best score, whatever mode, dwell and strategy say."""

    provider: Short
    """Its name."""
    gain: float
    """Its score minus that of the active provider."""
    why: Sentence
    """What it is better in."""


class TaskStatus(Model):
    """The state of one task."""

    name: Short
    """Name of the task in the spec."""
    active_provider: Short | None = None
    """The provider this task's consumers are sent to."""
    active_since: Time | None = None
    """When it became active."""
    reason: Short
    """Why this provider is active, in one word."""
    why: Sentence
    """The same as a sentence."""
    primary: Short | None = None
    """The primary last acted upon."""
    recommendation: Recommendation | None = None
    """The provider with the best score for this task."""


class ScheduleStatus(Model):
    """Where the schedule stands."""

    active: Short | None = None
    """Name of the entry in force."""
    next_change_at: Time | None = None
    """When an entry begins or ends next."""
    next_change: Sentence | None = None
    """What changes then."""
    rotated_at: Time | None = None
    """The turn of rotate that was last taken."""
    rotated_to: Short | None = None
    """The provider whose turn it is."""


class OverrideInForce(Model):
    """An override that holds, or whose end could not be acted upon yet."""

    name: Short
    """Name of the ProviderSwitchOverride."""
    uid: Short
    """Its uid."""
    task: Short | None = None
    """The task it is for; absent for the policy itself."""
    provider: Short
    """The provider it asks for."""
    force: bool = False
    """Whether it goes past health."""
    requested_by: Short | None = None
    """Who wants it."""
    reason: Short
    """Why, in the words of whoever made it."""
    until: MicroTime
    """When it ends."""
    origin: Short | None = None
    """The provider that served before; absent where that is not known."""


class BudgetStatus(Model):
    """What billed probes and quality checks used up today."""

    day: Short
    """The day, UTC."""
    probes: int = 0
    """Billed requests."""
    cost: float = 0
    """Their price, as far as it is known."""


class Resilience(Model):
    """How well consumers are protected, and how well it went so far; formulas in docs/guide/resilience.md."""

    redundancy: int = 0
    """Eligible healthy backups in other failure domains than the active provider."""
    fault_tolerance: int = 0
    """Failure domains that may fail at the same time while a provider still can serve."""
    observed: Reliability = Reliability()
    """The policy as consumers saw it: out of service from the first failed probe of the active provider until
    another is published or it works again."""
    detect_millis: int | None = None
    """Mean time from the first failed probe to the decision, over the kept history."""
    switch_millis: int | None = None
    """Mean time from the decision to the verified publication, over the kept history."""
    rollback_millis: int | None = None
    """Mean time of undone switches, over the kept history."""
    config_load_millis: int | None = None
    """From the arrival of the last changed spec to its decision in force."""


class ShadowStatus(Model):
    """What consumers are really sent to, while nothing is published in shadow mode."""

    since: Time
    """Since when the policy is in shadow mode."""
    published_provider: Short | None = None
    """The provider that stands published; absent where nothing does."""
    published_revision: int | None = None
    """The revision that stands published; absent where nothing does."""


UNSEEN: Final = -1
"""observedGeneration of a policy that no operator has looked at yet."""


class PolicyStatus(Model):
    """What the operator knows about a policy."""

    observed_generation: int | None = None
    """Generation of the spec this status is about."""
    active_provider: Short | None = None
    """The provider consumers are sent to."""
    active_since: Time | None = None
    """When it became active."""
    reason: Short | None = None
    """Why this provider is active, in one word."""
    revision: int = 0
    """Counts publications; every published object carries it."""
    primary: Short | None = None
    """The primary last acted upon; a different spec.primary is a request to switch."""
    last_handled_failback: Short | None = None
    """Last value of the annotation providerswitch.dev/failback-requested-at acted upon."""
    last_good_generation: int | None = None
    """Generation of the last spec that was published completely."""
    conditions: Annotated[list[Condition], Field(max_length=16)] = Field(default_factory=list)
    """Ready, FailedOver, Frozen, Degraded, Overridden, and BudgetExhausted where there is a budget."""
    providers: Annotated[list[ProviderStatus], Field(max_length=32)] = Field(default_factory=list)
    """One entry for each provider of the spec."""
    history: Annotated[list[Switch], Field(max_length=HISTORY_LIMIT)] = Field(default_factory=list)
    """The last ten switches, newest first."""
    switching: SwitchCounts = SwitchCounts()
    """Totals of switches."""
    held: Sentence | None = None
    """The switch that flap control holds back now, and until when."""
    tasks: Annotated[list[TaskStatus], Field(max_length=8)] | None = None
    """One entry for each task of the spec."""
    recommendation: Recommendation | None = None
    """The provider with the best score."""
    metrics_source: Sentence | None = None
    """What is wrong with the metrics source; absent where nothing is. Probes are then what counts."""
    schedule: ScheduleStatus | None = None
    """Where the schedule stands."""
    overrides: Annotated[list[OverrideInForce], Field(max_length=9)] | None = None
    """The overrides that hold: of the policy itself, and of its tasks."""
    drill: DrillInForce | None = None
    """The drill that runs; what its provider seems to suffer is played."""
    budget: BudgetStatus | None = None
    """What billed requests used up today."""
    resilience: Resilience | None = None
    """How well consumers are protected."""
    shadow: ShadowStatus | None = None
    """Shadow mode (spec.dryRun); absent while choices are published."""
