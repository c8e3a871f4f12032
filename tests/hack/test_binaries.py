"""Where the control plane's binaries are looked for."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.repository import binaries


def make_binaries(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch(mode=0o755)
    return folder


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)


def test_without_any_the_error_says_what_to_run() -> None:
    with pytest.raises(binaries.MissingBinariesError, match="run make envtest"):
        binaries.require_binaries()


def test_the_control_plane_says_it_in_one_line() -> None:
    script = binaries.MODULE_DIR / "control_plane.py"
    refused = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)

    assert refused.returncode == 1
    assert re.fullmatch(r".*run make envtest.*\n", refused.stderr)


def test_the_cache_is_found_once_it_is_complete() -> None:
    make_binaries(binaries.cached_folder(), "etcd", "kube-apiserver")
    assert binaries.find_binaries() is None

    make_binaries(binaries.cached_folder(), "kube-controller-manager")
    assert binaries.find_binaries() == binaries.cached_folder()


def test_a_folder_named_by_the_user_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_binaries(binaries.cached_folder(), *binaries.BUILT)
    own = make_binaries(tmp_path / "own", "etcd", "kube-apiserver")
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(own))

    assert binaries.find_binaries() == own


def test_a_named_folder_that_lacks_a_server_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(make_binaries(tmp_path / "own", "etcd")))

    assert binaries.find_binaries() is None


def test_the_cache_folder_is_named_after_the_modules_and_the_machine() -> None:
    assert re.fullmatch(r"[0-9a-f]{16}-[a-z]+-\w+", binaries.cached_folder().name)


def test_the_version_comes_from_go_mod() -> None:
    assert re.fullmatch(r"v1\.\d+\.\d+", binaries.kubernetes_version())
