"""Which files go into the image: copies folders without what the operator never runs."""

import shutil
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

NEVER_RUN: Final = (
    *("ensurepip", "pip", "venv", "site-packages", "dist-packages", "sitecustomize.py", "EXTERNALLY-MANAGED"),
    *(
        "test",
        "tests",
        "_tests",
        "idle_test",
        "e2e_test",
        "*_test.py",
        "_test*.so",
        "_ctypes_test*.so",
        "xxlimited*.so",
    ),
    *("idlelib", "tkinter", "_tkinter*", "turtle.py", "turtledemo", "lib2to3", "pydoc_data", "config-*"),
    *("sqlite3", "_sqlite3*", "curses", "_curses*", "dbm", "_dbm*", "_gdbm*", "readline*"),
    *("__pycache__", ".gitignore", "include", "*.pyi", "*.pyx", "*.pxd"),
)
"""Names in the standard library and in packages: tools, tests, stubs, what the operator does not import."""
COMMANDS: Final = ("python*", "providerswitch")
"""What stays of the environment's bin/."""


def ignored(folder: str, names: list[str]) -> set[str]:
    """Return which names of a folder stay out; the site-packages of a virtual environment stays in."""
    in_environment = (Path(folder).parent.parent / "pyvenv.cfg").exists()
    kept = {"site-packages"} if in_environment else set()
    return {name for name in names if any(fnmatch(name, pattern) for pattern in NEVER_RUN)} - kept


def within(root: Path, path: Path) -> Path:
    """Return where an absolute path lies below root, with its folder made; links in the path are followed."""
    place = root / (path.parent.resolve() / path.name).relative_to("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    return place


def copy_file(root: Path, path: Path) -> None:
    """Copy what a path leads to, to the path it is known by."""
    shutil.copy2(path.resolve(), within(root, path))


def copy_tree(root: Path, folder: Path) -> None:
    """Copy a folder without what is never run."""
    shutil.copytree(folder, within(root, folder), ignore=ignored, symlinks=True, dirs_exist_ok=True)


def copy_environment(root: Path, environment: Path) -> None:
    """Copy a virtual environment, and of its commands only those that run the operator."""
    copy_tree(root, environment)
    for command in (within(root, environment) / "bin").iterdir():
        if not any(fnmatch(command.name, pattern) for pattern in COMMANDS):
            command.unlink()


def copy_interpreter(root: Path, environment: Path) -> Path:
    """Copy the program that the environment's bin/python leads to, and the links on the way; return the program."""
    link = environment / "bin" / "python"
    while link.is_symlink():
        if not link.is_relative_to(environment):
            within(root, link).symlink_to(link.readlink())
        link = link.parent / link.readlink()
    copy_file(root, link)
    return link
