"""Child processes of the demo: started with a log, watched, and always ended."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from providerswitch.api.errors import ProviderSwitchError

PACKAGE_ROOT: Final = Path(__file__).resolve().parents[2]
GRACE_SECONDS: Final = 10.0
LOG_TAIL: Final = 12


class DemoError(ProviderSwitchError):
    """The demo cannot go on; the text says why and what to do."""


class Child:
    """A running child process.

    Args:
        log: the file that gets its standard error (and output, where nobody reads it).
    """

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path) -> None:
        self.name = name
        self.process = process
        self.log = log

    def check(self) -> None:
        """Make sure that it still runs.

        Raises:
            DemoError: it has ended; the text holds the end of its log.
        """
        if self.process.returncode is not None:
            raise DemoError(f"the {self.name} ended with exit code {self.process.returncode}:\n{self.tail()}")

    def tail(self) -> str:
        """Return the last lines of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-LOG_TAIL:])

    async def lines(self) -> AsyncIterator[str]:
        """Yield the lines of its standard output, until it ends."""
        assert self.process.stdout
        async for line in self.process.stdout:
            yield line.decode(errors="replace").rstrip("\n")

    async def stop(self) -> None:
        """End it, by SIGTERM, and by SIGKILL where that does not help."""
        if self.process.returncode is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self.process.wait(), GRACE_SECONDS)
        except TimeoutError:
            self.process.kill()
            await self.process.wait()


@asynccontextmanager
async def running(
    name: str, command: Sequence[str | Path], log: Path, *, env: Mapping[str, str] | None = None, piped: bool = False
) -> AsyncIterator[Child]:
    """Run a command while the context is open.

    `env` is set besides the environment of the demo; `piped` leaves standard output to `Child.lines`, not to the log.
    """
    with log.open("wb") as sink:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE if piped else sink,
            stderr=sink,
            env={**os.environ, "PYTHONPATH": _python_path(), **(env or {})},
            # Ctrl-C goes to the demo alone, which then ends its children in order.
            start_new_session=True,
        )
    child = Child(name, process, log)
    try:
        yield child
    finally:
        await child.stop()


def _python_path() -> str:
    """The children import the very package that runs the demo, installed or not."""
    return os.pathsep.join(filter(None, (str(PACKAGE_ROOT), os.environ.get("PYTHONPATH"))))


def python_module(module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module with this Python."""
    return [sys.executable, "-m", module, *arguments]
