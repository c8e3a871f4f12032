"""Published weights move traffic, so that nothing short of a reason moves them: no blip, no restart, no lost status."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.controller.kept_versions import KeepingApi
from tests.controller.played_cluster import STATUS, Cluster, played
from tests.controller.what_users_see import document, keys, of, provider, restart
from tests.support.eventually import eventually
from tests.support.policies import AT_ONCE
from tests.support.virtual_time import elapsed

from providerswitch.api.health import HealthClass
from providerswitch.kube.client import Object

pytestmark = pytest.mark.looptime(start=0)

HOUR = 3600
WHOLE = {"a": 50, "b": 30, "c": 20}
RULES = {
    "healthCheck": {"interval": "10s", "recoveryThreshold": 2},
    "failover": {**AT_ONCE, "blacklistDuration": "20s"},
    "selection": {"strategy": "Weighted", "rampInterval": "10m"},
}


def weighted(**spec: Any) -> Object:
    """Return a policy that divides the traffic among three providers."""
    return of(*(played(name, weight=share) for name, share in WHOLE.items()), **{**RULES, **spec})


@pytest.fixture
def api() -> KeepingApi:
    return KeepingApi()


@pytest.fixture
async def cluster(api: KeepingApi) -> AsyncIterator[Cluster]:
    made = Cluster(api=api)
    made.start()
    yield made
    await made.stop()


async def fail_once(cluster: Cluster, name: str) -> None:
    """Let one probe of a provider fail, and wait until everybody knows."""
    failing = cluster.provider(name)
    made, failing.health_class = len(failing.asked), HealthClass.SERVER_ERROR
    await eventually(lambda: len(failing.asked) > made, within=20)
    await asyncio.sleep(0.1)
    failing.health_class = HealthClass.HEALTHY


async def fall_out(cluster: Cluster, name: str) -> None:
    """Let a provider go down and come back: with full weight only after three intervals of ten minutes."""
    cluster.provider(name).health_class = HealthClass.CONNECT_REFUSED
    await asyncio.sleep(60)
    cluster.provider(name).health_class = HealthClass.HEALTHY


async def watch(cluster: Cluster, api: KeepingApi, seconds: float) -> list[dict[str, int]]:
    """Return the weights that are published in these seconds: those at the beginning, and each change."""
    seen, began = [document(cluster)["weights"]], elapsed()
    await asyncio.sleep(seconds)
    for weights in (each["weights"] for each in api.documents(began)):
        seen += [weights] if weights != seen[-1] else []
    return seen


async def test_one_failed_probe_moves_no_traffic(cluster: Cluster, api: KeepingApi) -> None:
    cluster.put(weighted())
    await asyncio.sleep(60)
    before = keys(cluster)
    await fail_once(cluster, "b")
    assert provider(cluster, "b")["state"] == "Suspect"

    assert document(cluster)["weights"] == WHOLE
    assert await watch(cluster, api, HOUR) == [WHOLE]
    assert keys(cluster) == before


async def test_one_that_is_down_has_no_part_of_the_traffic(cluster: Cluster, api: KeepingApi) -> None:
    cluster.put(weighted())
    await asyncio.sleep(60)
    cluster.provider("b").health_class = HealthClass.SERVER_ERROR
    assert (await watch(cluster, api, 60))[1:] == [{"a": 71, "c": 29}]


async def test_one_failed_probe_before_a_restart_moves_no_traffic_though_the_provider_was_away_once(
    cluster: Cluster, api: KeepingApi
) -> None:
    cluster.put(weighted())
    await asyncio.sleep(60)
    await fall_out(cluster, "b")
    await asyncio.sleep(2 * HOUR)
    assert document(cluster)["weights"] == WHOLE
    before = keys(cluster)
    await fail_once(cluster, "b")

    for _ in range(2):
        await asyncio.sleep(60)
        heir = await restart(cluster, weighted())
        assert await watch(heir, api, 600) == [WHOLE]
        assert keys(heir) == before
        cluster = heir
    await heir.stop()


async def test_weights_stand_while_a_new_operator_with_a_lost_status_asks_everybody(
    cluster: Cluster, api: KeepingApi
) -> None:
    cluster.put(weighted())
    await asyncio.sleep(60)
    before = keys(cluster)
    await cluster.stop()
    del cluster.api.objects[STATUS]
    for at, name in enumerate(WHOLE, start=1):
        cluster.provider(name).seconds = at / 2

    heir = await restart(cluster, weighted())
    assert await watch(heir, api, 120) == [WHOLE]
    assert keys(heir) == before
    await heir.stop()


async def test_with_a_lost_status_one_that_is_down_gives_its_part_away(cluster: Cluster, api: KeepingApi) -> None:
    cluster.put(weighted())
    await asyncio.sleep(60)
    await cluster.stop()
    del cluster.api.objects[STATUS]
    cluster.provider("c").health_class = HealthClass.CONNECT_REFUSED

    heir = await restart(cluster, weighted())
    assert (await watch(heir, api, 120))[-1] == {"a": 63, "b": 37}
    await heir.stop()


async def test_after_a_restart_the_ramp_goes_on_where_it_was(cluster: Cluster, api: KeepingApi) -> None:
    cluster.put(weighted())
    await asyncio.sleep(60)
    await fall_out(cluster, "b")
    await asyncio.sleep(900)
    before = document(cluster)["weights"]
    await fail_once(cluster, "b")
    heir = await restart(cluster, weighted())
    seen = await watch(heir, api, 1800)
    await heir.stop()

    assert before["b"] < seen[-2]["b"] < WHOLE["b"]
    assert [seen[0], seen[-1], len(seen)] == [before, WHOLE, 3]
