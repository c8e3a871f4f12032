"""Ask the API server whose token this is, and what its owner may do."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from providerswitch.api.errors import ApiServerError
from providerswitch.kube.client import UNREADABLE, KubeClient, Object

AUTHENTICATION: Final = "authentication.k8s.io/v1"
AUTHORIZATION: Final = "authorization.k8s.io/v1"
TOKEN_REVIEWS: Final = f"/apis/{AUTHENTICATION}/tokenreviews"
ACCESS_REVIEWS: Final = f"/apis/{AUTHORIZATION}/subjectaccessreviews"
REVIEW_TOKEN: Final = "review a token"  # noqa: S105  # names an operation
REVIEW_ACCESS: Final = "review access"


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody whom the API server knows.

    Attributes:
        extra: what authorizers may want to know besides, such as the Pod that a token was issued for.
    """

    name: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: tuple[tuple[str, tuple[str, ...]], ...] = ()


async def identify(client: KubeClient, token: str, audience: str) -> Caller | None:
    """Return who a token was issued to, for this audience; None where it is not accepted.

    Raises:
        ApiServerError: it could not be asked.
    """
    body = {
        "apiVersion": AUTHENTICATION,
        "kind": "TokenReview",
        "spec": {"token": token, "audiences": [audience]},
    }
    review = await client.request("POST", TOKEN_REVIEWS, what=REVIEW_TOKEN, body=body)
    return _read_caller(_status(review, REVIEW_TOKEN), audience)


def _read_caller(status: Mapping[str, Any], audience: str) -> Caller | None:
    """An API server that knows nothing of audiences names none, and then the token may be meant for anybody."""
    if status.get("authenticated") is not True or audience not in (status.get("audiences") or ()):
        return None
    try:
        user = status["user"]
        extra = {key: tuple(values) for key, values in (user.get("extra") or {}).items()}
        groups = tuple(user.get("groups") or ())
        return Caller(user["username"], user.get("uid", ""), groups, tuple(sorted(extra.items())))
    except (LookupError, TypeError, AttributeError) as error:
        raise ApiServerError(REVIEW_TOKEN, None, UNREADABLE) from error


async def may(client: KubeClient, caller: Caller, attributes: Mapping[str, str]) -> bool:
    """Tell whether somebody may do something, given as `resourceAttributes` of a SubjectAccessReview.

    Raises:
        ApiServerError: it could not be asked.
    """
    spec = {
        "user": caller.name,
        "uid": caller.uid,
        "groups": list(caller.groups),
        "extra": {key: list(values) for key, values in caller.extra},
        "resourceAttributes": dict(attributes),
    }
    body = {"apiVersion": AUTHORIZATION, "kind": "SubjectAccessReview", "spec": spec}
    review = await client.request("POST", ACCESS_REVIEWS, what=REVIEW_ACCESS, body=body)
    return _status(review, REVIEW_ACCESS).get("allowed") is True


def _status(review: Object, what: str) -> Mapping[str, Any]:
    """Return what a review came to.

    Raises:
        ApiServerError: it is no review.
    """
    status = review.get("status")
    if not isinstance(status, dict):
        raise ApiServerError(what, None, UNREADABLE)
    return status
