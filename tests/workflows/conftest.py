"""Puts hack/kind on the path: its modules are scripts and belong to no package."""

import sys

from tests.support.repository import ROOT

KIND = str(ROOT / "hack" / "kind")
if KIND not in sys.path:
    sys.path.append(KIND)
