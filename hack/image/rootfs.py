"""Collect the files of the image: an interpreter, its libraries, one virtual environment, and nothing else.

The Dockerfile runs this in its build stage; the final stage starts from nothing and copies the result, so the image
has no shell, no package manager and no pip. Equal inputs give equal files: times are SOURCE_DATE_EPOCH (0 without it),
modes depend on no umask, and bytecode on no time. The base must be a glibc system such as Debian.
"""

import argparse
import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from pathlib import Path
from py_compile import PycInvalidationMode
from py_compile import compile as compile_source
from typing import Final

from image.libraries import needed_libraries, owning_packages, package_status
from image.selection import copy_environment, copy_file, copy_interpreter, copy_tree, within

USER_ID: Final = 65532
"""The `nonroot` of distroless images; Kubernetes' restricted profile takes any number but 0."""
FILES: Final = {
    "/etc/passwd": f"root:x:0:0:root:/:/nologin\nnonroot:x:{USER_ID}:{USER_ID}:nonroot:/nonexistent:/nologin\n",
    "/etc/group": f"root:x:0:\nnonroot:x:{USER_ID}:\n",
    "/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}
COPIED: Final = ("/etc/os-release", "/etc/ld.so.cache", "/etc/ssl/certs/ca-certificates.crt")
"""Files of the base: its name for scanners, where libraries lie, public authorities."""
LINKS: Final = ("lib", "lib64", "bin")
"""Programs name their loader, and environments their interpreter, by these links to folders in /usr."""
BASE: Final = {"platbase": sys.base_exec_prefix}
"""Where the interpreter itself lies, though this be run in an environment."""
LIST_IMPORTED: Final = """
import sys
import providerswitch.main
files = {getattr(module, "__file__", None) or "" for module in list(sys.modules.values())}
print(*sorted(file for file in files if file.endswith(".py")), sep="\\n")
"""


def collect(environment: Path, root: Path, seconds: int) -> None:
    """Collect the files in an empty folder; seconds since 1970 is the time they all get.

    Raises:
        MissingLibraryError: The base lacks a library that something needs.
    """
    copy_environment(root, environment)
    program = copy_interpreter(root, environment)
    for folder in {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib", vars=BASE)}:
        copy_tree(root, Path(folder))
    write_package_records(root, copy_libraries(root, program))
    write_files(root)
    compile_imported(root, environment / "bin" / "python")
    normalise(root, seconds)


def modules(root: Path) -> Iterator[Path]:
    """Yield each extension module and each library that a package brings."""
    found = (path for pattern in ("*.so", "*.so.*") for path in root.rglob(pattern))
    return (path for path in found if path.is_file() and not path.is_symlink())


def copy_libraries(root: Path, program: Path) -> list[Path]:
    """Copy what the program and the modules load from the base; return these libraries."""
    needed = needed_libraries([program, *modules(root)])
    libraries = [library for library in needed if not library.is_relative_to(root)]
    for library in libraries:
        copy_file(root, library)
    return libraries


def write_package_records(root: Path, files: Sequence[Path]) -> None:
    """Tell scanners which packages the files are from, and keep the licences of these."""
    for package in owning_packages(files):
        within(root, Path("/var/lib/dpkg/status.d", package)).write_text(package_status(package))
        licence = Path("/usr/share/doc", package, "copyright")
        if licence.exists():
            copy_file(root, licence)


def write_files(root: Path) -> None:
    """Write what names users and finds hosts, a /tmp to mount something on, and the links."""
    for name, text in FILES.items():
        within(root, Path(name)).write_text(text)
    for name in COPIED:
        if Path(name).exists():
            copy_file(root, Path(name))
    (root / "tmp").mkdir(exist_ok=True)
    for name in LINKS:
        link = Path("/", name)
        if link.is_symlink() and (root / "usr" / name).exists():
            (root / name).symlink_to(link.readlink())


def compile_imported(root: Path, python: Path) -> None:
    """Write bytecode for what the operator imports at start; for all there is, the image would be a third larger."""
    listing = subprocess.run([python, "-c", LIST_IMPORTED], check=True, capture_output=True, text=True)
    for name in listing.stdout.splitlines():
        copy = within(root, Path(name))
        if copy.exists():
            compile_source(str(copy), dfile=name, doraise=True, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH)


def normalise(root: Path, seconds: int) -> None:
    """Give everything one time and a mode that only tells what runs from what does not."""
    sticky = root / "tmp"
    for path in [root, *sorted(root.rglob("*"))]:
        if not path.is_symlink():
            runs = path.is_dir() or path.stat().st_mode & 0o100
            path.chmod(0o1777 if path == sticky else 0o755 if runs else 0o644)
        os.utime(path, (seconds, seconds), follow_symlinks=False)


def main() -> int:
    """Collect the files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--environment", type=Path, required=True, help="the virtual environment that is to run")
    parser.add_argument("--into", type=Path, required=True, help="a new folder, the image's root")
    flags = parser.parse_args()
    flags.into.mkdir(parents=True)
    collect(flags.environment, flags.into, int(os.environ.get("SOURCE_DATE_EPOCH") or 0))
    return 0


if __name__ == "__main__":
    sys.exit(main())
