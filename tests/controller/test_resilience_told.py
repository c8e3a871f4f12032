"""Figures of resilience in virtual time: as the status and the metrics tell them, across outages and restarts."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.controller.played_cluster import NAMESPACE, POLICY, SERVICE, Cluster, played, policy
from tests.controller.what_users_see import restart
from tests.support.policies import AT_ONCE, Manifest

from providerswitch.api.health import HealthClass

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


def figure(cluster: Cluster, name: str) -> float | None:
    return cluster.value(f"providerswitch_policy_{name}", **WHOSE)


def seen(cluster: Cluster, provider: str, name: str) -> float | None:
    return cluster.value(f"providerswitch_provider_{name}", **WHOSE, provider=provider)


def protection(cluster: Cluster) -> tuple[int, int]:
    told = cluster.status["resilience"]
    assert (told["redundancy"], told["faultTolerance"]) == (
        figure(cluster, "redundancy"),
        figure(cluster, "fault_tolerance"),
    )
    return told["redundancy"], told["faultTolerance"]


def breaks(cluster: Cluster, *names: str, kind: HealthClass = HealthClass.SERVER_ERROR) -> None:
    for name in names:
        cluster.provider(name).health_class = kind


def heals(cluster: Cluster, *names: str) -> None:
    breaks(cluster, *names, kind=HealthClass.HEALTHY)


async def test_before_the_first_choice_there_is_nothing_to_tell(cluster: Cluster) -> None:
    breaks(cluster, "openai", "backup")
    cluster.put(policy())
    await asyncio.sleep(MINUTE)
    assert "resilience" not in cluster.status
    assert figure(cluster, "redundancy") is None
    assert figure(cluster, "observed_seconds") is None


async def test_backups_that_are_well_are_redundancy_and_a_dead_one_is_none(cluster: Cluster) -> None:
    cluster.put(policy("openai", "backup", "spare", failover=PROMPT))
    await asyncio.sleep(1)
    assert protection(cluster) == (2, 2)
    breaks(cluster, "spare")
    await asyncio.sleep(MINUTE)
    assert protection(cluster) == (1, 1)
    breaks(cluster, "openai")
    await asyncio.sleep(MINUTE)

    assert cluster.published == "backup"
    assert protection(cluster) == (0, 0)
    heals(cluster, "openai", "spare")
    await asyncio.sleep(10 * MINUTE)
    assert protection(cluster) == (2, 2)


async def test_two_providers_that_fail_together_are_no_redundancy(cluster: Cluster) -> None:
    twins = [played("openai", failureDomain="us"), played("azure", failureDomain="us")]
    cluster.put(policy(providers=twins))
    await asyncio.sleep(1)
    assert protection(cluster) == (0, 0)
    cluster.put(policy(generation=2, providers=[*twins, played("backup")]))
    await asyncio.sleep(1)
    assert protection(cluster) == (1, 1)


async def test_a_backup_that_can_never_serve_is_no_redundancy(cluster: Cluster) -> None:
    other = played("backup", capabilities=["embeddings"])
    cluster.put(policy(providers=[played("openai", capabilities=["chat"]), other]))
    await asyncio.sleep(1)
    assert protection(cluster) == (0, 0)


async def test_consumers_lose_the_time_from_the_first_failed_probe_to_the_switch(cluster: Cluster) -> None:
    cluster.put(policy(failover=PROMPT))
    await asyncio.sleep(10 * MINUTE)
    breaks(cluster, "openai")
    await asyncio.sleep(MINUTE)
    told = cluster.status["resilience"]["observed"]
    assert (told["failures"], told["downSeconds"]) == (1, 2)
    assert told["mttrSeconds"] == pytest.approx(2, abs=0.1)
    await asyncio.sleep(HOUR)

    assert cluster.published == "backup"
    assert (figure(cluster, "failures"), figure(cluster, "down_seconds")) == (1, 2)
    observed = figure(cluster, "observed_seconds") or 0
    assert observed == pytest.approx(HOUR + 11 * MINUTE, abs=MINUTE + 1)
    assert figure(cluster, "availability_ratio") == pytest.approx(1 - 2.02 / observed, abs=1e-5)
    assert figure(cluster, "mtbf_seconds") == pytest.approx(observed - 2, abs=2)


async def test_a_provider_is_out_of_service_until_it_may_serve_again(cluster: Cluster) -> None:
    cluster.put(policy(failover=PROMPT))
    await asyncio.sleep(10 * MINUTE)
    breaks(cluster, "openai")
    await asyncio.sleep(10 * MINUTE)
    heals(cluster, "openai")
    await asyncio.sleep(HOUR)

    # 10 min of trouble, from the first probe that found it, and five good probes at 30 s each to come back.
    assert seen(cluster, "openai", "down_seconds") == pytest.approx(10 * MINUTE + 2 * MINUTE, abs=31)
    assert seen(cluster, "openai", "failures") == 1
    assert (seen(cluster, "backup", "down_seconds"), seen(cluster, "backup", "failures")) == (0, 0)
    assert seen(cluster, "backup", "availability_ratio") == 1
    assert seen(cluster, "backup", "mtbf_seconds") is None
    assert figure(cluster, "failures") == 1


async def test_with_nobody_to_take_over_the_outage_lasts_until_the_provider_answers_again(cluster: Cluster) -> None:
    cluster.put(policy("openai", failover=PROMPT))
    await asyncio.sleep(10 * MINUTE)
    breaks(cluster, "openai")
    await asyncio.sleep(20 * MINUTE)
    assert figure(cluster, "down_seconds") == pytest.approx(20 * MINUTE, abs=MINUTE + 31)
    heals(cluster, "openai")
    await asyncio.sleep(HOUR)

    assert figure(cluster, "down_seconds") == pytest.approx(20 * MINUTE, abs=MINUTE + 1)
    assert figure(cluster, "failures") == 1


async def test_trouble_that_ends_before_a_provider_is_down_is_no_failure(cluster: Cluster) -> None:
    cluster.put(policy(failover=PROMPT))
    await asyncio.sleep(10 * MINUTE + 20)
    breaks(cluster, "openai")
    await asyncio.sleep(11)
    assert {each["name"]: each["state"] for each in cluster.status["providers"]}["openai"] == "Suspect"
    heals(cluster, "openai")
    await asyncio.sleep(10 * MINUTE)

    assert (figure(cluster, "failures"), figure(cluster, "down_seconds")) == (0, 0)
    assert seen(cluster, "openai", "failures") == 0


async def test_a_freeze_counts_neither_way(cluster: Cluster) -> None:
    cluster.put(policy(failover=PROMPT))
    await asyncio.sleep(10 * MINUTE)
    breaks(cluster, "openai", "backup", kind=HealthClass.CONNECT_REFUSED)
    await asyncio.sleep(2 * MINUTE)
    assert cluster.value("providerswitch_frozen") == 1
    observed = figure(cluster, "observed_seconds")
    await asyncio.sleep(HOUR)

    assert figure(cluster, "observed_seconds") == observed
    assert (figure(cluster, "down_seconds"), figure(cluster, "failures")) == (0, 0)
    heals(cluster, "openai", "backup")
    await asyncio.sleep(10 * MINUTE)
    assert figure(cluster, "observed_seconds") == pytest.approx((observed or 0) + 10 * MINUTE, abs=MINUTE + 31)
    assert (figure(cluster, "down_seconds"), figure(cluster, "failures")) == (0, 0)


async def test_a_restart_keeps_the_figures_and_the_time_without_an_operator_counts_neither_way(
    cluster: Cluster,
) -> None:
    obj = policy(failover=PROMPT)
    cluster.put(obj)
    await asyncio.sleep(10 * MINUTE)
    breaks(cluster, "openai")
    await asyncio.sleep(10)
    heals(cluster, "openai")
    await asyncio.sleep(HOUR)
    stored = cluster.status["resilience"]["observed"]
    of_openai = next(each for each in cluster.status["providers"] if each["name"] == "openai")["reliability"]
    await cluster.stop()
    await asyncio.sleep(HOUR)
    heir = await restart(cluster, obj)
    await asyncio.sleep(1)

    assert figure(heir, "observed_seconds") == pytest.approx(stored["observedSeconds"], abs=2)
    assert (figure(heir, "failures"), figure(heir, "down_seconds")) == (1, stored["downSeconds"])
    assert seen(heir, "openai", "down_seconds") == of_openai["downSeconds"] > MINUTE
    assert seen(heir, "openai", "failures") == 1
    await asyncio.sleep(10 * MINUTE)
    assert figure(heir, "observed_seconds") == pytest.approx(stored["observedSeconds"] + 10 * MINUTE, abs=MINUTE + 2)
    await heir.stop()


async def test_an_outage_that_outlasts_a_restart_is_no_second_failure(cluster: Cluster) -> None:
    obj = policy("openai", failover=PROMPT)
    cluster.put(obj)
    await asyncio.sleep(10 * MINUTE)
    breaks(cluster, "openai")
    await asyncio.sleep(10 * MINUTE)
    heir = await restart(cluster, obj)
    await asyncio.sleep(10 * MINUTE)

    assert figure(heir, "failures") == 1
    assert seen(heir, "openai", "failures") == 1
    await heir.stop()


async def test_times_of_switches_and_of_a_changed_spec_are_told(cluster: Cluster) -> None:
    cluster.put(policy(failover=PROMPT))
    await asyncio.sleep(10 * MINUTE)
    breaks(cluster, "openai")
    await asyncio.sleep(MINUTE)
    cluster.put(policy(generation=2, failover=PROMPT, healthCheck={"interval": "20s"}))
    await asyncio.sleep(1)

    told = cluster.status["resilience"]
    assert told["detectMillis"] == pytest.approx(2000, abs=100)
    assert 0 < told["switchMillis"] < 100
    assert "rollbackMillis" not in told
    assert cluster.value("providerswitch_config_load_duration_seconds_count") == 2
    assert cluster.status["switching"]["successRate"] == 1


async def test_an_undone_switch_is_told_by_rate_and_time(cluster: Cluster) -> None:
    publish = {"service": {"name": "llm"}}
    cluster.put(policy(publish=publish))
    await asyncio.sleep(1)
    cluster.api.trouble = lambda method, path: 403 if (method, path) == ("PATCH", SERVICE) else None
    cluster.put(policy(publish=publish, generation=2, primary="backup"))
    await asyncio.sleep(1)

    told: dict[str, Any] = cluster.status
    assert told["switching"]["successRate"] == 0.5
    assert 0 <= told["resilience"]["rollbackMillis"] < 100
