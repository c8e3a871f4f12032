"""A provider that works, but badly: told always, left only where the policy says so."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.controller.played_cluster import Cluster, played, policy
from tests.controller.what_users_see import (
    condition,
    counted,
    document,
    keys,
    notes,
    of,
    plain,
    provider,
    restart,
    switches,
)
from tests.support.policies import AT_ONCE

from providerswitch.api.health import HealthClass
from providerswitch.core.metrics_source import SourceValues

pytestmark = pytest.mark.looptime(start=0)

HOUR = 3600
OFTEN = {"interval": "10s"}


def under(*, leave: bool | None = None, strategy: str = "Priority", **selection: Any) -> dict[str, Any]:
    """Return the rules of a policy with a window of a minute."""
    said = {} if leave is None else {"switchOnDegradation": leave}
    rules = {"strategy": strategy, "window": "1m", **said, **selection}
    return {"selection": rules, "healthCheck": OFTEN, "failover": AT_ONCE}


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    made = Cluster()
    made.start()
    yield made
    await made.stop()


async def slow_down(cluster: Cluster, name: str = "openai", seconds: float = 6) -> None:
    """Let a provider be well for a while, then slow."""
    await asyncio.sleep(95)
    cluster.provider(name).seconds = seconds
    await asyncio.sleep(85)


async def test_a_slow_primary_is_told_and_kept_unless_the_policy_says_otherwise(cluster: Cluster) -> None:
    cluster.put(policy(**under()))
    await slow_down(cluster)

    assert (cluster.published, switches(cluster)) == ("openai", [(None, "openai", "Initial")])
    degraded = condition(cluster, "Degraded")
    assert (degraded["status"], degraded["reason"]) == ("True", "ThresholdExceeded")
    assert degraded["message"] == '"openai": response time p95 6 s is over 5 s'
    assert notes(cluster, "ProviderDegraded") == ['"openai" is degraded: response time p95 6 s is over 5 s']
    assert condition(cluster, "Ready")["status"] == "True"
    assert counted(cluster, "provider_degraded", provider="openai") == 1
    assert counted(cluster, "provider_degraded", provider="backup") == 0


async def test_a_primary_that_is_well_again_is_told_once(cluster: Cluster) -> None:
    cluster.put(policy(**under()))
    await slow_down(cluster)
    cluster.provider("openai").seconds = 0.01
    await asyncio.sleep(HOUR)

    degraded = condition(cluster, "Degraded")
    assert (degraded["status"], degraded["reason"]) == ("False", "WithinThresholds")
    assert len(notes(cluster, "ProviderDegraded")) == 1
    assert len(notes(cluster, "ProviderNotDegraded")) == 1


async def test_false_keeps_a_degraded_provider_even_under_performance(cluster: Cluster) -> None:
    cluster.put(policy(**under(strategy="Performance", leave=False, hysteresis=1.0)))
    await slow_down(cluster)

    assert cluster.published == "openai"
    assert condition(cluster, "Degraded")["status"] == "True"


async def test_true_leaves_a_degraded_primary_and_calls_it_what_it_is(cluster: Cluster) -> None:
    cluster.put(policy(**under(leave=True)))
    await slow_down(cluster)

    assert cluster.published == "backup"
    assert switches(cluster)[-1] == ("openai", "backup", "Degradation")
    assert cluster.status["history"][0]["reason"] == '"openai" is degraded: response time p95 6 s is over 5 s'
    assert document(cluster)["trigger"] == "Degradation"
    (note,) = notes(cluster, "SwitchedFromDegraded")
    assert 'Switched from "openai" to "backup"' in note
    assert cluster.status["reason"] == "LessDegraded"
    failed_over = condition(cluster, "FailedOver")
    assert (failed_over["status"], failed_over["reason"]) == ("True", "LessDegraded")
    assert '"openai" is degraded' in failed_over["message"]
    assert condition(cluster, "Ready")["status"] == "True"
    assert condition(cluster, "Degraded")["status"] == "False", "it is about the provider that serves"
    assert provider(cluster, "openai")["degraded"]
    assert provider(cluster, "openai")["eligible"]
    assert counted(cluster, "switches_total", trigger="Degradation", outcome="Succeeded") == 1


async def test_the_primary_is_returned_to_when_it_is_well_by_a_distance(cluster: Cluster) -> None:
    cluster.put(policy(**under(leave=True)))
    await slow_down(cluster)
    cluster.provider("openai").seconds = 4.8
    await asyncio.sleep(600)
    assert cluster.published == "backup"
    cluster.provider("openai").seconds = 4.4
    await asyncio.sleep(120)

    assert switches(cluster)[-1] == ("backup", "openai", "Failback")
    assert condition(cluster, "FailedOver")["status"] == "False"
    assert cluster.status["reason"] == "PrimaryHealthy"


async def test_a_degraded_primary_that_was_left_stays_left_over_a_restart(cluster: Cluster) -> None:
    wanted = policy(**under(leave=True))
    cluster.put(wanted)
    await slow_down(cluster)
    before = keys(cluster)

    successor = await restart(cluster, wanted)
    await asyncio.sleep(HOUR)
    assert keys(successor) == before
    assert len(notes(successor, "ProviderDegraded")) == 1
    await successor.stop()


async def test_where_all_are_degraded_the_order_decides_and_nobody_goes_to_and_fro(cluster: Cluster) -> None:
    cluster.put(policy(**under(leave=True)))
    await asyncio.sleep(95)
    for name in ("openai", "backup"):
        cluster.provider(name).seconds = 6
    await asyncio.sleep(HOUR)

    assert switches(cluster) == [(None, "openai", "Initial")]
    assert condition(cluster, "Degraded")["status"] == "True"


async def test_a_degraded_backup_is_better_than_a_dead_primary(cluster: Cluster) -> None:
    cluster.put(policy(**under(leave=True)))
    await slow_down(cluster, "backup")
    cluster.provider("openai").health_class = HealthClass.SERVER_ERROR
    await asyncio.sleep(60)

    assert cluster.published == "backup"
    assert switches(cluster)[-1] == ("openai", "backup", "Failover")
    assert condition(cluster, "Degraded")["status"] == "True"
    assert condition(cluster, "FailedOver")["status"] == "True"


async def test_errors_too_few_for_a_failover_degrade(cluster: Cluster) -> None:
    cluster.provider("openai").answers = (HealthClass.SERVER_ERROR, *[HealthClass.HEALTHY] * 3)
    cluster.put(policy(**under(leave=True)))
    await asyncio.sleep(120)

    assert cluster.published == "backup"
    assert switches(cluster)[-1] == ("openai", "backup", "Degradation")
    assert "error rate" in provider(cluster, "openai")["degraded"]
    assert not notes(cluster, "ProviderDown")


async def test_manual_mode_tells_of_it_and_moves_nobody(cluster: Cluster) -> None:
    cluster.put(policy(**{**under(leave=True), "failover": {**AT_ONCE, "mode": "Manual"}}))
    await slow_down(cluster)

    assert cluster.published == "openai"
    assert condition(cluster, "Degraded")["status"] == "True"
    assert cluster.status["recommendation"]["provider"] == "backup"


async def test_manual_failback_stays_where_degradation_led(cluster: Cluster) -> None:
    cluster.put(policy(**{**under(leave=True), "failover": {**AT_ONCE, "failback": "Manual"}}))
    await slow_down(cluster)
    assert cluster.published == "backup"
    cluster.provider("openai").seconds = 0.01
    await asyncio.sleep(HOUR)

    assert cluster.published == "backup"
    assert cluster.status["reason"] == "FailbackHeld"


async def test_the_traffic_that_users_see_degrades_as_well(cluster: Cluster) -> None:
    source = {"prometheus": {"url": "http://prometheus:9090", "queries": {"errorRate": "errors"}}}
    cluster.put(policy(**under(leave=True, metricsSource=source)))
    await asyncio.sleep(95)
    at = cluster.operator.clock()
    cluster.sources.says = {"openai": SourceValues(error_rate=0.2, at=at)}
    await asyncio.sleep(15)

    assert cluster.published == "backup"
    assert provider(cluster, "openai")["degraded"] == "error rate 20 % is over 5 %"


async def test_what_only_time_shows_is_not_put_off_to_the_next_change_of_the_schedule(cluster: Cluster) -> None:
    yearly = {"name": "new-year", "cron": "0 0 1 1 *", "duration": "1h", "primary": "backup"}
    cluster.put(policy(**under(), schedule=[yearly]))
    await asyncio.sleep(2 * HOUR)
    cluster.provider("openai").seconds = 6
    await asyncio.sleep(200)

    assert condition(cluster, "Degraded")["status"] == "True"


@pytest.mark.parametrize(("strategy", "serving"), [("Priority", "openai"), ("Cost", "backup")])
async def test_whether_a_degraded_provider_is_left_follows_from_the_strategy_in_force(
    strategy: str, serving: str, cluster: Cluster
) -> None:
    cost = {"inputPerMillionTokens": 1.0}
    always = {"name": "always", "cron": "0 * * * *", "duration": "1h", "strategy": strategy}
    providers = (played("openai", cost=cost), *plain("backup"))
    cluster.put(of(*providers, **under(strategy="RoundRobin", rotationPeriod="744h"), schedule=[always]))
    await slow_down(cluster)

    assert cluster.published == serving
