"""Finds or builds the control plane's binaries: `make envtest`. The last line printed is their folder.

Six minutes on two cores the first time; then it only looks.
"""

import fcntl
import shutil
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from binaries import BUILT, MODULE_DIR, cached_folder, find_binaries, holds, kubernetes_version
from progress import Progress
from toolchain import build_environment, find_go

PACKAGES: Final = {
    "go.etcd.io/etcd/server/v3": "server",
    "k8s.io/kubernetes/cmd/kube-apiserver": "kube-apiserver",
    "k8s.io/kubernetes/cmd/kube-controller-manager": "kube-controller-manager",
}
"""Each package to build, and the file name that Go gives it."""
RENAMED: Final = {"server": "etcd"}
SHOWN_ON_FAILURE: Final = 30


class BuildError(RuntimeError):
    """A go command failed."""


def link_flags(version: str) -> str:
    """Return the linker flags: no debug data, and the version that the server reports instead of v0.0.0."""
    major, minor = version.removeprefix("v").split(".")[:2]
    variables = {"gitVersion": version, "gitMajor": major, "gitMinor": minor}
    return " ".join(
        ["-s -w", *(f"-X k8s.io/component-base/version.{name}={value}" for name, value in variables.items())]
    )


def run_go(go: Path, arguments: list[str], progress: Progress, module: Path = MODULE_DIR) -> int:
    """Run a go command, count the lines on stderr (one a module or package), and return how many stand on stdout."""
    last: deque[str] = deque(maxlen=SHOWN_ON_FAILURE)
    started = partial(subprocess.Popen, cwd=module, env=build_environment(), stderr=subprocess.PIPE, text=True)
    with tempfile.TemporaryFile() as answer, started([go, *arguments], stdout=answer) as process:
        for line in process.stderr or ():
            last.append(line)
            progress.step()
        if process.wait():
            raise BuildError(f"go {' '.join(arguments)} failed\n{''.join(last)}")
        progress.finish()
        answer.seek(0)
        return len(answer.readlines())


def compile_into(folder: Path) -> None:
    """Build all binaries into an empty folder, under the names that everybody knows."""
    go = find_go()
    packages = run_go(go, ["list", "-deps", *PACKAGES], Progress("downloading: modules"))
    flags = link_flags(kubernetes_version())
    run_go(
        go, ["build", "-v", "-ldflags", flags, "-o", f"{folder}/", *PACKAGES], Progress("compiling: packages", packages)
    )
    for built, known in RENAMED.items():
        (folder / built).rename(folder / known)


def build_program(target: Path, module: Path, package: str, flags: str = "-s -w") -> None:
    """Build the one program of a module beside its place and move the folder there."""
    shutil.rmtree(target, ignore_errors=True)
    go = find_go()
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        folder = Path(scratch) / "bin"
        folder.mkdir()
        packages = run_go(go, ["list", "-deps", package], Progress("downloading: modules"), module)
        command = ["build", "-v", "-trimpath", "-ldflags", flags, "-o", f"{folder}/", package]
        run_go(go, command, Progress("compiling: packages", packages), module)
        folder.rename(target)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a file lock, so that two runs do not build the same thing side by side."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def build() -> Path:
    """Build the binaries unless another run just did, and move them into place in one step."""
    target = cached_folder()
    with locked(target.with_suffix(".lock")):
        if holds(target, BUILT):
            return target
        shutil.rmtree(target, ignore_errors=True)
        print(f"building etcd and Kubernetes {kubernetes_version()}: about 6 minutes on two cores, once", flush=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            folder = Path(scratch) / "bin"
            folder.mkdir()
            compile_into(folder)
            folder.rename(target)
    return target


def main() -> int:
    """Print the folder of the binaries, after building them if need be."""
    try:
        print(find_binaries() or build())
    except (BuildError, subprocess.CalledProcessError, OSError) as error:
        print(f"make envtest: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
