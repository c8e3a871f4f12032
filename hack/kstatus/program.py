"""Finds or builds the program that asks the libraries of GitOps tools: `make kstatus`. The last line is its path.

It stands in the cache of the control plane's binaries, in a folder named after everything it is made of. A minute and a
half the first time; then it only looks.
"""

import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from binaries import cache_root, holds
from build import BuildError, locked, run_go
from progress import Progress
from toolchain import find_go

MODULE: Final = Path(__file__).resolve().parent
NAME: Final = "kstatus"
SOURCES: Final = ("go.mod", "go.sum", "*.go")


class MissingProgramError(RuntimeError):
    """There is no program yet."""


def place() -> Path:
    """Return where this checkout's program is kept, whether or not it is built."""
    files = sorted(path for pattern in SOURCES for path in MODULE.glob(pattern))
    text = b"".join(path.read_bytes() for path in files)
    return cache_root() / f"{NAME}-{hashlib.sha256(text).hexdigest()[:16]}" / NAME


def require_program() -> Path:
    """Return the path of the program.

    Raises:
        MissingProgramError: There is none; the text says what to run.
    """
    if not holds(place().parent, (NAME,)):
        raise MissingProgramError("kstatus is not built yet: run make kstatus (a minute and a half, once)")
    return place()


def build_program() -> Path:
    """Build the program unless it is there, and move it into place in one step."""
    target = place()
    with locked(target.parent.with_suffix(".lock")):
        if not holds(target.parent, (NAME,)):
            compile_to(target)
    return target


def compile_to(target: Path) -> None:
    """Build the program beside its place and move it there."""
    go = find_go()
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent.parent) as scratch:
        packages = run_go(go, ["list", "-deps", "."], Progress("downloading: modules"), MODULE)
        built = Path(scratch) / NAME
        command = ["build", "-v", "-ldflags", "-s -w", "-o", str(built), "."]
        run_go(go, command, Progress("compiling: packages", packages), MODULE)
        built.rename(target)


def main() -> int:
    """Print the path of the program, after building it if need be."""
    try:
        print(build_program())
    except (BuildError, subprocess.CalledProcessError, OSError) as error:
        print(f"make kstatus: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
