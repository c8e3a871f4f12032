"""Where overrides meet the rest: manual modes, edits, crashes, slow probes, the schedule, refused publications."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.controller.played_cluster import CONFIG_MAP, STATUS, Cluster, played, policy
from tests.controller.what_users_see import condition, document, of, plain, restart, switches
from tests.support.policies import AT_ONCE

from providerswitch.api.health import HealthClass
from providerswitch.kube.client import Object

pytestmark = pytest.mark.looptime(start=0)

MANUAL = {"mode": "Manual"}
BY_HAND = {"failback": "Manual"}


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    made = Cluster()
    made.start()
    yield made
    await made.stop()


def wanted(generation: int = 1, *, failover: Any = None, **spec: Any) -> Object:
    rules = {"failover": {**AT_ONCE, "blacklistDuration": "5s", **(failover or {})}, "healthCheck": {"interval": "20s"}}
    return policy("openai", "google", "third", generation=generation, **{**rules, **spec})


async def opened(cluster: Cluster, **spec: Any) -> None:
    cluster.put(wanted(**spec))
    await asyncio.sleep(1)
    assert cluster.published == "openai"


@pytest.mark.parametrize("by_hand", [MANUAL, BY_HAND], ids=["mode", "failback"])
async def test_an_override_that_was_made_the_primary_meanwhile_stays_at_its_end(
    cluster: Cluster, by_hand: dict[str, str]
) -> None:
    await opened(cluster, failover=by_hand)
    cluster.override("calm", "google", "60s")
    await asyncio.sleep(10)
    cluster.put(wanted(2, failover=by_hand, primary="google"))
    await asyncio.sleep(60)
    assert cluster.published == "google"
    assert switches(cluster)[1:] == [("openai", "google", "Override")]


async def test_a_return_that_was_requested_meanwhile_holds_at_its_end(cluster: Cluster) -> None:
    await opened(cluster, failover=BY_HAND)
    cluster.provider("openai").health_class = HealthClass.SERVER_ERROR
    await asyncio.sleep(60)
    cluster.provider("openai").health_class = HealthClass.HEALTHY
    await asyncio.sleep(200)
    assert cluster.published == "google"
    cluster.override("calm", "openai", "60s")
    await asyncio.sleep(10)
    asked = wanted(failover=BY_HAND)
    asked["metadata"]["annotations"] = {"providerswitch.dev/failback-requested-at": "now"}
    cluster.put(asked)
    await asyncio.sleep(60)
    assert cluster.published == "openai"


@pytest.mark.parametrize("by_hand", [MANUAL, BY_HAND], ids=["mode", "failback"])
async def test_the_way_back_is_known_though_a_crash_came_before_the_status_and_the_override_is_gone(
    cluster: Cluster, by_hand: dict[str, str]
) -> None:
    await opened(cluster, failover=by_hand)
    cluster.api.trouble = lambda method, path: 500 if method == "PATCH" and path == STATUS else None
    cluster.override("calm", "google")
    await asyncio.sleep(0.2)
    assert cluster.published == "google"
    await cluster.stop()
    cluster.api.trouble = lambda _method, _path: None
    cluster.clear("calm", seen=False)
    successor = await restart(cluster, wanted(failover=by_hand))
    await asyncio.sleep(3)
    assert successor.published == "openai"
    assert switches(successor)[-1] == ("google", "openai", "OverrideEnded")
    await successor.stop()


async def test_a_provider_that_answers_slowly_after_a_restart_is_still_returned_to(cluster: Cluster) -> None:
    await opened(cluster, failover=MANUAL)
    cluster.override("calm", "google", "60s")
    await asyncio.sleep(1)
    await cluster.stop()
    await asyncio.sleep(100)
    cluster.provider("openai").seconds = 3
    successor = await restart(cluster, wanted(failover=MANUAL))
    await asyncio.sleep(10)
    assert successor.published == "openai"
    await successor.stop()


async def test_a_provider_that_fails_once_just_then_is_still_returned_to(cluster: Cluster) -> None:
    await opened(cluster, failover=MANUAL, healthCheck={"interval": "20s", "fastInterval": "5s"})
    cluster.override("calm", "google", "62s")
    await asyncio.sleep(55)
    cluster.provider("openai").health_class = HealthClass.SERVER_ERROR
    await asyncio.sleep(6)
    cluster.provider("openai").health_class = HealthClass.HEALTHY
    await asyncio.sleep(10)
    assert cluster.published == "openai"


async def test_what_a_removed_task_was_overridden_by_is_forgotten(cluster: Cluster) -> None:
    await opened(cluster, tasks=[{"name": "embed"}])
    cluster.override("calm", "google", task="embed")
    await asyncio.sleep(5)
    assert [each["task"] for each in cluster.status["overrides"]] == ["embed"]
    cluster.put(wanted(2))
    await asyncio.sleep(5)
    assert "overrides" not in cluster.status


async def test_an_override_that_cannot_work_leaves_the_policy_ready(cluster: Cluster) -> None:
    listed = (*plain("openai", "google"), played("third", auth={"secretKeyRef": {"name": "none", "key": "k"}}))
    cluster.put(of(*listed, backups=["google"], healthCheck={"interval": "20s"}))
    await asyncio.sleep(1)
    cluster.override("wrong", "third")
    await asyncio.sleep(1)
    assert cluster.standing("wrong")["reason"] == "ProviderUnusable"
    assert condition(cluster, "Ready")["status"] == "True"
    assert "SecretNotFound" not in cluster.api.events()


async def test_while_a_publication_is_refused_no_working_provider_is_called_down(cluster: Cluster) -> None:
    await opened(cluster)
    cluster.api.trouble = lambda method, path: 403 if method == "PATCH" and path == CONFIG_MAP else None
    cluster.override("calm", "google", "60s")
    await asyncio.sleep(30)
    told = condition(cluster, "Overridden")
    assert told["status"] == "True"
    assert "down" not in told["message"]
    cluster.api.trouble = lambda _method, _path: None
    await asyncio.sleep(15)
    assert cluster.published == "google"
    cluster.api.trouble = lambda method, path: 403 if method == "PATCH" and path == CONFIG_MAP else None
    await asyncio.sleep(60)
    assert cluster.published == "google"
    cluster.api.trouble = lambda _method, _path: None
    await asyncio.sleep(15)
    assert cluster.published == "openai"
    assert switches(cluster)[-1] == ("google", "openai", "OverrideEnded")


NIGHTS = {"name": "nights", "cron": "5 0 * * *", "duration": "1h", "primary": "google"}


@pytest.mark.parametrize("ends_at", [1800, 4000], ids=["before the window does", "after the window did"])
async def test_what_the_schedule_brought_it_takes_away_though_an_override_came_between(
    cluster: Cluster, ends_at: int
) -> None:
    cluster.put(wanted(failover=BY_HAND, schedule=[NIGHTS]))
    await asyncio.sleep(600)
    assert cluster.published == "google"
    cluster.override("calm", "third", f"{ends_at - 600}s")
    await asyncio.sleep(4200 - 600)
    assert cluster.published == "openai"


async def test_a_schedule_that_begins_meanwhile_takes_away_what_it_brought(cluster: Cluster) -> None:
    late = {**NIGHTS, "cron": "10 0 * * *"}
    await opened(cluster, failover=BY_HAND, schedule=[late])
    cluster.override("calm", "third", "1200s")
    await asyncio.sleep(1300)
    assert cluster.published == "google"
    await asyncio.sleep(3600)
    assert cluster.published == "openai"


async def test_by_score_a_provider_that_is_no_worse_does_not_stay_for_having_been_overridden_to(
    cluster: Cluster,
) -> None:
    cluster.put(wanted(selection={"strategy": "Performance", "minSamples": 1}))
    await asyncio.sleep(60)
    before = cluster.published
    cluster.override("calm", "third", "60s")
    await asyncio.sleep(30)
    assert cluster.published == "third"
    await asyncio.sleep(40)
    assert cluster.published == before


async def test_a_rotation_gives_no_turn_to_whom_only_an_override_asks_for(cluster: Cluster) -> None:
    turns = {"name": "turns", "cron": "*/10 * * * *", "rotate": True}
    cluster.put(wanted(backups=["google"], schedule=[turns]))
    await asyncio.sleep(10)
    cluster.override("calm", "third", "1h")
    seen = set()
    for _ in range(5):
        await asyncio.sleep(600)
        seen.add(cluster.status["schedule"]["rotatedTo"])
    assert seen == {"openai", "google"}


async def test_a_standby_may_see_a_finished_override_again_and_again(cluster: Cluster) -> None:
    await opened(cluster)
    made = cluster.override("calm", "google", "10s")
    await asyncio.sleep(20)
    finished = {**made, "status": cluster.standing("calm")}
    cluster.operator.overrides.follow()
    for version in ("900", "901"):
        named = {**made["metadata"], "resourceVersion": version, "labels": {"seen": version}}
        cluster.operator.overrides.see({**finished, "metadata": named})
    assert cluster.published == "openai"


async def test_weights_send_nobody_past_an_override(cluster: Cluster) -> None:
    await opened(cluster, selection={"strategy": "Weighted"})
    assert set(document(cluster)["weights"]) == {"openai", "google", "third"}
    cluster.override("calm", "google", "60s")
    await asyncio.sleep(10)
    assert document(cluster)["weights"] == {"google": 100}
    await asyncio.sleep(60)
    assert set(document(cluster)["weights"]) == {"openai", "google", "third"}


async def test_a_task_finds_its_way_back_though_a_crash_came_before_the_status(cluster: Cluster) -> None:
    tasks = [{"name": "embed"}]
    await opened(cluster, failover=MANUAL, tasks=tasks)
    cluster.api.trouble = lambda method, path: 500 if method == "PATCH" and path == STATUS else None
    cluster.override("calm", "google", "60s", task="embed")
    await asyncio.sleep(0.2)
    assert document(cluster)["tasks"]["embed"]["name"] == "google"
    await cluster.stop()
    cluster.api.trouble = lambda _method, _path: None
    successor = await restart(cluster, wanted(failover=MANUAL, tasks=tasks))
    await asyncio.sleep(10)
    assert document(successor)["tasks"]["embed"]["name"] == "google"
    await asyncio.sleep(60)
    assert document(successor)["tasks"]["embed"]["name"] == "openai"
    await successor.stop()
