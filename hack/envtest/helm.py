"""Finds or builds the helm that renders and tests the chart: `make helm`. The last line printed is its path.

It is built from hack/helm/go.mod and kept in the cache of the control plane's binaries, so that everybody renders with
one version; a helm on PATH is not asked. Three minutes on two cores the first time; then it only looks.
"""

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

from binaries import MODULE_DIR, cached_folder, holds
from build import BuildError, build_program, locked

HELM_MODULE: Final = MODULE_DIR.parent / "helm"
PACKAGE: Final = "helm.sh/helm/v4/cmd/helm"
NAME: Final = "helm"


class MissingHelmError(RuntimeError):
    """There is no helm yet."""


def helm_version() -> str:
    """Return the version in go.mod, such as v4.3.1."""
    found = re.search(r"^\s*helm\.sh/helm/v4 (v[\d.]+)", (HELM_MODULE / "go.mod").read_text(), re.MULTILINE)
    assert found, "go.mod requires helm.sh/helm/v4"
    return found[1]


def require_helm() -> Path:
    """Return the path of the binary.

    Raises:
        MissingHelmError: There is none; the text says what to run.
    """
    folder = cached_folder(HELM_MODULE)
    if not holds(folder, (NAME,)):
        raise MissingHelmError("helm is not built yet: run make helm (3 minutes, once)")
    return folder / NAME


def build_helm() -> Path:
    """Build the binary unless it is there, and move it into place in one step."""
    target = cached_folder(HELM_MODULE)
    with locked(target.with_suffix(".lock")):
        if not holds(target, (NAME,)):
            print(f"building helm {helm_version()}: about 3 minutes on two cores, once", flush=True)
            flags = f"-s -w -X helm.sh/helm/v4/internal/version.version={helm_version()}"
            build_program(target, HELM_MODULE, PACKAGE, flags)
    return target / NAME


def main() -> int:
    """Print the path of the binary, after building it if need be."""
    try:
        print(build_helm())
    except (BuildError, subprocess.CalledProcessError, OSError) as error:
        print(f"make helm: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
