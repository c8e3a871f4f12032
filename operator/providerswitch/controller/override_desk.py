"""Writes what became of the overrides of one namespace: Events, statuses, and the removal of those long finished.

Each namespace has a desk of its own, so that whoever makes thousands of overrides waits for himself.
"""

import asyncio
import heapq
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from providerswitch.api import meta
from providerswitch.api.errors import ApiServerError
from providerswitch.controller.override_records import Record, build_status
from providerswitch.controller.retrying import pause_after
from providerswitch.core.event_room import EventRoom
from providerswitch.core.narrate import PolicyEvent, Related
from providerswitch.core.override_news import tell_cleared, tell_standing
from providerswitch.kube.client import KubeClient
from providerswitch.kube.events import Regarding, tell
from providerswitch.kube.objects import NOT_FOUND, OVERRIDES, POLICIES, ObjectKey, apply_status, delete

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Scribe:
    """What a desk works with.

    Attributes:
        name: of this process, in Events.
        keep: how long finished overrides are kept.
        uid_of: returns the uid of a policy, or None.
    """

    client: KubeClient
    clock: Callable[[], datetime]
    name: str
    keep: timedelta
    uid_of: Callable[[ObjectKey], str | None]


@dataclass(slots=True)
class Desk:
    """The paperwork of one namespace.

    Attributes:
        look: settles overrides whose policy does not; returns when time alone changes something, or None.
        room: for Events; None before the first.
    """

    scribe: Scribe
    look: Callable[[], datetime | None]
    task: asyncio.Task[None] | None = None
    room: EventRoom | None = None
    _unwritten: dict[str, Record] = field(default_factory=dict)
    _cleared: list[Record] = field(default_factory=list)
    _finished: list[tuple[datetime, str, ObjectKey]] = field(default_factory=list)
    _soon: asyncio.Event = field(default_factory=asyncio.Event)

    def hurry(self) -> None:
        """Ask for a look at once."""
        self._soon.set()

    def note(self, record: Record) -> None:
        """Have an override's Event and status written, and have it removed in time."""
        self._unwritten[record.uid] = record
        self._soon.set()
        if record.request.standing.finished_at:
            removal = record.request.standing.finished_at + self.scribe.keep
            heapq.heappush(self._finished, (removal, record.uid, record.key))

    def drop(self, record: Record, *, cleared: bool) -> None:
        """Forget one that is deleted; one that was in force until then is told of."""
        self._unwritten.pop(record.uid, None)
        if cleared:
            self._cleared.append(record)
        self._soon.set()

    def stop(self) -> None:
        """End the work; another replica goes on from what was written."""
        if self.task:
            self.task.cancel()
            self.task = None

    async def run(self) -> None:
        """Work until cancelled; what is refused is tried again."""
        failures = 0
        while True:
            self._soon.clear()
            due = self.look()
            pause = await self._try(failures)
            if pause is not None:
                failures += 1
                await asyncio.sleep(pause)
                continue
            failures = 0
            with suppress(TimeoutError):
                await asyncio.wait_for(self._soon.wait(), self._until(due))

    async def _try(self, failures: int) -> float | None:
        """Write what there is to write; return the seconds to wait before the next try, None where all is done."""
        try:
            await self._write_all()
        except ApiServerError as error:
            log.warning("what became of an override could not be written, which is tried again: %s", error)
            return pause_after(failures, error.retry_after)
        except Exception:
            log.exception("what became of an override could not be written")
            return pause_after(failures)
        return None

    def _until(self, due: datetime | None) -> float | None:
        moments = [moment for moment in (due, self._finished[0][0] if self._finished else None) if moment]
        return max(0.0, (min(moments) - self.scribe.clock()).total_seconds()) if moments else None

    async def _write_all(self) -> None:
        while self._cleared:
            await self._tell(self._cleared[0], tell_cleared(self._cleared[0].request))
            del self._cleared[0]
        while self._unwritten:
            uid, record = next(iter(self._unwritten.items()))
            try:
                await self._write(record)
            except ApiServerError:
                self._unwritten[uid] = self._unwritten.pop(uid, record)  # the others come first at the next try
                raise
            if self._settled(record):
                self._unwritten.pop(uid, None)
        await self._remove()

    def _settled(self, record: Record) -> bool:
        return record.written == build_status(record.request)

    async def _write(self, record: Record) -> None:
        """The Event goes first: after a crash in between it is told again under the same name."""
        standing, status = record.request.standing, build_status(record.request)
        event = tell_standing(record.request)
        if event and record.announced is not standing.state:
            await self._tell(record, event)
        record.announced = standing.state
        if status == record.written:
            return
        try:
            await apply_status(self.scribe.client, OVERRIDES, record.key, record.uid, status)
        except ApiServerError as error:
            if error.status != NOT_FOUND:  # it was deleted while its status was on the way
                raise
        record.written = status

    async def _remove(self) -> None:
        while self._finished and self._finished[0][0] <= self.scribe.clock():
            _, uid, key = self._finished[0]
            await delete(self.scribe.client, OVERRIDES, key, uid)
            heapq.heappop(self._finished)

    async def _tell(self, record: Record, event: PolicyEvent) -> None:
        """Tell it of the override, and refer to its policy."""
        now = self.scribe.clock()
        room = (self.room or EventRoom(0, now)).take(now)
        if room is None:
            log.debug("an Event is left out, there were too many", extra={"override": str(record.key)})
            return
        self.room = room
        about = Regarding(record.key, record.uid, record.version, meta.OVERRIDE_KIND)
        policy = record.policy
        related = Related(POLICIES.api_version, POLICIES.kind, policy.name, self.scribe.uid_of(policy))
        await tell(self.scribe.client, replace(event, related=related), about, now, self.scribe.name)
