"""The overrides of all policies: seen by a watch, judged when their policy is looked at, settled when it is not there.

Where each stands is kept here while this replica leads; a new leader goes on from the statuses.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from providerswitch.api.override import LONGEST_OVERRIDE, OverrideState
from providerswitch.controller.entry import Entry
from providerswitch.controller.metrics import Metrics
from providerswitch.controller.override_desk import Desk, Scribe
from providerswitch.controller.override_records import Record, parse_record, status_in
from providerswitch.controller.registry import Registry
from providerswitch.core.override_rules import GRACE, Bench, Standing, judge, judge_alone, next_due, orders_of
from providerswitch.core.situation import Situation
from providerswitch.kube.client import Object
from providerswitch.kube.objects import ObjectKey, key_of
from providerswitch.kube.watch import Listener

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Book:
    """The overrides of one policy that are not finished, in the order in which they came.

    Attributes:
        alone_since: since when the policy is not there; None while it is.
    """

    records: dict[str, Record] = field(default_factory=dict)
    alone_since: datetime | None = None


class Overrides:
    """Every override.

    Args:
        wake: asks for a reconcile of one policy.
        longest: what the administrator allows.
    """

    def __init__(
        self,
        registry: Registry,
        wake: Callable[[Entry], None],
        scribe: Scribe,
        metrics: Metrics,
        longest: timedelta = LONGEST_OVERRIDE,
    ) -> None:
        self._registry = registry
        self._wake = wake
        self._scribe = scribe
        self._metrics = metrics
        self._longest = longest
        self._records: dict[ObjectKey, Record] = {}
        self._books: dict[ObjectKey, Book] = {}
        self._desks: dict[str, Desk] = {}
        self._leading = False

    def listener(self, namespace: str | None = None) -> Listener:
        """Return what the watch of a namespace, or of all, has to feed."""

        def replaced(objects: list[Object]) -> None:
            found = {key_of(obj) for obj in objects}
            for key in [key for key in self._records if namespace in {None, key.namespace}]:
                if key not in found:
                    self._lose(key)
            for obj in objects:
                self.see(obj)

        return Listener(replaced, self.see, lambda obj: self._lose(key_of(obj), obj["metadata"]["uid"]))

    def see(self, obj: Object) -> None:
        """Take in an override as it is now; one that is being deleted is as good as gone."""
        key, found = key_of(obj), obj["metadata"]
        known = self._records.get(key)
        if known and (known.uid != found["uid"] or found.get("deletionTimestamp")):
            self._lose(key)
            known = None
        if found.get("deletionTimestamp"):
            return
        if known and self._leading:
            self._compare(known, obj)
            return
        record = parse_record(obj)
        if record is None:
            log.warning("an override cannot be read; is the operator older than its CRD?", extra={"override": str(key)})
            return
        self._keep(record)

    def _book(self, record: Record) -> Book:
        return self._books.setdefault(record.policy, Book())

    def _compare(self, record: Record, obj: Object) -> None:
        """What this replica knows is newer than what the watch shows; a status that others changed is put right."""
        if int(obj["metadata"]["resourceVersion"]) <= int(record.version):
            return
        record.version = obj["metadata"]["resourceVersion"]
        if record.written != status_in(obj):
            record.written = status_in(obj)
            self._desk(record.key.namespace).note(record)

    def _keep(self, record: Record) -> None:
        self._records[record.key] = record
        book = self._book(record)
        if record.request.standing.finished:
            book.records.pop(record.uid, None)
            self._desk(record.key.namespace).note(record)
        else:
            book.records[record.uid] = record
            self._desk(record.key.namespace)
            self._look_at(record.policy)

    def _lose(self, key: ObjectKey, uid: str | None = None) -> None:
        record = self._records.get(key)
        if record is None or uid not in {None, record.uid}:
            return
        del self._records[key]
        self._book(record).records.pop(record.uid, None)
        cleared = self._leading and record.request.standing.state is OverrideState.ACTIVE
        if cleared:
            self._metrics.overrides.labels("Cleared").inc()
        self._desk(key.namespace).drop(record, cleared=cleared)
        self._look_at(record.policy)

    def _look_at(self, policy: ObjectKey) -> None:
        entry = self._registry.get(policy)
        if entry:
            self._wake(entry)
        self.look(policy.namespace)

    def look(self, namespace: str) -> None:
        """Have the overrides of a namespace looked at whose policy does not."""
        if namespace in self._desks:
            self._desks[namespace].hurry()

    def _desk(self, namespace: str) -> Desk:
        desk = self._desks.get(namespace)
        if desk is None:
            desk = self._desks[namespace] = Desk(self._scribe, lambda: self._settle_alone(namespace))
            if self._leading:
                self._begin(namespace, desk)
        return desk

    def _begin(self, namespace: str, desk: Desk) -> None:
        if desk.task is None:
            desk.task = asyncio.create_task(desk.run(), name=f"overrides of {namespace}")

    def lead(self) -> None:
        """Judge and write from now on."""
        self._leading = True
        for namespace in {key.namespace for key in self._records}:
            self._begin(namespace, self._desk(namespace))

    def follow(self) -> None:
        """Only see from now on; another replica judges."""
        self._leading = False
        for desk in self._desks.values():
            desk.stop()
        self._desks.clear()

    def providers(self, policy: ObjectKey) -> tuple[str, ...]:
        """Return the providers that unfinished overrides of a policy ask for."""
        book = self._books.get(policy)
        return tuple({record.request.order.provider for record in book.records.values()}) if book else ()

    def next_due(self, policy: ObjectKey) -> datetime | None:
        """Return when time alone changes where an override of a policy stands."""
        book = self._books.get(policy)
        return next_due(record.request for record in book.records.values()) if book else None

    def judge(self, entry: Entry, look: Callable[[], Situation]) -> None:
        """Settle which overrides of a policy are in force, for the reconcile that is about to decide."""
        book = self._books.get(entry.key)
        if book and book.records:
            assert entry.policy is not None
            book.alone_since = None
            bench = Bench(entry.policy.spec, entry.memory, look(), self._longest)
            records = tuple(book.records.values())
            standings = judge([record.request for record in records], bench)
            for record, standing in zip(records, standings, strict=True):
                self._stand(record, standing)
        entry.overrides = orders_of(record.request for record in book.records.values()) if book else {}
        self._metrics.show_overrides(entry.key, {task: order.until for task, order in entry.overrides.items()})

    def _stand(self, record: Record, standing: Standing) -> None:
        former = record.request.standing
        if standing == former:
            return
        record.request = replace(record.request, standing=standing)
        if standing.state is not former.state:
            self._tell_log(record)
        if standing.finished:
            self._book(record).records.pop(record.uid, None)
        self._desk(record.key.namespace).note(record)

    def _tell_log(self, record: Record) -> None:
        standing = record.request.standing
        if standing.state is not OverrideState.PENDING:
            self._metrics.overrides.labels(standing.state.value).inc()
        log.info(
            "override",
            extra={
                "namespace": record.key.namespace,
                "override": record.key.name,
                "policy": record.request.policy,
                "state": standing.state.value,
                "reason": standing.reason,
                "why": standing.message,
            },
        )

    def _settle_alone(self, namespace: str) -> datetime | None:
        """Settle what no policy does; return when to look again."""
        now, due = self._scribe.clock(), []
        for policy in [policy for policy in self._books if policy.namespace == namespace]:
            book, entry = self._books[policy], self._registry.get(policy)
            if not book.records and entry is None:
                del self._books[policy]
            elif entry is None or entry.newest is None:
                book.alone_since = book.alone_since or now
                self._settle_book(book, now, exists=entry is not None)
                due += [book.alone_since + GRACE] if entry is None else []
                due += [moment for moment in [next_due(record.request for record in book.records.values())] if moment]
            else:
                book.alone_since = None
        return min((moment for moment in due if moment > now), default=None)

    def _settle_book(self, book: Book, now: datetime, *, exists: bool) -> None:
        for record in tuple(book.records.values()):
            self._stand(record, judge_alone(record.request, now, book.alone_since or now, exists=exists))
