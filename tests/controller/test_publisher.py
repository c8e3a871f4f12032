"""From decisions to published objects: a new revision for a new choice, repair for drift, nothing otherwise."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.controller.played_cluster import CONFIG_MAP, NAMESPACE, POLICY, SERVICE, Cluster, played, policy

from providerswitch.api.health import HealthClass

pytestmark = pytest.mark.looptime(start=0)

WHOSE = {"namespace": NAMESPACE, "policy": POLICY}
PUBLISH = {"service": {"name": "llm"}}


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    made = Cluster()
    made.start()
    yield made
    await made.stop()


async def opened(cluster: Cluster) -> None:
    """Have the first choice published; not in the fixture, which runs before the clock does."""
    cluster.put(policy(publish=PUBLISH))
    await asyncio.sleep(1)
    assert cluster.published == "openai"


def writes(cluster: Cluster) -> int:
    paths = [path for _, method, path in cluster.api.asked if method in {"PATCH", "DELETE"}]
    return len([path for path in paths if path in {CONFIG_MAP, SERVICE}])


def data(cluster: Cluster) -> dict[str, str]:
    found: dict[str, str] = cluster.api.objects[CONFIG_MAP]["data"]
    return found


def drifts(cluster: Cluster, kind: str = "ConfigMap") -> float | None:
    return cluster.value("providerswitch_drift_repairs_total", kind=kind, **WHOSE)


async def edit(cluster: Cluster, path: str, kind: str, **fields: Any) -> None:
    """Change a published object as somebody else."""
    cluster.api.store(path, fields)
    cluster.show(kind, path)
    await asyncio.sleep(1)


async def test_the_same_decision_again_writes_nothing(cluster: Cluster) -> None:
    await opened(cluster)
    before = writes(cluster)
    for _ in range(10):
        entry = cluster.entry()
        assert entry
        cluster.operator.reconciler.wake(entry)
        await asyncio.sleep(1)
    assert writes(cluster) == before


async def test_our_own_writes_are_not_taken_for_drift_when_the_watch_tells_of_them(cluster: Cluster) -> None:
    await opened(cluster)
    before = writes(cluster), cluster.value("providerswitch_reconciles_total")
    for kind, path in (("ConfigMap", CONFIG_MAP), ("Service", SERVICE)):
        cluster.show(kind, path)
    await asyncio.sleep(5)
    assert (writes(cluster), cluster.value("providerswitch_reconciles_total")) == before
    assert drifts(cluster) is None


async def test_a_foreign_edit_is_put_right_under_the_same_revision_and_counted_once(cluster: Cluster) -> None:
    await opened(cluster)
    published = dict(data(cluster))
    await edit(cluster, CONFIG_MAP, "ConfigMap", metadata=dict(cluster.api.objects[CONFIG_MAP]["metadata"]),
               data={**published, "LLM_BASE_URL": "http://evil.example"})  # fmt: skip

    assert data(cluster) == published
    assert drifts(cluster) == 1
    assert cluster.status["revision"] == 1
    assert len(cluster.status["history"]) == 1


async def test_keys_that_others_add_are_left_alone(cluster: Cluster) -> None:
    await opened(cluster)
    await edit(cluster, CONFIG_MAP, "ConfigMap", metadata=dict(cluster.api.objects[CONFIG_MAP]["metadata"]),
               data={**data(cluster), "EXTRA": "1"})  # fmt: skip

    assert data(cluster)["EXTRA"] == "1"
    assert drifts(cluster) is None


async def test_a_deleted_object_comes_back_and_counts_as_drift(cluster: Cluster) -> None:
    await opened(cluster)
    gone = cluster.api.objects.pop(SERVICE)
    gone["metadata"]["resourceVersion"] = "999"
    cluster.operator.children.listener("Service").deleted(gone)
    await asyncio.sleep(1)

    assert SERVICE in cluster.api.objects
    assert (drifts(cluster, "Service"), drifts(cluster)) == (1, None)


async def test_a_changed_model_of_the_active_provider_is_a_new_revision_and_no_switch(cluster: Cluster) -> None:
    await opened(cluster)
    providers = [played("openai", model="newer"), played("backup")]
    cluster.put(policy(providers=providers, primary="openai", publish=PUBLISH, generation=2))
    await asyncio.sleep(1)

    assert (data(cluster)["LLM_MODEL"], data(cluster)["LLM_REVISION"]) == ("newer", "2")
    assert len(cluster.status["history"]) == 1
    assert cluster.status["lastGoodGeneration"] == 2
    assert drifts(cluster) is None


async def test_an_edit_that_changes_nothing_published_is_no_new_revision(cluster: Cluster) -> None:
    await opened(cluster)
    cluster.put(policy(publish=PUBLISH, generation=2, failover={"blacklistDuration": "7s"}))
    await asyncio.sleep(1)

    assert data(cluster)["LLM_REVISION"] == "1"


async def test_the_configuration_of_a_provider_in_error_stays_as_it_was(cluster: Cluster) -> None:
    await opened(cluster)
    auth = {"secretKeyRef": {"name": "absent", "key": "k"}}
    providers = [played("openai", model="newer", auth=auth), played("backup")]
    cluster.put(policy(providers=providers, primary="openai", publish=PUBLISH, generation=2))
    await asyncio.sleep(5)

    assert "LLM_MODEL" not in data(cluster)
    assert cluster.published == "openai"
    ready = next(each for each in cluster.status["conditions"] if each["type"] == "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "SecretNotFound")


async def test_with_nobody_healthy_the_last_choice_stays_and_nothing_is_blanked(cluster: Cluster) -> None:
    await opened(cluster)
    published = dict(data(cluster))
    for name in ("openai", "backup"):
        cluster.provider(name).health_class = HealthClass.SERVER_ERROR
    await asyncio.sleep(600)

    assert data(cluster) == published
    assert cluster.status["reason"] == "NoHealthyProvider"


async def test_a_switch_is_recorded_with_its_cause_and_its_times(cluster: Cluster) -> None:
    await opened(cluster)
    cluster.put(policy(publish=PUBLISH, generation=2, primary="backup"))
    await asyncio.sleep(1)

    entry = cluster.status["history"][0]
    assert (entry["from"], entry["to"], entry["trigger"], entry["revision"]) == ("openai", "backup", "ManualSwitch", 2)
    assert entry["outcome"] == "Succeeded"
    assert 0 < entry["switchMillis"] < 100
    assert "detectMillis" not in entry


async def test_a_foreign_object_is_told_and_tried_again(cluster: Cluster) -> None:
    await opened(cluster)
    foreign = "/api/v1/namespaces/team-a/configmaps/theirs"
    theirs = cluster.api.store(foreign, {"metadata": {"name": "theirs", "namespace": NAMESPACE}, "data": {"a": "b"}})
    cluster.put(policy(publish={**PUBLISH, "configMap": {"name": "theirs"}}, generation=2))
    await asyncio.sleep(1)

    assert cluster.api.objects[foreign] == theirs
    ready = next(each for each in cluster.status["conditions"] if each["type"] == "Ready")
    assert ready["reason"] == "NotOwned"
    assert CONFIG_MAP in cluster.api.objects, "the last good choice stays published"
    del cluster.api.objects[foreign]
    await asyncio.sleep(11)
    assert cluster.api.objects[foreign]["data"]["LLM_PROVIDER"] == "openai"
    assert CONFIG_MAP not in cluster.api.objects


async def test_the_next_process_goes_on_where_the_last_one_stopped(cluster: Cluster) -> None:
    await opened(cluster)
    cluster.api.trouble = lambda method, path: 0 if method == "PATCH" and path == SERVICE else None
    cluster.put(policy(publish=PUBLISH, generation=2, primary="backup"))
    await asyncio.sleep(0.05)
    assert cluster.published == "backup"
    await cluster.stop()
    cluster.api.trouble = lambda _method, _path: None

    successor = Cluster(api=cluster.api, providers=cluster.providers)
    for kind, path in (("ConfigMap", CONFIG_MAP), ("Service", SERVICE)):
        successor.show(kind, path)
    successor.put({**policy(publish=PUBLISH, generation=2, primary="backup"), "status": cluster.status})
    successor.start()
    await asyncio.sleep(1)

    assert cluster.api.objects[SERVICE]["spec"]["externalName"] == "backup.example"
    assert [entry["to"] for entry in successor.status["history"]] == ["backup", "openai"]
    assert successor.status["revision"] == 2
    await successor.stop()


def shown(cluster: Cluster) -> list[float]:
    """Return when the ConfigMap was written, rehearsals left out."""
    return [at for at in cluster.api.times("PATCH", CONFIG_MAP) if at not in cluster.api.rehearsed]


async def test_a_spec_change_that_is_refused_is_shown_to_consumers_once_at_most(cluster: Cluster) -> None:
    cluster.put(policy())
    await asyncio.sleep(1)
    cluster.api.trouble = lambda method, path: 403 if method == "PATCH" and path == SERVICE else None
    cluster.put(policy(publish=PUBLISH, generation=2))
    await asyncio.sleep(5)
    assert data(cluster)["LLM_REVISION"] == "1"
    before = len(shown(cluster))
    await asyncio.sleep(120)
    assert len(shown(cluster)) == before
    assert data(cluster)["LLM_REVISION"] == "1"
    cluster.api.trouble = lambda _method, _path: None
    await asyncio.sleep(15)
    assert (data(cluster)["LLM_REVISION"], SERVICE in cluster.api.objects) == ("2", True)


async def test_a_webhook_that_changes_a_choice_does_not_make_it_come_and_go(cluster: Cluster) -> None:
    await opened(cluster)

    def meddle(obj: dict[str, Any]) -> None:
        if obj.get("data", {}).get("LLM_PROVIDER") == "backup":
            obj["data"]["LLM_BASE_URL"] = "http://webhook.example"

    cluster.api.mutate = meddle
    cluster.put(policy(publish=PUBLISH, generation=2, primary="backup"))
    await asyncio.sleep(5)
    before = len(shown(cluster))
    await asyncio.sleep(120)
    assert len(shown(cluster)) == before
    assert cluster.published == "openai"


async def test_drift_is_put_right_while_the_active_provider_has_a_problem(cluster: Cluster) -> None:
    await opened(cluster)
    auth = {"secretKeyRef": {"name": "absent", "key": "k"}}
    providers = [played("openai", auth=auth), played("backup")]
    cluster.put(policy(providers=providers, primary="openai", publish=PUBLISH, generation=2))
    await asyncio.sleep(5)
    await edit(cluster, CONFIG_MAP, "ConfigMap", metadata=dict(cluster.api.objects[CONFIG_MAP]["metadata"]),
               data={**data(cluster), "LLM_BASE_URL": "http://evil.example"})  # fmt: skip
    assert data(cluster)["LLM_BASE_URL"] == "http://openai.example/v1"
    assert drifts(cluster) == 1


async def test_an_edit_during_a_publication_does_not_pass_for_published(cluster: Cluster) -> None:
    await opened(cluster)
    cluster.api.seconds = lambda path: 2.0 if path == CONFIG_MAP else 0.001
    first = [played("openai", model="one"), played("backup")]
    second = [played("openai", model="two"), played("backup")]
    cluster.put(policy(providers=first, primary="openai", publish=PUBLISH, generation=2))
    await asyncio.sleep(1)
    cluster.put(policy(providers=second, primary="openai", publish=PUBLISH, generation=3))
    seen: list[tuple[int, str]] = []
    for _ in range(200):
        await asyncio.sleep(0.1)
        seen.append((cluster.status["lastGoodGeneration"], data(cluster).get("LLM_MODEL", "")))
    assert (3, "one") not in seen
    assert seen[-1] == (3, "two")
