"""Finds or fetches a real Prometheus, and promtool: `make prometheus`. The last line is the path of the first.

They are Debian's (Ubuntu's on Ubuntu), downloaded and unpacked into the cache, not installed: no root is needed, and
apt keeps its lists in a folder of our own. Both are Go binaries that need only the C library of the release they are
from, so each release has its own folder. Seconds the first time; then it only looks.
"""

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from binaries import ARCHITECTURES, cache_root
from build import locked

NAME: Final = "prometheus"
PROMTOOL: Final = "promtool"
BINARIES: Final = (NAME, PROMTOOL)
TIMEOUT_SECONDS: Final = 600
SHOWN_ON_FAILURE: Final = 15
APT: Final = ("apt-get", "dpkg-deb")
PUT_ON_PATH: Final = "put a prometheus and a promtool (2.40 or newer) on PATH"


class MissingPrometheusError(RuntimeError):
    """There is no Prometheus yet."""


class FetchError(RuntimeError):
    """It could not be fetched; the text says what to do."""


def cached(name: str) -> Path:
    """Return where this machine's binary is kept, whether or not it is there."""
    machine = ARCHITECTURES.get(platform.machine(), platform.machine())
    return cache_root().parent / NAME / f"{release_name()}-{machine}" / name


def release_name() -> str:
    """Return what the binaries depend on, such as debian-12."""
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return platform.system().lower()
    return f"{release['ID']}-{release.get('VERSION_ID', 'rolling')}"


def find(name: str) -> Path | None:
    """Return the binary on PATH, else the one in the cache, else None."""
    on_path = shutil.which(name)
    if on_path:
        return Path(on_path)
    return cached(name) if os.access(cached(name), os.X_OK) else None


def require(name: str) -> Path:
    """Return the path of a binary.

    Raises:
        MissingPrometheusError: There is none; the text says what to run.
    """
    found = find(name)
    if found is None:
        raise MissingPrometheusError(f"there is no {name} for this test yet: run make prometheus (seconds, once)")
    return found


def missing_tools() -> list[str]:
    """Return what is needed to fetch them and is not on PATH."""
    return [tool for tool in APT if shutil.which(tool) is None]


def fetch() -> Path:
    """Fetch the binaries unless another run just did, and move each into place in one step; return the first.

    Raises:
        FetchError: There is no apt here, or it failed.
    """
    if missing := missing_tools():
        raise FetchError(f"no {missing[0]} on PATH, so Debian's package cannot be fetched; {PUT_ON_PATH} instead")
    target = cached(NAME)
    with locked(target.parent.with_name(f"{target.parent.name}.lock")):
        if not all(os.access(cached(name), os.X_OK) for name in BINARIES):
            unpack_into(target.parent)
    return target


def unpack_into(target: Path) -> None:
    """Download the package and keep its binaries alone: the tests need no web pages."""
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        folder = Path(scratch)
        run([*apt_get(folder), "update"], folder)
        run([*apt_get(folder), "download", NAME], folder)
        package = next(folder.glob("*.deb"))
        run(["dpkg-deb", "--extract", package.name, "tree"], folder)
        for name in BINARIES:
            (folder / "tree" / "usr" / "bin" / name).rename(target / name)


def apt_get(folder: Path) -> list[str]:
    """Return the apt-get command that leaves the machine's own lists and packages alone."""
    for part in ("state/lists/partial", "cache/archives/partial"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    options = {
        "Dir::State": folder / "state",
        "Dir::Cache": folder / "cache",
        "APT::Sandbox::User": "root",  # no other user can write to our folder
        "Acquire::Retries": 3,
    }
    return ["apt-get", "--quiet", *(f"--option={name}={value}" for name, value in options.items())]


def run(command: list[str], folder: Path) -> None:
    """Run a command in a folder.

    Raises:
        FetchError: It failed; the text holds the end of its output.
    """
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    if done.returncode:
        last = "\n".join(done.stdout.splitlines()[-SHOWN_ON_FAILURE:])
        shown = " ".join(part for part in command if not part.startswith("--"))
        raise FetchError(f"{shown} failed; correct apt's sources, or {PUT_ON_PATH}\n{last}")


def main() -> int:
    """Print the path of Prometheus, after fetching what is missing."""
    try:
        fetched = None if all(map(find, BINARIES)) else fetch()
        print(find(NAME) or fetched)
    except (FetchError, subprocess.TimeoutExpired, OSError) as error:
        print(f"make prometheus: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
