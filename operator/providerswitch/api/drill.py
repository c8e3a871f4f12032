"""A ProviderSwitchDrill: a rehearsal of a failure, for one policy only, and what came of it."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from providerswitch.api.durations import Duration
from providerswitch.api.fields import (
    DAY,
    HOUR,
    SECOND,
    CronLine,
    Model,
    ProviderRef,
    TimeZone,
    duration_field,
    optional_duration_field,
)
from providerswitch.api.moments import MicroTime, Sentence, Short, Time
from providerswitch.api.override import PolicyRef
from providerswitch.api.status import Condition

RUNS_KEPT = 10


class Fault(StrEnum):
    """What is played."""

    OUTAGE = "Outage"
    RATE_LIMIT = "RateLimit"
    AUTH_FAILURE = "AuthFailure"
    NETWORK = "Network"
    DEGRADATION = "Degradation"
    FLAPPING = "Flapping"


class Objectives(Model):
    """How quick it has to go for the drill to pass. What is left out has no limit."""

    detection: Duration | None = optional_duration_field(SECOND / 1000, DAY)
    """From the first failed probe to the decision to leave the provider."""
    publish: Duration | None = optional_duration_field(SECOND / 1000, DAY)
    """From the decision to the verified publication."""
    failover: Duration | None = optional_duration_field(SECOND / 1000, DAY)
    """From the first failed probe until a consumer that watches what is published sees the other provider."""
    failback: Duration | None = optional_duration_field(SECOND / 1000, DAY)
    """From the end of the fault until the provider serves again; blacklistDuration and recoveryThreshold are in it."""


class DrillSpec(Model):
    """Which failure is rehearsed, of which provider, when."""

    policy_ref: PolicyRef
    """The policy, in the same namespace."""
    provider: ProviderRef | None = None
    """The provider that seems to fail. Default: the one that is active when the drill begins."""
    fault: Fault = Fault.OUTAGE
    """Outage (HTTP 503), RateLimit (429 until the end), AuthFailure (401), Network (no answer), Degradation (answers
    beyond selection.thresholds.responseTime) or Flapping (fails and answers by turns)."""
    duration: Duration = duration_field("1m", SECOND, HOUR)
    """How long the fault lasts."""
    schedule: CronLine | None = None
    """When it runs: minute, hour, day of month, month, day of week. Left out: once, when it is made."""
    time_zone: TimeZone = "UTC"
    """IANA name of the time zone of the schedule, such as Europe/Berlin."""
    suspend: bool = False
    """Whether the schedule rests."""
    dry_run: bool = False
    """Whether to play it beside the policy only: detected and decided, and the publication is tried by a server-side
    dry run; nothing is published."""
    objectives: Objectives = Objectives()
    """How quick it has to go."""


class DrillState(StrEnum):
    """Where a drill stands."""

    PENDING = "Pending"
    SCHEDULED = "Scheduled"
    RUNNING = "Running"
    PASSED = "Passed"
    FAILED = "Failed"
    ABORTED = "Aborted"
    REFUSED = "Refused"


class ObjectiveResult(Model):
    """One objective, and what was measured."""

    name: Short
    """detection, publish, failover or failback."""
    limit_millis: int
    """What was demanded."""
    measured_millis: int | None = None
    """What it took; absent where it did not happen."""
    met: bool
    """Whether it was met."""


class DrillResult(Model):
    """What was measured."""

    provider: Short
    """The provider that seemed to fail."""
    fault: Fault
    """What was played."""
    failed_over_to: Short | None = None
    """The provider that took over."""
    detect_millis: int | None = None
    """From the first failed probe to the decision to leave the provider."""
    publish_millis: int | None = None
    """From the decision to the verified publication."""
    consumer_visible_millis: int | None = None
    """From the first failed probe until a watch of what is published showed the other provider."""
    failback_millis: int | None = None
    """From the end of the fault until the provider served again."""
    objectives: Annotated[list[ObjectiveResult], Field(max_length=4)] | None = None
    """The objectives of the drill."""


class DrillRun(Model):
    """One run that is over."""

    started_at: MicroTime
    """When it began."""
    finished_at: MicroTime
    """When it was over."""
    state: DrillState
    """Passed, Failed, Aborted or Refused."""
    reason: Short
    """The same in one word, for programs."""
    message: Sentence
    """Why it ended so."""
    result: DrillResult | None = None
    """What was measured."""


class DrillStatus(Model):
    """What became of it."""

    observed_generation: int | None = None
    """Generation of the spec this status is about."""
    state: DrillState | None = None
    """Pending, Scheduled (waits for its next run), Running, Passed, Failed, Aborted or Refused."""
    reason: Short | None = None
    """The same in one word, for programs."""
    message: Sentence | None = None
    """Sentence for people: what is the case, and what to do."""
    started_at: MicroTime | None = None
    """When the last run began."""
    finished_at: MicroTime | None = None
    """When the last run was over; absent while one runs."""
    next_run_at: Time | None = None
    """When the schedule begins the next run."""
    result: DrillResult | None = None
    """What the present or the last run measured."""
    runs: Annotated[list[DrillRun], Field(max_length=RUNS_KEPT)] | None = None
    """The last ten runs that are over, newest first."""
    conditions: Annotated[list[Condition], Field(max_length=4)] = Field(default_factory=list)
    """Finished, True when the last run passed or failed."""
