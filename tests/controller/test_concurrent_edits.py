"""What comes of two things at once: the rows of docs/guide/concurrency.md, in virtual time."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.controller.played_cluster import CONFIG_MAP, Cluster, policy
from tests.controller.replicas_in_turn import replica
from tests.controller.what_users_see import switches
from tests.support.policies import AT_ONCE

from providerswitch.api.health import HealthClass
from providerswitch.kube.client import Object

pytestmark = pytest.mark.looptime(start=0)


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    made = Cluster()
    made.start()
    yield made
    await made.stop()


def wanted(generation: int = 1, primary: str = "openai", **spec: Any) -> Object:
    rules = {"failover": {**AT_ONCE, "blacklistDuration": "5s"}, "healthCheck": {"interval": "20s"}, **spec}
    backups = [name for name in ("openai", "google", "third") if name != primary]
    return policy("openai", "google", "third", generation=generation, primary=primary, backups=backups, **rules)


async def opened(cluster: Cluster, **spec: Any) -> None:
    cluster.put(wanted(**spec))
    await asyncio.sleep(1)
    assert cluster.published == "openai"


async def test_of_two_edits_the_last_one_serves(cluster: Cluster) -> None:
    await opened(cluster)
    cluster.put(wanted(2, "google"))
    cluster.put(wanted(3, "third"))
    await asyncio.sleep(3)
    assert cluster.published == "third"


async def test_an_edit_during_an_override_is_carried_out_at_its_end(cluster: Cluster) -> None:
    await opened(cluster)
    cluster.override("calm", "google", "30s")
    await asyncio.sleep(1)
    cluster.put(wanted(2, "third"))
    await asyncio.sleep(20)
    assert cluster.published == "google"
    await asyncio.sleep(15)
    assert cluster.published == "third"


async def test_an_override_during_a_failover_holds_and_ends_in_the_failover(cluster: Cluster) -> None:
    await opened(cluster)
    cluster.provider("openai").health_class = HealthClass.SERVER_ERROR
    await asyncio.sleep(30)
    assert cluster.published == "google"
    cluster.override("calm", "third", "30s")
    await asyncio.sleep(1)
    assert cluster.published == "third"
    await asyncio.sleep(32)
    assert cluster.published == "google"


async def test_of_two_overrides_at_once_the_later_holds(cluster: Cluster) -> None:
    await opened(cluster)
    cluster.override("zulu", "google", "1h")
    cluster.override("alpha", "third", "30s")
    await asyncio.sleep(1)
    assert cluster.published == "third"
    await asyncio.sleep(32)
    assert cluster.published == "openai"


async def test_an_override_in_a_freeze_waits_unless_forced(cluster: Cluster) -> None:
    await opened(cluster)
    for name in ("openai", "google", "third"):
        cluster.provider(name).health_class = HealthClass.TIMEOUT
    await asyncio.sleep(60)
    assert cluster.published == "openai"
    cluster.override("wish", "google")
    await asyncio.sleep(5)
    assert cluster.published == "openai"
    cluster.override("order", "third", force=True)
    await asyncio.sleep(1)
    assert cluster.published == "third"


async def test_a_deletion_at_the_moment_of_expiry_switches_back_once(cluster: Cluster) -> None:
    await opened(cluster)
    cluster.override("calm", "google", "30s")
    await asyncio.sleep(29)
    cluster.clear("calm")
    await asyncio.sleep(10)
    assert cluster.published == "openai"
    assert [switch["to"] for switch in cluster.status["history"]] == ["openai", "google", "openai"]
    assert switches(cluster)


async def test_a_schedule_that_changes_during_an_override_rules_at_its_end(cluster: Cluster) -> None:
    minute = {"name": "soon", "cron": "1 0 * * *", "duration": "1h", "primary": "third"}
    await opened(cluster, schedule=[minute])
    cluster.override("calm", "google", "90s")
    await asyncio.sleep(70)
    assert cluster.published == "google"
    await asyncio.sleep(25)
    assert cluster.published == "third"


async def test_a_standby_that_takes_over_keeps_an_override_and_its_end() -> None:
    objects: dict[str, Object] = {}
    first, term = replica(objects, "openai", "google")
    second, next_term = replica(objects, "openai", "google")
    await term.begin()
    await asyncio.sleep(1)
    made = first.override("calm", "google", "30s")
    second.operator.overrides.see(made)
    await asyncio.sleep(1)
    assert objects[CONFIG_MAP]["data"]["LLM_PROVIDER"] == "google"
    term.end()
    await next_term.begin()
    await asyncio.sleep(10)
    assert objects[CONFIG_MAP]["data"]["LLM_PROVIDER"] == "google"
    await asyncio.sleep(20)
    assert objects[CONFIG_MAP]["data"]["LLM_PROVIDER"] == "openai"
    assert second.standing("calm")["state"] == "Expired"
    await first.stop()
    await second.stop()
