"""Figures in the status and at /metrics, in virtual time: what they say, when they are written, when they go."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import pytest
from tests.controller.played_cluster import NAMESPACE, POLICY, STATUS, Cluster, played, policy
from tests.support.policies import AT_ONCE, Manifest
from tests.support.virtual_time import PlayedProvider, elapsed, loop_clock

from providerswitch.api.health import HealthClass
from providerswitch.core.outcome import Outcome, Tier

pytestmark = pytest.mark.looptime(start=0)

WHOSE = {"namespace": NAMESPACE, "policy": POLICY}
PERFORMANCE: Manifest = {"strategy": "Performance", "minSamples": 1}
HOUR = 3600
REFRESH = 300


class Uneven(PlayedProvider):
    """A provider whose answers take different times, in turn."""

    times: Iterator[float] = itertools.repeat(0.01)

    async def probe(self, tier: Tier, deadline: timedelta) -> Outcome:
        self.seconds = next(self.times)
        return await super().probe(tier, deadline)


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    made = Cluster()
    made.start()
    yield made
    await made.stop()


def uneven(cluster: Cluster, name: str, *times: float) -> None:
    cluster.providers[name] = made = Uneven(loop_clock)
    made.times = itertools.cycle(times)


def told(cluster: Cluster, name: str) -> dict[str, Any]:
    return dict(next(each for each in cluster.status["providers"] if each["name"] == name))


def figures(cluster: Cluster, *names: str, **labels: str) -> list[float | None]:
    return [cluster.value(f"providerswitch_provider_{name}", **WHOSE, **labels) for name in names]


def writes(cluster: Cluster, since: float = 0) -> list[float]:
    """Return when the status was written."""
    return [at for at in cluster.api.times("PATCH", STATUS) if at >= since]


def gaps(times: list[float]) -> list[float]:
    return [later - earlier for earlier, later in itertools.pairwise(times)]


def policies_with_series(cluster: Cluster) -> dict[str, int]:
    """Return how many series each policy has."""
    found: dict[str, int] = {}
    for family in cluster.metrics.registry.collect():
        for sample in family.samples:
            if "policy" in sample.labels:
                found[sample.labels["policy"]] = found.get(sample.labels["policy"], 0) + 1
    return found


async def test_metrics_repeat_what_the_status_says_of_a_provider(cluster: Cluster) -> None:
    cluster.provider("openai").seconds = 0.2
    cluster.provider("backup").seconds = 0.4
    priced = [played("openai", quality=0.9), played("backup", quality=0.5)]
    cluster.put(policy(providers=priced, selection=PERFORMANCE))
    await asyncio.sleep(600)

    said = told(cluster, "backup")
    assert said["responseTime"] == {"p50Millis": 400, "p95Millis": 400, "meanMillis": 400}
    assert said["scoreParts"] == {"latency": 0.5, "accuracy": 0.5, "cost": 0.5, "availability": 1.0}
    # 0.4 * 0.5 + 0.3 * 0.5 + 0.2 * 0.5 + 0.1 * 1
    assert said["score"] == pytest.approx(0.55)
    shown = ("score", "rank", "response_time_p95_seconds", "quality_ratio", "error_ratio", "eligible", "degraded")
    assert figures(cluster, *shown, provider="backup") == [pytest.approx(0.55), 2, 0.4, 0.5, 0, 1, 0]
    assert figures(cluster, "score", "rank", provider="openai") == [pytest.approx(0.87), 1]


async def test_figures_that_are_not_known_have_no_series(cluster: Cluster) -> None:
    cluster.put(policy())
    await asyncio.sleep(60)
    unknown = ("score", "response_time_p95_seconds", "quality_ratio", "mtbf_seconds", "weight_percent")
    assert figures(cluster, *unknown, provider="openai") == [None] * 5
    await asyncio.sleep(300)
    assert figures(cluster, "score", provider="openai") != [None]
    cluster.put(policy(generation=2, selection={"minSamples": 500}))
    await asyncio.sleep(1)
    assert figures(cluster, "score", "response_time_p95_seconds", provider="openai") == [None, None]


async def test_a_provider_that_may_not_serve_has_no_rank(cluster: Cluster) -> None:
    cluster.put(policy())
    await asyncio.sleep(1)
    assert figures(cluster, "rank", provider="backup") == [2]
    cluster.provider("backup").health_class = HealthClass.QUOTA_EXHAUSTED
    await asyncio.sleep(60)
    assert figures(cluster, "rank", "eligible", provider="backup") == [None, 0]


async def test_a_switch_that_is_held_back_is_counted_once_and_shown_while_it_lasts(cluster: Cluster) -> None:
    weights = {"latency": 1, "accuracy": 0, "cost": 0, "availability": 0}
    cluster.provider("openai").seconds = 2
    selection = {**PERFORMANCE, "weights": weights, "minSamples": 3}
    cluster.put(policy(selection=selection, failover={"minDwell": "10m"}))
    await asyncio.sleep(300)

    held = {**WHOSE, "trigger": "Performance"}
    assert cluster.published == "openai"
    assert cluster.value("providerswitch_switches_held_total", **held) == 1
    assert cluster.value("providerswitch_policy_switch_held", **WHOSE) == 1
    assert cluster.api.events().count("SwitchHeld") == 1
    await asyncio.sleep(600)
    assert cluster.published == "backup"
    assert cluster.value("providerswitch_policy_switch_held", **WHOSE) == 0
    assert cluster.value("providerswitch_switches_held_total", **held) == 1


async def test_a_held_switch_is_counted_once_though_the_status_cannot_be_written(cluster: Cluster) -> None:
    weights = {"latency": 1, "accuracy": 0, "cost": 0, "availability": 0}
    selection = {**PERFORMANCE, "weights": weights, "minSamples": 3}
    cluster.provider("openai").seconds = 2
    cluster.put(policy(selection=selection, failover={"minDwell": "1h"}))
    await asyncio.sleep(30)
    cluster.api.trouble = lambda _method, path: 500 if path == STATUS else None
    await asyncio.sleep(300)
    cluster.api.trouble = lambda _method, _path: None
    await asyncio.sleep(60)
    assert cluster.value("providerswitch_switches_held_total", **WHOSE, trigger="Performance") == 1


async def test_a_provider_shows_one_state_though_the_status_cannot_be_written(cluster: Cluster) -> None:
    cluster.put(policy("openai"))
    await asyncio.sleep(20)
    cluster.api.trouble = lambda _method, path: 500 if path == STATUS else None
    cluster.provider("openai").health_class = HealthClass.SERVER_ERROR
    await asyncio.sleep(60)
    cluster.api.trouble = lambda _method, _path: None
    await asyncio.sleep(60)

    assert told(cluster, "openai")["state"] == "Down"
    states = ("Healthy", "Suspect", "Down")
    shown = [figures(cluster, "state", provider="openai", state=state)[0] for state in states]
    assert shown == [None, None, 1]


async def test_one_provider_serves_by_the_metrics_though_the_status_cannot_be_written(cluster: Cluster) -> None:
    cluster.put(policy("openai", "backup", "spare", failover=AT_ONCE))
    await asyncio.sleep(20)
    cluster.api.trouble = lambda _method, path: 500 if path == STATUS else None
    for name in ("openai", "backup"):
        cluster.provider(name).health_class = HealthClass.QUOTA_EXHAUSTED
        await asyncio.sleep(120)
    assert cluster.published == "spare"

    shown = [cluster.value("providerswitch_active_provider", **WHOSE, provider=name) for name in cluster.providers]
    assert shown == [None, None, 1]


async def test_numbers_that_move_are_written_every_five_minutes_at_most(cluster: Cluster) -> None:
    uneven(cluster, "openai", 0.1, 0.9, 0.4, 2.0, 0.2, 1.4, 0.7)
    uneven(cluster, "backup", 1.0, 0.1, 3.0, 0.5, 0.2)
    cluster.put(policy(selection={**PERFORMANCE, "window": "1m", "hysteresis": 1}))
    await asyncio.sleep(HOUR)

    seen = [at for at in writes(cluster) if at > 60]
    assert 5 < len(seen) <= HOUR / REFRESH
    assert min(gaps(seen)) >= REFRESH - 1


async def test_what_happens_is_written_at_once_however_lately_numbers_were(cluster: Cluster) -> None:
    cluster.put(policy(failover=AT_ONCE))
    await asyncio.sleep(330)
    last = writes(cluster)[-1]
    assert last > REFRESH
    await asyncio.sleep(last + 30 - elapsed())
    cluster.provider("backup").health_class = HealthClass.QUOTA_EXHAUSTED
    await asyncio.sleep(31)

    assert writes(cluster)[-1] < last + REFRESH
    assert told(cluster, "backup")["state"] == "Down"


async def test_in_calm_small_moves_of_numbers_are_written_no_more(cluster: Cluster) -> None:
    uneven(cluster, "openai", 0.1, 0.105, 0.102)
    uneven(cluster, "backup", 0.2, 0.21, 0.205)
    cluster.put(policy(selection=PERFORMANCE))
    await asyncio.sleep(700)
    calm = elapsed()
    await asyncio.sleep(HOUR)
    assert writes(cluster, calm) == []


async def test_a_response_time_about_its_threshold_is_written_no_more_often_than_other_numbers(
    cluster: Cluster,
) -> None:
    uneven(cluster, "openai", *[0.98] * 2, *[1.02] * 2)
    selection = {"thresholds": {"responseTime": "1s"}, "window": "1m", "minSamples": 1}
    cluster.put(policy(selection=selection))
    await asyncio.sleep(300)
    assert "degraded" in told(cluster, "openai")
    calm = elapsed()
    await asyncio.sleep(HOUR)
    assert len(writes(cluster, calm)) <= HOUR / REFRESH


async def test_a_gain_about_what_is_worth_a_recommendation_is_written_no_more_often_than_other_numbers(
    cluster: Cluster,
) -> None:
    uneven(cluster, "backup", *[0.5] * 2, *[0.9] * 2)
    cluster.provider("openai").seconds = 1
    cluster.put(policy(selection={"window": "1m", "minSamples": 1, "hysteresis": 0.1}))
    await asyncio.sleep(300)
    calm = elapsed()
    await asyncio.sleep(HOUR)
    assert len(writes(cluster, calm)) <= HOUR / REFRESH


async def test_time_under_observation_is_stored_now_and_then_for_the_next_operator(cluster: Cluster) -> None:
    cluster.put(policy())
    await asyncio.sleep(14 * HOUR)

    stored = cluster.status["resilience"]["observed"]["observedSeconds"]
    assert stored > 7 * HOUR
    assert len(writes(cluster, 2 * HOUR)) <= 2


async def test_many_policies_that_come_and_go_leave_no_series(cluster: Cluster) -> None:
    kept = policy(name="kept", uid="uid-of-kept")
    cluster.put(kept)
    await asyncio.sleep(400)
    alone = policies_with_series(cluster)["kept"]
    many = [policy("openai", "backup", f"own-{number}", name=f"p{number}", uid=f"{number}") for number in range(64)]
    for obj in many:
        cluster.put(obj)
    await asyncio.sleep(400)
    assert len(policies_with_series(cluster)) == 65
    for obj in many:
        cluster.delete(obj)
    await asyncio.sleep(60)
    cluster.metrics.keep_hosts(cluster.operator.registry.hosts())

    assert policies_with_series(cluster) == {"kept": alone}
    hosts = {
        sample.labels["host"]
        for family in cluster.metrics.registry.collect()
        for sample in family.samples
        if "host" in sample.labels
    }
    assert hosts == {"openai.example", "backup.example"}
