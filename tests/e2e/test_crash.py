"""A crash at any step of a switch is finished or undone by the next process; a refused step is rolled back."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.control_plane import ControlPlane
from tests.support.crashes import Stage, mortal
from tests.support.eventually import eventually
from tests.support.scene import POLICY, Scene

from providerswitch.demo.fakes import Fault

SERVICE = {"service": {"name": "llm"}}
STEPS = [
    ("before", "PATCH", "/configmaps/"),
    ("after", "PATCH", "/configmaps/"),
    ("before", "PATCH", "/services/"),
    ("after", "PATCH", "/services/"),
    ("before", "GET", "/configmaps/"),
    ("after", "GET", "/services/"),
    ("before", "POST", "/events"),
    ("after", "POST", "/events"),
    ("before", "PATCH", f"/{POLICY}/status"),
    ("after", "PATCH", f"/{POLICY}/status"),
]


@pytest.fixture
async def stage(installed: ControlPlane, namespace: str, tmp_path: Path) -> AsyncIterator[Stage]:
    async with mortal(installed, namespace, tmp_path) as made:
        yield made


async def revisions(scene: Scene) -> list[str]:
    objects = [await scene.look("configmap", f"{POLICY}-provider"), await scene.look("service", "llm")]
    return [obj["metadata"]["annotations"]["providerswitch.dev/revision"] for obj in objects]


@pytest.mark.parametrize(("moment", "method", "part"), STEPS, ids=["-".join(step).replace("/", "") for step in STEPS])
async def test_a_kill_at_any_step_of_a_switch_ends_in_one_whole_state(
    stage: Stage, moment: str, method: str, part: str
) -> None:
    scene = stage.scene
    await scene.opens("openai", "backup", publish=SERVICE)
    killed = await stage.die_at(moment, method, part)
    await scene.edit(primary="backup")
    await asyncio.wait_for(killed.wait(), 10)
    await stage.start_operator()
    assert (await scene.serves("backup"))["LLM_REVISION"] == "2"

    async def agreed() -> bool:
        return await revisions(scene) == ["2", "2"]

    await eventually(agreed)
    history = (await scene.status())["history"]
    assert [entry["to"] for entry in history] == ["backup", "openai"]
    assert history[0]["trigger"] == "ManualSwitch"
    told = [note for reason, note in await scene.events() if reason == "Switched"]
    assert len(told) == 1


async def test_a_restart_in_calm_changes_nothing(stage: Stage) -> None:
    scene = stage.scene
    await scene.opens("openai", "backup")
    before = [await scene.look("configmap", f"{POLICY}-provider"), await scene.status()]
    await scene.operator.stop(signal.SIGKILL)
    await stage.start_operator()
    await eventually(lambda: "decision" in scene.operator.text)
    assert [await scene.look("configmap", f"{POLICY}-provider"), await scene.status()] == before


async def test_a_blacklist_outlives_a_restart(stage: Stage) -> None:
    scene = stage.scene
    await scene.opens("openai", "backup", failover={"blacklistDuration": "1h"})
    await scene.providers["openai"].behave(Fault.SERVER_ERROR)
    await scene.serves("backup")
    until = (await scene.provider_status("openai"))["blacklistedUntil"]
    await scene.operator.stop(signal.SIGKILL)
    await scene.providers["openai"].behave(Fault.HEALTHY)
    await stage.start_operator()
    asked = len(scene.providers["openai"].log)
    await eventually(lambda: len(scene.providers["openai"].log) > asked + 3, within=10)
    assert (await scene.status())["activeProvider"] == "backup"
    assert (await scene.provider_status("openai"))["blacklistedUntil"] == until


async def test_with_the_status_lost_what_is_published_stays(stage: Stage) -> None:
    scene = stage.scene
    await scene.opens("openai", "backup", failover={"failback": "Manual", "blacklistDuration": "0s"})
    await scene.providers["openai"].behave(Fault.SERVER_ERROR)
    await scene.serves("backup")
    await scene.operator.stop(signal.SIGKILL)
    await scene.providers["openai"].behave(Fault.HEALTHY)
    lost = json.dumps([{"op": "remove", "path": "/status"}])
    await scene.run("patch", "pswitch", POLICY, "--subresource=status", "--type=json", "-p", lost)
    await stage.start_operator()
    assert (await scene.serves("backup"))["LLM_REVISION"] == "2"
    assert (await scene.status())["revision"] == 2


async def test_a_refused_step_is_rolled_back_and_tried_again(stage: Stage) -> None:
    scene = stage.scene
    await scene.opens("openai", "backup", publish=SERVICE)
    stage.proxy.refuse = lambda method, path: method == "PATCH" and "/services/" in path
    await scene.edit(primary="backup")
    ready = await scene.becomes("Ready", "False", "PublishRefused")
    assert "refused by the policy of the test" in ready["message"]
    assert (await scene.serves("openai"))["LLM_REVISION"] == "1"
    assert await revisions(scene) == ["1", "1"]
    assert (await scene.status())["history"][0]["outcome"] == "RolledBack"
    assert "undone" in await scene.told("SwitchRolledBack")
    stage.proxy.refuse = lambda _method, _path: False
    await scene.serves("backup", within=30)
    await scene.becomes("Ready", "True", "PrimaryHealthy")


async def test_a_refusal_shows_consumers_the_other_choice_once_at_most(stage: Stage) -> None:
    scene = stage.scene
    await scene.opens("openai", "backup", publish=SERVICE)
    asked = refuse_services(stage)
    await scene.edit(primary="backup")
    await scene.becomes("Ready", "False", "PublishRefused")
    touched = (await scene.look("configmap", f"{POLICY}-provider"))["metadata"]["resourceVersion"]
    seen = len(asked)
    await eventually(lambda: len(asked) > seen, within=20)
    assert (await scene.look("configmap", f"{POLICY}-provider"))["metadata"]["resourceVersion"] == touched


async def test_a_refusal_right_after_a_restart_puts_back_what_stood(stage: Stage) -> None:
    scene = stage.scene
    await scene.opens("openai", "backup", publish=SERVICE)
    await scene.run("patch", "configmap", f"{POLICY}-provider", "--type=merge", "-p", '{"data":{"EXTRA":"theirs"}}')
    before = (await scene.look("configmap", f"{POLICY}-provider"))["data"]
    await scene.operator.stop(signal.SIGKILL)
    await scene.edit(primary="backup")
    refuse_services(stage)
    await stage.start_operator()
    await scene.becomes("Ready", "False", "PublishRefused")
    assert (await scene.look("configmap", f"{POLICY}-provider"))["data"] == before
    assert await revisions(scene) == ["1", "1"]


async def test_a_refusal_gives_an_adopted_object_back_as_it_was(stage: Stage) -> None:
    scene = stage.scene
    metadata = {"name": f"{POLICY}-provider", "namespace": scene.namespace}
    theirs = {**metadata, "annotations": {"providerswitch.dev/adopt": "true"}}
    await scene.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": theirs, "data": {"precious": "1"}})
    refuse_services(stage)
    await scene.provider("openai")
    await scene.apply(scene.secret(), scene.policy(publish=SERVICE))
    await scene.becomes("Ready", "False", "PublishRefused")
    left = await scene.look("configmap", f"{POLICY}-provider")
    assert left["data"] == {"precious": "1"}
    assert "ownerReferences" not in left["metadata"]


def refuse_services(stage: Stage) -> list[str]:
    """Have every write to a Service refused from now on; return what collects them."""
    asked: list[str] = []

    def refuse(method: str, path: str) -> bool:
        refused = method == "PATCH" and "/services/" in path
        if refused:
            asked.append(path)
        return refused

    stage.proxy.refuse = refuse
    return asked


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_kill_while_a_configuration_is_kept_loses_none_and_doubles_none(stage: Stage, moment: str) -> None:
    scene = stage.scene
    await scene.opens("openai", "backup")
    killed = await stage.die_at(moment, "PATCH", "/controllerrevisions")
    await scene.edit(primary="backup")
    await asyncio.wait_for(killed.wait(), 10)
    await stage.start_operator()

    async def kept() -> list[tuple[int, bool]]:
        listed = json.loads(await scene.run("get", "controllerrevisions", "-o", "json"))["items"]
        marks = {obj["revision"]: "providerswitch.dev/last-good" in obj["metadata"]["labels"] for obj in listed}
        assert len(marks) == len(listed)
        return sorted(marks.items())

    async def as_it_should_be() -> bool:
        return await kept() == [(1, False), (2, True)]

    await eventually(as_it_should_be, within=15)
