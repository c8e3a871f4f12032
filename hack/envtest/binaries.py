"""Where the control plane's binaries are: etcd, kube-apiserver and kube-controller-manager.

They stand outside the checkout, in a folder named after go.mod and go.sum: a second clone finds what the first one
built, and another Kubernetes version never gets the old binaries.
"""

import hashlib
import os
import platform
import re
from pathlib import Path
from typing import Final

MODULE_DIR: Final = Path(__file__).resolve().parent
REQUIRED: Final = ("etcd", "kube-apiserver")
"""What a folder named by the user must hold. Kubebuilder's own archives bring no controller manager."""
BUILT: Final = (*REQUIRED, "kube-controller-manager")
ARCHITECTURES: Final = {"x86_64": "amd64", "AMD64": "amd64", "aarch64": "arm64"}


class MissingBinariesError(RuntimeError):
    """There is no folder with the binaries yet."""


def cache_root() -> Path:
    """Return the folder that holds everything `make envtest` makes."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "providerswitch" / "envtest"


def cached_folder(module: Path = MODULE_DIR) -> Path:
    """Return the folder of the binaries that this checkout's module gives, whether or not they are built."""
    text = b"".join((module / name).read_bytes() for name in ("go.mod", "go.sum"))
    machine = ARCHITECTURES.get(platform.machine(), platform.machine())
    return cache_root() / f"{hashlib.sha256(text).hexdigest()[:16]}-{platform.system().lower()}-{machine}"


def kubernetes_version() -> str:
    """Return the version in go.mod, such as v1.37.2."""
    found = re.search(r"^\s*k8s\.io/kubernetes (v[\d.]+)", (MODULE_DIR / "go.mod").read_text(), re.MULTILINE)
    assert found, "go.mod requires k8s.io/kubernetes"
    return found[1]


def holds(folder: Path, names: tuple[str, ...]) -> bool:
    """Tell whether each of the binaries is there and may be run."""
    return all(os.access(folder / name, os.X_OK) for name in names)


def find_binaries() -> Path | None:
    """Return KUBEBUILDER_ASSETS if it holds the binaries, else the cache if it does, else None."""
    named = os.environ.get("KUBEBUILDER_ASSETS")
    if named and holds(Path(named), REQUIRED):
        return Path(named)
    return cached_folder() if holds(cached_folder(), BUILT) else None


def require_binaries() -> Path:
    """Return the folder of the binaries.

    Raises:
        MissingBinariesError: There is none; the text says what to run.
    """
    found = find_binaries()
    if found is None:
        raise MissingBinariesError("etcd and kube-apiserver are not built yet: run make envtest (6 minutes, once)")
    return found
