"""A policy as it was read from the API server: parsed once, at the door."""

import json
from dataclasses import dataclass, field

from pydantic import ValidationError

from providerswitch.api import meta
from providerswitch.api.policy import PolicySpec
from providerswitch.api.status import LARGEST_NUMBER, PolicyStatus
from providerswitch.core.report import SPEC_INVALID, Problem
from providerswitch.kube.client import Object
from providerswitch.kube.events import Regarding
from providerswitch.kube.objects import ObjectKey, key_of
from providerswitch.publish.choice import Owner


@dataclass(frozen=True, slots=True)
class Policy:
    """One generation of a policy.

    Attributes:
        failback_token: value of the failback annotation.
        stored: the spec as the API server shows it, as JSON; no other text says the same.
    """

    key: ObjectKey
    uid: str
    generation: int
    resource_version: str
    failback_token: str | None
    spec: PolicySpec
    stored: str = field(default="{}", compare=False, repr=False)

    @property
    def owner(self) -> Owner:
        """What published objects refer to."""
        return Owner(self.key.namespace, self.key.name, self.uid)

    @property
    def regarding(self) -> Regarding:
        """What Events refer to."""
        return Regarding(self.key, self.uid, self.resource_version)


def parse_policy(obj: Object) -> Policy | Problem:
    """Return the policy, or why it cannot be honoured. The API server refuses most bad specs before."""
    found = obj["metadata"]
    try:
        spec = PolicySpec.model_validate(obj.get("spec") or {})
    except ValidationError as error:
        return Problem(SPEC_INVALID, _explain(error))
    return Policy(
        key=key_of(obj),
        uid=found["uid"],
        generation=found["generation"],
        resource_version=found["resourceVersion"],
        failback_token=((found.get("annotations") or {}).get(meta.FAILBACK_ANNOTATION) or "")[:253] or None,
        spec=spec,
        stored=spec_text(obj),
    )


def spec_text(obj: Object) -> str:
    """Return the one JSON text of an object's spec, whatever the order of its fields."""
    return json.dumps(obj.get("spec") or {}, sort_keys=True, separators=(",", ":"))


def _explain(error: ValidationError) -> str:
    lines = (
        f"{_place(item['loc'])}: {item['msg'].removeprefix('Value error, ')}"
        for item in error.errors(include_input=False)
    )
    return "; ".join(lines) + ". Correct the policy; until then nothing new is published."


def _place(path: tuple[int | str, ...]) -> str:
    """Return a path as kubectl writes it: spec.providers[0].baseURL."""
    return "spec" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)


def parse_status(obj: Object) -> PolicyStatus:
    """Return the status that was stored; one that cannot be read counts as lost, and the published objects speak."""
    found = obj.get("status") or {}
    try:
        return PolicyStatus.model_validate(found) if _is_believable(found) else PolicyStatus()
    except ValidationError:
        return PolicyStatus()


def _is_believable(value: object) -> bool:
    """Tell whether all numbers are such as an operator writes; one more than the largest int64 could not be stored."""
    if isinstance(value, dict | list):
        return all(map(_is_believable, value.values() if isinstance(value, dict) else value))
    return not isinstance(value, int | float) or abs(value) <= LARGEST_NUMBER
