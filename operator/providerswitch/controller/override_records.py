"""Overrides as the API server holds them: read, and the status that is written back."""

from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError

from providerswitch.api.override import OverrideSpec, OverrideState, OverrideStatus
from providerswitch.api.status import Condition
from providerswitch.core.override import Override
from providerswitch.core.override_rules import Request, Standing
from providerswitch.kube.client import Object
from providerswitch.kube.objects import ObjectKey, key_of


@dataclass(slots=True)
class Record:
    """One override.

    Attributes:
        written: its status as the API server holds it, as far as it is known.
        announced: the last state that an Event tells of.
    """

    key: ObjectKey
    uid: str
    version: str
    request: Request
    written: Object
    announced: OverrideState

    @property
    def policy(self) -> ObjectKey:
        """The policy it is for."""
        return ObjectKey(self.key.namespace, self.request.policy)


def parse_record(obj: Object) -> Record | None:
    """Return an override as read; None where the CRD is newer and lets pass what is not understood here."""
    try:
        spec = OverrideSpec.model_validate(obj.get("spec") or {})
    except ValidationError:
        return None
    found, standing = obj["metadata"], parse_standing(obj)
    created = datetime.fromisoformat(found["creationTimestamp"])
    order = Override(
        name=found["name"],
        uid=found["uid"],
        provider=spec.provider,
        until=created + spec.duration,
        reason=spec.reason,
        requested_by=spec.requested_by or "",
        task=spec.task,
        force=spec.force,
    )
    request = Request(order, spec.policy_ref.name, created, spec.duration, found.get("generation", 1), standing)
    return Record(key_of(obj), found["uid"], found["resourceVersion"], request, status_in(obj), standing.state)


def status_in(obj: Object) -> Object:
    """Return the status as it is stored."""
    return dict(obj.get("status") or {})


def parse_standing(obj: Object) -> Standing:
    """Return where an override stood; a status that cannot be read counts as lost."""
    try:
        told = OverrideStatus.model_validate(obj.get("status") or {})
    except ValidationError:
        return Standing()
    return Standing(
        state=told.state or OverrideState.PENDING,
        reason=told.reason or "",
        message=told.message or "",
        accepted_at=told.accepted_at,
        started_at=told.started_at,
        finished_at=told.finished_at,
    )


def build_status(request: Request) -> Object:
    """Return the status of an override as the API stores it; nothing before it was looked at."""
    standing = request.standing
    if not standing.reason:
        return {}
    status = OverrideStatus(
        observed_generation=request.generation,
        state=standing.state,
        reason=standing.reason,
        message=standing.message,
        accepted_at=standing.accepted_at,
        started_at=standing.started_at,
        expires_at=request.order.until,
        finished_at=standing.finished_at,
        conditions=[_condition(request)],
    )
    return status.model_dump(mode="json", by_alias=True, exclude_none=True)


def _condition(request: Request) -> Condition:
    standing = request.standing
    active = standing.state is OverrideState.ACTIVE
    moved = standing.started_at if active else standing.finished_at if standing.started_at else request.created_at
    return Condition(
        type="Active",
        status="True" if active else "False",
        reason=standing.reason,
        message=standing.message,
        last_transition_time=(moved or request.created_at).replace(microsecond=0),
        observed_generation=request.generation,
    )
