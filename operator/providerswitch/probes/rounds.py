"""Do something for each of many things, again and again, for as long as somebody wants it: one task for each thing.

For what is asked beside the probes: status pages, metrics sources, golden prompts. Nobody waits for it, so a round that
fails is logged and the next one comes in its time. Rounds of one thing never overlap: the interval counts from the end
of a round to the next.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Generic, TypeVar

log = logging.getLogger(__name__)

Item = TypeVar("Item", bound=Hashable)


@dataclass(slots=True)
class _Round:
    wishes: dict[Hashable, timedelta] = field(default_factory=dict)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None

    @property
    def interval(self) -> timedelta:
        """The shortest that anybody wants."""
        return min(self.wishes.values())

    async def pause(self, longest: timedelta = timedelta.max) -> None:
        """Wait for one interval, or less; an interval that is changed meanwhile counts from the same beginning."""
        began = asyncio.get_running_loop().time()
        with suppress(TimeoutError):
            while self.wishes:
                self.changed.clear()
                async with asyncio.timeout_at(began + min(self.interval, longest).total_seconds()):
                    await self.changed.wait()


class Rounds(Generic[Item]):
    """Keeps work going.

    Args:
        work: done again each interval; its deadline is its own business.
        jitter: returns a random share of a span, from nothing to all of it; the first round of an item is put off by
            it, so that not all begin at the same time.
    """

    def __init__(self, work: Callable[[Item], Awaitable[None]], *, jitter: Callable[[timedelta], timedelta]) -> None:
        self._work = work
        self._jitter = jitter
        self._rounds: dict[Item, _Round] = {}
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def alive(self) -> bool:
        """Whether every item still has its task."""
        return not any(each.task and each.task.done() for each in self._rounds.values())

    @property
    def items(self) -> frozenset[Item]:
        """What is worked on."""
        return frozenset(self._rounds)

    def subscribe(self, subscriber: Hashable, wanted: Mapping[Item, timedelta]) -> None:
        """Work on exactly these items for a subscriber, each at the shortest interval that anybody wants.

        Who subscribes to what is worked on already changes its pace at most; a shorter interval holds at once.
        """
        for item, interval in wanted.items():
            self._want(subscriber, item, interval)
        for item in [item for item, each in self._rounds.items() if subscriber in each.wishes and item not in wanted]:
            self._unwant(subscriber, item)

    def _want(self, subscriber: Hashable, item: Item, interval: timedelta) -> None:
        known = self._rounds.setdefault(item, _Round())
        known.wishes[subscriber] = interval
        known.changed.set()
        if known.task is None:
            known.task = asyncio.create_task(self._run(item, known), name=f"round {type(item).__name__}")

    def _unwant(self, subscriber: Hashable, item: Item) -> None:
        known = self._rounds[item]
        del known.wishes[subscriber]
        if known.wishes:
            known.changed.set()
        else:
            del self._rounds[item]
            self._cancel(known)

    def _cancel(self, known: _Round) -> None:
        if known.task:
            known.task.cancel()
            self._closing.add(known.task)
            known.task.add_done_callback(self._closing.discard)

    async def aclose(self) -> None:
        """End all work."""
        for known in self._rounds.values():
            self._cancel(known)
        self._rounds.clear()
        if self._closing:
            await asyncio.wait(self._closing)

    async def _run(self, item: Item, known: _Round) -> None:
        await known.pause(self._jitter(known.interval))
        while known.wishes:  # the work itself may end its last subscription
            try:
                await self._work(item)
            except Exception:
                log.exception("a round failed for a reason of our own")
            await known.pause()
