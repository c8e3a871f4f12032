"""Shows that a long build moves: one line rewritten on a terminal, a line now and then in a log."""

import sys
import time
from typing import Final, TextIO

LOG_INTERVAL_SECONDS: Final = 10.0
CLEAR_LINE: Final = "\r\x1b[K"


class Progress:
    """Counts steps of one stage."""

    def __init__(self, stage: str, total: int | None = None, out: TextIO = sys.stdout) -> None:
        self._stage = stage
        self._total = total
        self._out = out
        self._done = 0
        self._began = self._shown = time.monotonic()

    def step(self) -> None:
        """Count one more, and show it if it is time to."""
        self._done += 1
        if self._out.isatty():
            self._write(CLEAR_LINE + self.text())
        elif time.monotonic() - self._shown >= LOG_INTERVAL_SECONDS:
            self._shown = time.monotonic()
            self._write(self.text() + "\n")

    def finish(self) -> None:
        """Show the last count."""
        start = CLEAR_LINE if self._out.isatty() else ""
        self._write(f"{start}{self.text()}, done\n")

    def text(self) -> str:
        """Return the line, such as `compiling: 120 of at most 1410 packages, 35 s`."""
        of = f" of at most {self._total}" if self._total else ""
        return f"{self._stage}: {self._done}{of}, {time.monotonic() - self._began:.0f} s"

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()
