"""The wall clock jumps: somebody set it, or a machine slept. Consumers must not notice."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.controller import played_cluster
from tests.controller.played_cluster import KEY, Cluster, policy
from tests.support.virtual_time import loop_clock

from providerswitch.api.health import HealthClass

pytestmark = pytest.mark.looptime(start=0)

JUMPS = [timedelta(hours=1), timedelta(hours=-1), timedelta(days=3), timedelta(days=-3), timedelta(seconds=-20)]
QUICK = {"healthCheck": {"interval": "10s"}, "failover": {"blacklistDuration": "300s", "minDwell": "60s"}}


class Wall:
    """A clock apart from the loop's time."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        return loop_clock() + self.ahead


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> Wall:
    made = Wall()
    monkeypatch.setattr(played_cluster, "loop_clock", made)
    return made


@pytest.fixture
async def cluster(wall: Wall) -> AsyncIterator[Cluster]:
    made = Cluster()
    yield made
    await made.stop()


async def settle(cluster: Cluster, **spec: Any) -> None:
    """Let a policy serve for ten minutes."""
    cluster.start()
    cluster.put(policy(**{**QUICK, **spec}))
    await asyncio.sleep(600)
    assert cluster.published == "openai"


def numbers(tree: object) -> Iterator[tuple[str, float]]:
    """Yield all numbers of a status by their name."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for name, value in items:
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield str(name), value
        yield from numbers(value)


def insane(cluster: Cluster) -> list[tuple[str, float]]:
    """Return the figures that are negative, and the shares above 1."""
    told = list(numbers(cluster.status))
    told += [(sample.name, sample.value) for metric in cluster.metrics.registry.collect() for sample in metric.samples]
    shares = {"availability", "errorRate", "successRate"}
    return [(name, value) for name, value in told if value < 0 or (value > 1 and name in shares)]


def errors(cluster: Cluster) -> float:
    return sum(
        sample.value
        for metric in cluster.metrics.registry.collect()
        for sample in metric.samples
        if sample.name == "providerswitch_reconcile_errors_total"
    )


@pytest.mark.parametrize("jump", JUMPS, ids=str)
async def test_a_jump_in_calm_changes_nothing(cluster: Cluster, wall: Wall, jump: timedelta) -> None:
    await settle(cluster)
    wall.ahead += jump
    await asyncio.sleep(900)
    assert cluster.published == "openai"
    assert [entry["trigger"] for entry in cluster.status["history"]] == ["Initial"]
    assert insane(cluster) == []
    assert errors(cluster) == 0


@pytest.mark.parametrize("jump", JUMPS, ids=str)
async def test_after_a_jump_an_outage_is_answered_as_ever(cluster: Cluster, wall: Wall, jump: timedelta) -> None:
    await settle(cluster)
    wall.ahead += jump
    await asyncio.sleep(90)
    cluster.provider("openai").health_class = HealthClass.SERVER_ERROR
    await asyncio.sleep(20)
    assert cluster.published == "backup"
    assert insane(cluster) == []


@pytest.mark.parametrize("jump", JUMPS, ids=str)
async def test_a_jump_right_after_a_failover_blacklists_nobody_for_longer_than_it_should(
    cluster: Cluster, wall: Wall, jump: timedelta
) -> None:
    await settle(cluster)
    cluster.provider("openai").health_class = HealthClass.SERVER_ERROR
    await asyncio.sleep(20)
    assert cluster.published == "backup"
    wall.ahead += jump
    cluster.provider("openai").health_class = HealthClass.HEALTHY
    await asyncio.sleep(600)
    assert cluster.published == "openai"
    assert insane(cluster) == []
    assert errors(cluster) == 0


@pytest.mark.parametrize("jump", JUMPS, ids=str)
async def test_a_jump_during_an_outage_is_survived(cluster: Cluster, wall: Wall, jump: timedelta) -> None:
    await settle(cluster)
    cluster.provider("openai").health_class = HealthClass.SERVER_ERROR
    await asyncio.sleep(10.5)
    wall.ahead += jump
    await asyncio.sleep(60)
    assert cluster.published == "backup"
    assert insane(cluster) == []
    entry = cluster.operator.registry.get(KEY)
    assert entry
    assert errors(cluster) == 0
