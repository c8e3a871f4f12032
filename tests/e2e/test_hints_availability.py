"""Hints with several replicas: the Service leads to the one that leads, and the others say so."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from tests.support.api_proxy import ApiProxy
from tests.support.control_plane import ControlPlane
from tests.support.eventually import eventually
from tests.support.hints import SERVICE, Endpoint, grant, issue_token, make_account, revoke
from tests.support.kubectl import Kubectl
from tests.support.operator_process import OperatorProcess, operator_kubeconfig
from tests.support.replicas import Replica, Replicas, rights
from tests.support.scene import Scene

SYSTEM, NAME = SERVICE.split("/")


@dataclass(slots=True)
class Pods:
    """Replicas, the addresses they take for their own, and where they take hints."""

    replicas: Replicas
    addresses: dict[int, str] = field(default_factory=dict)
    endpoints: dict[int, Endpoint] = field(default_factory=dict)

    def address(self, replica: Replica) -> str:
        """Return what a replica takes for its Pod's address; nobody connects to it here."""
        return self.addresses[replica.operator.port]

    async def slice(self) -> dict[str, Any]:
        """Return the EndpointSlice."""
        kubectl = self.replicas.scene.kubectl
        text = await asyncio.to_thread(
            kubectl.ok, "get", "endpointslice", NAME, "-n", SYSTEM, "-o", "json", "--ignore-not-found"
        )
        return dict(json.loads(text)) if text else {}

    async def leads_to(self, replica: Replica, within: float = 15) -> None:
        """Wait until the Service leads to a replica."""

        async def there() -> bool:
            found = (await self.slice()).get("endpoints", [])
            return [each["addresses"] for each in found] == [[self.address(replica)]]

        await eventually(there, within=within)


@pytest.fixture
async def pods(installed: ControlPlane, namespace: str, kubectl: Kubectl, tmp_path: Path) -> AsyncIterator[Pods]:
    await asyncio.to_thread(grant, kubectl)
    await asyncio.to_thread(kubectl.ok, "delete", "endpointslice", NAME, "-n", SYSTEM, "--ignore-not-found")
    flags = ("--namespaces", namespace, "--allow-probe-cidr", "127.0.0.0/8", "--leader-elect")
    lease = ("--lease-namespace", namespace, "--lease-duration", "3s")
    direct, number = operator_kubeconfig(installed, tmp_path), count(1)

    async def start() -> Replica:
        proxy, endpoint, address = ApiProxy(installed.url, installed.certificate), Endpoint(tmp_path), next(number)
        await proxy.start()
        kubeconfig = proxy.kubeconfig(direct, tmp_path / f"replica-{address}.kubeconfig")
        here = ("--hints-service", SERVICE, "--pod-ip", f"10.244.0.{address}")
        replica = Replica(OperatorProcess(kubeconfig, (*flags, *lease, *endpoint.flags(), *here)), proxy)
        proxy.tripwire = replica.note
        replica.reachable.set()
        made.addresses[replica.operator.port] = f"10.244.0.{address}"
        made.endpoints[replica.operator.port] = endpoint
        await replica.operator.start()
        await replica.operator.ready()
        return replica

    scene = Scene(namespace, kubectl, OperatorProcess(direct))
    await scene.apply(*rights(namespace))
    made = Pods(Replicas(scene, start))
    async with scene.stack:
        scene.operator = (await asyncio.gather(made.replicas.add(), made.replicas.add()))[0].operator
        await make_account(kubectl, namespace, "app", [namespace])
        yield made
        await made.replicas.stop()
    await asyncio.to_thread(revoke, kubectl)


async def test_the_service_leads_to_the_leader_and_the_standby_sends_callers_away(pods: Pods, kubectl: Kubectl) -> None:
    scene = pods.replicas.scene
    await scene.opens("openai", "backup")
    leader, standby = await pods.replicas.pair()
    await pods.leads_to(leader)
    token = await issue_token(kubectl, scene.namespace, "app")
    answers = [await pods.endpoints[each.operator.port].hint(token, scene.namespace) for each in (leader, standby)]
    assert [answer.status_code for answer in answers] == [202, 503]
    assert answers[1].headers["Retry-After"] == "1"
    (owner,) = (await pods.slice())["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"]) == ("Service", NAME)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_after_the_leader_is_gone_the_service_leads_to_its_successor(
    pods: Pods, kubectl: Kubectl, number: signal.Signals
) -> None:
    scene = pods.replicas.scene
    await scene.opens("openai", "backup")
    leader, standby = await pods.replicas.pair()
    await pods.leads_to(leader)
    await pods.replicas.end(leader, number)
    await pods.leads_to(standby)
    token = await issue_token(kubectl, scene.namespace, "app")
    assert (await pods.endpoints[standby.operator.port].hint(token, scene.namespace)).status_code == 202


async def test_a_slice_that_was_deleted_comes_back(pods: Pods, kubectl: Kubectl) -> None:
    leader, _ = await pods.replicas.pair()
    await pods.leads_to(leader)
    await asyncio.to_thread(kubectl.ok, "delete", "endpointslice", NAME, "-n", SYSTEM)
    await pods.leads_to(leader, within=40)
