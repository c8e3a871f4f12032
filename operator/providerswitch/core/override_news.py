"""What of an override is worth an Event. Pure."""

from providerswitch.api.override import OverrideState
from providerswitch.core.narrate import PolicyEvent
from providerswitch.core.override_rules import Request


def tell_standing(request: Request) -> PolicyEvent | None:
    """Return the Event of the state that an override has come to; None where it is not worth one."""
    said, uid = _say(request), request.order.uid
    match request.standing.state:
        case OverrideState.ACTIVE:
            return PolicyEvent(
                "Normal", "OverrideActive", f"{_whose(request)}{_whom(request)} by {request.order.why}", uid
            )
        case OverrideState.REJECTED:
            return PolicyEvent("Warning", "OverrideRejected", said, uid)
        case OverrideState.SUPERSEDED:
            return PolicyEvent("Normal", "OverrideSuperseded", said, uid)
        case OverrideState.EXPIRED:
            return PolicyEvent("Normal", "OverrideExpired", said, uid)
        case OverrideState.PENDING:
            return None


def tell_cleared(request: Request) -> PolicyEvent:
    """Return the Event of an override that was deleted while it was in force."""
    note = f"{_whose(request)}{request.order.why} was deleted; the rules of the policy hold again"
    return PolicyEvent("Normal", "OverrideCleared", note, request.order.uid)


def _say(request: Request) -> str:
    """Name the policy once, also where the sentence begins with it."""
    whose, message = _whose(request), request.standing.message
    named = whose.removesuffix(": ").lower()
    return message[0].upper() + message[1:] if message.lower().startswith(named) else f"{whose}{message}"


def _whose(request: Request) -> str:
    return f'Policy "{request.policy}": '


def _whom(request: Request) -> str:
    task = f' for task "{request.order.task}"' if request.order.task else ""
    return f'"{request.order.provider}" stands above the rules{task}'
