"""What of an override is worth an Event. Pure."""

from collections.abc import Mapping
from typing import Final, Literal

from providerswitch.api.override import OverrideState
from providerswitch.core.narrate import PolicyEvent
from providerswitch.core.override_rules import Request

CLEARED: Final = "OverrideCleared"
REASONS: Final[Mapping[OverrideState, tuple[Literal["Normal", "Warning"], str]]] = {
    OverrideState.ACTIVE: ("Normal", "OverrideActive"),
    OverrideState.REJECTED: ("Warning", "OverrideRejected"),
    OverrideState.SUPERSEDED: ("Normal", "OverrideSuperseded"),
    OverrideState.EXPIRED: ("Normal", "OverrideExpired"),
}


def tell_standing(request: Request) -> PolicyEvent | None:
    """Return the Event of the state that an override has come to; None where it is not worth one."""
    kind, reason = REASONS.get(request.standing.state, ("Normal", ""))
    if not reason:
        return None
    said = request.standing.message
    if request.standing.state is OverrideState.ACTIVE:
        said = f"{_whom(request)} by {request.order.why}"
    return PolicyEvent(kind, reason, f"{_whose(request)}{said}", request.order.uid)


def tell_cleared(request: Request) -> PolicyEvent:
    """Return the Event of an override that was deleted while it was in force."""
    note = f"{_whose(request)}{request.order.why} was deleted; the rules of the policy hold again"
    return PolicyEvent("Normal", CLEARED, note, request.order.uid)


def _whose(request: Request) -> str:
    return f'Policy "{request.policy}": '


def _whom(request: Request) -> str:
    task = f' for task "{request.order.task}"' if request.order.task else ""
    return f'"{request.order.provider}" stands above the rules{task}'
