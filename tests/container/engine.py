"""A container engine as the tests use it: builds the image once for a run, runs it, looks into it."""

import json
import os
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.support.repository import ROOT, tracked

BASE_VARIABLE = "PROVIDERSWITCH_TEST_BASE_IMAGE"
"""Names a base image that the engine holds already; the build then shares the network of this machine."""
BUILD_SECONDS = 1200
CONFINED = ("--network=none", "--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges")
"""How Kubernetes runs it, and without a network at that."""


@dataclass(frozen=True, slots=True)
class Engine:
    """The docker on PATH, or what DOCKER_HOST leads to."""

    base: str

    def __call__(self, *args: str, seconds: float = 120, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command and return exit code, stdout and stderr, whatever they are."""
        return subprocess.run(
            ["docker", *args],
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
            env={**os.environ, "DOCKER_BUILDKIT": "1"},
        )

    def ok(self, *args: str, seconds: float = 120) -> str:
        """Run a command and return stdout; a failure fails the test with what the engine said."""
        result = self(*args, seconds=seconds)
        assert result.returncode == 0, f"docker {' '.join(args)}: {result.stderr[-4000:]}"
        return result.stdout

    def build(self, context: Path, *options: str) -> str:
        """Build the image from a context and return its id."""
        base = ("--build-arg", f"PYTHON_IMAGE={self.base}", "--network=host") if self.base else ()
        noted = context.with_suffix(".iid")
        self.ok("build", *base, *options, "--iidfile", str(noted), str(context), seconds=BUILD_SECONDS)
        return noted.read_text().strip()


@dataclass(frozen=True, slots=True)
class Image:
    """The image that was built."""

    engine: Engine
    name: str

    def run(self, *args: str, stdin: str | None = None, program: str = "") -> subprocess.CompletedProcess[str]:
        """Run a container in the confinement of the Deployment."""
        entry = (f"--entrypoint={program}",) if program else ()
        return self.engine("run", "--rm", "--interactive", *CONFINED, *entry, self.name, *args, stdin=stdin)

    def inspect(self) -> dict[str, Any]:
        """Return what the engine knows of it."""
        return dict(json.loads(self.engine.ok("inspect", self.name))[0])

    def files(self, scratch: Path) -> list[tarfile.TarInfo]:
        """Return every file in it."""
        container = self.engine.ok("create", self.name).strip()
        try:
            self.engine.ok("export", "--output", str(scratch / "files.tar"), container)
        finally:
            self.engine.ok("rm", container)
        with tarfile.open(scratch / "files.tar") as archive:
            return archive.getmembers()


def find_engine() -> Engine:
    """Return the engine; the test is skipped where there is none, or no base image for it."""
    if shutil.which("docker") is None:
        pytest.skip("there is no docker on PATH: the image was not built, nor run")
    engine = Engine(os.environ.get(BASE_VARIABLE, ""))
    if (answer := engine("info")).returncode:
        pytest.skip(f"no Docker engine answers, the image was not built, nor run: {answer.stderr.strip()}")
    base = engine.base or default_base()
    if engine("image", "inspect", base).returncode and engine("pull", base, seconds=600).returncode:
        pytest.skip(f"the engine neither has {base} nor can pull it: the image was not built; see docs/container.md")
    return engine


def default_base() -> str:
    """Return the base image that the Dockerfile names."""
    first = next(
        line for line in (ROOT / "Dockerfile").read_text().splitlines() if line.startswith("ARG PYTHON_IMAGE=")
    )
    return first.partition("=")[2]


def copy_context(target: Path) -> Path:
    """Copy the repository's files, so that an edit during the build makes no difference; return the copy."""
    for path in tracked.tracked_files():
        place = target / path
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, place)
    return target
