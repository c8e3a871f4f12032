"""Drills on a real API server, with real providers that never fail: only this policy's probes see the failure."""

import asyncio
import json
import signal
from typing import Any

import pytest
from tests.support.eventually import eventually
from tests.support.operator_process import OperatorProcess
from tests.support.scene import POLICY, QUICK, Scene

from providerswitch.api import meta

FAST = {"healthCheck": {**QUICK, "fastInterval": "100ms"}, "failover": {"blacklistDuration": "1s", "minDwell": "0s"}}


def drill(scene: Scene, name: str = "monday", **spec: Any) -> dict[str, Any]:
    """Return a drill of an outage that lasts three seconds."""
    return {
        "apiVersion": meta.API_VERSION,
        "kind": meta.DRILL_KIND,
        "metadata": {"name": name, "namespace": scene.namespace},
        "spec": {"policyRef": {"name": POLICY}, "duration": "3s", **spec},
    }


async def becomes(scene: Scene, *states: str, name: str = "monday", within: float = 45) -> dict[str, Any]:
    """Wait until a drill is in one of these states; return its status."""

    async def there() -> dict[str, Any] | None:
        found = (await scene.look("psdrill", name)).get("status", {})
        return found if found.get("state") in states else None

    try:
        found: dict[str, Any] | None = await eventually(there, within=within)
    except AssertionError as error:
        raise AssertionError(f"{await scene.look('psdrill', name)}\n{scene.operator.text[-3000:]}") from error
    assert found
    return found


async def is_clean(scene: Scene, active: str) -> None:
    """Wait until a provider serves, and nothing says that another one failed."""

    async def clean() -> bool:
        status = await scene.status()
        well = all(each["state"] == "Healthy" and "ejections" not in each for each in status["providers"])
        return well and "drill" not in status and status["activeProvider"] == active

    assert await eventually(clean, within=20)
    assert (await scene.serves(active))["LLM_PROVIDER"] == active


@pytest.mark.parametrize("fault", ["Outage", "RateLimit", "AuthFailure", "Network", "Flapping"])
async def test_a_fault_is_survived_and_measured(fault: str, scene: Scene) -> None:
    await scene.opens("openai", "backup", **FAST)
    await scene.apply(drill(scene, fault=fault, duration="8s", objectives={"failover": "7s"}))
    await becomes(scene, "Running")
    await scene.serves("backup")
    status = await becomes(scene, "Passed", "Failed", "Aborted", "Refused")

    assert status["state"] == "Passed", status
    result = status["result"]
    assert (result["provider"], result["failedOverTo"]) == ("openai", "backup")
    assert result["detectMillis"] <= result["consumerVisibleMillis"] < 7000
    assert {"publishMillis", "failbackMillis"} <= result.keys()
    assert result["objectives"][0]["met"] is True
    await is_clean(scene, "openai")
    assert (await scene.status())["switching"]["total"] == 1
    reasons = {reason for reason, _ in await scene.events()}
    assert {"DrillStarted", "DrillPassed"} <= reasons
    assert any(note.startswith('Drill "monday": ') for reason, note in await scene.events() if reason == "FailedOver")


async def test_kubectl_shows_where_a_drill_stands(scene: Scene) -> None:
    await scene.opens("openai", "backup", **FAST)
    await scene.apply(drill(scene))
    await becomes(scene, "Passed")
    header, row = (await scene.run("get", "psdrill")).splitlines()
    assert header.split() == ["NAME", "POLICY", "FAULT", "STATE", "FAILOVER", "NEXT", "AGE"]
    assert row.split()[:4] == ["monday", POLICY, "Outage", "Passed"]


@pytest.mark.parametrize("failback", ["Automatic", "Manual"])
async def test_a_drill_that_is_deleted_puts_the_provider_back(failback: str, scene: Scene) -> None:
    failover = {"blacklistDuration": "5m", "minDwell": "5m", "failback": failback}
    await scene.opens("openai", "backup", **{**FAST, "failover": failover})
    await scene.apply(drill(scene, duration="10m"))
    await scene.serves("backup")
    await scene.run("delete", "psdrill", "monday")
    await is_clean(scene, "openai")
    assert "DrillDeleted" in await scene.told("DrillAborted")


@pytest.mark.parametrize("failback", ["Automatic", "Manual"])
async def test_an_operator_that_is_killed_leaves_nothing_behind(failback: str, scene: Scene) -> None:
    failover = {"blacklistDuration": "5m", "minDwell": "5m", "failback": failback}
    await scene.opens("openai", "backup", **{**FAST, "failover": failover})
    await scene.apply(drill(scene, duration="10m"))
    await scene.serves("backup")
    last = scene.operator
    await last.stop(signal.SIGKILL)
    scene.operator = OperatorProcess(last.kubeconfig, last.flags)
    await scene.operator.start()
    await scene.operator.ready()
    await is_clean(scene, "openai")
    status = await becomes(scene, "Aborted")
    assert status["reason"] == "OperatorRestarted"


async def test_an_edit_of_the_policy_ends_its_drill(scene: Scene) -> None:
    await scene.opens("openai", "backup", **{**FAST, "failover": {"blacklistDuration": "5m", "minDwell": "5m"}})
    await scene.apply(drill(scene, duration="10m"))
    await scene.serves("backup")
    await scene.edit(failover={"blacklistDuration": "4m"})
    status = await becomes(scene, "Aborted")
    assert status["reason"] == "PolicyEdited"
    await is_clean(scene, "openai")


async def test_another_policy_with_the_same_providers_is_left_alone(scene: Scene) -> None:
    await scene.opens("openai", "backup", **FAST)
    await scene.apply(scene.policy("other", **FAST))
    await eventually(lambda: _serves(scene, "other"), within=10)
    before = (await scene.status("other"))["history"]
    await scene.apply(drill(scene))
    await becomes(scene, "Passed")
    after = await scene.status("other")
    assert after["history"] == before
    assert all(each["state"] == "Healthy" for each in after["providers"])


async def _serves(scene: Scene, name: str) -> bool:
    return (await scene.status(name)).get("activeProvider") == "openai"


async def test_a_drill_by_schedule_runs_when_it_is_time_and_again_later(scene: Scene) -> None:
    await scene.opens("openai", "backup", **FAST)
    await scene.apply(drill(scene, schedule="* * * * *"))
    status = await becomes(scene, "Scheduled", "Running", "Passed")
    assert "nextRunAt" in status or status["state"] != "Scheduled"
    status = await becomes(scene, "Passed", within=90)
    assert len(status["runs"]) == 1
    assert status["nextRunAt"] > status["startedAt"]
    patch = json.dumps({"spec": {"suspend": True}})
    await scene.run("patch", "psdrill", "monday", "--type=merge", "-p", patch)
    await asyncio.to_thread(scene.kubectl.ok, "get", "psdrill", "-n", scene.namespace)
    assert await eventually(lambda: _rests(scene), within=10)


async def _rests(scene: Scene) -> bool:
    status = (await scene.look("psdrill", "monday")).get("status", {})
    return "nextRunAt" not in status


async def test_what_is_over_is_removed_after_a_while(scene: Scene) -> None:
    await scene.opens("openai", "backup", **FAST)
    await scene.apply(drill(scene, policyRef={"name": "nobody"}))
    status = await becomes(scene, "Refused")
    assert status["reason"] == "PolicyNotFound"
    assert "conditions" in status
