"""Several replicas: one leads, the others stand by and know; nobody writes who does not hold the Lease."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest
from tests.e2e.test_drill import FAST, becomes, drill, is_clean
from tests.support.api_proxy import ApiProxy
from tests.support.control_plane import ControlPlane
from tests.support.eventually import eventually
from tests.support.kubectl import Kubectl
from tests.support.operator_process import OperatorProcess, operator_kubeconfig
from tests.support.replicas import LEASE, Replica, Replicas, rights
from tests.support.scene import POLICY, QUICK, Scene

from providerswitch.demo.fakes import Fault

SECONDS = 3
"""Of the Lease."""
PATIENT = {**QUICK, "failureThreshold": 8, "fastInterval": "500ms"}
"""A replica that began to probe only when it began to lead would need 4 s to believe in an outage."""


@pytest.fixture
async def replicas(
    installed: ControlPlane, namespace: str, kubectl: Kubectl, tmp_path: Path
) -> AsyncIterator[Replicas]:
    """Two operators in a namespace; the Lease lies in it, too."""
    flags = ("--namespaces", namespace, "--allow-probe-cidr", "127.0.0.0/8", "--leader-elect")
    lease = ("--lease-namespace", namespace, "--lease-duration", f"{SECONDS}s")
    direct, number = operator_kubeconfig(installed, tmp_path), count()

    async def start() -> Replica:
        proxy = ApiProxy(installed.url, installed.certificate)
        await proxy.start()
        kubeconfig = proxy.kubeconfig(direct, tmp_path / f"replica-{next(number)}.kubeconfig")
        replica = Replica(OperatorProcess(kubeconfig, (*flags, *lease)), proxy)
        proxy.tripwire = replica.note
        replica.reachable.set()
        await replica.operator.start()
        await replica.operator.ready()
        return replica

    scene = Scene(namespace, kubectl, OperatorProcess(direct))
    await scene.apply(*rights(namespace))
    made = Replicas(scene, start)
    async with scene.stack:
        scene.operator = (await asyncio.gather(made.add(), made.add()))[0].operator
        yield made
        await made.stop()


async def holder(replicas: Replicas) -> str:
    return str((await replicas.lease()).get("holderIdentity") or "")


async def test_one_replica_decides_and_writes_and_the_other_only_probes(replicas: Replicas) -> None:
    scene = replicas.scene
    await scene.opens("openai", "backup")
    first, second = await replicas.pair()
    await scene.providers["openai"].behave(Fault.SERVER_ERROR)

    await scene.serves("backup")

    assert first.written
    assert second.written == []
    assert await second.operator.samples("providerswitch_policy_ready") == []
    assert await second.operator.metric("providerswitch_probes_total") > 0
    assert (await replicas.lease())["leaseDurationSeconds"] == SECONDS


async def test_a_leader_that_is_told_to_stop_hands_over_within_a_second(replicas: Replicas) -> None:
    scene = replicas.scene
    await scene.opens("openai", "backup")
    first, second = await replicas.pair()
    former = await holder(replicas)

    told = datetime.now(UTC)
    code = await replicas.end(first, signal.SIGTERM)

    assert code == 0
    assert await replicas.leader() is second
    assert await replicas.acquired() - told < timedelta(seconds=1)
    assert await holder(replicas) != former
    assert (await replicas.lease())["leaseTransitions"] == 1
    await scene.edit(primary="backup")
    assert (await scene.serves("backup"))["LLM_REVISION"] == "2"


async def test_a_leader_that_is_killed_is_replaced_within_the_time_of_the_lease_by_one_that_knows(
    replicas: Replicas,
) -> None:
    scene = replicas.scene
    await scene.opens("openai", "backup", healthCheck=PATIENT)
    first, second = await replicas.pair()
    killed = datetime.now(UTC)
    await replicas.kill(first)
    await scene.providers["openai"].behave(Fault.SERVER_ERROR)
    asked = len(scene.providers["openai"].log)
    await eventually(lambda: len(scene.providers["openai"].log) >= asked + PATIENT["failureThreshold"], within=10)

    assert (await scene.serves("backup"))["LLM_REVISION"] == "2"

    assert await replicas.leader() is second
    taken = await replicas.acquired()
    assert taken - killed < timedelta(seconds=SECONDS + 1)
    newest = (await scene.status())["history"][0]
    assert (newest["trigger"], newest["to"]) == ("Failover", "backup")


async def test_a_leader_that_was_stopped_for_a_while_writes_nothing_when_it_goes_on(replicas: Replicas) -> None:
    scene = replicas.scene
    await scene.opens("openai", "backup", "third")
    first, second = await replicas.pair()
    first.send(signal.SIGSTOP)
    await scene.providers["openai"].behave(Fault.SERVER_ERROR)
    await scene.serves("backup")
    written = len(first.written)
    await scene.edit(primary="third")
    await scene.serves("third")

    first.send(signal.SIGCONT)

    await eventually(lambda: "no longer leads" in first.operator.text)
    await eventually(lambda: "standing by" in first.operator.text.rpartition("no longer leads")[2])
    assert await replicas.leader() is second
    assert first.written[written:] == []
    assert (await scene.serves("third"))["LLM_REVISION"] == "3"
    await replicas.kill(second)
    await scene.edit(primary="backup", failover={"blacklistDuration": "0s"})
    assert (await scene.serves("backup"))["LLM_REVISION"] == "4"


async def test_a_leader_that_is_cut_off_from_the_api_server_is_replaced_and_lives_on(replicas: Replicas) -> None:
    scene = replicas.scene
    await scene.opens("openai", "backup")
    first, second = await replicas.pair()
    first.reachable.clear()
    await scene.providers["openai"].behave(Fault.SERVER_ERROR)

    await scene.serves("backup")

    assert await replicas.leader() is second
    first.reachable.set()
    await replicas.kill(second)
    await scene.edit(primary="backup")
    assert await replicas.leader() is first


async def test_after_an_outage_of_the_api_server_that_outlasts_the_lease_the_leader_goes_on_at_once(
    replicas: Replicas,
) -> None:
    scene = replicas.scene
    await scene.opens("openai", "backup")
    first, second = await replicas.pair()
    for each in (first, second):
        each.reachable.clear()
    await scene.providers["openai"].behave(Fault.SERVER_ERROR)
    await eventually(lambda: "no longer leads" in first.operator.text, within=2 * SECONDS)
    assert (await scene.look("configmap", f"{POLICY}-provider"))["data"]["LLM_PROVIDER"] == "openai"

    for each in (first, second):
        each.reachable.set()
    back = datetime.now(UTC)

    await scene.serves("backup")
    newest = (await scene.status())["history"][0]
    assert datetime.fromisoformat(newest["time"]) - back < timedelta(seconds=1)
    assert [each.operator.process.returncode for each in (first, second) if each.operator.process] == [None, None]


async def test_a_lease_that_somebody_deletes_or_edits_leaves_one_leader(replicas: Replicas) -> None:
    scene = replicas.scene
    await scene.opens("openai", "backup")
    first, _ = await replicas.pair()
    who = await holder(replicas)
    await replicas.edit_lease({"metadata": {"labels": {"edited": "by-hand"}}})
    await scene.run("delete", "lease", LEASE)

    async def held_again() -> bool:
        return await holder(replicas) != ""

    await eventually(held_again)
    leader = await replicas.leader()
    assert (await holder(replicas) == who) is (leader is first)
    await scene.edit(primary="backup")
    await scene.serves("backup")


async def test_the_standby_asks_nothing_that_is_billed(replicas: Replicas) -> None:
    scene = replicas.scene
    billed = {**QUICK, "generation": {"interval": "10s"}}
    await scene.opens("openai", "backup", healthCheck=billed)
    first, second = await replicas.pair()

    async def asked_of(replica: Replica) -> float:
        return await replica.operator.metric("providerswitch_probes_total", tier="generation")

    async def asked_often() -> bool:
        return await asked_of(first) >= 1

    await eventually(asked_often, within=20)
    assert await asked_of(second) == 0
    assert await second.operator.metric("providerswitch_probes_total", tier="liveness") > 0
    await replicas.kill(first)

    async def asks_now() -> bool:
        return await asked_of(second) > 0

    await eventually(asks_now, within=20)


async def test_replacing_every_replica_one_by_one_changes_nothing_that_is_published(replicas: Replicas) -> None:
    scene = replicas.scene
    await scene.opens("openai", "backup", failover={"blacklistDuration": "1h"})
    await scene.providers["openai"].behave(Fault.SERVER_ERROR)
    await scene.serves("backup")
    before = await scene.look("configmap", f"{POLICY}-provider")
    status = await scene.status()
    for old in tuple(replicas.running):
        await replicas.add()
        assert await replicas.end(old, signal.SIGTERM) == 0
    leader = await replicas.leader()
    await eventually(lambda: "decision" in leader.operator.text)
    assert await scene.look("configmap", f"{POLICY}-provider") == before
    after = await scene.status()
    assert json.dumps(after["history"]) == json.dumps(status["history"])
    assert after["revision"] == status["revision"]


async def test_a_replica_that_may_not_use_the_lease_says_so_and_waits(replicas: Replicas) -> None:
    first = await replicas.leader()
    await replicas.scene.run("delete", "rolebinding", LEASE)
    third = OperatorProcess(first.operator.kubeconfig, first.operator.flags)
    await third.start()
    try:
        await eventually(lambda: "update leases.coordination.k8s.io" in third.text, within=10)
        assert "lacks permissions" in third.text
        assert f'"{replicas.scene.namespace}/{LEASE}' in third.text
    finally:
        await third.stop()


async def test_a_drill_ends_with_the_leader_that_ran_it_and_the_next_one_undoes_it(replicas: Replicas) -> None:
    scene = replicas.scene
    await scene.opens("openai", "backup", **{**FAST, "failover": {"blacklistDuration": "5m", "minDwell": "5m"}})
    first, second = await replicas.pair()
    await scene.apply(drill(scene, duration="10m"))
    await scene.serves("backup")

    first.send(signal.SIGSTOP)
    status = await becomes(scene, "Aborted")

    assert status["reason"] == "LeaderChanged"
    await is_clean(scene, "openai")
    written = len(first.written)
    first.send(signal.SIGCONT)
    await eventually(lambda: "standing by" in first.operator.text.rpartition("no longer leads")[2])
    assert first.written[written:] == []
    for each in (first, second):
        assert await each.operator.samples("providerswitch_drill_running") == []
    await replicas.kill(second)
    assert await replicas.leader() is first
    await is_clean(scene, "openai")
