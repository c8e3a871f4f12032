"""Child processes are started, read and always ended."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from providerswitch.demo.cluster import ClusterKind, open_cluster
from providerswitch.demo.processes import DemoError, running

SLEEPS = "import signal; print('up', flush=True); signal.pause()"
STUBBORN = (
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True)\nwhile True: signal.pause()"
)


@pytest.mark.parametrize("program", [SLEEPS, STUBBORN], ids=["obeys SIGTERM", "has to be killed"])
async def test_a_child_ends_with_its_context(tmp_path: Path, program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("providerswitch.demo.processes.GRACE_SECONDS", 0.2)
    async with running("child", [sys.executable, "-c", program], tmp_path / "log", piped=True) as child:
        assert [line async for line in _first(child.lines())] == ["up"]
        child.check()
    assert child.process.returncode != 0


async def _first(lines: AsyncIterator[str]) -> AsyncIterator[str]:
    async for line in lines:
        yield line
        return


async def test_a_child_that_died_is_reported_with_the_end_of_its_log(tmp_path: Path) -> None:
    program = "import sys; print('no such cluster', file=sys.stderr); sys.exit(3)"
    async with running("operator", [sys.executable, "-c", program], tmp_path / "log") as child:
        await child.process.wait()
        with pytest.raises(DemoError, match=r"the operator ended with exit code 3:\nno such cluster"):
            child.check()


async def test_the_child_imports_this_very_package(tmp_path: Path) -> None:
    program = "import providerswitch; print(providerswitch.__file__)"
    async with running("child", [sys.executable, "-c", program], tmp_path / "log") as child:
        await child.process.wait()
    import providerswitch

    assert (tmp_path / "log").read_text().strip() == providerswitch.__file__


async def test_without_kind_the_demo_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DemoError, match="--cluster local"):
        async with open_cluster(ClusterKind.KIND, tmp_path):
            pass
