"""The metrics that alerts rest on: conditions, time without a provider, limits of the budget; across restarts."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from prometheus_client import CollectorRegistry
from tests.controller.played_cluster import NAMESPACE, POLICY, Cluster, policy
from tests.controller.what_users_see import restart
from tests.support.policies import AT_ONCE, Manifest

from providerswitch.api.health import HealthClass
from providerswitch.controller.metrics import Metrics

pytestmark = pytest.mark.looptime(start=0)

WHOSE = {"namespace": NAMESPACE, "policy": POLICY}
PROMPT: Manifest = {**AT_ONCE, "blacklistDuration": "60s"}
MINUTE = 60
HOUR = 60 * MINUTE


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    made = Cluster()
    made.start()
    yield made
    await made.stop()


def conditions(cluster: Cluster, kind: str) -> list[tuple[str, str, float]]:
    """Return status, reason and value of each series of a condition."""
    samples = (sample for family in cluster.metrics.registry.collect() for sample in family.samples)
    return [
        (sample.labels["status"], sample.labels["reason"], sample.value)
        for sample in samples
        if sample.name == "providerswitch_policy_condition" and sample.labels["condition"] == kind
    ]


def seconds(cluster: Cluster) -> tuple[float | None, float | None]:
    """Return the time that was watched, and that of it without a provider."""
    names = ("watched", "unserved")
    watched, unserved = (cluster.value(f"providerswitch_policy_{name}_seconds_total", **WHOSE) for name in names)
    return watched, unserved


def breaks(cluster: Cluster, *names: str, kind: HealthClass = HealthClass.SERVER_ERROR) -> None:
    for name in names:
        cluster.provider(name).health_class = kind


async def test_a_condition_shows_the_reason_it_has_and_none_it_had(cluster: Cluster) -> None:
    cluster.put(policy())
    await asyncio.sleep(MINUTE)
    assert conditions(cluster, "Ready") == [("True", "PrimaryHealthy", 1)]
    assert conditions(cluster, "FailedOver") == [("False", "PrimaryActive", 1)]
    breaks(cluster, "openai", "backup")
    await asyncio.sleep(2 * MINUTE)
    assert conditions(cluster, "Ready") == [("False", "NoHealthyProvider", 1)]


async def test_a_policy_of_which_no_version_can_be_read_shows_its_condition(cluster: Cluster) -> None:
    unreadable = policy()
    unreadable["spec"]["primary"] = "nobody"
    cluster.put(unreadable)
    await asyncio.sleep(1)
    assert conditions(cluster, "Ready") == [("False", "SpecInvalid", 1)]


async def test_time_without_a_provider_is_counted_from_the_first_failed_probe(cluster: Cluster) -> None:
    cluster.put(policy(failover=PROMPT))
    await asyncio.sleep(HOUR)
    assert seconds(cluster)[1] == 0
    breaks(cluster, "openai")
    await asyncio.sleep(5 * MINUTE)
    assert seconds(cluster) == (pytest.approx(HOUR + 5 * MINUTE, abs=95), pytest.approx(2, abs=1))
    breaks(cluster, "backup")
    await asyncio.sleep(20 * MINUTE)
    assert seconds(cluster)[1] == pytest.approx(20 * MINUTE, abs=95)


async def test_the_count_is_of_this_process_and_begins_at_zero(cluster: Cluster) -> None:
    cluster.put(policy(failover=PROMPT))
    await asyncio.sleep(HOUR)
    breaks(cluster, "openai", "backup")
    await asyncio.sleep(10 * MINUTE)
    successor = await restart(cluster, policy(failover=PROMPT))
    await asyncio.sleep(1)
    assert seconds(successor) == (pytest.approx(0, abs=1), pytest.approx(0, abs=1))
    assert (successor.value("providerswitch_policy_down_seconds", **WHOSE) or 0) > 5 * MINUTE
    await asyncio.sleep(10 * MINUTE)
    assert seconds(successor)[1] == pytest.approx(10 * MINUTE, abs=95)
    await successor.stop()


async def test_a_freeze_is_not_watched_time(cluster: Cluster) -> None:
    cluster.put(policy(failover=PROMPT))
    await asyncio.sleep(HOUR + 10)  # between two probes: an answer under way would come after the first silence
    breaks(cluster, "openai", "backup", kind=HealthClass.TIMEOUT)
    await asyncio.sleep(HOUR)
    assert conditions(cluster, "Frozen") == [("True", "LocalNetworkFault", 1)]
    watched, unserved = seconds(cluster)
    assert watched == pytest.approx(HOUR, abs=95)
    assert unserved == pytest.approx(0, abs=31)


async def test_only_the_limits_that_a_budget_has_are_shown(cluster: Cluster) -> None:
    names = ("budget_probes_limit", "budget_cost_limit")
    limits = {"budget": {"probesPerDay": 300}}
    cluster.put(policy(healthCheck=limits))
    await asyncio.sleep(1)
    assert [cluster.value(f"providerswitch_policy_{name}", **WHOSE) for name in names] == [300, None]
    cluster.put(policy(generation=2, healthCheck={"budget": {"costPerDay": 1.5}}))
    await asyncio.sleep(1)
    assert [cluster.value(f"providerswitch_policy_{name}", **WHOSE) for name in names] == [None, 1.5]
    cluster.put(policy(generation=3))
    await asyncio.sleep(1)
    assert [cluster.value(f"providerswitch_policy_{name}", **WHOSE) for name in names] == [None, None]


async def test_a_deleted_policy_leaves_none_of_these_series(cluster: Cluster) -> None:
    cluster.put(policy(healthCheck={"budget": {"probesPerDay": 3, "costPerDay": 1}}))
    await asyncio.sleep(MINUTE)
    cluster.delete(policy())
    left = [
        sample.name
        for family in cluster.metrics.registry.collect()
        for sample in family.samples
        if "policy" in sample.labels
    ]
    assert left == []


def test_errors_of_reconciles_are_counted_from_zero() -> None:
    found = Metrics(CollectorRegistry())
    samples = [sample for family in found.registry.collect() for sample in family.samples]
    counted = {sample.labels["error"]: sample.value for sample in samples if sample.name.endswith("errors_total")}
    assert counted == {"ApiServerError": 0, "InvariantError": 0, "Unexpected": 0}
