"""Virtual time: what happens when, and work that waits in between. Nothing here sleeps or reads a clock."""

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from datetime import datetime
from heapq import heappop, heappush
from itertools import count
from typing import TypeAlias

Action: TypeAlias = Callable[[], None]
Resume: TypeAlias = Callable[[object], None]
Wait: TypeAlias = Callable[[Resume], None]
"""Arranges for a call of `Resume`, once or more often; only the first call counts."""
Work: TypeAlias = Generator[Wait, object, None]
"""Work that yields what it waits for and is sent what came of it."""


@dataclass(slots=True)
class Timeline:
    """The order of events. What is due at the same moment happens in the order in which it was planned."""

    now: datetime
    _due: list[tuple[datetime, int, Action]] = field(default_factory=list)
    _order: "count[int]" = field(default_factory=count)

    def at(self, moment: datetime, action: Action) -> None:
        """Plan an action; a moment that is over means as soon as possible."""
        heappush(self._due, (moment, next(self._order), action))

    def run(self, until: datetime) -> None:
        """Let everything happen that is due by `until`."""
        while self._due and self._due[0][0] <= until:
            moment, _, action = heappop(self._due)
            self.now = max(self.now, moment)
            action()
        self.now = max(self.now, until)

    def start(self, work: Work, done: Action) -> None:
        """Run work until it waits, go on each time that what it waits for has come, and call `done` at its end."""
        self._advance(work, None, done)

    def _advance(self, work: Work, value: object, done: Action) -> None:
        try:
            wait = work.send(value)
        except StopIteration:
            done()
            return
        wait(self._once(lambda came: self._advance(work, came, done)))

    def _once(self, resume: Resume) -> Resume:
        called: list[bool] = []

        def first(came: object) -> None:
            if not called:
                called.append(True)
                resume(came)

        return first

    def pause(self, until: datetime, value: object = None) -> Wait:
        """Wait until a moment, and be sent `value` then."""
        return lambda resume: self.at(until, lambda: resume(value))
