"""Drills in virtual time: the real operator, a fault that is played to it, and what is left afterwards."""

import asyncio
import copy
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.controller.played_cluster import NAMESPACE, POLICY, policy
from tests.controller.played_drills import QUICK, Stage, drill

from providerswitch.api.health import HealthClass

pytestmark = pytest.mark.looptime(start=0)

WHOSE = {"namespace": NAMESPACE, "policy": POLICY}


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    made = Stage()
    yield made
    await made.cluster.stop()


async def test_an_outage_is_detected_published_seen_and_come_back_from(stage: Stage) -> None:
    await stage.opens()
    stage.make(drill())
    await asyncio.sleep(5)

    assert stage.said()["state"] == "Running"
    assert stage.cluster.published == "backup"
    assert stage.cluster.status["drill"]["provider"] == "openai"
    await asyncio.sleep(300)
    assert stage.cluster.published == "openai"
    said = stage.said()
    assert (said["state"], said["reason"]) == ("Passed", "Passed")
    result = said["result"]
    assert 150 <= result["detectMillis"] <= 400
    assert result["publishMillis"] < 100
    assert result["detectMillis"] <= result["consumerVisibleMillis"] <= 500
    assert 0 < result["failbackMillis"] < 60_000
    assert result["failedOverTo"] == "backup"
    assert stage.is_clean()


@pytest.mark.parametrize(
    ("fault", "seen"),
    [
        ("Outage", "ServerError"),
        ("RateLimit", "RateLimited"),
        ("AuthFailure", "AuthInvalid"),
        ("Network", "Timeout"),
        ("Flapping", "ServerError"),
    ],
)
async def test_each_fault_takes_the_real_path_there_and_back(fault: str, seen: str, stage: Stage) -> None:
    await stage.opens()
    stage.make(drill(fault=fault, duration="2m"))
    await asyncio.sleep(10)
    assert stage.cluster.published == "backup"
    found = next(each for each in stage.cluster.status["providers"] if each["name"] == "openai")
    assert found["healthClass"] == seen
    assert 'played by drill "monday"' in found["why"]

    await asyncio.sleep(900)
    assert stage.said()["state"] == "Passed", stage.said()
    assert stage.cluster.published == "openai"
    assert stage.is_clean()


async def test_a_slow_provider_is_left_where_the_policy_leaves_degraded_ones(stage: Stage) -> None:
    thresholds = {"responseTime": "500ms"}
    await stage.opens(selection={"thresholds": thresholds, "window": "2m", "switchOnDegradation": True})
    await asyncio.sleep(60)
    stage.make(drill(fault="Degradation", duration="3m"))
    await asyncio.sleep(170)
    assert stage.cluster.published == "backup"
    await asyncio.sleep(900)
    assert stage.said()["state"] == "Passed", stage.said()
    assert stage.cluster.published == "openai"
    assert stage.is_clean()


async def test_consumers_saw_no_outage_and_no_figure_of_service_says_so(stage: Stage) -> None:
    await stage.opens()
    probes = {"type": "openai-compatible", "host": "openai.example", "tier": "liveness", "class": "ServerError"}
    before = copy.deepcopy(stage.cluster.status["switching"])
    stage.make(drill())
    await asyncio.sleep(900)
    assert stage.said()["state"] == "Passed"

    status = stage.cluster.status
    assert status["resilience"]["observed"].get("failures", 0) == 0
    assert all(each["reliability"]["failures"] == 0 for each in status["providers"])
    assert status["switching"] == before
    assert stage.cluster.value("providerswitch_policy_unserved_seconds_total", **WHOSE) == 0
    assert stage.cluster.value("providerswitch_probes_total", **probes) is None
    counted = {trigger: stage.cluster.value("providerswitch_switches_total", **WHOSE, trigger=trigger,
               outcome="Succeeded") for trigger in ("Drill", "Failover", "Failback")}  # fmt: skip
    assert counted == {"Drill": 2, "Failover": None, "Failback": None}


async def test_whatever_is_told_of_a_drill_says_that_it_is_one(stage: Stage) -> None:
    await stage.opens()
    stage.make(drill())
    await asyncio.sleep(300)

    history = stage.cluster.status["history"]
    assert [each["reason"].startswith('Drill "monday": ') for each in history] == [True, True, False]
    notes = [(each["type"], each["reason"], each["note"]) for path, each in stage.cluster.api.objects.items()
             if "/events/" in path]  # fmt: skip
    played = [each for each in notes if each[1] in {"FailedOver", "FailedBack", "ProviderDown", "ProviderRecovered"}]
    assert len(played) == 4
    assert all(kind == "Normal" and note.startswith('Drill "monday": ') for kind, _, note in played)
    assert [reason for _, reason, _ in notes if reason.startswith("Drill")] == [
        "DrillStarted", "DrillStarted", "DrillPassed", "DrillPassed"]  # fmt: skip


async def test_another_policy_that_shares_the_provider_notices_nothing(stage: Stage) -> None:
    await stage.opens()
    other = policy("openai", "spare", name="other", uid="uid-of-other", **QUICK)
    entry = stage.cluster.put(other)
    await asyncio.sleep(60)
    path = f"/apis/providerswitch.dev/v1alpha1/namespaces/{NAMESPACE}/providerswitchpolicies/other/status"
    before, asked = copy.deepcopy(stage.cluster.api.objects[path]), len(stage.cluster.provider("openai").asked)
    calm = await _asked_in(stage, 60)
    assert asked
    stage.make(drill(duration="50s"))
    assert await _asked_in(stage, 48) <= calm + 1
    assert stage.cluster.published == "backup"
    assert stage.cluster.api.objects[path] == before
    assert entry.healths["openai"].failures == 0
    assert entry.memory.active == "openai"
    await asyncio.sleep(600)
    assert entry.memory.active == "openai"
    assert entry.healths["openai"].ejections == 0


async def _asked_in(stage: Stage, seconds: float) -> int:
    before = len(stage.cluster.provider("openai").asked)
    await asyncio.sleep(seconds)
    return len(stage.cluster.provider("openai").asked) - before


async def test_a_provider_that_does_not_serve_is_only_found_failing(stage: Stage) -> None:
    await stage.opens()
    stage.make(drill(provider="backup"))
    await asyncio.sleep(600)
    said = stage.said()
    assert (said["state"], stage.cluster.published) == ("Passed", "openai")
    assert 150 <= said["result"]["detectMillis"] <= 400
    assert "publishMillis" not in said["result"]
    assert stage.is_clean()


async def test_manual_failback_is_asked_for_by_the_drill_itself(stage: Stage) -> None:
    await stage.opens(failover={**QUICK["failover"], "failback": "Manual"})
    stage.make(drill())
    await asyncio.sleep(300)
    assert stage.said()["state"] == "Passed", stage.said()
    assert stage.cluster.published == "openai"
    assert stage.cluster.status["history"][0]["trigger"] == "DrillEnded"
    assert stage.is_clean()


async def test_objectives_that_are_missed_fail_the_drill(stage: Stage) -> None:
    await stage.opens()
    stage.make(drill(objectives={"detection": "1ms", "failover": "2s", "failback": "10m"}))
    await asyncio.sleep(300)
    said = stage.said()
    assert (said["state"], said["reason"]) == ("Failed", "ObjectiveMissed")
    assert {each["name"]: each["met"] for each in said["result"]["objectives"]} == {
        "detection": False, "failover": True, "failback": True}  # fmt: skip
    assert "detection took" in said["message"]


async def test_a_fault_that_is_too_short_to_be_noticed_fails_the_drill(stage: Stage) -> None:
    await stage.opens(healthCheck={**QUICK["healthCheck"], "fastInterval": "5s"})
    stage.make(drill(duration="3s"))
    await asyncio.sleep(120)
    assert (stage.said()["state"], stage.said()["reason"]) == ("Failed", "NotDetected")
    assert stage.is_clean()


@pytest.mark.parametrize(
    ("spec", "policy_spec", "reason"),
    [
        ({"policyRef": {"name": "nobody"}}, {}, "PolicyNotFound"),
        ({"provider": "stranger"}, {}, "ProviderNotFound"),
        ({}, {"failover": {"mode": "Manual"}}, "ManualMode"),
    ],
)
async def test_what_cannot_be_rehearsed_is_refused(
    spec: dict[str, Any], policy_spec: dict[str, Any], reason: str, stage: Stage
) -> None:
    await stage.opens(**policy_spec)
    before = copy.deepcopy(stage.cluster.status)
    stage.make(drill(**spec))
    await asyncio.sleep(10)
    assert (stage.said()["state"], stage.said()["reason"]) == ("Refused", reason)
    assert stage.cluster.status == before
    assert "DrillRefused" in stage.cluster.api.events()


async def test_a_policy_that_really_fails_over_is_not_drilled(stage: Stage) -> None:
    await stage.opens("openai", "backup", "spare")
    stage.cluster.provider("openai").health_class = HealthClass.SERVER_ERROR
    await asyncio.sleep(15)
    assert stage.cluster.published == "backup"
    stage.make(drill())
    await asyncio.sleep(10)
    assert (stage.said()["state"], stage.said()["reason"]) == ("Refused", "NotStable")


async def test_without_anybody_who_could_take_over_nothing_is_played(stage: Stage) -> None:
    await stage.opens("openai")
    stage.make(drill())
    await asyncio.sleep(10)
    assert (stage.said()["state"], stage.said()["reason"]) == ("Failed", "NoBackup")
    assert stage.cluster.published == "openai"
    assert stage.is_clean()


async def test_of_two_drills_the_second_is_refused(stage: Stage) -> None:
    await stage.opens()
    stage.make(drill())
    await asyncio.sleep(5)
    stage.make(drill("tuesday"))
    await asyncio.sleep(5)
    assert stage.said("tuesday")["reason"] == "DrillRunning"
    assert stage.said()["state"] == "Running"


async def test_drill_and_policy_may_be_made_together(stage: Stage) -> None:
    stage.begins(policy(**QUICK))
    stage.make(drill())
    await asyncio.sleep(15)
    assert stage.said()["state"] == "Running"
