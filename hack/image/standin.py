"""Make a base image where no image registry can be reached: Debian and its Python, under a name of your choice.

    PYTHONPATH=hack python -m image.standin providerswitch-base:standin

It needs root, debootstrap and a container engine. The stand-in takes over how this machine installs packages (its pip
settings and certificates), so it is for tests on this machine and nothing else.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

SUITE: Final = "trixie"
PACKAGES: Final = ("python3", "python3-venv", "python3-pip", "python-is-python3", "ca-certificates")
AUTHORITIES: Final = Path("/etc/ssl/certs/ca-certificates.crt")
LEFT_OUT: Final = ("./proc/*", "./sys/*", "./dev/*", "./var/cache/apt/*")


def bootstrap(root: Path) -> None:
    """Install Debian; its pip may install anything, as that of a Python image may."""
    subprocess.run(["debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", SUITE, root], check=True)
    for marker in root.glob("usr/lib/python3*/EXTERNALLY-MANAGED"):
        marker.unlink()


def copy_settings(root: Path) -> None:
    """Copy what pip needs on this machine: certificates and the file of settings, where there is one."""
    shutil.copy(AUTHORITIES, root / AUTHORITIES.relative_to("/"))
    settings = Path("/etc/pip.conf")
    if settings.exists():
        shutil.copy(settings, root / "etc")


def pip_variables() -> list[str]:
    """Return the changes that give the image this machine's PIP_ variables; folders of wheels are not in there."""
    kept = {name: value for name, value in os.environ.items() if name.startswith("PIP_") and name != "PIP_FIND_LINKS"}
    return [f"--change=ENV {name}={value}" for name, value in sorted(kept.items())]


def import_image(engine: str, root: Path, name: str) -> None:
    """Hand the files to the engine."""
    archive = ["tar", "-C", str(root), *(f"--exclude={pattern}" for pattern in LEFT_OUT), "-c", "."]
    with subprocess.Popen(archive, stdout=subprocess.PIPE) as packing:
        subprocess.run([engine, "import", *pip_variables(), "-", name], stdin=packing.stdout, check=True)


def main() -> int:
    """Make the image."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="the image's name and tag")
    parser.add_argument("--engine", default="docker")
    flags = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) / "root"
        bootstrap(root)
        copy_settings(root)
        import_image(flags.engine, root, flags.name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
