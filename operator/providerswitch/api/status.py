"""The status of a ProviderSwitchPolicy: what the operator tells, and what it remembers across a restart."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, PlainSerializer, StringConstraints

from providerswitch.api.fields import Model
from providerswitch.api.health import HealthClass

HISTORY_LIMIT = 50
"""Switches that a status may hold; the operator keeps fewer."""


def _rfc3339(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def _rfc3339_micro(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


Time = Annotated[datetime, PlainSerializer(_rfc3339, return_type=str)]
"""Seconds, UTC, as metav1.Time."""
MicroTime = Annotated[datetime, PlainSerializer(_rfc3339_micro, return_type=str)]
"""Microseconds, UTC, as metav1.MicroTime."""
Short = Annotated[str, StringConstraints(max_length=253)]
Sentence = Annotated[str, StringConstraints(max_length=1024)]


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


class Condition(Model):
    """One condition, as metav1.Condition."""

    type: Short
    """Ready, FailedOver or Frozen."""
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
    eligible: bool
    """Whether it may be chosen now."""
    why: Sentence | None = None
    """Why it may not be chosen, or what its last probe said."""


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
    """The rule that decided: Initial, ManualSwitch, Failover, Failback or SpecChange."""
    reason: Sentence
    """Sentence with the cause."""
    detect_millis: int | None = None
    """From the first failed probe to the decision."""
    switch_millis: int
    """From the decision to the verified publication."""
    outcome: Literal["Succeeded", "RolledBack", "Resumed"]
    """Succeeded, RolledBack (verification failed, the former choice is published again) or Resumed (finished after a
    restart of the operator)."""
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
    """Ready, FailedOver, Frozen."""
    providers: Annotated[list[ProviderStatus], Field(max_length=32)] = Field(default_factory=list)
    """One entry for each provider of the spec."""
    history: Annotated[list[Switch], Field(max_length=HISTORY_LIMIT)] = Field(default_factory=list)
    """The last ten switches, newest first."""
    switching: SwitchCounts = SwitchCounts()
    """Totals of switches."""
