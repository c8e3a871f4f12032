"""Waiting for something that a real server does soon: polled, with a deadline, and with what was last seen."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar, overload

T = TypeVar("T")
POLL_SECONDS = 0.05


@dataclass(slots=True)
class Watch(Generic[T]):
    """What a condition said so far."""

    within: float
    last: T | Exception | None = None
    asked: int = 0

    def saw(self, value: T | Exception) -> None:
        self.asked += 1
        self.last = value

    def failure(self) -> AssertionError:
        return AssertionError(f"not within {self.within:g} s; asked {self.asked} times, last seen: {self.last!r}")

    def cause(self) -> Exception | None:
        return self.last if isinstance(self.last, Exception) else None


@overload
async def eventually(condition: Callable[[], Awaitable[T]], within: float = 5) -> T: ...
@overload
async def eventually(condition: Callable[[], T], within: float = 5) -> T: ...
async def eventually(condition: Callable[[], T | Awaitable[T]], within: float = 5) -> T:
    """Ask until the answer is true, and return it; an exception counts as not yet.

    Args:
        condition: Plain or async. A plain one blocks the loop while it runs, so it should be quick.
        within: Seconds, counted by the loop, so that looptime applies.

    Raises:
        AssertionError: It never was; the text holds the last answer or exception.
    """
    watch: Watch[T] = Watch(within)
    try:
        async with asyncio.timeout(within):
            while True:
                if answer := await ask(condition, watch):
                    return answer
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        raise watch.failure() from watch.cause()


async def ask(condition: Callable[[], T | Awaitable[T]], watch: Watch[T]) -> T | None:
    try:
        answer = condition()
        value: T = await answer if inspect.isawaitable(answer) else answer
    except Exception as error:  # noqa: BLE001 - whatever it is, it is shown if it stays
        watch.saw(error)
        return None
    watch.saw(value)
    return value


def eventually_sync(condition: Callable[[], T], within: float = 5) -> T:
    """Do as `eventually` does, where there is no loop."""
    watch: Watch[T] = Watch(within)
    deadline = time.monotonic() + within
    while True:
        try:
            watch.saw(answer := condition())
            if answer:
                return answer
        except Exception as error:  # noqa: BLE001 - whatever it is, it is shown if it stays
            watch.saw(error)
        if time.monotonic() > deadline:
            raise watch.failure() from watch.cause()
        time.sleep(POLL_SECONDS)
