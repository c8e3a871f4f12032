"""What others did to published objects: told, counted, and put right no more often than a tug of war deserves."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from providerswitch.controller.children import Children
from providerswitch.controller.entry import Entry
from providerswitch.controller.metrics import Metrics
from providerswitch.core.contest import REFILL, Contest
from providerswitch.core.narrate import Related, hour_of, tell_adoption, tell_drift
from providerswitch.core.report import CONTESTED, Problem
from providerswitch.kube.client import Object
from providerswitch.publish.blame import changed_by
from providerswitch.publish.metadata import drifted
from providerswitch.publish.targets import RESOURCES, TargetKey

log = logging.getLogger(__name__)

CHANGED: Final = "changed"
DELETED: Final = "deleted"


@dataclass(frozen=True, slots=True)
class Drift:
    """One object that reads otherwise than it was published.

    Attributes:
        changed: "changed" or "deleted".
        managers: who did it, as far as that is recorded.
    """

    target: TargetKey
    changed: str
    managers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Repairs:
    """Keeps the books of what is put right."""

    children: Children
    metrics: Metrics
    clock: Callable[[], datetime]

    def find(self, entry: Entry, bodies: Mapping[TargetKey, Object]) -> tuple[Drift, ...]:
        """Return what others changed, and what is ours and nobody wants."""
        assert entry.policy is not None
        found = [self._compare(target, body) for target, body in bodies.items()]
        unwanted = sorted(self.children.of(entry.policy.owner) - bodies.keys())
        return (*(drift for drift in found if drift), *(Drift(target, CHANGED) for target in unwanted))

    def _compare(self, target: TargetKey, body: Object) -> Drift | None:
        seen = self.children.get(target)
        if seen is None:
            return Drift(target, DELETED)
        return Drift(target, CHANGED, changed_by(body, seen)) if drifted(body, seen) else None

    def may_repair(self, entry: Entry, found: tuple[Drift, ...]) -> bool:
        """Tell whether there is room for another repair; where there is none, the problem is noted."""
        now = self.clock()
        left = (entry.contest or Contest(0, now)).take(now)
        if left is None:
            entry.contest = replace((entry.contest or Contest(0, now)).look(now), hot=True)
            entry.contested = _explain(found)
            self.note_contest(entry)
            return False
        entry.contest = left
        return True

    def note_contest(self, entry: Entry) -> None:
        """Go on saying that there is a tug of war until it has calmed down."""
        if entry.contest and entry.contest.look(self.clock()).hot:
            entry.publish_problem = Problem(CONTESTED, entry.contested)

    def note(self, entry: Entry, repaired: tuple[Drift, ...]) -> None:
        """Count and tell what was put right."""
        for drift in repaired:
            who = {"namespace": entry.key.namespace, "policy": entry.key.name}
            extra = {**who, "kind": drift.target.kind, "object": drift.target.key.name, "managers": drift.managers}
            log.info("a published object was %s by somebody else and is put right", drift.changed, extra=extra)
            self.metrics.drift.labels(entry.key.namespace, entry.key.name, drift.target.kind).inc()
            self._tell(entry, drift)

    def _tell(self, entry: Entry, drift: Drift) -> None:
        """Once in an hour for each kind; another process that tells it again tells the same Event."""
        now, kind = self.clock(), drift.target.kind
        if entry.drifts_told.get(kind) != hour_of(now):
            entry.drifts_told[kind] = hour_of(now)
            entry.news.append(tell_drift(self.related(drift.target), drift.changed, drift.managers, now))

    def note_adoptions(self, entry: Entry) -> None:
        """Tell of the objects of others that were taken over."""
        for target in sorted(entry.adopted):
            log.info("an object was adopted", extra={"policy": str(entry.key), "object": f"{target.kind} {target.key}"})
            entry.news.append(tell_adoption(self.related(target)))
        entry.adopted.clear()

    def related(self, target: TargetKey) -> Related:
        """Return what an Event refers to."""
        uid = ((self.children.get(target) or {}).get("metadata") or {}).get("uid")
        return Related(RESOURCES[target.kind].api_version, target.kind, target.key.name, uid)


def _explain(found: tuple[Drift, ...]) -> str:
    drift = found[0]
    by = "another writer" if not drift.managers else " and ".join(f'"{name}"' for name in drift.managers)
    return (
        f'{drift.target.kind} "{drift.target.key.name}" is changed again and again by {by}, so it is put right every '
        f"{REFILL.total_seconds():g} s at most and consumers may read something else meanwhile. Stop the other writer, "
        "or choose another name in spec.publish."
    )
