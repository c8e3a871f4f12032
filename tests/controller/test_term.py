"""Beginning and ending to lead, in virtual time: what is taken over, what was known already, and what is left alone."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.controller.played_cluster import CONFIG_MAP, NAMESPACE, POLICY, Cluster, policy
from tests.controller.replicas_in_turn import PATH, PROMPT, replica

from providerswitch.api import meta
from providerswitch.api.errors import ApiServerError
from providerswitch.api.health import HealthClass
from providerswitch.core.outcome import Tier
from providerswitch.kube.client import Object

pytestmark = pytest.mark.looptime(start=0)


def writes(cluster: Cluster) -> list[str]:
    return [path for _, method, path in cluster.api.asked if method != "GET"]


async def test_who_stands_by_probes_and_writes_nothing() -> None:
    cluster, _ = replica({})
    await asyncio.sleep(60)
    cluster.provider("openai").health_class = HealthClass.SERVER_ERROR
    await asyncio.sleep(60)
    assert writes(cluster) == []
    assert len(cluster.provider("openai").asked) > 6
    assert cluster.value("providerswitch_leader") == 0
    assert cluster.value("providerswitch_policy_ready", namespace=NAMESPACE, policy=POLICY) is None
    await cluster.stop()


async def test_who_begins_to_lead_acts_at_once_on_what_it_saw_while_standing_by() -> None:
    objects: dict[str, Object] = {}
    first, first_term = replica(objects)
    second, second_term = replica(objects)
    await first_term.begin()
    await asyncio.sleep(30)
    assert first.published == "openai"
    first_term.end()
    second.provider("openai").health_class = HealthClass.SERVER_ERROR
    await asyncio.sleep(30)
    assert second.published == "openai"

    await second_term.begin()
    await asyncio.sleep(0.1)

    assert second.published == "backup"
    assert [each["trigger"] for each in second.status["history"]] == ["Failover", "Initial"]
    assert second.value("providerswitch_leader") == 1
    for each in (first, second):
        await each.stop()


async def test_what_the_former_leader_did_meanwhile_is_taken_over_not_undone() -> None:
    objects: dict[str, Object] = {}
    first, first_term = replica(objects)
    second, second_term = replica(objects)
    await first_term.begin()
    first.provider("openai").health_class = HealthClass.SERVER_ERROR
    second.provider("openai").health_class = HealthClass.SERVER_ERROR
    await asyncio.sleep(30)
    assert first.published == "backup"
    before = objects[CONFIG_MAP]["data"]
    first_term.end()

    await second_term.begin()
    await asyncio.sleep(30)

    assert objects[CONFIG_MAP]["data"] == before
    entry = second.entry()
    assert entry
    assert (entry.memory.active, entry.memory.revision) == ("backup", int(before["LLM_REVISION"]))
    assert CONFIG_MAP not in writes(second)
    for each in (first, second):
        await each.stop()


async def test_whose_term_is_over_leaves_everything_as_it_is() -> None:
    cluster, term = replica({})
    await term.begin()
    await asyncio.sleep(30)
    written = len(writes(cluster))
    assert cluster.published == "openai"

    term.end()
    cluster.provider("openai").health_class = HealthClass.SERVER_ERROR
    await asyncio.sleep(300)

    assert len(writes(cluster)) == written
    assert cluster.published == "openai"
    assert cluster.value("providerswitch_policy_ready", namespace=NAMESPACE, policy=POLICY) is None
    await cluster.stop()


async def test_only_the_leader_asks_what_is_billed() -> None:
    checks = {"interval": "10s", "fastInterval": "1s", "timeout": "5s", "generation": {"interval": "1m"}}
    cluster, term = replica({}, healthCheck=checks)
    asked = cluster.provider("openai").asked
    await asyncio.sleep(600)
    assert {tier for _, tier in asked} == {Tier.LIVENESS}
    await term.begin()
    await asyncio.sleep(600)
    assert {tier for _, tier in asked} == {Tier.LIVENESS, Tier.GENERATION}
    term.end()
    await asyncio.sleep(60)
    asked.clear()
    await asyncio.sleep(600)
    assert {tier for _, tier in asked} == {Tier.LIVENESS}
    await cluster.stop()


async def test_a_term_begins_when_the_api_server_can_be_read_again() -> None:
    cluster, term = replica({})
    await asyncio.sleep(10)
    cluster.api.trouble = lambda method, path: 503 if method == "GET" and path.endswith(meta.POLICY_PLURAL) else None
    beginning = asyncio.create_task(term.begin())
    await asyncio.sleep(30)
    assert not beginning.done()
    assert cluster.published is None
    cluster.api.trouble = lambda _method, _path: None
    async with asyncio.timeout(timedelta(seconds=1).total_seconds()):
        await beginning
    await asyncio.sleep(1)
    assert cluster.published == "openai"
    await cluster.stop()


async def test_an_api_server_that_asks_for_rest_is_left_alone_while_a_term_begins(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    cluster, term = replica({})
    overloaded = ApiServerError("list", 429, "too many requests", 10.0)
    cluster.api.trouble = lambda _method, path: overloaded if path.endswith("/configmaps") else None
    beginning = asyncio.create_task(term.begin())
    await asyncio.sleep(95)
    assert len(cluster.api.times("GET", "/api/v1/configmaps")) == 10
    assert caplog.text.count("cannot be read") == 1
    beginning.cancel()
    await cluster.stop()


async def test_a_policy_that_its_watch_has_not_told_of_is_taken_over_too() -> None:
    objects: dict[str, Object] = {}
    cluster, term = replica(objects)
    path = PATH.removesuffix(POLICY) + "newcomer"
    objects[path] = policy(name="newcomer", uid="uid-of-newcomer", **PROMPT)
    await term.begin()
    await asyncio.sleep(5)
    assert objects[CONFIG_MAP.replace(POLICY, "newcomer")]["data"]["LLM_PROVIDER"] == "openai"
    await cluster.stop()


async def test_whoever_begins_to_lead_says_so_once_it_does() -> None:
    cluster, term = replica({})
    told: list[bool] = []
    listening = replace(term, begun=lambda: told.append(cluster.operator.reconciler.leading))
    await asyncio.sleep(10)
    assert told == []
    await listening.begin()
    assert told == [True]
    await cluster.stop()
