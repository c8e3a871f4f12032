"""How the tests' Prometheus is found and fetched, as far as it shows without a network."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.prometheus import fetching
from tests.support.repository import ENVTEST

FAKE_APT_GET = """\
import os, sys, time
open(os.environ["FAKE_LOG"], "a").write(sys.argv[-1] + "\\n")
state = next(part for part in sys.argv if part.startswith("--option=Dir::State="))
assert os.path.isdir(state.partition("Dir::State=")[2] + "/lists/partial"), "apt needs this folder"
if sys.argv[-1] == os.environ.get("FAKE_FAILS_AT", "never"):
    sys.exit("E: Unable to fetch some archives")
if sys.argv[-1] == "prometheus":
    time.sleep(0.3)
    open("prometheus_2.99_all.deb", "w").close()
"""
FAKE_DPKG_DEB = """\
import os, sys
assert os.path.isfile(sys.argv[-2])
os.makedirs(sys.argv[-1] + "/usr/bin")
for name in "prometheus", "promtool":
    os.close(os.open(sys.argv[-1] + "/usr/bin/" + name, os.O_CREAT, 0o755))
"""


def put(folder: Path, name: str, script: str = "") -> Path:
    """Make a command of a Python script."""
    folder.mkdir(exist_ok=True)
    command = folder / name
    command.write_text(f"#!{sys.executable}\n{script}")
    command.chmod(0o755)
    return command


@pytest.fixture
def commands(tmp_path: Path) -> Path:
    """The only folder on PATH, with a fake apt-get and dpkg-deb."""
    put(tmp_path / "bin", "apt-get", FAKE_APT_GET)
    return put(tmp_path / "bin", "dpkg-deb", FAKE_DPKG_DEB).parent


@pytest.fixture
def environment(commands: Path, tmp_path: Path) -> dict[str, str]:
    return {"PATH": str(commands), "XDG_CACHE_HOME": str(tmp_path / "cache"), "FAKE_LOG": str(tmp_path / "log")}


def start(environment: dict[str, str], **more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, ENVTEST / "prometheus.py"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment | more,
    )


def cached(tmp_path: Path) -> list[Path]:
    """Return all that the cache holds, but for locks."""
    return [path for path in (tmp_path / "cache").rglob("*") if path.is_file() and path.suffix != ".lock"]


def test_the_last_line_is_the_server_and_only_promtool_is_kept_beside_it(
    environment: dict[str, str], tmp_path: Path
) -> None:
    output, errors = start(environment).communicate()
    assert errors == ""
    server = Path(output.splitlines()[-1])
    assert server.name == "prometheus"
    assert sorted(cached(tmp_path)) == [server, server.with_name("promtool")]


def test_what_was_fetched_is_found_again(environment: dict[str, str], tmp_path: Path) -> None:
    first, second = (start(environment).communicate()[0] for _ in range(2))
    assert first == second
    assert (tmp_path / "log").read_text().split() == ["update", "prometheus"]


def test_a_cache_without_promtool_is_completed(environment: dict[str, str], tmp_path: Path) -> None:
    first = start(environment).communicate()[0]
    (server,) = (path for path in cached(tmp_path) if path.name == "prometheus")
    server.with_name("promtool").unlink()
    assert start(environment).communicate()[0] == first
    assert len(cached(tmp_path)) == 2


def test_two_runs_side_by_side_fetch_once(environment: dict[str, str], tmp_path: Path) -> None:
    runs = [start(environment), start(environment)]
    assert len({run.communicate()[0] for run in runs}) == 1
    assert (tmp_path / "log").read_text().split() == ["update", "prometheus"]


@pytest.mark.parametrize("step", ["update", "prometheus"])
def test_a_failed_download_leaves_nothing_and_shows_what_apt_said_and_the_way_out(
    environment: dict[str, str], tmp_path: Path, step: str
) -> None:
    run = start(environment, FAKE_FAILS_AT=step)
    _, errors = run.communicate()
    assert run.returncode == 1
    assert errors.startswith("make prometheus: apt-get ")
    assert f"{step} failed; correct apt's sources, or put a prometheus and a promtool (2.40 or newer) on PATH" in errors
    assert "E: Unable to fetch some archives" in errors
    assert cached(tmp_path) == []


@pytest.mark.parametrize("tool", ["apt-get", "dpkg-deb"])
def test_a_machine_without_apt_is_told_the_way_out(environment: dict[str, str], commands: Path, tool: str) -> None:
    (commands / tool).unlink()
    run = start(environment)
    assert run.communicate()[1] == (
        f"make prometheus: no {tool} on PATH, so Debian's package cannot be fetched; put a prometheus and a "
        "promtool (2.40 or newer) on PATH instead\n"
    )
    assert run.returncode == 1


def test_one_on_path_wins_over_the_cache(environment: dict[str, str], commands: Path) -> None:
    start(environment).communicate()
    own = put(commands, "prometheus")
    assert start(environment).communicate()[0] == f"{own}\n"


def test_a_test_that_lacks_it_says_what_to_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(fetching.MissingPrometheusError, match="no promtool for this test yet: run make prometheus"):
        fetching.require("promtool")
