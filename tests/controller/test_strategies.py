"""Strategies as users see them: who is published, with which weights, why, and what a restart changes: nothing."""

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

pytestmark = pytest.mark.looptime(start=0)

OFTEN = {"interval": "10s", "recoveryThreshold": 2}
PROMPT = {**AT_ONCE, "blacklistDuration": "20s"}
LENIENT = {"errorRate": 1.0, "availability": 0.0}
"""Thresholds that no number of errors exceeds."""
HOUR = 3600


def chosen_by(strategy: str, **selection: Any) -> dict[str, Any]:
    """Return the rules of a policy that switches without dwelling."""
    return {"selection": {"strategy": strategy, **selection}, "healthCheck": OFTEN, "failover": PROMPT}


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    made = Cluster()
    made.start()
    yield made
    await made.stop()


async def test_the_quicker_provider_takes_over_once_there_are_enough_samples(cluster: Cluster) -> None:
    cluster.provider("openai").seconds = 1.0
    cluster.provider("backup").seconds = 0.2
    cluster.put(policy(**chosen_by("Performance", minSamples=5)))
    await asyncio.sleep(39)  # four answers of each
    assert (cluster.published, cluster.status["reason"]) == ("openai", "BestScore")
    await asyncio.sleep(4)

    assert cluster.published == "backup"
    assert keys(cluster)["LLM_BASE_URL"] == "http://backup.example/v1"
    assert (document(cluster)["trigger"], document(cluster)["previous"]) == ("Performance", "openai")
    assert switches(cluster) == [(None, "openai", "Initial"), ("openai", "backup", "Performance")]
    assert cluster.status["history"][0]["reason"] == 'best score (0.75; "openai" 0.43)'
    assert cluster.status["reason"] == "BestScore"
    (note,) = notes(cluster, "SwitchedToBetter")
    assert 'Switched from "openai" to "backup"' in note
    assert counted(cluster, "switches_total", trigger="Performance", outcome="Succeeded") == 1


async def test_a_provider_that_leads_by_its_score_is_no_failover(cluster: Cluster) -> None:
    cluster.provider("openai").seconds = 1.0
    cluster.put(policy(**chosen_by("Performance")))
    await asyncio.sleep(60)

    assert cluster.published == "backup"
    assert condition(cluster, "Ready")["status"] == "True"
    failed_over = condition(cluster, "FailedOver")
    assert (failed_over["status"], failed_over["reason"]) == ("False", "PreferredActive")


async def test_a_provider_that_is_a_little_quicker_does_not_take_over(cluster: Cluster) -> None:
    cluster.provider("openai").seconds = 0.25
    cluster.provider("backup").seconds = 0.2
    cluster.put(policy(**chosen_by("Performance")))
    await asyncio.sleep(HOUR)

    assert switches(cluster) == [(None, "openai", "Initial")]
    assert provider(cluster, "backup")["score"] > provider(cluster, "openai")["score"]
    assert "not more than 0.1 above it" in condition(cluster, "Ready")["message"]


async def test_the_score_its_parts_and_the_rank_are_told(cluster: Cluster) -> None:
    cluster.provider("openai").seconds = 0.8
    cluster.provider("google").seconds = 0.4
    cluster.provider("google").first_byte = 0.1
    priced = {"inputPerMillionTokens": 2.0, "outputPerMillionTokens": 2.0}
    cheap = {"inputPerMillionTokens": 0.5, "outputPerMillionTokens": 0.5}
    listed = (played("openai", quality=0.9, cost=priced), played("google", quality=0.8, cost=cheap))
    cluster.put(of(*listed, **chosen_by("Performance")))
    await asyncio.sleep(60)

    google, openai = provider(cluster, "google"), provider(cluster, "openai")
    assert (google["score"], openai["score"]) == (0.94, 0.62)
    assert google["scoreParts"] == {"latency": 1.0, "accuracy": 0.8, "cost": 1.0, "availability": 1.0}
    assert openai["scoreParts"] == {"latency": 0.5, "accuracy": 0.9, "cost": 0.25, "availability": 1.0}
    assert (google["rank"], openai["rank"]) == (1, 2)
    assert google["responseTime"] == {"p50Millis": 400, "p95Millis": 400, "meanMillis": 400, "firstByteP95Millis": 100}
    assert counted(cluster, "provider_score", provider="google") == 0.94
    assert counted(cluster, "provider_rank", provider="openai") == 2


async def test_quick_errors_make_nobody_quick(cluster: Cluster) -> None:
    cluster.provider("openai").seconds = 0.5
    failing = cluster.provider("backup")
    failing.seconds, failing.failing_seconds = 0.6, 0.001
    failing.answers = (HealthClass.HEALTHY, *[HealthClass.SERVER_ERROR] * 29)
    rules = chosen_by("Performance", thresholds=LENIENT, weights={"latency": 1, "accuracy": 0, "cost": 0})
    patient = {**OFTEN, "failureThreshold": 100}
    cluster.put(policy(**{**rules, "healthCheck": patient}))
    await asyncio.sleep(HOUR / 3)

    assert switches(cluster) == [(None, "openai", "Initial")]
    assert provider(cluster, "backup")["errorRate"] > 0.9
    assert provider(cluster, "backup").get("responseTime", {"p50Millis": 600})["p50Millis"] == 600


async def test_a_dead_provider_has_no_rank_however_quick_it_once_was(cluster: Cluster) -> None:
    cluster.provider("openai").seconds = 0.5
    cluster.provider("backup").seconds = 0.01
    cluster.put(policy(**chosen_by("Performance", thresholds=LENIENT)))
    await asyncio.sleep(60)
    assert cluster.published == "backup"
    cluster.provider("backup").health_class = HealthClass.SERVER_ERROR
    await asyncio.sleep(HOUR)

    assert cluster.published == "openai"
    assert switches(cluster)[-1] == ("backup", "openai", "Failover")
    dead = provider(cluster, "backup")
    assert dead["eligible"] is False
    assert not {"rank", "score", "responseTime"} & dead.keys()
    assert condition(cluster, "FailedOver")["status"] == "False", "without a score nobody is known to be better"


async def test_the_provider_with_the_best_score_serves_on_after_a_restart(cluster: Cluster) -> None:
    cluster.provider("openai").seconds = 1.0
    wanted = policy(**chosen_by("Performance"))
    cluster.put(wanted)
    await asyncio.sleep(60)
    assert cluster.published == "backup"
    before = document(cluster)

    successor = await restart(cluster, wanted)
    await asyncio.sleep(HOUR)

    assert document(successor) == before
    assert len(successor.status["history"]) == 2
    await successor.stop()


def priced(name: str, price: float, **fields: Any) -> dict[str, Any]:
    """Return a provider of this price for a million tokens, sent or answered."""
    cost = {"inputPerMillionTokens": price, "outputPerMillionTokens": price}
    return dict(played(name, cost=cost, **fields))


THREE_PRICES = (priced("dear", 10), priced("cheap", 1), priced("middle", 5))


async def test_the_cheapest_provider_serves_whoever_is_the_primary(cluster: Cluster) -> None:
    cluster.put(of(*THREE_PRICES, **chosen_by("Cost")))
    await asyncio.sleep(1)

    assert (cluster.published, cluster.status["reason"]) == ("cheap", "Cheapest")
    assert switches(cluster) == [(None, "cheap", "Initial")]
    assert "1.00 per million tokens" in cluster.status["history"][0]["reason"]
    assert condition(cluster, "FailedOver")["status"] == "False"


async def test_the_cheapest_is_left_while_it_is_degraded_and_returned_to_at_a_distance(cluster: Cluster) -> None:
    rules = chosen_by("Cost", window="1m", thresholds={"responseTime": "5s"})
    cluster.put(of(*THREE_PRICES, **rules))
    await asyncio.sleep(100)
    cluster.provider("cheap").seconds = 6
    await asyncio.sleep(20)
    assert cluster.published == "middle"
    assert switches(cluster)[-1] == ("cheap", "middle", "Degradation")
    assert '"cheap" is degraded: response time p95 6 s is over 5 s' in cluster.status["history"][0]["reason"]
    assert notes(cluster, "SwitchedFromDegraded")
    assert cluster.status["reason"] == "Cheapest"
    assert 'the cheapest (5.00 per million tokens; "dear" 10.00)' in condition(cluster, "Ready")["message"]
    assert '"cheap" is degraded' in condition(cluster, "Ready")["message"]

    cluster.provider("cheap").seconds = 4.8
    await asyncio.sleep(600)
    assert cluster.published == "middle"
    assert provider(cluster, "cheap")["degraded"] == "response time p95 4.8 s has not come back under 4.5 s"

    cluster.provider("cheap").seconds = 4.4
    await asyncio.sleep(120)
    assert switches(cluster)[-1] == ("middle", "cheap", "Cost")
    assert cluster.status["reason"] == "Cheapest"


THREE_WEIGHTS = (played("main", weight=60), played("second", weight=30), played("third", weight=10))


async def test_weights_are_published_and_sum_to_a_hundred(cluster: Cluster) -> None:
    cluster.put(of(*THREE_WEIGHTS, **chosen_by("Weighted")))
    await asyncio.sleep(5)

    assert document(cluster)["weights"] == {"main": 60, "second": 30, "third": 10}
    assert [provider(cluster, name)["weight"] for name in ("main", "second", "third")] == [60, 30, 10]
    assert (cluster.published, cluster.status["reason"]) == ("main", "HighestWeight")
    assert counted(cluster, "provider_weight_percent", provider="second") == 30


async def test_weights_of_the_others_grow_when_one_falls_out_and_it_is_eased_in_when_it_is_back(
    cluster: Cluster,
) -> None:
    cluster.put(of(*THREE_WEIGHTS, **chosen_by("Weighted", rampInterval="1m")))
    await asyncio.sleep(25)
    cluster.provider("second").health_class = HealthClass.SERVER_ERROR
    await asyncio.sleep(15)
    assert document(cluster)["weights"] == {"main": 86, "third": 14}
    assert "weight" not in provider(cluster, "second")

    cluster.provider("second").health_class = HealthClass.HEALTHY
    seen, revisions = [document(cluster)["weights"]], {keys(cluster)["LLM_REVISION"]}
    for _ in range(400):
        await asyncio.sleep(1)
        revisions.add(keys(cluster)["LLM_REVISION"])
        if document(cluster)["weights"] != seen[-1]:
            seen.append(document(cluster)["weights"])

    assert seen[1:] == [
        {"main": 82, "second": 4, "third": 14},
        {"main": 77, "second": 10, "third": 13},
        {"main": 70, "second": 18, "third": 12},
        {"main": 60, "second": 30, "third": 10},
    ]
    assert len(revisions) == 5, "each change of the weights is a revision"
    assert switches(cluster) == [(None, "main", "Initial")], "and none of them a switch"
    assert counted(cluster, "drift_repairs_total", kind="ConfigMap") == 0


async def test_the_largest_share_is_the_active_provider(cluster: Cluster) -> None:
    cluster.put(of(*THREE_WEIGHTS, **chosen_by("Weighted", rampInterval="1m")))
    await asyncio.sleep(25)
    cluster.provider("main").health_class = HealthClass.SERVER_ERROR
    await asyncio.sleep(15)
    assert (cluster.published, document(cluster)["weights"]) == ("second", {"second": 75, "third": 25})
    assert switches(cluster)[-1] == ("main", "second", "Failover")

    cluster.provider("main").health_class = HealthClass.HEALTHY
    heads = set()
    for _ in range(400):
        await asyncio.sleep(1)
        weights = document(cluster)["weights"]
        heads.add((cluster.published, weights.get("main", 0)))
        assert weights[cluster.published] == max(weights.values())
    assert switches(cluster)[-1] == ("second", "main", "Weight")
    assert heads == {("second", share) for share in (0, 13, 27, 43)} | {("main", 60)}


async def test_a_ramp_goes_on_where_it_was_when_the_operator_is_restarted(cluster: Cluster) -> None:
    wanted = of(*THREE_WEIGHTS, **chosen_by("Weighted", rampInterval="10m"))
    cluster.put(wanted)
    await asyncio.sleep(25)
    cluster.provider("second").health_class = HealthClass.SERVER_ERROR
    await asyncio.sleep(15)
    cluster.provider("second").health_class = HealthClass.HEALTHY
    await asyncio.sleep(120)
    before = document(cluster)
    assert before["weights"] == {"main": 82, "second": 4, "third": 14}

    successor = await restart(cluster, wanted)
    await asyncio.sleep(60)
    assert document(successor) == before
    await asyncio.sleep(600)
    assert document(successor)["weights"] == {"main": 77, "second": 10, "third": 13}
    await successor.stop()


async def test_a_step_of_the_ramp_during_a_restart_is_a_new_revision_and_no_drift(cluster: Cluster) -> None:
    wanted = of(*THREE_WEIGHTS, **chosen_by("Weighted", rampInterval="10m"))
    cluster.put(wanted)
    await asyncio.sleep(25)
    cluster.provider("second").health_class = HealthClass.SERVER_ERROR
    await asyncio.sleep(15)
    cluster.provider("second").health_class = HealthClass.HEALTHY
    await asyncio.sleep(120)
    before = int(keys(cluster)["LLM_REVISION"])
    await cluster.stop()
    await asyncio.sleep(600)

    successor = await restart(cluster, wanted)
    await asyncio.sleep(30)
    assert document(successor)["weights"] == {"main": 77, "second": 10, "third": 13}
    assert int(keys(successor)["LLM_REVISION"]) == before + 1
    assert counted(successor, "drift_repairs_total", kind="ConfigMap") == 0
    await successor.stop()


BY_TURNS = chosen_by("RoundRobin", rotationPeriod="1h")


async def test_each_provider_has_its_turn(cluster: Cluster) -> None:
    cluster.put(of(*plain("one", "two", "three"), **BY_TURNS))
    served = []
    await asyncio.sleep(10)
    for _ in range(4):
        served.append(cluster.published)
        await asyncio.sleep(HOUR)

    assert served == ["one", "two", "three", "one"]
    assert {trigger for *_, trigger in switches(cluster)[1:]} == {"Rotation"}
    assert cluster.status["reason"] == "ItsTurn"
    assert len(notes(cluster, "Rotated")) == 4


async def test_turns_do_not_depend_on_restarts(cluster: Cluster) -> None:
    wanted = of(*plain("one", "two", "three"), **BY_TURNS)
    cluster.put(wanted)
    await asyncio.sleep(1.5 * HOUR)
    assert cluster.published == "two"

    successor = await restart(cluster, wanted)
    await asyncio.sleep(10)
    assert successor.published == "two"
    await asyncio.sleep(HOUR)
    assert successor.published == "three"
    await successor.stop()


async def test_one_that_is_down_misses_its_turn_and_no_other(cluster: Cluster) -> None:
    cluster.put(of(*plain("one", "two", "three"), **BY_TURNS))
    await asyncio.sleep(0.5 * HOUR)
    cluster.provider("two").health_class = HealthClass.SERVER_ERROR
    served = []
    for _ in range(4):
        served.append(cluster.published)
        await asyncio.sleep(HOUR)

    assert served == ["one", "three", "three", "one"]


async def test_by_priority_nobody_takes_over_for_being_quicker_or_cheaper(cluster: Cluster) -> None:
    cluster.provider("dear").seconds = 2.0
    cluster.put(of(priced("dear", 10), priced("cheap", 1), **chosen_by("Priority")))
    await asyncio.sleep(2 * HOUR)

    assert switches(cluster) == [(None, "dear", "Initial")]
    assert (cluster.status["reason"], "weights" in document(cluster)) == ("PrimaryHealthy", False)
    advice = cluster.status["recommendation"]
    assert (advice["provider"], advice["gain"]) == ("cheap", pytest.approx(0.58, abs=0.01))
    assert "p95 response time 0.01 s instead of 2 s" in advice["why"]
