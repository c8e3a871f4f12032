"""A replica that led before, stood by, and leads again: what it knew then must not count for more than what is written.

And a take-over while the watch of policies lags behind what the API server holds.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.controller.played_cluster import CONFIG_MAP, NAMESPACE, POLICY, STATUS, Cluster, PlayedApi, policy
from tests.controller.replicas_in_turn import PATH, replica
from tests.support.virtual_time import PlayedProvider, loop_clock

from providerswitch.api import meta
from providerswitch.api.health import HealthClass
from providerswitch.api.status import HealthState
from providerswitch.controller.sweeping import sweep
from providerswitch.core.limits import Limits
from providerswitch.core.outcome import Outcome, Tier
from providerswitch.kube.client import KubeClient, Object

pytestmark = pytest.mark.looptime(start=0)

CHECKS = {"interval": "1h", "prompts": [{"prompt": "2+2?", "expect": {"contains": "4"}}]}
BILLED = {"interval": "10s", "fastInterval": "1s", "timeout": "5s", "generation": {"interval": "1m"}}


class Hollow(PlayedProvider):
    """Answers everything but what is billed, while `trouble` lasts."""

    trouble: HealthClass | None = None

    async def probe(self, tier: Tier, deadline: timedelta) -> Outcome:
        fails = self.trouble is not None and tier is Tier.GENERATION
        self.health_class = self.trouble if fails and self.trouble else HealthClass.HEALTHY
        return await PlayedProvider.probe(self, tier, deadline)


def hollow(*clusters: Cluster) -> tuple[Hollow, ...]:
    """Let the primary of each replica be one that only billed probes can tell from a good one."""
    made = tuple(Hollow(loop_clock) for _ in clusters)
    for cluster, provider in zip(clusters, made, strict=True):
        cluster.providers["openai"] = provider
    return made


@pytest.mark.parametrize("trouble", [HealthClass.SERVER_ERROR, HealthClass.RATE_LIMITED])
async def test_a_failure_of_billed_probes_that_others_saw_end_does_not_come_back_with_a_second_term(
    trouble: HealthClass,
) -> None:
    objects: dict[str, Object] = {}
    first, first_term = replica(objects, healthCheck=BILLED)
    second, second_term = replica(objects, healthCheck=BILLED)
    of_first, of_second = hollow(first, second)
    await first_term.begin()
    of_first.trouble = of_second.trouble = trouble
    await asyncio.sleep(600)
    assert first.published == "backup"
    first_term.end()
    await second_term.begin()
    of_first.trouble = of_second.trouble = None
    await asyncio.sleep(7200)
    assert second.published == "openai"
    second_term.end()
    before = objects[CONFIG_MAP]["data"]
    standing_by = first.entry()
    assert standing_by
    assert standing_by.healths["openai"].state is HealthState.HEALTHY

    await first_term.begin()
    await asyncio.sleep(600)

    assert objects[CONFIG_MAP]["data"] == before
    for each in (first, second):
        await each.stop()


@pytest.mark.parametrize("trouble", [HealthClass.SERVER_ERROR, HealthClass.RATE_LIMITED])
async def test_a_failure_that_only_billed_probes_find_stands_at_a_change_of_leader(trouble: HealthClass) -> None:
    objects: dict[str, Object] = {}
    first, first_term = replica(objects, healthCheck=BILLED)
    second, second_term = replica(objects, healthCheck=BILLED)
    of_first, of_second = hollow(first, second)
    await first_term.begin()
    of_first.trouble = of_second.trouble = trouble
    await asyncio.sleep(600)
    assert first.published == "backup"
    first_term.end()
    before = objects[CONFIG_MAP]["data"]

    await second_term.begin()
    await asyncio.sleep(600)

    assert objects[CONFIG_MAP]["data"] == before
    for each in (first, second):
        await each.stop()


async def test_a_spec_that_the_watch_has_not_told_of_is_what_a_new_leader_goes_by() -> None:
    objects: dict[str, Object] = {}
    first, first_term = replica(objects)
    second, second_term = replica(objects)
    await first_term.begin()
    await asyncio.sleep(5)
    objects[PATH] = policy("newcomer", "openai", generation=2)
    first.put(objects[PATH])
    await asyncio.sleep(5)
    assert first.published == "newcomer"
    first_term.end()
    before = objects[CONFIG_MAP]["data"]

    await second_term.begin()
    await asyncio.sleep(30)

    assert objects[CONFIG_MAP]["data"] == before
    assert CONFIG_MAP not in [path for _, method, path in second.api.asked if method != "GET"]
    for each in (first, second):
        await each.stop()


async def test_a_policy_made_anew_meanwhile_leaves_nothing_of_the_former_behind() -> None:
    objects: dict[str, Object] = {}
    cluster, term = replica(objects)
    await asyncio.sleep(5)
    objects[PATH] = policy("other", "backup", uid="uid-of-another")
    await term.begin()
    await asyncio.sleep(5)
    assert cluster.operator.registry.hosts() == {"other.example", "backup.example"}
    assert cluster.published == "other"
    await cluster.stop()


class Paged(KubeClient):
    """Answers a list of policies in two pages, the second of them after a while; `between` is called at its beginning.

    Attributes:
        told_late: the first page is under way when the policies in it are deleted.
    """

    def __init__(self, api: PlayedApi, delete: Callable[[], None], *, told_late: bool) -> None:
        self.api = api
        self.delete = delete
        self.told_late = told_late

    async def request(self, method: str, path: str, **rest: Any) -> Object:
        if not path.endswith(f"/{meta.POLICY_PLURAL}"):
            return await self.api.request(method, path, **rest)
        if "continue" in rest["query"]:
            if not self.told_late:
                self.delete()
            return {"items": []}
        answer = await self.api.request(method, path, **rest)
        if self.told_late:
            self.delete()
        return {**answer, "metadata": {"continue": "there is more"}}


@pytest.mark.parametrize("told_late", [False, True])
async def test_a_policy_that_is_deleted_while_a_term_begins_keeps_neither_place_nor_entry(told_late: bool) -> None:  # noqa: FBT001  # a parameter of the test
    cluster, term = replica({}, limits=Limits(policies=1))
    await asyncio.sleep(5)
    gone = cluster.api.objects[PATH]

    def delete() -> None:
        cluster.api.objects.pop(PATH, None)
        cluster.delete(gone)

    await replace(term, client=Paged(cluster.api, delete, told_late=told_late)).begin()
    registry = cluster.operator.registry
    assert cluster.operator.look_soon.is_set()
    await sweep(cluster.api, (), registry, cluster.operator.forget)
    other = policy(name="other", uid="uid-of-other")
    cluster.put(other)

    assert registry.over_limit == {}
    assert [entry.key.name for entry in registry] == ["other"]
    await cluster.stop()


async def test_the_verdicts_of_whoever_led_meanwhile_count_not_those_of_a_former_term() -> None:
    objects: dict[str, Object] = {}
    cluster, term = replica(objects, qualityChecks=CHECKS)
    await term.begin()
    await asyncio.sleep(5)
    entry = cluster.entry()
    assert entry
    assert entry.policy
    checks = entry.policy.spec.quality_checks
    assert checks
    for _ in range(20):
        cluster.operator.registry.measuring.hear_answer(entry.targets["openai"], checks, passed=False)
    cluster.operator.reconciler.wake(entry)
    await asyncio.sleep(400)
    cluster.operator.reconciler.wake(entry)
    await asyncio.sleep(1)
    told = cluster.status["providers"][0]
    assert told["quality"] < 0.3
    term.end()
    told["quality"] = 0.9
    await term.begin()
    await asyncio.sleep(400)

    taken = cluster.entry()
    assert taken
    measures = cluster.operator.registry.measuring.measure(taken, cluster.sources, loop_clock())
    assert measures["openai"].quality == pytest.approx(0.9, abs=0.05)
    await cluster.stop()


async def test_policies_that_come_in_when_all_are_listed_anew_are_served_at_once() -> None:
    cluster = Cluster(limits=Limits(providers=4))
    cluster.start()
    large = policy("a", "b", "c", "d", name="large", uid="uid-large")
    waiting = policy(name="waiting", uid="uid-waiting")
    waiting["metadata"]["creationTimestamp"] = "2026-01-01T00:01:00Z"
    for obj in (large, waiting):
        cluster.put(obj)
    await asyncio.sleep(5)
    assert cluster.operator.registry.over_limit == {NAMESPACE: 1}

    smaller = policy("a", "b", name="large", uid="uid-large", generation=2)
    for obj in (smaller, waiting):
        path = STATUS.replace(POLICY, obj["metadata"]["name"])
        obj["status"] = cluster.api.objects[path]["status"]
    cluster.operator.registry.allot([smaller, waiting])
    for obj in (smaller, waiting):
        cluster.operator.on_policy("", obj)
    await asyncio.sleep(1)

    assert cluster.api.objects[CONFIG_MAP.replace(POLICY, "waiting")]["data"]["LLM_PROVIDER"] == "openai"
    await cluster.stop()
