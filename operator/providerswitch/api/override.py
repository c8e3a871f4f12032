"""A ProviderSwitchOverride: an order of a person on call that stands above the rules of a policy for a while.

It never changes the policy's spec, so that GitOps sees no drift; who may make one is a right of its own.
"""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from providerswitch.api.durations import Duration
from providerswitch.api.fields import DAY, SECOND, Label, Model, ObjectName, ProviderRef, Text, duration_field
from providerswitch.api.moments import MicroTime, Sentence, Short, Time
from providerswitch.api.status import Condition

LONGEST_OVERRIDE: timedelta = DAY


class PolicyRef(Model):
    """The policy that is meant, in the same namespace."""

    name: ObjectName
    """Name of the ProviderSwitchPolicy."""


class OverrideSpec(Model):
    """Which provider shall serve, for how long, and why."""

    policy_ref: PolicyRef
    """The policy, in the same namespace."""
    provider: ProviderRef
    """The provider that shall serve; one that the policy lists."""
    task: Label | None = None
    """The task it is for. Left out: the policy itself, whose tasks go on by their own rules."""
    reason: Text
    """Why, for those who find it later: shown in the status, in Events and in the log."""
    requested_by: Text | None = None
    """Who wants it. Free text: the audit log of the API server knows who made the object."""
    duration: Duration = duration_field("1h", SECOND, LONGEST_OVERRIDE)
    """How long it holds, from the making of the object. Then the rules of the policy hold again."""
    force: bool = False
    """Whether the provider shall serve even if it is failing, or was never seen to work. Never past what cannot work:
    an unsuitable provider, or one without its key."""


class OverrideState(StrEnum):
    """Where an override stands."""

    PENDING = "Pending"
    ACTIVE = "Active"
    SUPERSEDED = "Superseded"
    REJECTED = "Rejected"
    EXPIRED = "Expired"


FINISHED = frozenset({OverrideState.SUPERSEDED, OverrideState.REJECTED, OverrideState.EXPIRED})
"""States that no override ever leaves."""


class OverrideStatus(Model):
    """What became of it."""

    observed_generation: int | None = None
    """Generation of the spec this status is about."""
    state: OverrideState | None = None
    """Pending (not judged yet), Active (in force), Superseded (a newer one holds), Rejected or Expired."""
    reason: Short | None = None
    """The same in one word, for programs."""
    message: Sentence | None = None
    """Sentence for people: what is the case, and what to do."""
    accepted_at: MicroTime | None = None
    """When the operator first took it in; of two that were made within one second, the later one is newer."""
    started_at: MicroTime | None = None
    """When it came into force."""
    expires_at: Time | None = None
    """When it ends by itself."""
    finished_at: MicroTime | None = None
    """When it was over; it is removed some time later."""
    conditions: Annotated[list[Condition], Field(max_length=4)] = Field(default_factory=list)
    """Active."""
