"""How the control plane is built, as far as it shows without building it."""

import io
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.repository import binaries, build, progress
from typing_extensions import override

FAKE_GO = """#!/bin/sh
# Stands in for a Go toolchain: lists two packages, and "compiles" three files.
case "$1" in
env) echo go1.99.0 ;;
list) printf 'one\\ntwo\\n' ;;
build) echo "built" >> "$FAKE_GO_LOG"; sleep 0.3
  while [ "$1" != -o ]; do shift; done
  for name in server kube-apiserver kube-controller-manager; do touch "$2$name"; chmod +x "$2$name"; done
  echo one >&2; ${FAKE_GO_FAILS:-true} ;;
esac
"""


class Terminal(io.StringIO):
    @override
    def isatty(self) -> bool:
        return True


@pytest.fixture
def fake_go(tmp_path: Path) -> dict[str, str]:
    """An environment in which a fake go is first on PATH and the cache is empty."""
    go = tmp_path / "bin" / "go"
    go.parent.mkdir()
    go.write_text(FAKE_GO)
    go.chmod(go.stat().st_mode | stat.S_IXUSR)
    return {
        "PATH": f"{go.parent}:{os.defpath}",
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "FAKE_GO_LOG": str(tmp_path / "builds"),
    }


def start(environment: dict[str, str]) -> subprocess.Popen[str]:
    script = binaries.MODULE_DIR / "build.py"
    return subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


def test_the_last_line_is_the_folder_of_the_binaries(fake_go: dict[str, str]) -> None:
    output, _ = start(fake_go).communicate()

    folder = Path(output.splitlines()[-1])
    assert sorted(path.name for path in folder.iterdir()) == ["etcd", "kube-apiserver", "kube-controller-manager"]
    assert "compiling: packages: 1 of at most 2" in output


def test_two_runs_side_by_side_build_once(fake_go: dict[str, str], tmp_path: Path) -> None:
    runs = [start(fake_go), start(fake_go)]
    folders = {run.communicate()[0].splitlines()[-1] for run in runs}

    assert len(folders) == 1
    assert (tmp_path / "builds").read_text().splitlines() == ["built"]


def test_a_failed_build_leaves_nothing_and_shows_what_go_said(fake_go: dict[str, str], tmp_path: Path) -> None:
    run = start({**fake_go, "FAKE_GO_FAILS": "false"})
    _, errors = run.communicate()

    assert run.returncode == 1
    assert "go build" in errors
    assert errors.endswith("one\n\n")
    assert list(tmp_path.glob("cache/*/*/*/*")) == []


def test_the_server_is_told_its_version() -> None:
    flags = build.link_flags("v1.37.2")

    assert "version.gitVersion=v1.37.2" in flags
    assert "version.gitMinor=37" in flags


def test_progress_rewrites_one_line_on_a_terminal() -> None:
    out = Terminal()
    shown = progress.Progress("compiling", 9, out)
    shown.step()
    shown.step()
    shown.finish()

    assert out.getvalue().split(progress.CLEAR_LINE)[1:] == [
        "compiling: 1 of at most 9, 0 s",
        "compiling: 2 of at most 9, 0 s",
        "compiling: 2 of at most 9, 0 s, done\n",
    ]


def test_progress_in_a_log_stays_silent_between_its_intervals() -> None:
    out = io.StringIO()
    shown = progress.Progress("compiling", None, out)
    for _ in range(100):
        shown.step()

    assert out.getvalue() == ""
