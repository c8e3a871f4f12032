"""No server outlives whoever started it."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.eventually import eventually_sync
from tests.support.repository import guard, servers

FOREVER = [sys.executable, "-c", "import signal; signal.pause()"]


def test_what_is_watched_ends_with_the_guard_and_its_folder_goes(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    with guard.Guard() as watcher, subprocess.Popen(FOREVER) as process:
        watcher.watch(process.pid)
        watcher.remove(str(folder))
        watcher.close()

    assert process.returncode == -9
    assert not folder.exists()


def test_what_is_forgotten_is_left_alone() -> None:
    with guard.Guard() as watcher, subprocess.Popen(FOREVER) as process:
        watcher.watch(process.pid)
        watcher.forget(process.pid)
        watcher.close()

        assert process.poll() is None
        process.kill()


def test_a_server_that_dies_is_told_with_the_end_of_its_log(tmp_path: Path) -> None:
    with guard.Guard() as watcher:
        server = servers.Server([sys.executable, "-c", "raise SystemExit('no such flag')"], tmp_path, watcher)
        server.start()
        eventually_sync(lambda: not server.running())

        with pytest.raises(servers.ControlPlaneError, match=r"exited with code 1[\s\S]*no such flag"):
            server.check()
        server.kill()


def test_a_server_can_be_killed_and_started_again(tmp_path: Path) -> None:
    with guard.Guard() as watcher:
        server = servers.Server(FOREVER, tmp_path, watcher)
        server.start()
        server.kill()
        assert not server.running()
        server.check()

        server.start()
        assert server.running()
        server.kill()
