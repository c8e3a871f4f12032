"""Leader election: one of several replicas holds the Lease, and only that one may write.

`remaining()` is the fence: for how long a write may still begin and end. It is counted from before the last renewal was
sent and ends well before anybody else may take the Lease, so that a holder that was cut off or stopped for a while
stops writing before another begins.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from providerswitch.api.errors import ApiServerError
from providerswitch.kube.client import KubeClient, Object
from providerswitch.kube.lease import LEASES, Record, Sighting, read_lease, read_record, see, store_lease
from providerswitch.kube.objects import CONFLICT, NOT_FOUND, ObjectKey

log = logging.getLogger(__name__)

RELEASE_SECONDS: Final = 1.0
"""At the end the Lease is given back, or left to run out if the API server does not answer by then."""


@dataclass(frozen=True, slots=True)
class Timing:
    """The rhythm of an election, in seconds.

    Attributes:
        lease: a Lease that is not renewed for so long may be taken.
    """

    lease: float

    @property
    def deadline(self) -> float:
        """How long a renewal covers writes; the rest of the Lease is for those that take longer than they should."""
        return self.lease * 2 / 3

    @property
    def renewal(self) -> float:
        """Between two renewals."""
        return self.lease / 5

    @property
    def retry(self) -> float:
        """Between two attempts while the API server does not do what is asked."""
        return min(0.5, self.lease / 20)


class Election:
    """One candidate.

    Args:
        client: for the Lease alone; it must not be behind the fence.
        identity: unique to this process.
        clock: seconds that pass also while this process is stopped.
        wall: the time to write into the Lease, for people.
    """

    def __init__(
        self,
        client: KubeClient,
        key: ObjectKey,
        identity: str,
        timing: Timing,
        *,
        clock: Callable[[], float],
        wall: Callable[[], datetime],
    ) -> None:
        self._client = client
        self.key = key
        self._identity = identity
        self._timing = timing
        self._clock = clock
        self._wall = wall
        self._seen: Sighting | None = None
        self._may_write_until = float("-inf")
        self._claimed = False
        self._told = ""

    def remaining(self) -> float:
        """Return for how many seconds writes may begin and end; 0 without the Lease."""
        return max(0.0, self._may_write_until - self._clock())

    def let_run_out(self) -> None:
        """Do not give the Lease back: a write that was cut off may be done later than another replica would begin."""
        self._claimed = False

    async def run(self, begin: Callable[[], Awaitable[None]], end: Callable[[], None]) -> None:
        """Hold the Lease whenever it can be had, until cancelled; it is then given back, or else runs out.

        `begin` is called at the beginning of each term, and cancelled if the term ends before it does; `end` is called
        when the Lease is lost, not when it is given back.
        """
        try:
            while True:
                await self._win()
                log.info("this replica leads", extra=self._who())
                await self._reign(begin)
                log.warning(
                    "this replica no longer leads: the Lease was not renewed in time, or another replica holds it",
                    extra=self._who(),
                )
                end()
        finally:
            await self._give_back()

    async def _win(self) -> None:
        """Return when the Lease is ours."""
        while True:
            try:
                if await self._try():
                    return
            except ApiServerError as error:
                self._tell("the Lease cannot be had, which is tried again: %s", error, logging.WARNING)
            await asyncio.sleep(self._timing.retry)

    async def _try(self) -> bool:
        record = await read_lease(self._client, self.key, self._timing.lease)
        if record is None:
            # Somebody deleted it: its holder may write for as long as it was seen to hold.
            return self._may_claim(self._seen) and await self._claim(Record("", self._timing.lease))
        self._seen = see(self._seen, record, self._clock())
        if record.holder != self._identity and self._seen.free_in(self._clock()) > 0:
            await self._stand_by(self._seen)
        return self._may_claim(self._seen) and await self._claim(self._seen.record)

    def _may_claim(self, seen: Sighting | None) -> bool:
        return not seen or seen.record.holder == self._identity or seen.free_in(self._clock()) == 0

    async def _stand_by(self, seen: Sighting) -> None:
        """Return when the Lease is given back or ran out, or when it has to be read again."""
        self._tell("standing by: %s leads", seen.record.holder)
        query = {"fieldSelector": f"metadata.name={self.key.name}", "resourceVersion": seen.record.version}
        path = LEASES.collection(self.key.namespace)
        async with aclosing(self._client.stream(path, what="watch the Lease", query=query)) as events:
            while (wait := seen.free_in(self._clock())) > 0:
                try:
                    async with asyncio.timeout(wait):
                        event = await anext(events)
                except (TimeoutError, StopAsyncIteration):
                    return
                if event.get("type") not in {"ADDED", "MODIFIED", "BOOKMARK"}:
                    return
                seen = self._hear(event, seen)

    def _hear(self, event: Object, seen: Sighting) -> Sighting:
        if event["type"] == "BOOKMARK":
            return seen
        self._seen = see(seen, read_record(event.get("object"), self._timing.lease), self._clock())
        return self._seen

    async def _claim(self, found: Record) -> bool:
        """Take the Lease as it was found; False when somebody else was faster."""
        moved = found.holder != self._identity
        record = replace(
            found,
            holder=self._identity,
            seconds=self._timing.lease,
            transitions=found.transitions + (moved and bool(found.version)),
            acquired=None if moved else found.acquired,
        )
        try:
            await self._store(record)
        except ApiServerError as error:
            if error.status in {CONFLICT, NOT_FOUND}:
                return False
            raise
        self._told = ""
        return True

    async def _store(self, record: Record) -> None:
        sent, self._claimed = self._clock(), True
        stored = await store_lease(self._client, self.key, record, self._wall())
        self._seen = see(None, stored, self._clock())
        self._may_write_until = sent + self._timing.deadline

    async def _reign(self, begin: Callable[[], Awaitable[None]]) -> None:
        """Return when the Lease is lost.

        Raises:
            Exception: what `begin` raised.
        """
        term = asyncio.ensure_future(begin())
        try:
            while True:
                await _wait(term, self._timing.renewal)
                if not await self._renew():
                    return
        finally:
            self._may_write_until = float("-inf")
            term.cancel()
            await asyncio.wait([term])

    async def _renew(self) -> bool:
        """Renew the Lease, trying until the fence closes; False when it is lost."""
        while (left := self.remaining()) > 0:
            try:
                async with asyncio.timeout(left):
                    return await self._renew_once()
            except (ApiServerError, TimeoutError) as error:
                self._tell("the Lease is not renewed, which is tried again: %s", error, logging.WARNING)
            await asyncio.sleep(min(self._timing.retry, self.remaining()))
        return False

    async def _renew_once(self) -> bool:
        assert self._seen is not None
        try:
            await self._store(self._seen.record)
        except ApiServerError as error:
            if error.status not in {CONFLICT, NOT_FOUND}:
                raise
            record = await read_lease(self._client, self.key, self._timing.lease)
            if record and record.holder != self._identity:
                return False
            await self._store(record or replace(self._seen.record, version=""))
        self._told = ""
        return True

    async def _give_back(self) -> None:
        """Let another replica begin at once; what cannot be given back runs out."""
        self._may_write_until = float("-inf")
        if not self._claimed:
            return
        try:
            async with asyncio.timeout(RELEASE_SECONDS):
                record = await read_lease(self._client, self.key, self._timing.lease)
                if record and record.holder == self._identity:
                    await store_lease(self._client, self.key, replace(record, holder="", seconds=1), self._wall())
                    log.info("the Lease is given back", extra=self._who())
        except (ApiServerError, TimeoutError) as error:
            log.info("the Lease cannot be given back and runs out: %s", error, extra=self._who())

    def _tell(self, sentence: str, detail: object, level: int = logging.INFO) -> None:
        """Log a state once, however often it is met."""
        if (text := sentence % detail) != self._told:
            self._told = text
            log.log(level, "%s", text, extra=self._who())

    def _who(self) -> dict[str, str]:
        return {"lease": str(self.key), "identity": self._identity}


async def _wait(term: asyncio.Future[None], seconds: float) -> None:
    """Let time pass, and raise what the beginning of the term raises."""
    if term.done():
        await asyncio.sleep(seconds)
    else:
        await asyncio.wait([term], timeout=seconds)
    if term.done():
        term.result()
