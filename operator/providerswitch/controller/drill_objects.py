"""The ProviderSwitchDrills as the API server last showed them."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError

from providerswitch.api import meta
from providerswitch.api.drill import DrillSpec, DrillStatus
from providerswitch.core.event_room import EventRoom
from providerswitch.core.rehearsal import Verdict
from providerswitch.kube.client import Object
from providerswitch.kube.events import Regarding
from providerswitch.kube.objects import ObjectKey, key_of
from providerswitch.kube.watch import Listener


@dataclass(slots=True)
class Drill:
    """One drill.

    Attributes:
        spec: None where it cannot be read.
        version: resourceVersion of what is known; a status is only written over that.
        met_at: when this process first saw it, or began to lead since.
        verdict: how its run ended, until that is written.
        gone: it was deleted.
    """

    key: ObjectKey
    uid: str
    generation: int
    version: str
    spec: DrillSpec | None
    status: DrillStatus
    met_at: datetime
    verdict: Verdict | None = None
    gone: bool = False
    event_room: EventRoom | None = None
    dirty: bool = False
    task: asyncio.Task[None] | None = None
    timer: asyncio.TimerHandle | None = None

    @property
    def policy(self) -> ObjectKey | None:
        """The policy it is for."""
        return ObjectKey(self.key.namespace, self.spec.policy_ref.name) if self.spec else None

    @property
    def regarding(self) -> Regarding:
        """What Events refer to."""
        return Regarding(self.key, self.uid, self.version, meta.DRILL_KIND)

    def take(self, obj: Object) -> None:
        """Take in a newer state of the same object."""
        self.generation = obj["metadata"].get("generation", 0)
        self.version = obj["metadata"]["resourceVersion"]
        self.spec, self.status = _read_spec(obj), _read_status(obj)


def _read_spec(obj: Object) -> DrillSpec | None:
    try:
        return DrillSpec.model_validate(obj.get("spec") or {})
    except ValidationError:
        return None


def _read_status(obj: Object) -> DrillStatus:
    """One that cannot be read counts as lost."""
    try:
        return DrillStatus.model_validate(obj.get("status") or {})
    except ValidationError:
        return DrillStatus()


class DrillObjects:
    """All drills.

    Args:
        on_change: called with each drill that is new, changed or gone.
    """

    def __init__(self, on_change: Callable[[Drill], None], clock: Callable[[], datetime]) -> None:
        self._on_change = on_change
        self._clock = clock
        self._known: dict[ObjectKey, Drill] = {}

    def __iter__(self) -> Iterator[Drill]:
        return iter(tuple(self._known.values()))

    def get(self, key: ObjectKey, uid: str) -> Drill | None:
        """Return a drill that still exists, or None."""
        found = self._known.get(key)
        return found if found and found.uid == uid else None

    def listener(self, namespace: str | None = None) -> Listener:
        """Return what a watch of drills in a namespace, or in all, has to feed."""

        def replaced(objects: list[Object]) -> None:
            found = {obj["metadata"]["uid"] for obj in objects}
            for drill in self:
                if namespace in {None, drill.key.namespace} and drill.uid not in found:
                    self._lose(drill)
            for obj in objects:
                self._put(obj)

        def deleted(obj: Object) -> None:
            drill = self.get(key_of(obj), obj["metadata"]["uid"])
            if drill:
                self._lose(drill)

        return Listener(replaced, self._put, deleted)

    def _lose(self, drill: Drill) -> None:
        self._known.pop(drill.key, None)
        drill.gone = True
        self._on_change(drill)

    def _put(self, obj: Object) -> None:
        key, uid = key_of(obj), obj["metadata"]["uid"]
        former = self._known.get(key)
        if former and former.uid == uid:
            if former.version != obj["metadata"]["resourceVersion"]:
                former.take(obj)
                self._on_change(former)
            return
        if former:
            self._lose(former)
        generation, version = obj["metadata"].get("generation", 0), obj["metadata"]["resourceVersion"]
        drill = Drill(key, uid, generation, version, _read_spec(obj), _read_status(obj), self._clock())
        self._known[key] = drill
        self._on_change(drill)
