"""The kinds of object a choice is published to: one row each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from providerswitch.kube.client import Object
from providerswitch.kube.objects import CONFIG_MAPS, SECRETS, SERVICES, ObjectKey, Resource, key_of
from providerswitch.publish.choice import Choice
from providerswitch.publish.config_map import build_config_map
from providerswitch.publish.secret import build_secret
from providerswitch.publish.service import build_service

TARGETS: Final[tuple[tuple[Resource, Callable[[Choice], Object | None]], ...]] = (
    (CONFIG_MAPS, build_config_map),
    (SECRETS, build_secret),
    (SERVICES, build_service),
)
"""In the order of publication. The ConfigMap comes first: after a crash it says which choice was being made."""

RESOURCES: Final[Mapping[str, Resource]] = {resource.kind: resource for resource, _ in TARGETS}
WITHOUT_SECRETS: Final[Mapping[str, Resource]] = {
    kind: resource for kind, resource in RESOURCES.items() if resource is not SECRETS
}
"""What is published unless the administrator wants more."""


@dataclass(frozen=True, slots=True, order=True)
class TargetKey:
    """One published object."""

    kind: str
    key: ObjectKey


def build_objects(choice: Choice) -> dict[TargetKey, Object]:
    """Return the objects a choice is published to, in the order of publication."""
    built = (build(choice) for _, build in TARGETS)
    return {target_key(obj): obj for obj in built if obj is not None}


def target_key(obj: Object) -> TargetKey:
    """Return the key of a published object."""
    return TargetKey(obj["kind"], key_of(obj))
