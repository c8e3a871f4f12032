"""Shared libraries: which ones programs need, where they lie, and which Debian packages they come from.

The image has no package database, so a scanner would not see what is in it. As distroless images do, it carries the
entries of the packages whose files it holds in /var/lib/dpkg/status.d, where Trivy, Grype and Syft look.
"""

import re
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Final

FOUND: Final = re.compile(r"^\s+(?:\S+ => )?(/\S+) \(0x", re.MULTILINE)
"""`libz.so.1 => /lib/libz.so.1 (0x...)`, and the loader, which has no arrow."""
MISSING: Final = re.compile(r"^\s+(\S+) => not found", re.MULTILINE)
OWNER: Final = re.compile(r"^([^:\s]+)(?::\S+)?: ", re.MULTILINE)


class MissingLibraryError(RuntimeError):
    """The base image lacks a library that something in the image needs."""


def needed_libraries(files: Iterable[Path]) -> list[Path]:
    """Return the paths, as the loader names them, of all libraries that programs and modules need, sorted.

    Raises:
        MissingLibraryError: The loader does not find one.
    """
    names = [str(file) for file in files]
    if not names:
        return []
    listing = subprocess.run(["ldd", *names], capture_output=True, text=True, check=False)
    if missing := sorted(set(MISSING.findall(listing.stdout))):
        raise MissingLibraryError(f"the base image has no {', '.join(missing)}: take one that has, or install it there")
    return sorted({Path(path) for path in FOUND.findall(listing.stdout)})


def owning_packages(files: Iterable[Path]) -> list[str]:
    """Return the Debian packages that hold files of these names, sorted; none where there is no dpkg."""
    patterns = [f"*/{file.resolve().name}" for file in files]
    try:
        listing = subprocess.run(["dpkg-query", "--search", *patterns], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return []
    return sorted(set(OWNER.findall(listing.stdout)))


def package_status(package: str) -> str:
    """Return a package's entry in the package database."""
    command = ["dpkg-query", "--status", package]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
