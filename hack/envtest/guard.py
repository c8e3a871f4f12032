"""Ends what it was told of as soon as the process that started it is gone, however that went.

An API server left behind by a killed test run eats memory until somebody notices. The kernel's parent-death signal
would not do: it comes when the *thread* that started a child ends. So this small process reads lines from a pipe,
`watch PID`, `forget PID` and `remove FOLDER`, and acts at end of file, which comes when the writer exits, even by
SIGKILL.
"""

import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from typing import IO, Self


class Guard:
    """The writer's side; also a context manager."""

    def __init__(self) -> None:
        # A session of its own: Ctrl-C in a terminal reaches the whole process group, and the guard must outlive it.
        self._process = subprocess.Popen(
            [sys.executable, "-I", __file__], stdin=subprocess.PIPE, text=True, start_new_session=True
        )
        assert self._process.stdin
        self._pipe: IO[str] = self._process.stdin

    def watch(self, pid: int) -> None:
        """Kill this process at the end."""
        self._tell(f"watch {pid}")

    def forget(self, pid: int) -> None:
        """Leave it alone: it is gone, and its id may soon be another's."""
        self._tell(f"forget {pid}")

    def remove(self, folder: str) -> None:
        """Remove this folder at the end, after the processes."""
        self._tell(f"remove {folder}")

    def __enter__(self) -> Self:
        """Guard."""
        return self

    def __exit__(self, *_: object) -> None:
        """End everything that is watched."""
        self.close()

    def close(self) -> None:
        """End everything that is watched, and wait for it."""
        self._pipe.close()
        self._process.wait()

    def _tell(self, line: str) -> None:
        self._pipe.write(line + "\n")
        self._pipe.flush()


def main() -> None:
    """Read the lines until the writer is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    pids: set[int] = set()
    folders: list[str] = []
    actions = {
        "watch": lambda value: pids.add(int(value)),
        "forget": lambda value: pids.discard(int(value)),
        "remove": folders.append,
    }
    for line in sys.stdin:
        verb, _, value = line.rstrip("\n").partition(" ")
        actions[verb](value)
    end(pids, folders)


def end(pids: set[int], folders: list[str]) -> None:
    """Kill at once, not politely: nothing here is worth keeping."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
