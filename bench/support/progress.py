"""Tells what a benchmark is doing: a moving line on a terminal, a line now and then elsewhere."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from rich.console import Console
from rich.status import Status

QUIET_SECONDS: Final = 10.0


@dataclass(slots=True)
class Progress:
    """Speaks to whoever waits."""

    console: Console
    status: Status | None = None
    began: float = field(default_factory=time.monotonic)
    spoke: float = 0.0

    def step(self, text: str) -> None:
        """Say what begins now."""
        self.spoke = time.monotonic()
        self.console.print(f"{self.spoke - self.began:6.1f} s  {text}", highlight=False, soft_wrap=True)
        if self.status:
            self.status.update(text)

    def update(self, text: str) -> None:
        """Say how far it has come."""
        if self.status:
            self.status.update(text)
        elif time.monotonic() - self.spoke > QUIET_SECONDS:
            self.step(text)


@contextmanager
def telling(console: Console) -> Iterator[Progress]:
    """Tell progress while the context is open."""
    if not console.is_terminal:
        yield Progress(console)
        return
    with console.status("starting") as status:
        yield Progress(console, status)
