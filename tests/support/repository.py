"""The tools in hack/ as tests use them: scripts, so their folders are no packages and are put on the path."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ENVTEST = ROOT / "hack" / "envtest"
for folder in (str(ENVTEST.parent), str(ENVTEST)):
    if folder not in sys.path:
        sys.path.insert(0, folder)  # before site-packages, where another `build` may stand

import binaries  # noqa: E402 - needs the path above
import build  # noqa: E402 - needs the path above
import control_plane  # noqa: E402 - needs the path above
import credentials  # noqa: E402 - needs the path above
import guard  # noqa: E402 - needs the path above
import progress  # noqa: E402 - needs the path above
import servers  # noqa: E402 - needs the path above

import addresses  # noqa: E402 - needs the path above
import sizes  # noqa: E402 - needs the path above
import tracked  # noqa: E402 - needs the path above

__all__ = [
    "ENVTEST",
    "ROOT",
    "addresses",
    "binaries",
    "build",
    "control_plane",
    "credentials",
    "guard",
    "progress",
    "servers",
    "sizes",
    "tracked",
]
