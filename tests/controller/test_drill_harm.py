"""What a drill must never do: hide a real outage, leave anything behind, or get in the way of another."""

import asyncio
import copy
import re
from collections.abc import AsyncIterator

import pytest
from tests.controller.played_cluster import CONFIG_MAP, NAMESPACE, POLICY, played
from tests.controller.played_drills import QUICK, Stage, drill

from providerswitch.api.health import HealthClass
from providerswitch.controller.entry import Entry
from providerswitch.core.drill_rules import Field

LONG = {"healthCheck": QUICK["healthCheck"], "failover": {"blacklistDuration": "10m", "minDwell": "5m"}}
pytestmark = pytest.mark.looptime(start=0)


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    made = Stage()
    yield made
    await made.cluster.stop()


def _running(stage: Stage) -> float | None:
    return stage.cluster.value("providerswitch_drill_running", namespace=NAMESPACE, policy=POLICY)


async def test_an_outage_of_who_serves_ends_the_drill_of_his_backup(stage: Stage) -> None:
    await stage.opens()
    stage.make(drill(provider="backup", duration="1h"))
    await asyncio.sleep(30)
    assert stage.said()["state"] == "Running"
    stage.cluster.provider("openai").health_class = HealthClass.SERVER_ERROR
    await asyncio.sleep(15)
    assert stage.cluster.published == "backup"
    assert (stage.said()["state"], stage.said()["reason"]) == ("Aborted", "RealFailure")
    assert '"openai"' in stage.said()["message"]


async def test_an_outage_of_who_took_over_a_task_ends_the_drill(stage: Stage) -> None:
    """Only two can do embeddings; the policy itself is served by a third one meanwhile."""
    able = {"capabilities": ["chat", "embeddings"], "embedding": {"space": "s", "dimensions": 8}}
    providers = [played("openai", **able), played("spare", capabilities=["chat"]), played("backup", **able)]
    task = {"name": "embed", "requirements": {"capabilities": ["embeddings"]}}
    await stage.opens(providers=providers, tasks=[task], backups=["spare", "backup"])
    stage.make(drill(duration="1h"))
    await asyncio.sleep(20)
    entry = stage.cluster.entry()
    assert entry
    assert (stage.cluster.published, entry.memory.seats["embed"].active) == ("spare", "backup")
    stage.cluster.provider("backup").health_class = HealthClass.SERVER_ERROR
    await asyncio.sleep(15)
    assert entry.memory.seats["embed"].active == "openai"
    assert (stage.said()["state"], stage.said()["reason"]) == ("Aborted", "RealFailure")
    assert stage.cluster.published == "openai"


@pytest.mark.parametrize("fault", ["Outage", "Degradation"])
async def test_a_task_without_anybody_who_could_take_over_is_not_drilled(fault: str, stage: Stage) -> None:
    """It would be told of, and paged for, as not served."""
    able = {"capabilities": ["chat", "embeddings"], "embedding": {"space": "s", "dimensions": 8}}
    providers = [played("openai", **able), played("backup", capabilities=["chat"])]
    task = {"name": "embed", "requirements": {"capabilities": ["embeddings"]}}
    await stage.opens(providers=providers, tasks=[task])
    stage.make(drill(fault=fault))
    await asyncio.sleep(20)
    assert (stage.said()["state"], stage.said()["reason"]) == ("Failed", "NoBackup")
    assert 'task "embed"' in stage.said()["message"]
    assert "TaskNotServed" not in stage.cluster.api.events()
    assert stage.is_clean()


async def test_of_two_drills_made_at_once_one_runs_and_one_is_refused(stage: Stage) -> None:
    await stage.opens()
    stage.make(drill("first"))
    stage.make(drill("second"))
    await asyncio.sleep(20)
    said = {stage.said(name)["state"]: stage.said(name)["reason"] for name in ("first", "second")}
    assert said == {"Running": "Running", "Refused": "DrillRunning"}


async def test_a_drill_that_is_deleted_as_it_begins_is_in_nobodys_way(stage: Stage) -> None:
    await stage.opens()
    stage.cluster.api.seconds = lambda _path: 0.5
    stage.make(drill("first"))
    await asyncio.sleep(0.2)
    stage.delete("first")
    stage.cluster.api.seconds = lambda _path: 0.001
    await asyncio.sleep(2)
    stage.make(drill("second"))
    await asyncio.sleep(20)
    assert stage.said("second")["state"] == "Running"


async def test_a_refused_drill_does_not_hide_from_metrics_that_another_runs(stage: Stage) -> None:
    await stage.opens()
    stage.make(drill("first"))
    await asyncio.sleep(10)
    assert _running(stage) == 1
    stage.make(drill("second"))
    await asyncio.sleep(10)
    assert stage.said("second")["reason"] == "DrillRunning"
    assert _running(stage) == 1


async def test_metrics_show_no_drill_any_more_when_it_is_deleted_at_its_end(stage: Stage) -> None:
    await stage.opens()
    stage.make(drill(duration="30s"))
    await asyncio.sleep(10)
    stage.cluster.api.seconds = lambda path: 5.0 if path.endswith("monday/status") else 0.001
    for _ in range(200):
        await asyncio.sleep(1)
        entry = stage.cluster.entry()
        if entry and entry.rehearsal is None:
            break
    stage.delete()
    await asyncio.sleep(70)
    assert not _running(stage)


async def test_metrics_show_the_drilled_provider_as_it_really_is(stage: Stage) -> None:
    """A provider that is down for an hour is warned of, and a drill may take longer."""
    await stage.opens()
    stage.make(drill())
    await asyncio.sleep(10)
    labels = {"namespace": NAMESPACE, "policy": POLICY, "provider": "openai"}
    assert stage.cluster.value("providerswitch_provider_state", state="Healthy", **labels) == 1
    assert not stage.cluster.value("providerswitch_provider_state", state="Down", **labels)


async def test_an_object_of_the_same_labels_does_not_tell_what_consumers_see(stage: Stage) -> None:
    await stage.opens()
    stage.make(drill(provider="openai"))
    await asyncio.sleep(0.05)
    forged = copy.deepcopy(stage.cluster.api.objects[CONFIG_MAP])
    forged["metadata"]["name"] = "forged"
    forged["data"]["provider.json"] = forged["data"]["provider.json"].replace("openai", "backup")
    forged["data"]["provider.json"] = re.sub(r'"revision": ?\d+', '"revision":99', forged["data"]["provider.json"])
    stage.cluster.operator.children.listener("ConfigMap").changed(forged)
    entry = stage.cluster.entry()
    assert entry
    assert entry.rehearsal
    assert entry.rehearsal.run.begun
    assert entry.rehearsal.run.seen_at is None


async def test_what_is_played_after_the_end_of_a_drill_is_not_believed(stage: Stage) -> None:
    """The API server asks to be left alone, so that no reconcile rearranges the probes."""
    await stage.opens()
    stage.make(drill(duration="10m", provider="backup"))
    await asyncio.sleep(5)
    entry = stage.cluster.entry()
    assert entry
    entry.left_alone_until = asyncio.get_running_loop().time() + 20
    stage.delete()
    await asyncio.sleep(15)
    assert (entry.healths["backup"].state, entry.healths["backup"].failures) == ("Healthy", 0)
    await asyncio.sleep(10)
    assert stage.is_clean()


async def test_a_silence_of_everybody_leaves_no_mark_on_the_drilled_provider(stage: Stage) -> None:
    await stage.opens("openai", "backup", "spare", **LONG)
    stage.make(drill(duration="10m"))
    await asyncio.sleep(5)
    assert stage.cluster.published == "backup"
    for name in ("openai", "backup", "spare"):
        stage.cluster.provider(name).health_class = HealthClass.TIMEOUT
    await asyncio.sleep(40)
    assert stage.said()["reason"] == "RealFailure"
    for name in ("openai", "backup", "spare"):
        stage.cluster.provider(name).health_class = HealthClass.HEALTHY
    await asyncio.sleep(60)
    assert stage.cluster.published == "openai"
    assert stage.is_clean()


@pytest.mark.parametrize("strategy", ["Performance", "Cost", "RoundRobin", "Weighted", "Priority"])
async def test_whoever_served_before_serves_again_under_every_strategy(strategy: str, stage: Stage) -> None:
    providers = [
        played(name, weight=weight, cost={"inputPerMillionTokens": 1.0, "outputPerMillionTokens": cost})
        for name, weight, cost in (("openai", 60, 1.00), ("backup", 40, 1.02))
    ]
    await stage.opens(providers=providers, selection={"strategy": strategy, "minSamples": 2, "window": "24h"})
    await asyncio.sleep(300)
    before = stage.cluster.published
    stage.make(drill(duration="10m"))
    await asyncio.sleep(20)
    assert stage.cluster.published != before
    stage.delete()
    await asyncio.sleep(2)
    assert stage.cluster.published == before
    assert stage.cluster.status["history"][0]["trigger"] == "DrillEnded"


async def test_a_drill_of_a_policy_that_is_not_there_makes_no_series(stage: Stage) -> None:
    """Its name and its status are chosen by whoever may write drills."""
    await stage.opens()
    shown = drill("stray", policyRef={"name": "nobody"})
    shown["metadata"]["resourceVersion"] = "7"
    shown["status"] = {"observedGeneration": 1, "state": "Failed", "finishedAt": "2026-01-01T00:00:00.000000Z"}
    stage.drills.changed(shown)
    await asyncio.sleep(10)
    assert (
        stage.cluster.value("providerswitch_drill_last_result", namespace=NAMESPACE, policy="nobody", result="Failed")
        is None
    )


async def test_a_policy_that_is_deleted_as_a_drill_begins_is_named_as_the_cause(stage: Stage) -> None:
    await stage.opens()
    stage.cluster.api.seconds = lambda _path: 0.5
    stage.make(drill())
    await asyncio.sleep(0.2)
    stage.cluster.delete(stage.policy)
    await asyncio.sleep(5)
    assert (stage.said()["state"], stage.said()["reason"]) == ("Aborted", "PolicyDeleted")


async def test_a_drill_that_says_it_ended_at_the_end_of_all_days_disturbs_nothing(stage: Stage) -> None:
    """Its status is whatever those write into it who may."""
    await stage.opens()
    shown = drill("stray")
    shown["metadata"]["resourceVersion"] = "7"
    shown["status"] = {"observedGeneration": 1, "state": "Refused", "finishedAt": "9999-12-31T23:59:59.999999Z"}
    stage.drills.changed(shown)
    await asyncio.sleep(5)
    task = next(iter(stage.cluster.operator.drills.objects)).task
    assert task
    assert task.done()
    assert task.exception() is None
    assert stage.cluster.value("providerswitch_reconcile_errors_total", error="Unexpected") == 0


async def test_many_drills_at_the_same_minute_hold_up_nobody_else(stage: Stage) -> None:
    """Between two of them the event loop goes round, so that probes, the Lease and other namespaces are seen to."""
    await stage.opens()
    for number in range(100):
        stage.make(drill(f"each-minute-{number}", schedule="* * * * *", provider="nobody"))
    await asyncio.sleep(20)
    rounds = _rounds_of_judgements(stage)
    await asyncio.sleep(20)
    assert (len(rounds), len(set(rounds))) == (100, 100)


async def test_many_refused_drills_do_not_flood_their_policy_with_events(stage: Stage) -> None:
    await stage.opens()
    for number in range(150):
        stage.make(drill(f"d{number}", provider="nobody"))
    await asyncio.sleep(5)
    told = [obj for path, obj in stage.cluster.api.objects.items() if "/events/" in path]
    of_policy = [obj for obj in told if obj["regarding"]["kind"] == "ProviderSwitchPolicy"]
    assert len([obj for obj in told if obj["reason"] == "DrillRefused"]) > 150
    assert len([obj for obj in of_policy if obj["reason"] == "DrillRefused"]) == 100
    stage.cluster.provider("openai").health_class = HealthClass.SERVER_ERROR
    await asyncio.sleep(15)
    assert "FailedOver" in stage.cluster.api.events()


def _rounds_of_judgements(stage: Stage) -> list[int]:
    """Return, as they come, in which round of the event loop each drill is judged; counted from the first on."""
    drills, rounds, passed = stage.cluster.operator.drills, list[int](), 0
    look, loop = drills.field_of, asyncio.get_running_loop()

    def go_round() -> None:
        nonlocal passed
        passed += 1
        if passed < 1000:
            loop.call_soon(go_round)

    def counted(entry: Entry) -> Field | None:
        if not rounds:
            go_round()
        rounds.append(passed)
        return look(entry)

    drills.field_of = counted
    return rounds
