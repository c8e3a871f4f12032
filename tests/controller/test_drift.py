"""What others do to published objects: put right, counted by kind, told once in an hour, and no tug of war for ever."""

import asyncio
import copy
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from tests.controller.played_cluster import CONFIG_MAP, NAMESPACE, POLICY, SERVICE, Cluster, policy

from providerswitch.kube.client import Object

pytestmark = pytest.mark.looptime(start=0)

PUBLISH = {"service": {"name": "llm"}}
WHOSE = {"namespace": NAMESPACE, "policy": POLICY}
FOREVER = 300


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    made = Cluster()
    made.start()
    yield made
    await made.stop()


async def opened(cluster: Cluster) -> None:
    cluster.put(policy(publish=PUBLISH))
    await asyncio.sleep(1)
    assert cluster.published == "openai"


def told(cluster: Cluster, reason: str) -> list[Object]:
    events = [obj for path, obj in cluster.api.objects.items() if "/events/" in path]
    return [event for event in events if event["reason"] == reason]


def edit(cluster: Cluster, manager: str = "kubectl-edit") -> None:
    """Change the base URL as somebody whom the API server has on record."""
    stored = copy.deepcopy(cluster.api.objects[CONFIG_MAP])
    record = {"manager": manager, "operation": "Update", "fieldsV1": {"f:data": {"f:LLM_BASE_URL": {}}}}
    metadata = {**stored["metadata"], "managedFields": [record]}
    cluster.api.store(
        CONFIG_MAP, {"metadata": metadata, "data": {**stored["data"], "LLM_BASE_URL": "http://sk-1.evil"}}
    )
    cluster.show("ConfigMap", CONFIG_MAP)


def delete(cluster: Cluster) -> None:
    gone = cluster.api.objects.pop(SERVICE)
    gone["metadata"]["resourceVersion"] = f"{10**6 + int(gone['metadata']['resourceVersion'])}"
    cluster.operator.children.listener("Service").deleted(gone)


def repairs(cluster: Cluster, kind: str) -> float:
    return cluster.value("providerswitch_drift_repairs_total", kind=kind, **WHOSE) or 0


async def test_an_edit_is_told_with_object_and_manager_and_without_values(cluster: Cluster) -> None:
    await opened(cluster)
    edit(cluster)
    await asyncio.sleep(0.1)

    (event,) = told(cluster, "DriftCorrected")
    assert event["type"] == "Warning"
    assert event["note"] == (
        'ConfigMap "assistant-provider" was changed by "kubectl-edit" and has been put right. What follows within the '
        "hour is only counted (providerswitch_drift_repairs_total)."
    )
    related = event["related"]
    assert (related["kind"], related["name"], related["namespace"]) == ("ConfigMap", "assistant-provider", NAMESPACE)
    assert related["uid"] == cluster.api.objects[CONFIG_MAP]["metadata"]["uid"]


async def test_each_kind_is_counted_always_and_told_once_in_an_hour(cluster: Cluster) -> None:
    await opened(cluster)
    for _ in range(3):
        edit(cluster)
        await asyncio.sleep(60)
        delete(cluster)
        await asyncio.sleep(60)
    assert (repairs(cluster, "ConfigMap"), repairs(cluster, "Service")) == (3, 3)
    assert len(told(cluster, "DriftCorrected")) == 2
    await asyncio.sleep(3600)
    edit(cluster)
    await asyncio.sleep(1)
    assert len(told(cluster, "DriftCorrected")) == 3


async def test_a_deletion_is_told_as_one(cluster: Cluster) -> None:
    await opened(cluster)
    delete(cluster)
    await asyncio.sleep(0.1)
    (event,) = told(cluster, "DriftCorrected")
    assert event["note"].startswith('Service "llm" was deleted by somebody the API server keeps no record of')


async def test_a_restart_within_the_hour_tells_the_same_event_again(cluster: Cluster) -> None:
    await opened(cluster)
    edit(cluster)
    await asyncio.sleep(1)
    await cluster.stop()
    successor = Cluster(api=cluster.api, providers=cluster.providers)
    for kind, path in (("ConfigMap", CONFIG_MAP), ("Service", SERVICE)):
        successor.show(kind, path)
    successor.put({**policy(publish=PUBLISH), "status": cluster.status})
    successor.start()
    await asyncio.sleep(1)
    edit(successor)
    await asyncio.sleep(1)
    assert repairs(successor, "ConfigMap") == 1
    assert len(told(successor, "DriftCorrected")) == 1
    await successor.stop()


def rival(cluster: Cluster) -> Callable[[Object], None]:
    """Return a writer that changes the ConfigMap back at once, whenever it is put right."""
    loop = asyncio.get_running_loop()

    def answer(obj: Object) -> None:
        if obj.get("data", {}).get("LLM_BASE_URL") == "http://openai.example/v1":
            loop.call_later(0.02, edit, cluster, "rival")

    return answer


def condition(cluster: Cluster) -> dict[str, Any]:
    return next(each for each in cluster.status["conditions"] if each["type"] == "Ready")


async def test_a_tug_of_war_is_bounded_and_told(cluster: Cluster) -> None:
    await opened(cluster)
    cluster.api.mutate = rival(cluster)
    edit(cluster, "rival")
    await asyncio.sleep(FOREVER)

    assert repairs(cluster, "ConfigMap") <= 10 + FOREVER / 10 + 1
    ready = condition(cluster)
    assert (ready["status"], ready["reason"]) == ("False", "Contested")
    assert 'ConfigMap "assistant-provider" is changed again and again by "rival"' in ready["message"]
    assert len(told(cluster, "Contested")) == 1
    assert len(told(cluster, "DriftCorrected")) == 1
    statuses = [at for at, method, path in cluster.api.asked if method == "PATCH" and path.endswith("/status")]
    assert len([at for at in statuses if at > 30]) <= 2, "the condition does not come and go with each repair"


async def test_when_the_other_writer_stops_the_object_is_put_right_and_ready_again(cluster: Cluster) -> None:
    await opened(cluster)
    cluster.api.mutate = rival(cluster)
    edit(cluster, "rival")
    await asyncio.sleep(FOREVER)
    cluster.api.mutate = lambda _obj: None
    await asyncio.sleep(15)
    assert cluster.api.objects[CONFIG_MAP]["data"]["LLM_BASE_URL"] == "http://openai.example/v1"
    await asyncio.sleep(90)
    assert (condition(cluster)["status"], condition(cluster)["reason"]) == ("True", "PrimaryHealthy")


async def test_a_failover_does_not_wait_for_a_tug_of_war(cluster: Cluster) -> None:
    await opened(cluster)
    cluster.api.mutate = rival(cluster)
    edit(cluster, "rival")
    await asyncio.sleep(60)
    cluster.put(policy(publish=PUBLISH, primary="backup", generation=2))
    await asyncio.sleep(1)
    assert cluster.published == "backup"


@pytest.mark.parametrize(
    ("path", "kind", "name"), [(CONFIG_MAP, "ConfigMap", "assistant-provider"), (SERVICE, "Service", "llm")]
)
async def test_an_adoption_is_told_once(cluster: Cluster, path: str, kind: str, name: str) -> None:
    annotations = {"providerswitch.dev/adopt": "true"}
    theirs = {"kind": kind, "metadata": {"name": name, "namespace": NAMESPACE, "annotations": annotations}}
    cluster.api.store(path, {**theirs, "data": {"theirs": "1"}})
    await opened(cluster)
    await asyncio.sleep(100)

    (event,) = told(cluster, "Adopted")
    assert event["note"].startswith(f'{kind} "{name}" was there before and has been adopted')
    assert event["related"]["name"] == name


async def test_an_adoption_that_is_given_back_is_not_told(cluster: Cluster) -> None:
    annotations = {"providerswitch.dev/adopt": "true"}
    metadata = {"name": "assistant-provider", "namespace": NAMESPACE, "annotations": annotations}
    cluster.api.store(CONFIG_MAP, {"kind": "ConfigMap", "apiVersion": "v1", "metadata": metadata})
    cluster.api.trouble = lambda method, path: 403 if method == "PATCH" and path == SERVICE else None
    cluster.put(policy(publish=PUBLISH))
    await asyncio.sleep(5)
    assert told(cluster, "Adopted") == []


async def test_the_event_of_a_switch_refers_to_what_consumers_read(cluster: Cluster) -> None:
    await opened(cluster)
    cluster.put(policy(publish=PUBLISH, primary="backup", generation=2))
    await asyncio.sleep(1)
    uid = cluster.api.objects[CONFIG_MAP]["metadata"]["uid"]
    for reason in ("Activated", "Switched"):
        (event,) = told(cluster, reason)
        assert event["related"] == {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "name": "assistant-provider",
            "namespace": NAMESPACE,
            "uid": uid,
        }
