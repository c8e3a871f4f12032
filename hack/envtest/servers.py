"""One server of the control plane: a child process with a log file, told to a guard so that it cannot stay behind."""

import subprocess
from pathlib import Path
from typing import Final

from guard import Guard

SHOWN_LOG_LINES: Final = 25


class ControlPlaneError(RuntimeError):
    """A server died or did not become ready; the text holds the end of its log."""


class Server:
    """A server that can be started and killed again and again with the same command line."""

    def __init__(self, command: list[str], folder: Path, guard: Guard) -> None:
        self.name = Path(command[0]).name
        self.log = folder / f"{self.name}.log"
        self._command = command
        self._guard = guard
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, unless it runs."""
        if self.running():
            return
        with self.log.open("ab") as log:
            # Ctrl-C in a terminal would reach the group: the servers end when their owner says so.
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self._guard.watch(self._process.pid)

    def running(self) -> bool:
        """Tell whether it was started and has not exited."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """End it as a crash would: connections are reset, nothing is drained."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        self._guard.forget(self._process.pid)
        self._process = None

    def check(self) -> None:
        """Make sure that it still runs.

        Raises:
            ControlPlaneError: It was started and has exited by itself.
        """
        if self._process is not None and not self.running():
            raise ControlPlaneError(f"{self.name} exited with code {self._process.returncode}\n{self.tail()}")

    def tail(self) -> str:
        """Return the last lines of the log."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join([f"--- end of {self.log.name} ---", *lines[-SHOWN_LOG_LINES:]])
