"""Overrides on a real API server: made with kubectl, in force at once, over to the second, also across a crash."""

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from tests.support.control_plane import ControlPlane
from tests.support.crashes import Stage, mortal
from tests.support.eventually import eventually
from tests.support.scene import POLICY, Scene

from providerswitch.api import meta
from providerswitch.demo.fakes import Fault

STEPS = [
    ("before", "PATCH", "/configmaps/"),
    ("after", "PATCH", "/configmaps/"),
    ("before", "POST", "/events"),
    ("after", "POST", "/events"),
    ("before", "PATCH", f"/{POLICY}/status"),
    ("after", "PATCH", f"/{POLICY}/status"),
    ("before", "PATCH", "/calm/status"),
    ("after", "PATCH", "/calm/status"),
]
at_each_step = pytest.mark.parametrize(
    ("moment", "method", "part"), STEPS, ids=["-".join(step).replace("/", "") for step in STEPS]
)


def override(name: str, provider: str, duration: str = "1h", **spec: Any) -> dict[str, Any]:
    asked = {"policyRef": {"name": POLICY}, "provider": provider, "reason": "test", "duration": duration, **spec}
    return {"apiVersion": meta.API_VERSION, "kind": meta.OVERRIDE_KIND, "metadata": {"name": name}, "spec": asked}


async def create(scene: Scene, made: dict[str, Any]) -> None:
    await scene.run("create", "-f", "-", stdin=json.dumps(made))


async def stands(scene: Scene, name: str, state: str, reason: str, within: float = 10) -> dict[str, Any]:
    """Wait until an override stands as expected; return its status."""
    status: dict[str, Any] = {}

    async def there() -> bool:
        nonlocal status
        status = (await scene.look("psoverride", name)).get("status", {})
        return (status.get("state"), status.get("reason")) == (state, reason)

    try:
        await eventually(there, within=within)
    except AssertionError as error:
        raise AssertionError(f"{name} is {status}, not {state} {reason}\n{scene.operator.text}") from error
    return status


async def lateness(scene: Scene, until: str) -> float:
    """Return the seconds from the moment an override should end to the switch that ended it."""
    last = (await scene.status())["history"][0]
    assert last["trigger"] == "OverrideEnded"
    return (datetime.fromisoformat(last["time"]) - datetime.fromisoformat(until)).total_seconds()


@pytest.fixture
async def stage(installed: ControlPlane, namespace: str, tmp_path: Path) -> AsyncIterator[Stage]:
    async with mortal(installed, namespace, tmp_path) as made:
        yield made


async def test_an_override_is_in_force_within_two_seconds_and_its_end_restores_the_rules(scene: Scene) -> None:
    await scene.opens("openai", "backup")
    spec = (await scene.look("pswitch", POLICY))["spec"]
    began = time.monotonic()
    await create(scene, override("calm", "backup", "6s", requestedBy="alice"))
    await scene.serves("backup")
    assert time.monotonic() - began < 2
    status = await stands(scene, "calm", "Active", "InForce")
    overridden = await scene.becomes("Overridden", "True", "OverrideActive")
    assert 'override "calm" of alice until' in overridden["message"]
    assert (await scene.look("pswitch", POLICY))["spec"] == spec

    await scene.serves("openai")
    assert 0 <= await lateness(scene, status["expiresAt"]) < 1
    await stands(scene, "calm", "Expired", "Expired")
    told = {reason for reason, _ in await scene.events()}
    assert told >= {"Overridden", "OverrideActive", "OverrideEnded", "OverrideExpired"}


async def test_deleting_it_restores_the_rules_at_once(scene: Scene) -> None:
    await scene.opens("openai", "backup")
    await create(scene, override("calm", "backup"))
    await scene.serves("backup")
    await scene.run("delete", "psoverride", "calm")
    await scene.serves("openai", within=3)
    await scene.told("OverrideCleared")


async def test_the_newest_holds_and_the_older_never_comes_back(scene: Scene) -> None:
    await scene.opens("openai", "backup", "third")
    await create(scene, override("zulu", "backup"))
    await scene.serves("backup")
    await create(scene, override("alpha", "third"))
    await scene.serves("third")
    await stands(scene, "zulu", "Superseded", "NewerOverride")
    await scene.run("delete", "psoverride", "alpha")
    await scene.serves("openai")
    await stands(scene, "zulu", "Superseded", "NewerOverride")


async def test_what_cannot_be_is_rejected(scene: Scene) -> None:
    await scene.opens("openai", "backup")
    await create(scene, override("lost", "backup", policyRef={"name": "other"}))
    await create(scene, override("nobody", "nobody"))
    await create(scene, override("taskless", "backup", task="embed"))
    await stands(scene, "nobody", "Rejected", "ProviderNotFound")
    await stands(scene, "taskless", "Rejected", "TaskNotFound")
    await stands(scene, "lost", "Rejected", "PolicyNotFound")
    assert (await scene.status())["activeProvider"] == "openai"


async def test_health_stands_above_it_unless_it_is_forced(scene: Scene) -> None:
    await scene.opens("openai", "backup", failover={"blacklistDuration": "1h"})
    await scene.providers["backup"].behave(Fault.SERVER_ERROR)

    async def down() -> bool:
        return bool((await scene.provider_status("backup"))["state"] == "Down")

    await eventually(down)
    await create(scene, override("wish", "backup"))
    told = await stands(scene, "wish", "Rejected", "ProviderUnhealthy")
    assert "force: true" in told["message"]
    await create(scene, override("order", "backup", force=True))
    await scene.serves("backup")


async def test_a_provider_without_its_key_is_not_for_force_either(scene: Scene) -> None:
    await scene.opens("openai", "backup")
    await scene.run("patch", "secret", "llm-keys", "--type=json", "-p", '[{"op":"remove","path":"/data/backup"}]')
    await scene.becomes("Ready", "False", "SecretKeyNotFound")
    await create(scene, override("order", "backup", force=True))
    assert "backup" in (await stands(scene, "order", "Rejected", "ProviderUnusable"))["message"]


async def test_policy_and_override_of_one_apply_work_in_any_order(scene: Scene) -> None:
    await scene.provider("openai")
    await scene.provider("backup")
    await scene.apply({**override("calm", "backup"), "metadata": {"name": "calm", "namespace": scene.namespace}})
    await stands(scene, "calm", "Pending", "PolicyNotFound")
    await scene.apply(scene.secret(), scene.policy())
    await scene.serves("backup")


async def test_a_restart_moves_no_expiry(stage: Stage) -> None:
    scene = stage.scene
    await scene.opens("openai", "backup")
    await create(scene, override("calm", "backup", "20s"))
    await scene.serves("backup")
    until = (await stands(scene, "calm", "Active", "InForce"))["expiresAt"]
    await scene.operator.stop(signal.SIGKILL)
    await stage.start_operator()
    await scene.serves("openai", within=30)
    assert 0 <= await lateness(scene, until) < 1


async def test_one_that_ended_while_no_operator_ran_is_never_applied(stage: Stage) -> None:
    scene = stage.scene
    await scene.opens("openai", "backup")
    await scene.operator.stop(signal.SIGKILL)
    await create(scene, override("calm", "backup", "1s"))

    async def over() -> bool:
        made = (await scene.look("psoverride", "calm"))["metadata"]["creationTimestamp"]
        return time.time() > datetime.fromisoformat(made).timestamp() + 1

    await eventually(over)
    await stage.start_operator()
    await stands(scene, "calm", "Expired", "NeverApplied")
    assert (await scene.status())["revision"] == 1


async def test_one_that_finished_long_ago_is_removed(stage: Stage) -> None:
    scene = stage.scene
    await scene.opens("openai", "backup")
    await scene.operator.stop(signal.SIGKILL)
    await create(scene, override("old", "backup"))
    long_ago = {"state": "Expired", "reason": "Expired", "message": "over", "finishedAt": "2020-01-01T00:00:00.000000Z"}
    patch = json.dumps({"status": long_ago})
    await scene.run("patch", "psoverride", "old", "--subresource=status", "--type=merge", "-p", patch)
    await stage.start_operator()

    async def gone() -> bool:
        return await scene.look("psoverride", "old") == {}

    await eventually(gone)


@at_each_step
async def test_a_kill_at_any_step_of_its_beginning_leaves_it_in_force(
    stage: Stage, moment: str, method: str, part: str
) -> None:
    scene = stage.scene
    await scene.opens("openai", "backup")
    killed = await stage.die_at(moment, method, part)
    await create(scene, override("calm", "backup"))
    await asyncio.wait_for(killed.wait(), 10)
    await stage.start_operator()
    assert (await scene.serves("backup"))["LLM_REVISION"] == "2"
    await stands(scene, "calm", "Active", "InForce")
    told = [reason for reason, _ in await scene.events()]
    assert (told.count("Overridden"), told.count("OverrideActive")) == (1, 1)
    await scene.run("delete", "psoverride", "calm")
    await scene.serves("openai")
    assert (await scene.status()).get("overrides") is None


@at_each_step
async def test_a_kill_at_any_step_of_its_end_leaves_nothing_behind(
    stage: Stage, moment: str, method: str, part: str
) -> None:
    scene = stage.scene
    await scene.opens("openai", "backup")
    await create(scene, override("calm", "backup", "5s"))
    await scene.serves("backup")
    await stands(scene, "calm", "Active", "InForce")
    killed = await stage.die_at(moment, method, part)
    await asyncio.wait_for(killed.wait(), 10)
    await stage.start_operator()
    await scene.serves("openai")
    await stands(scene, "calm", "Expired", "Expired")
    assert (await scene.status()).get("overrides") is None
    told = [reason for reason, _ in await scene.events()]
    assert (told.count("OverrideEnded"), told.count("OverrideExpired")) == (1, 1)


async def test_kubectl_shows_who_when_and_why(scene: Scene) -> None:
    await scene.opens("openai", "backup")
    await create(scene, override("calm", "backup"))
    await stands(scene, "calm", "Active", "InForce")
    header, line = (await scene.run("get", "psoverride")).splitlines()
    assert header.split() == ["NAME", "POLICY", "PROVIDER", "STATE", "EXPIRES", "REASON", "AGE"]
    assert line.split()[:4] == ["calm", POLICY, "backup", "Active"]
