"""How helm is built, as far as it shows without building it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.repository import ENVTEST, ROOT, binaries

import helm  # isort: skip  # tests.support.repository puts hack/envtest on the path

FAKE_GO = """#!/bin/sh
# Stands in for a Go toolchain: lists two packages, and "compiles" helm.
case "$1" in
env) echo go1.99.0 ;;
list) printf 'one\\ntwo\\n' ;;
build) pwd >> "$FAKE_GO_LOG"; while [ "$1" != -o ]; do shift; done
  touch "$2helm"; chmod +x "$2helm"; ${FAKE_GO_FAILS:-true} ;;
esac
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An environment with a go of our own and an empty cache."""
    go = tmp_path / "bin" / "go"
    go.parent.mkdir()
    go.write_text(FAKE_GO)
    go.chmod(0o755)
    path = f"{go.parent}{os.pathsep}{os.defpath}"
    return {"PATH": path, "XDG_CACHE_HOME": str(tmp_path / "cache"), "FAKE_GO_LOG": str(tmp_path / "log")}


def make(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ENVTEST / "helm.py")]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_it_is_built_once_from_its_own_module(environment: dict[str, str], tmp_path: Path) -> None:
    first, second = make(environment), make(environment)
    assert (first.returncode, second.returncode) == (0, 0), first.stderr
    assert first.stdout.splitlines()[-1] == second.stdout.strip()
    assert Path(second.stdout.strip()).is_relative_to(tmp_path / "cache")
    assert (tmp_path / "log").read_text().split() == [str(ROOT / "hack" / "helm")]


def test_a_failed_build_leaves_nothing_and_says_what_failed(environment: dict[str, str], tmp_path: Path) -> None:
    failed = make({**environment, "FAKE_GO_FAILS": "false"})
    assert failed.returncode == 1
    assert "make helm: go build" in failed.stderr
    assert list((tmp_path / "cache").rglob("helm")) == []


def test_without_it_the_error_says_what_to_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(helm.MissingHelmError, match="run make helm"):
        helm.require_helm()


def test_its_folder_is_not_that_of_the_control_plane() -> None:
    assert binaries.cached_folder(helm.HELM_MODULE) != binaries.cached_folder()
    assert binaries.cached_folder(helm.HELM_MODULE).parent == binaries.cached_folder().parent


def test_the_version_is_that_of_the_module() -> None:
    assert re.fullmatch(r"v4\.\d+\.\d+", helm.helm_version())
