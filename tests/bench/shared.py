"""The shared parts of the benchmarks as tests use them: bench/ holds scripts, so its folder is put on the path."""

import sys

from tests.support.repository import ROOT

FOLDER = ROOT / "bench"
if str(FOLDER) not in sys.path:
    sys.path.append(str(FOLDER))

from support import figures, haproxy, latest, machine, outages, results, samples  # noqa: E402 - needs the path above

__all__ = ["FOLDER", "figures", "haproxy", "latest", "machine", "outages", "results", "samples"]
