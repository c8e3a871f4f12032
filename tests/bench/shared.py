"""The shared parts of the benchmarks as tests use them: bench/ holds scripts, so its folder is put on the path."""

import sys

from tests.support.repository import ROOT

FOLDER = ROOT / "bench"
if str(FOLDER) not in sys.path:
    sys.path.append(str(FOLDER))

import hints  # noqa: E402 - needs the path above
import reliability  # noqa: E402 - needs the path above
import selection  # noqa: E402 - needs the path above
from support import (  # noqa: E402 - needs the path above
    chapters,
    contest,
    dice,
    figures,
    haproxy,
    incidents,
    latest,
    machine,
    moods,
    outages,
    product,
    progress,
    results,
    samples,
    statistics,
    verdicts,
)

__all__ = [
    "FOLDER",
    "chapters",
    "contest",
    "dice",
    "figures",
    "haproxy",
    "hints",
    "incidents",
    "latest",
    "machine",
    "moods",
    "outages",
    "product",
    "progress",
    "reliability",
    "results",
    "samples",
    "selection",
    "statistics",
    "verdicts",
]
