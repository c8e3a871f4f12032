"""Answers that hold for a few seconds, each asked for once however many want it, and not too many of them."""

import asyncio
import math
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(slots=True)
class _Entry(Generic[V]):
    task: asyncio.Task[V]
    until: float = math.inf


class Recent(Generic[K, V]):
    """Keeps the most recent answers.

    Args:
        seconds: how long one holds.
        most: how many are kept; the one that was used longest ago makes room.
        clock: seconds that never go back.
    """

    def __init__(self, seconds: float, most: int, clock: Callable[[], float]) -> None:
        self._seconds = seconds
        self._most = most
        self._clock = clock
        self._entries: OrderedDict[K, _Entry[V]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: K) -> bool:
        """Whether nothing need be asked for it: the answer is there, or on the way."""
        entry = self._entries.get(key)
        return entry is not None and self._clock() < entry.until

    async def ask(self, key: K, question: Callable[[], Awaitable[V]]) -> V:
        """Return the answer for a key, which `question` asks for where it is not there.

        What it raises is raised here, for all who wait, and is not kept.
        """
        if key not in self:
            self._entries[key] = self._begin(key, question)
            if len(self._entries) > self._most:
                self._entries.popitem(last=False)
        self._entries.move_to_end(key)
        return await asyncio.shield(self._entries[key].task)

    def _begin(self, key: K, question: Callable[[], Awaitable[V]]) -> _Entry[V]:
        async def answer() -> V:
            return await question()

        def done(task: asyncio.Task[V]) -> None:
            if task.cancelled() or task.exception():
                if self._entries.get(key) is entry:
                    del self._entries[key]
            else:
                entry.until = self._clock() + self._seconds

        entry = _Entry(asyncio.create_task(answer()))
        entry.task.add_done_callback(done)
        return entry
