"""The published objects as the API server last showed them, kept by a watch of our own label."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from providerswitch.api import meta
from providerswitch.kube.client import Object
from providerswitch.kube.objects import CONFIG_MAPS, SECRETS, ObjectKey, Resource
from providerswitch.kube.watch import Listener
from providerswitch.publish.choice import PROVIDER_JSON, Owner
from providerswitch.publish.secret import sealed
from providerswitch.publish.targets import WITHOUT_SECRETS, TargetKey, target_key

SELECTOR = f"{meta.MANAGED_BY_LABEL}={meta.FIELD_MANAGER}"


class Children:
    """What is published.

    Args:
        on_change: called with each object that changed or went, our own writes included.
        resources: what is published, by kind.

    Attributes:
        on_undone: called when an object is of an earlier time than before: the API server was restored from a backup.
    """

    def __init__(
        self, on_change: Callable[[TargetKey, Object], None], resources: Mapping[str, Resource] = WITHOUT_SECRETS
    ) -> None:
        self._on_change = on_change
        self.resources = resources
        self.on_undone: Callable[[], None] = lambda: None
        self._seen: dict[TargetKey, Object] = {}
        self._owned: dict[ObjectKey, set[TargetKey]] = defaultdict(set)

    @property
    def include_secrets(self) -> bool:
        """Whether the administrator lets Secrets be published."""
        return SECRETS.kind in self.resources

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
        self._seen[target] = sealed(obj)
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
        history = _History()

        def replaced(objects: list[Object]) -> None:
            found = {target_key(obj): obj for obj in (_complete(item, kind) for item in objects)}
            for target in self._known(kind, namespace) - found.keys():
                if not history.precedes(self._seen[target]):
                    self._lose(target)
            for target, obj in found.items():
                known = self._seen.get(target)
                if known is None or not history.precedes(known, obj):
                    self._compare(known, obj)
                    self._believe(target, obj)

        def changed(obj: Object) -> None:
            if not self._outdated(target_key(obj), obj):
                self._believe(target_key(obj), obj)

        def deleted(obj: Object) -> None:
            if not self._outdated(target_key(obj), obj):
                self._take(target_key(obj))
                self._on_change(target_key(obj), obj)

        return Listener(replaced, changed, deleted, history.begin)

    def _compare(self, known: Object | None, listed: Object) -> None:
        """An object only gets higher versions, unless its history is undone."""
        if known and _version(listed) < _version(known):
            self.on_undone()

    def _known(self, kind: str, namespace: str | None) -> set[TargetKey]:
        return {target for target in self._seen if target.kind == kind and namespace in {None, target.key.namespace}}

    def _lose(self, target: TargetKey) -> None:
        obj = self._take(target)
        if obj:
            self._on_change(target, obj)

    def _believe(self, target: TargetKey, obj: Object) -> None:
        self._put(target, obj)
        self._on_change(target, obj)

    def _outdated(self, target: TargetKey, obj: Object) -> bool:
        """Tell whether a newer state is known: our own writes are remembered before the watch tells of older ones."""
        known = self._seen.get(target)
        return known is not None and _version(obj) < _version(known)


@dataclass(slots=True)
class _History:
    """Tells a list from our own writes that came after it.

    Attributes:
        listed: the version of the last list; None before it is known.
        undone: the last list is of an earlier time than what was told before, as after the restore of a backup. What
            was known then must not be taken for newer.
    """

    listed: int | None = None
    undone: bool = False

    def begin(self, version: str, undone: bool) -> None:  # noqa: FBT001  # as the listener is called
        """Take note of a list whose objects are about to be told."""
        self.listed, self.undone = int(version), undone

    def precedes(self, known: Object, listed: Object | None = None) -> bool:
        """Tell whether the list is of a time before a known state; without its version, that of the object must do."""
        if self.undone:
            return False
        if self.listed is not None:
            return self.listed < _version(known)
        return listed is not None and _version(listed) < _version(known)


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
