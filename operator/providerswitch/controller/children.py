"""The published objects as the API server last showed them, kept by a watch of our own label."""

from collections import defaultdict
from collections.abc import Callable

from providerswitch.api import meta
from providerswitch.kube.client import Object
from providerswitch.kube.objects import CONFIG_MAPS, ObjectKey
from providerswitch.kube.watch import Listener
from providerswitch.publish.choice import PROVIDER_JSON, Owner
from providerswitch.publish.targets import TargetKey, target_key

SELECTOR = f"{meta.MANAGED_BY_LABEL}={meta.FIELD_MANAGER}"


class Children:
    """What is published.

    Args:
        on_change: called with each object that changed or went, our own writes included.
    """

    def __init__(self, on_change: Callable[[TargetKey, Object], None]) -> None:
        self._on_change = on_change
        self._seen: dict[TargetKey, Object] = {}
        self._owned: dict[ObjectKey, set[TargetKey]] = defaultdict(set)

    def of(self, owner: Owner) -> frozenset[TargetKey]:
        """Return what belongs to a policy."""
        return frozenset(self._owned.get(ObjectKey(owner.namespace, owner.name), ()))

    def get(self, target: TargetKey) -> Object | None:
        """Return an object as last seen, or None."""
        return self._seen.get(target)

    def keep(self, obj: Object) -> None:
        """Remember an object as just written: its watch event comes later and brings no news."""
        self._put(target_key(obj), obj)

    def drop(self, target: TargetKey) -> None:
        """Forget an object that was just deleted."""
        self._take(target)

    def _put(self, target: TargetKey, obj: Object) -> None:
        self._take(target)
        self._seen[target] = obj
        policy = policy_of(obj)
        if policy:
            self._owned[ObjectKey(target.key.namespace, policy)].add(target)

    def _take(self, target: TargetKey) -> Object | None:
        obj = self._seen.pop(target, None)
        owner = ObjectKey(target.key.namespace, (policy_of(obj) if obj else None) or "")
        if owner in self._owned:
            self._owned[owner].discard(target)
            if not self._owned[owner]:
                del self._owned[owner]
        return obj

    def listener(self, kind: str, namespace: str | None = None) -> Listener:
        """Return what a watch of one kind in a namespace, or in all, has to feed.

        Lists leave out `kind`, so it is put back.
        """

        def replaced(objects: list[Object]) -> None:
            found = {target_key(obj): obj for obj in (_complete(item, kind) for item in objects)}
            known = (
                target for target in self._seen if target.kind == kind and namespace in {None, target.key.namespace}
            )
            gone = [target for target in known if target not in found]
            for target in gone:
                obj = self._take(target)
                if obj:
                    self._on_change(target, obj)
            for target, current in found.items():
                self._see(target, current)

        def changed(obj: Object) -> None:
            self._see(target_key(obj), obj)

        def deleted(obj: Object) -> None:
            if not self._outdated(target_key(obj), obj):
                self._take(target_key(obj))
                self._on_change(target_key(obj), obj)

        return Listener(replaced, changed, deleted)

    def _see(self, target: TargetKey, obj: Object) -> None:
        if not self._outdated(target, obj):
            self._put(target, obj)
            self._on_change(target, obj)

    def _outdated(self, target: TargetKey, obj: Object) -> bool:
        """Tell whether a newer state is known: our own writes are remembered before the watch tells of older ones."""
        known = self._seen.get(target)
        return known is not None and _version(obj) < _version(known)


def _version(obj: Object) -> int:
    return int(obj["metadata"]["resourceVersion"])


def _complete(obj: Object, kind: str) -> Object:
    return {"apiVersion": "v1", "kind": kind, **obj}


def policy_of(obj: Object) -> str | None:
    """Return the name of the policy that owns an object, or None."""
    owners = obj["metadata"].get("ownerReferences") or []
    return next((str(owner["name"]) for owner in owners if owner.get("kind") == meta.POLICY_KIND), None)


def provider_json(obj: Object | None) -> str | None:
    """Return the provider.json of a ConfigMap, or None."""
    data = (obj or {}).get("data") or {}
    text = data.get(PROVIDER_JSON)
    return str(text) if text is not None and (obj or {}).get("kind") == CONFIG_MAPS.kind else None
