"""A drill that is cut off at any of its steps leaves nothing behind, whoever goes on."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.e2e.test_drill import FAST, becomes, drill, is_clean
from tests.support.control_plane import ControlPlane
from tests.support.crashes import Stage, mortal
from tests.support.scene import POLICY, Scene

OWN, POLICYS, PUBLISHED = "/monday/status", f"/{POLICY}/status", "/configmaps/"
BEGINNING = [
    ("before", OWN, "Passed"),
    ("after", OWN, "Aborted"),
    ("after", POLICYS, "Aborted"),
    ("after", PUBLISHED, "Aborted"),
]
"""Moment, what is written, and what becomes of the drill: one that was not noted anywhere is begun anew."""
END = [
    ("before", PUBLISHED, "Aborted"),
    ("after", PUBLISHED, "Aborted"),
    ("after", OWN, "Passed"),
]


def at_each(steps: list[tuple[str, str, str]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        ("moment", "part", "state"), steps, ids=["-".join(step[:2]).replace("/", "") for step in steps]
    )


@pytest.fixture
async def stage(installed: ControlPlane, namespace: str, tmp_path: Path) -> AsyncIterator[Stage]:
    async with mortal(installed, namespace, tmp_path) as made:
        yield made


async def calm(scene: Scene) -> None:
    """Open a policy over two providers, and wait until nothing more is to be written of it."""
    await scene.opens("openai", "backup", **FAST)
    await is_clean(scene, "openai")


async def goes_on_after(stage: Stage, killed: asyncio.Event, state: str) -> None:
    """Wait for the end of the operator, start another, and look what it makes of the drill and of the policy."""
    await asyncio.wait_for(killed.wait(), 15)
    await stage.start_operator()
    status = await becomes(stage.scene, state)
    assert state == "Passed" or status["reason"] == "OperatorRestarted"
    await is_clean(stage.scene, "openai")
    assert len(status["runs"]) == 1
    assert (await stage.scene.status())["switching"]["total"] == 1


@at_each(BEGINNING)
async def test_a_kill_at_any_step_on_the_way_there_leaves_nothing_behind(
    stage: Stage, moment: str, part: str, state: str
) -> None:
    await calm(stage.scene)
    killed = await stage.die_at(moment, "PATCH", part)
    await stage.scene.apply(drill(stage.scene, duration="2s"))
    await goes_on_after(stage, killed, state)


@at_each(END)
async def test_a_kill_at_any_step_on_the_way_back_leaves_nothing_behind(
    stage: Stage, moment: str, part: str, state: str
) -> None:
    await calm(stage.scene)
    await stage.scene.apply(drill(stage.scene, duration="2s"))
    await stage.scene.serves("backup")
    killed = await stage.die_at(moment, "PATCH", part)
    await goes_on_after(stage, killed, state)
