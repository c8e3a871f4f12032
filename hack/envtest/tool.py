"""Finds or builds the Go program that a folder of hack/ asks for by the `tool` line of its go.mod.

    python hack/envtest/tool.py kind

The last line printed is the program's path. It stands in the cache of the control plane's binaries.
"""

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from binaries import MODULE_DIR, cached_folder, holds
from build import BuildError, build_program, locked

HACK: Final = MODULE_DIR.parent
TOOL: Final = re.compile(r"^tool (\S+)$", re.MULTILINE)


class MissingToolError(RuntimeError):
    """There is no program yet."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A program to build.

    Attributes:
        module: the folder of its go.mod and go.sum.
        package: what Go is to build.
    """

    module: Path
    package: str

    @classmethod
    def of(cls, folder: str) -> Self:
        """Read the go.mod of a folder of hack/."""
        found = TOOL.search((HACK / folder / "go.mod").read_text())
        assert found, f"hack/{folder}/go.mod has a line `tool PACKAGE`"
        return cls(HACK / folder, found[1])

    @property
    def name(self) -> str:
        """The program's file name."""
        return self.package.rpartition("/")[2]

    @property
    def path(self) -> Path:
        """Where the program is kept, whether or not it is built."""
        return cached_folder(self.module) / self.name


def require_tool(folder: str) -> Path:
    """Return the path of a program.

    Raises:
        MissingToolError: It is not built; the text says what to run.
    """
    tool = Tool.of(folder)
    if not holds(tool.path.parent, (tool.name,)):
        command = f"{Path(sys.executable).name} hack/envtest/tool.py {folder}"
        raise MissingToolError(f"{tool.name} is not built yet: run {command} (seconds, once)")
    return tool.path


def build_tool(tool: Tool) -> Path:
    """Build a program unless it is there, and move it into place in one step."""
    folder = tool.path.parent
    with locked(folder.with_suffix(".lock")):
        if not holds(folder, (tool.name,)):
            build_program(folder, tool.module, tool.package)
    return tool.path


def main() -> int:
    """Print the path of the program, after building it if need be."""
    if sys.argv[1:2] == [] or not (HACK / sys.argv[1] / "go.mod").exists():
        print("name a folder of hack/ that has a go.mod with a tool line, such as kind", file=sys.stderr)
        return 2
    try:
        print(build_tool(Tool.of(sys.argv[1])))
    except (BuildError, subprocess.CalledProcessError, OSError) as error:
        print(f"hack/envtest/tool.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
