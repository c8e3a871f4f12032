"""Leases in memory, and a network to them that loses and delays what a test wants, in virtual time."""

import asyncio
import copy
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.support.virtual_time import elapsed, loop_clock

from providerswitch.api.errors import ApiServerError
from providerswitch.kube.client import JSON, KubeClient, Object
from providerswitch.kube.election import Election, Timing
from providerswitch.kube.objects import ObjectKey

KEY = ObjectKey("providerswitch-system", "providerswitch")
TIMING = Timing(10.0)


@dataclass(slots=True)
class Fate:
    """What becomes of one request.

    Attributes:
        there, back: seconds on the way.
        lost: "there": it never arrives; "back": it is done and nobody hears of it.
    """

    there: float = 0.001
    back: float = 0.001
    lost: str = ""


@dataclass(slots=True)
class Store:
    """The one Lease, as the API server keeps it."""

    lease: Object | None = None
    version: int = 0
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    asked: int = 0

    async def put(self, body: Object, what: str) -> Object:
        """Create or replace it, as optimistic concurrency allows."""
        expected = body["metadata"].get("resourceVersion")
        if expected is None and self.lease is not None:
            raise ApiServerError(what, 409, "it exists")
        if expected is not None and self.lease is None:
            raise ApiServerError(what, 404, "it is gone")
        if expected is not None and expected != str(self.version):
            raise ApiServerError(what, 409, "it was changed")
        return await self.keep(body)

    async def keep(self, body: Object) -> Object:
        """Store it whatever was there."""
        self.version += 1
        self.lease = copy.deepcopy(body)
        self.lease["metadata"]["resourceVersion"] = str(self.version)
        async with self.changed:
            self.changed.notify_all()
        return copy.deepcopy(self.lease)

    async def delete(self) -> None:
        """Somebody deletes it."""
        self.version += 1
        self.lease = None
        async with self.changed:
            self.changed.notify_all()

    @property
    def holder(self) -> str:
        """Who holds it."""
        return str(self.lease["spec"]["holderIdentity"]) if self.lease else ""


class Line(KubeClient):
    """One candidate's connection to the store.

    Attributes:
        odd: what it hears in place of every Lease; None for the truth.
    """

    def __init__(self, store: Store, fate: Callable[[str], Fate] = lambda _method: Fate()) -> None:
        self.store = store
        self.fate = fate
        self.odd: Object | None = None

    async def request(
        self,
        method: str,
        path: str,
        *,
        what: str,
        body: object = None,
        query: Mapping[str, str] | None = None,
        content_type: str = JSON,
        accept: str = JSON,
    ) -> Object:
        fate = self.fate(method)
        self.store.asked += 1
        await asyncio.sleep(fate.there)
        if fate.lost == "there":
            raise ApiServerError(what, None, "lost")
        answer = await self._answer(method, what, body)
        await asyncio.sleep(fate.back)
        if fate.lost == "back":
            raise ApiServerError(what, None, "lost")
        return answer if self.odd is None else self.odd

    async def _answer(self, method: str, what: str, body: Any) -> Object:
        if method in {"PUT", "POST"}:
            return await self.store.put(body, what)
        if self.store.lease is None:
            raise ApiServerError(what, 404)
        return copy.deepcopy(self.store.lease)

    async def stream(
        self, path: str, *, what: str, query: Mapping[str, str], accept: str = JSON
    ) -> AsyncGenerator[Object, None]:
        seen = int(query["resourceVersion"])
        while True:
            fate = self.fate("WATCH")
            await asyncio.sleep(fate.there)
            if fate.lost:
                raise ApiServerError(what, None, "lost")
            async with self.store.changed:
                while self.store.version <= seen:
                    await self.store.changed.wait()
            seen = self.store.version
            if self.store.lease is None:
                yield {"type": "DELETED", "object": {}}
                continue
            yield {"type": "MODIFIED", "object": copy.deepcopy(self.store.lease) if self.odd is None else self.odd}


@dataclass(slots=True)
class Candidate:
    """One replica in an election."""

    name: str
    line: Line
    election: Election = field(init=False)
    terms: list[str] = field(default_factory=list)
    task: asyncio.Task[None] | None = None

    def __post_init__(self) -> None:
        self.election = Election(self.line, KEY, self.name, TIMING, clock=elapsed, wall=wall)

    def start(self) -> None:
        """Stand for election."""
        self.task = asyncio.create_task(self.election.run(self._begin, lambda: self.terms.append("end")))

    async def _begin(self) -> None:
        self.terms.append("begin")

    async def stop(self) -> None:
        """Step down."""
        assert self.task
        self.task.cancel()
        await asyncio.wait([self.task])

    def crash(self) -> None:
        """End without giving anything back."""
        self.line.fate = lambda _method: Fate(lost="there")
        assert self.task
        self.task.cancel()

    @property
    def leads(self) -> bool:
        """Whether it may write now."""
        return self.election.remaining() > 0


def wall() -> datetime:
    """Return the time that is written into the Lease; nobody may rely on it."""
    return loop_clock()
