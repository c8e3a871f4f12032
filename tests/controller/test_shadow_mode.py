"""Shadow mode: everything is decided, recorded and explained, nothing is published; and there is a way back."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.controller.played_cluster import CONFIG_MAP, NAMESPACE, POLICY, SERVICE, Cluster, policy

from providerswitch.api.health import HealthClass
from providerswitch.kube.client import Object

pytestmark = pytest.mark.looptime(start=0)

PUBLISH = {"service": {"name": "llm"}}
WHOSE = {"namespace": NAMESPACE, "policy": POLICY}


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    made = Cluster()
    made.start()
    yield made
    await made.stop()


def shadow(generation: int = 1, **spec: Any) -> Object:
    return policy(publish=PUBLISH, generation=generation, dryRun=True, **spec)


def live(generation: int = 1, **spec: Any) -> Object:
    return policy(publish=PUBLISH, generation=generation, **spec)


def written(cluster: Cluster) -> list[tuple[float, str]]:
    """Return when and which published objects were really written."""
    return [
        (at, path)
        for at, method, path in cluster.api.asked
        if method in {"PATCH", "POST", "DELETE"} and path in {CONFIG_MAP, SERVICE} and at not in cluster.api.rehearsed
    ]


def notes(cluster: Cluster, reason: str) -> list[str]:
    events = (obj for path, obj in cluster.api.objects.items() if "/events/" in path)
    return [event["note"] for event in events if event["reason"] == reason]


def ready(cluster: Cluster) -> dict[str, Any]:
    return next(each for each in cluster.status["conditions"] if each["type"] == "Ready")


async def fails(cluster: Cluster, name: str, *, for_seconds: float = 60) -> None:
    cluster.provider(name).health_class = HealthClass.SERVER_ERROR
    await asyncio.sleep(for_seconds)


async def becomes(cluster: Cluster, obj: Object, *, within: float = 1) -> None:
    cluster.put(obj)
    await asyncio.sleep(within)


async def restarted(cluster: Cluster, obj: Object) -> Cluster:
    """Return the operator's next process, which knows what is stored and nothing else."""
    await cluster.stop()
    successor = Cluster(api=cluster.api, providers=cluster.providers)
    for kind, path in (("ConfigMap", CONFIG_MAP), ("Service", SERVICE)):
        if path in cluster.api.objects:
            successor.show(kind, path)
    successor.put({**obj, "status": cluster.status})
    successor.start()
    await asyncio.sleep(1)
    return successor


async def test_a_first_choice_in_shadow_mode_is_told_and_not_published(cluster: Cluster) -> None:
    await becomes(cluster, shadow())

    assert written(cluster) == []
    assert (CONFIG_MAP in cluster.api.objects, SERVICE in cluster.api.objects) == (False, False)
    assert cluster.status["activeProvider"] == "openai"
    assert (ready(cluster)["status"], ready(cluster)["reason"]) == ("True", "Shadow")
    assert ready(cluster)["message"] == (
        'Shadow: would publish "openai": the primary "openai" serves. Nothing is published; take out spec.dryRun to go '
        "live"
    )
    assert notes(cluster, "Activated") == [
        'Shadow: would switch to "openai" first: "openai" is the primary. Nothing is published.'
    ]
    assert [entry["outcome"] for entry in cluster.status["history"]] == ["Shadow"]
    assert cluster.status["shadow"].keys() == {"since"}


async def test_a_failover_in_shadow_mode_is_decided_as_soon_and_touches_nothing(cluster: Cluster) -> None:
    await becomes(cluster, live())
    before = {path: dict(cluster.api.objects[path]) for path in (CONFIG_MAP, SERVICE)}
    await becomes(cluster, shadow(2))
    await fails(cluster, "openai")

    assert {path: cluster.api.objects[path] for path in before} == before
    entry = cluster.status["history"][0]
    assert (entry["from"], entry["to"], entry["trigger"], entry["outcome"]) == (
        "openai",
        "backup",
        "Failover",
        "Shadow",
    )
    assert notes(cluster, "FailedOver")[0].startswith('Shadow: would switch from "openai" to "backup": "openai": down')
    assert cluster.status["shadow"]["publishedProvider"] == "openai"
    assert cluster.status["shadow"]["publishedRevision"] == 1
    assert '"openai" (revision 1) stays as it stands' in ready(cluster)["message"]


async def test_what_shadow_mode_decides_is_no_switch_in_any_figure(cluster: Cluster) -> None:
    await becomes(cluster, live())
    await becomes(cluster, shadow(2))
    watched = cluster.value("providerswitch_policy_watched_seconds_total", **WHOSE)
    await fails(cluster, "openai", for_seconds=600)

    assert cluster.status["history"][0]["outcome"] == "Shadow"
    counts = cluster.status["switching"]
    assert (counts["total"], counts["succeeded"]) == (1, 1)
    labels = {**WHOSE, "trigger": "Failover"}
    assert cluster.value("providerswitch_switches_total", outcome="Shadow", **labels) is None
    assert cluster.value("providerswitch_policy_unserved_seconds_total", **WHOSE) == 0
    assert cluster.value("providerswitch_policy_watched_seconds_total", **WHOSE) == watched
    assert cluster.value("providerswitch_detection_duration_seconds_count") == 0
    assert cluster.status["resilience"]["observed"]["failures"] == 0
    assert "detectMillis" not in cluster.status["resilience"]
    assert cluster.value("providerswitch_active_provider", **WHOSE, provider="openai") == 1
    assert cluster.value("providerswitch_active_provider", **WHOSE, provider="backup") is None
    assert cluster.value("providerswitch_policy_shadow", **WHOSE) == 1


async def test_flap_control_counts_what_shadow_mode_decides(cluster: Cluster) -> None:
    failover = {"blacklistDuration": "0s", "minDwell": "600s"}
    await becomes(cluster, shadow(failover=failover))
    await fails(cluster, "openai")
    cluster.provider("openai").health_class = HealthClass.HEALTHY
    await asyncio.sleep(400)
    assert cluster.status["activeProvider"] == "backup"
    assert "minDwell" in cluster.status["held"]


async def test_going_live_publishes_at_once_what_was_decided_as_a_switch_of_a_new_revision(cluster: Cluster) -> None:
    await becomes(cluster, live())
    await becomes(cluster, shadow(2))
    await fails(cluster, "openai")
    owner = cluster.api.objects[CONFIG_MAP]["metadata"]["ownerReferences"]
    await becomes(cluster, live(3), within=0.05)

    data = cluster.api.objects[CONFIG_MAP]["data"]
    assert (data["LLM_PROVIDER"], data["LLM_REVISION"]) == ("backup", "3")
    assert cluster.api.objects[SERVICE]["spec"]["externalName"] == "backup.example"
    assert cluster.api.objects[CONFIG_MAP]["metadata"]["ownerReferences"] == owner
    entry = cluster.status["history"][0]
    assert (entry["from"], entry["to"], entry["outcome"], entry["revision"]) == ("openai", "backup", "Succeeded", 3)
    assert cluster.status["switching"]["total"] == 2
    assert "shadow" not in cluster.status
    assert ready(cluster)["reason"] == "FailedOver"
    assert (
        'Switched from "openai" to "backup" (revision 3): spec.dryRun was switched off' in notes(cluster, "Switched")[0]
    )
    assert cluster.value("providerswitch_drift_repairs_total", **WHOSE, kind="ConfigMap") is None


async def test_going_live_for_the_first_time_is_the_first_choice(cluster: Cluster) -> None:
    await becomes(cluster, shadow())
    await becomes(cluster, live(2), within=0.05)

    assert cluster.published == "openai"
    first, decided = cluster.status["history"]
    assert (first["trigger"], first["outcome"], "from" in first) == ("Initial", "Succeeded", False)
    assert decided["outcome"] == "Shadow"


async def test_nothing_is_written_when_going_live_changes_nothing(cluster: Cluster) -> None:
    await becomes(cluster, live())
    before = len(written(cluster))
    await becomes(cluster, shadow(2), within=120)
    await becomes(cluster, live(3), within=120)

    assert len(written(cluster)) == before
    assert len(cluster.status["history"]) == 1
    assert ready(cluster)["reason"] == "PrimaryHealthy"


async def test_consumers_see_no_switch_when_shadow_mode_came_back_to_what_is_published(cluster: Cluster) -> None:
    await becomes(cluster, live(failover={"blacklistDuration": "0s", "minDwell": "0s"}))
    await becomes(cluster, shadow(2, failover={"blacklistDuration": "0s", "minDwell": "0s"}))
    await fails(cluster, "openai")
    cluster.provider("openai").health_class = HealthClass.HEALTHY
    await asyncio.sleep(400)
    assert [entry["outcome"] for entry in cluster.status["history"]] == ["Shadow", "Shadow", "Succeeded"]
    await becomes(cluster, live(3, failover={"blacklistDuration": "0s", "minDwell": "0s"}))

    data = cluster.api.objects[CONFIG_MAP]["data"]
    assert (data["LLM_PROVIDER"], data["LLM_REVISION"]) == ("openai", "4")
    assert cluster.status["switching"]["total"] == 1


async def test_what_others_do_to_published_objects_in_shadow_mode_is_left_and_put_right_after_it(
    cluster: Cluster,
) -> None:
    await becomes(cluster, live())
    await becomes(cluster, shadow(2))
    metadata = dict(cluster.api.objects[CONFIG_MAP]["metadata"])
    edited = {**cluster.api.objects[CONFIG_MAP]["data"], "LLM_PROVIDER": "theirs"}
    cluster.api.store(CONFIG_MAP, {"metadata": metadata, "data": edited})
    cluster.show("ConfigMap", CONFIG_MAP)
    gone = cluster.api.objects.pop(SERVICE)
    gone["metadata"]["resourceVersion"] = "999"
    cluster.operator.children.listener("Service").deleted(gone)
    before = len(written(cluster))
    await asyncio.sleep(300)

    assert len(written(cluster)) == before
    assert cluster.status["shadow"]["publishedProvider"] == "theirs"
    await becomes(cluster, live(3))
    assert cluster.published == "openai"
    assert SERVICE in cluster.api.objects


async def test_a_publication_that_would_be_refused_shows_in_shadow_mode(cluster: Cluster) -> None:
    cluster.api.trouble = lambda method, path: 403 if method == "PATCH" and path == SERVICE else None
    await becomes(cluster, shadow())
    assert (ready(cluster)["status"], ready(cluster)["reason"]) == ("False", "PublishRefused")
    assert "activeProvider" not in cluster.status
    cluster.api.trouble = lambda _method, _path: None
    await asyncio.sleep(15)
    assert ready(cluster)["reason"] == "Shadow"
    assert (CONFIG_MAP in cluster.api.objects, SERVICE in cluster.api.objects) == (False, False)


async def test_an_object_of_somebody_else_shows_in_shadow_mode(cluster: Cluster) -> None:
    theirs = cluster.api.store(CONFIG_MAP, {"metadata": {"name": f"{POLICY}-provider", "namespace": NAMESPACE}})
    await becomes(cluster, shadow())
    assert ready(cluster)["reason"] == "NotOwned"
    assert cluster.api.objects[CONFIG_MAP] == theirs


async def test_a_spec_that_would_be_refused_later_on_shows_too(cluster: Cluster) -> None:
    await becomes(cluster, shadow())
    cluster.api.store(SERVICE.replace("llm", "other"), {"metadata": {"name": "other", "namespace": NAMESPACE}})
    await becomes(cluster, policy(publish={"service": {"name": "other"}}, generation=2, dryRun=True))
    assert ready(cluster)["reason"] == "NotOwned"


async def test_shadow_mode_in_calm_asks_the_api_server_nothing(cluster: Cluster) -> None:
    await becomes(cluster, shadow(), within=100)
    asked = [path for _, _, path in cluster.api.asked]
    await asyncio.sleep(200)
    assert [path for _, _, path in cluster.api.asked] == asked


async def test_problems_keep_their_own_reasons_in_shadow_mode(cluster: Cluster) -> None:
    await becomes(cluster, shadow())
    for name in ("openai", "backup"):
        cluster.provider(name).health_class = HealthClass.SERVER_ERROR
    await asyncio.sleep(600)
    assert (ready(cluster)["status"], ready(cluster)["reason"]) == ("False", "NoHealthyProvider")


async def test_a_restart_in_shadow_mode_keeps_its_own_choice(cluster: Cluster) -> None:
    await becomes(cluster, live())
    await becomes(cluster, shadow(2))
    await fails(cluster, "openai")
    events, before = len(cluster.api.events()), cluster.status
    successor = await restarted(cluster, shadow(2))

    assert successor.status["activeProvider"] == "backup"
    assert successor.status["history"] == before["history"]
    assert successor.status["shadow"] == before["shadow"]
    assert (successor.published, len(cluster.api.events())) == ("openai", events)
    await becomes(successor, live(3))
    assert (successor.published, successor.status["history"][0]["from"]) == ("backup", "openai")
    await successor.stop()


async def test_a_crash_before_the_status_of_a_shadow_choice_tells_it_once(cluster: Cluster) -> None:
    await becomes(cluster, shadow())
    cluster.api.trouble = lambda _method, path: 0 if path.endswith("/status") else None
    await fails(cluster, "openai", for_seconds=40)
    assert cluster.status["activeProvider"] == "openai"
    cluster.api.trouble = lambda _method, _path: None
    successor = await restarted(cluster, shadow())
    await asyncio.sleep(60)

    assert successor.status["activeProvider"] == "backup"
    assert len(notes(successor, "FailedOver")) == 1
    await successor.stop()


async def test_a_crash_between_going_live_and_its_status_is_finished_and_told(cluster: Cluster) -> None:
    await becomes(cluster, live())
    await becomes(cluster, shadow(2))
    await fails(cluster, "openai")
    cluster.api.trouble = lambda method, path: 0 if path == SERVICE and method == "PATCH" else None
    await becomes(cluster, live(3), within=0.05)
    assert cluster.published == "backup"
    cluster.api.trouble = lambda _method, _path: None
    successor = await restarted(cluster, live(3))

    entry = successor.status["history"][0]
    assert (entry["from"], entry["to"], entry["outcome"]) == ("openai", "backup", "Resumed")
    assert cluster.api.objects[SERVICE]["spec"]["externalName"] == "backup.example"
    assert successor.status["revision"] == 3
    await successor.stop()


async def test_an_interrupted_going_live_is_recorded_when_it_is_tried_again(cluster: Cluster) -> None:
    await becomes(cluster, live())
    await becomes(cluster, shadow(2))
    await fails(cluster, "openai")
    cluster.api.trouble = lambda method, path: 0 if path == SERVICE and method == "PATCH" else None
    await becomes(cluster, live(3), within=0.3)
    cluster.api.trouble = lambda _method, _path: None
    await asyncio.sleep(5)

    entry = cluster.status["history"][0]
    assert (entry["from"], entry["to"], entry["outcome"]) == ("openai", "backup", "Succeeded")
    assert cluster.api.objects[CONFIG_MAP]["data"]["LLM_REVISION"] == "3"


async def test_a_switch_that_shadow_mode_caught_half_way_stays_and_revisions_only_go_up(cluster: Cluster) -> None:
    await becomes(cluster, live())
    cluster.api.trouble = lambda method, path: 0 if path == SERVICE and method == "PATCH" else None
    await becomes(cluster, live(2, primary="backup"), within=0.05)
    cluster.api.trouble = lambda _method, _path: None
    before = len(written(cluster))
    await becomes(cluster, shadow(3, primary="backup"), within=60)
    assert len(written(cluster)) == before
    assert cluster.api.objects[CONFIG_MAP]["data"]["LLM_REVISION"] == "2"
    await becomes(cluster, live(4, primary="backup"))
    assert cluster.api.objects[CONFIG_MAP]["data"]["LLM_REVISION"] == "4"
    assert cluster.api.objects[SERVICE]["spec"]["externalName"] == "backup.example"


async def test_tasks_of_shadow_mode_go_live_with_the_policy(cluster: Cluster) -> None:
    tasks = [{"name": "embed", "primary": "backup"}]
    await becomes(cluster, shadow(tasks=tasks), within=5)
    assert written(cluster) == []
    assert [task["activeProvider"] for task in cluster.status["tasks"]] == ["backup"]
    await becomes(cluster, live(2, tasks=tasks))

    data = cluster.api.objects[CONFIG_MAP]["data"]
    assert (data["LLM_PROVIDER"], data["LLM_EMBED_PROVIDER"]) == ("openai", "backup")
    told = [(entry.get("task"), entry["to"], entry["outcome"]) for entry in cluster.status["history"]]
    assert told == [
        ("embed", "backup", "Succeeded"),
        (None, "openai", "Succeeded"),
        ("embed", "backup", "Shadow"),
        (None, "openai", "Shadow"),
    ]


async def test_the_log_says_what_would_be_done(cluster: Cluster, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    await becomes(cluster, shadow())
    assert "Shadow: would switch" in [record.message for record in caplog.records]
    assert "decision" not in [record.message for record in caplog.records]


async def test_what_brought_a_choice_stays_its_cause_when_it_goes_live(cluster: Cluster) -> None:
    failover = {"failback": "Manual", "minDwell": "0s"}
    nights = [{"name": "nights", "cron": "10 0 * * *", "duration": "1h", "primary": "backup", "timeZone": "UTC"}]
    await becomes(cluster, shadow(failover=failover, schedule=nights), within=900)
    assert cluster.status["activeProvider"] == "backup"
    await becomes(cluster, live(2, failover=failover, schedule=nights))
    assert cluster.published == "backup"
    successor = await restarted(cluster, live(2, failover=failover, schedule=nights))
    await asyncio.sleep(3600)
    assert successor.published == "openai", "what the schedule brought, it takes away again, manual failback or not"
    await successor.stop()


async def test_a_renamed_config_map_in_shadow_mode_is_still_what_consumers_read(cluster: Cluster) -> None:
    await becomes(cluster, live())
    spec = {"publish": {"configMap": {"name": "renamed"}}}
    await becomes(cluster, policy(generation=2, dryRun=True, **spec))
    assert cluster.status["shadow"]["publishedProvider"] == "openai"
    assert CONFIG_MAP in cluster.api.objects
