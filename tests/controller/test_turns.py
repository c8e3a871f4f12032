"""Turns: work begins piece by piece, the loop free in between, and namespaces take turns."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from itertools import pairwise

import pytest
from tests.controller.played_cluster import NAMESPACE, Cluster, policy

from providerswitch.api.health import HealthClass
from providerswitch.controller.turns import Turns
from providerswitch.kube.client import Object

pytestmark = pytest.mark.looptime(start=0)

CROWD = 60


def lone() -> Object:
    """Return a policy of another namespace, with providers of its own."""
    made = policy("solo", "spare", name="lone", uid="uid-of-lone")
    made["metadata"]["namespace"] = "team-b"
    return made


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    """A namespace with many policies that share all their providers, and another with one."""
    made = Cluster()
    made.start()
    yield made
    await made.stop()


async def settle(cluster: Cluster) -> None:
    for number in range(CROWD):
        cluster.put(policy(name=f"p{number}", uid=f"uid-{number}"))
    cluster.operator.on_policy("ADDED", lone())
    await asyncio.sleep(5)


async def test_policies_that_are_woken_together_are_reconciled_with_the_loop_free_in_between(cluster: Cluster) -> None:
    await settle(cluster)
    counts = [cluster.value("providerswitch_reconciles_total") or 0]
    cluster.operator.registry.wake_all(cluster.operator.registry)
    while counts[-1] < counts[0] + CROWD + 1:
        await asyncio.sleep(0)
        counts.append(cluster.value("providerswitch_reconciles_total") or 0)
    assert max(later - earlier for earlier, later in pairwise(counts)) == 1


async def test_a_policy_alone_in_its_namespace_does_not_wait_for_all_policies_of_another(cluster: Cluster) -> None:
    await settle(cluster)
    for name in ("openai", "solo"):
        cluster.provider(name).health_class = HealthClass.QUOTA_EXHAUSTED
    await asyncio.sleep(40)
    seen = [path for _, method, path in cluster.api.asked if method == "PATCH" and path.endswith("-provider")]
    switches = seen[CROWD + 1 :]
    first = switches.index("/api/v1/namespaces/team-b/configmaps/lone-provider")

    assert len(switches) == CROWD + 1
    assert first < 3
    assert {path.split("/")[4] for path in switches} == {NAMESPACE, "team-b"}


async def began(turns: Turns, namespace: str, order: list[str]) -> None:
    await turns.take(namespace)
    order.append(namespace)


async def test_namespaces_take_turns_whoever_came_first_and_however_many_wait() -> None:
    turns, order = Turns(), list[str]()
    waiting = [asyncio.create_task(began(turns, name, order)) for name in ("a", "a", "a", "b", "b", "c")]
    await asyncio.gather(*waiting)
    assert order == ["a", "b", "c", "a", "b", "a"]
    await began(turns, "a", order)
    assert order[-1] == "a"


async def test_who_no_longer_wants_a_turn_costs_the_others_none() -> None:
    turns, order = Turns(), list[str]()
    waiting = [asyncio.create_task(began(turns, name, order)) for name in ("a", "b", "a", "b")]
    await asyncio.sleep(0)
    waiting[0].cancel()
    waiting[1].cancel()
    with suppress(asyncio.CancelledError):
        await asyncio.gather(*waiting, return_exceptions=True)
    assert sorted(order) == ["a", "b"]
