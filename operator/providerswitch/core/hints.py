"""What a consumer reports of a call that failed, how often it may, and what it is answered. Pure."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from providerswitch.api.fields import DNS_LABEL, DNS_SUBDOMAIN
from providerswitch.core.bucket import drain

LONGEST_BODY: Final = 4096
"""Bytes."""
FORM: Final = '{"namespace": "team-a", "policy": "assistant"}'
NAMES: Final[Mapping[str, tuple[re.Pattern[str], int, str]]] = {
    "namespace": (re.compile(DNS_LABEL), 63, "the name of a namespace, such as team-a"),
    "policy": (re.compile(DNS_SUBDOMAIN), 253, "the name of a policy, such as assistant"),
    "provider": (re.compile(DNS_LABEL), 63, "the name of a provider of the policy; leave it out for the active one"),
    "task": (re.compile(DNS_LABEL), 63, "the name of a task of the policy; leave it out for the policy itself"),
}
"""Of each field of a hint: what it looks like, how long it may be, and how to write it."""
REQUIRED: Final = ("namespace", "policy")


@dataclass(frozen=True, slots=True)
class Hint:
    """A call that failed, as a consumer tells it.

    Attributes:
        provider: that failed; None for the active one.
        task: whose active provider it is; None for that of the policy itself.
    """

    namespace: str
    policy: str
    provider: str | None = None
    task: str | None = None


def parse_hint(body: bytes) -> Hint | str:
    """Return the hint, or a sentence that says what is wrong with it, which quotes nothing of the body."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return f"The body is no JSON. Send an object such as {FORM}."
    if not isinstance(found, dict):
        return f"The body is no JSON object. Send one such as {FORM}."
    for name in NAMES:
        if complaint := _complain(name, found.get(name)):
            return complaint
    return Hint(found["namespace"], found["policy"], found.get("provider"), found.get("task"))


def _complain(name: str, value: object) -> str | None:
    pattern, longest, advice = NAMES[name]
    if value is None and name not in REQUIRED:
        return None
    good = isinstance(value, str) and len(value) <= longest and pattern.fullmatch(value)
    return None if good else f'"{name}" must be {advice}.'


@dataclass(frozen=True, slots=True)
class Rate:
    """How often something may happen: so many at once, and then so many a second."""

    burst: int
    per_second: float


@dataclass(frozen=True, slots=True)
class Bucket:
    """What was used up of a rate.

    Attributes:
        used: of the burst; it shrinks with time.
        at: when that was so, in seconds of a clock that never goes back.
    """

    used: float = 0.0
    at: float = -math.inf

    def take(self, rate: Rate, now: float) -> "Bucket | float":
        """Return the bucket after one more, or for how many seconds there is no room for it."""
        used = drain(self.used, (now - self.at) * rate.per_second) + 1
        return Bucket(used, now) if used <= rate.burst else (used - rate.burst) / rate.per_second


@dataclass(frozen=True, slots=True)
class Answer:
    """What a caller is told: an HTTP status, and a JSON object."""

    status: int
    body: Mapping[str, object]
    headers: Mapping[str, str] = field(default_factory=dict)


def refuse(status: int, error: str, **headers: str) -> Answer:
    """Return a refusal; `Retry_After="1"` becomes the header Retry-After."""
    return Answer(status, {"error": error}, {name.replace("_", "-"): value for name, value in headers.items()})


def too_many(what: str, seconds: float) -> Answer:
    """Return the refusal of one more, with when to come again."""
    return refuse(429, f"Too many {what}. One hint is enough.", Retry_After=str(max(1, math.ceil(seconds))))


NO_TOKEN: Final = refuse(
    401,
    "Send a token of a ServiceAccount as Authorization: Bearer TOKEN.",
    WWW_Authenticate='Bearer realm="providerswitch"',
)
BAD_TOKEN: Final = refuse(
    401,
    "The token is not accepted: it has expired, or was not issued for the audience providerswitch.dev.",
    WWW_Authenticate='Bearer realm="providerswitch", error="invalid_token"',
)
STANDBY: Final = refuse(503, "This replica does not lead, or is not ready yet. Try again.", Retry_After="1")
NOBODY_TO_ASK: Final = refuse(503, "The API server could not be asked who you are. Try again.", Retry_After="1")
TOO_SLOW: Final = refuse(408, "The body did not come in time.")


def forbid(caller: str, hint: Hint) -> Answer:
    """Return the refusal of somebody who may not give hints about a policy, whether it is there or not."""
    what = f'create providerswitchpolicies/hints for "{hint.namespace}/{hint.policy}"'
    role = "the ClusterRole providerswitch-hinter (RELEASE-hinter)"
    return refuse(403, f"{caller} may not {what}. Bind {role} to it in that namespace.")


def accept(provider: str, millis: int) -> Answer:
    """Return that a provider is probed in so many milliseconds, or is being asked just now."""
    return Answer(202, {"probing": [provider], "inMillis": millis})


def pass_over(why: str) -> Answer:
    """Return that the hint was understood and brings about no probe."""
    return Answer(202, {"probing": [], "why": why})
