"""Tasks are kept with what stands, whatever becomes of the rest: of the policy's provider, the spec, the API server."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.controller.kept_versions import KeepingApi
from tests.controller.played_cluster import NAMESPACE, SERVICE, STATUS, Cluster, Trouble
from tests.controller.what_users_see import condition, counted, document, keys, of, plain, provider, restart, task
from tests.support.policies import AT_ONCE
from tests.support.virtual_time import elapsed

from providerswitch.api.health import HealthClass
from providerswitch.kube.client import Object

pytestmark = pytest.mark.looptime(start=0)

EMBED = {"name": "embed", "primary": "c"}
RULES = {"healthCheck": {"interval": "10s"}, "failover": {**AT_ONCE, "blacklistDuration": "1h"}}
SECRET = f"/api/v1/namespaces/{NAMESPACE}/secrets/keys"


@pytest.fixture
def api() -> KeepingApi:
    return KeepingApi()


@pytest.fixture
async def cluster(api: KeepingApi) -> AsyncIterator[Cluster]:
    made = Cluster(api=api)
    made.start()
    yield made
    await made.stop()


def wanted(*names: str, generation: int = 1, **spec: Any) -> Object:
    """Return a policy whose task "embed" prefers the third of three providers that differ in their names only."""
    fields = {"tasks": [EMBED], **RULES, **spec}
    return of(*plain(*(names or ("a", "b", "c"))), generation=generation, **fields)


def refuse_service(status: int, times: int = 1_000_000) -> Trouble:
    """Return trouble that hits the next writes of the Service."""
    left = [times]

    def trouble(method: str, path: str) -> int | None:
        if (method, path) != ("PATCH", SERVICE) or not left[0]:
            return None
        left[0] -= 1
        return status

    return trouble


def served(api: KeepingApi, since: float) -> list[tuple[int, str | None]]:
    """Return revision and provider of the task "embed" of each version that was published."""
    return [(each["revision"], each.get("tasks", {}).get("embed", {}).get("name")) for each in api.documents(since)]


def told(cluster: Cluster) -> list[tuple[str | None, str | None, str, str]]:
    """Return task, from, to and outcome of each switch in the history, the newest first."""
    history = cluster.status["history"]
    return [(each.get("task"), each.get("from"), each["to"], each["outcome"]) for each in history]


async def test_a_tasks_primary_that_is_no_backup_is_probed_and_serves_it(cluster: Cluster) -> None:
    cluster.put(wanted(backups=["b"]))
    await asyncio.sleep(60)

    assert len(cluster.provider("c").asked) > 5
    assert keys(cluster)["LLM_EMBED_PROVIDER"] == "c"
    assert (task(cluster, "embed")["reason"], provider(cluster, "c")["state"]) == ("PrimaryHealthy", "Healthy")
    assert condition(cluster, "Ready")["status"] == "True"


async def test_a_tasks_primary_that_is_no_backup_is_failed_over_and_never_serves_the_policy(cluster: Cluster) -> None:
    cluster.put(wanted(backups=["b"]))
    await asyncio.sleep(60)
    cluster.provider("c").health_class = HealthClass.CONNECT_REFUSED
    await asyncio.sleep(20)
    assert (cluster.published, keys(cluster)["LLM_EMBED_PROVIDER"]) == ("a", "a")

    cluster.provider("c").health_class = HealthClass.HEALTHY
    for name in ("a", "b"):
        cluster.provider(name).health_class = HealthClass.CONNECT_REFUSED
    await asyncio.sleep(3600)
    assert cluster.published in {"a", "b"}


async def test_a_task_fails_over_while_the_secret_of_the_policys_provider_is_missing(cluster: Cluster) -> None:
    first, *rest = plain("a", "b", "c")
    first["auth"] = {"secretKeyRef": {"name": "keys", "key": "a"}}
    annotations = {"providerswitch.dev/hosts": "a.example"}
    metadata = {"name": "keys", "namespace": NAMESPACE, "resourceVersion": "1", "annotations": annotations}
    cluster.api.objects[SECRET] = {"metadata": metadata, "data": {"a": "c2s="}}
    obj = of(first, *rest, tasks=[EMBED], **RULES)
    cluster.put(obj)
    await asyncio.sleep(60)
    assert keys(cluster)["LLM_EMBED_PROVIDER"] == "c"
    del cluster.api.objects[SECRET]

    heir = await restart(cluster, obj)
    await asyncio.sleep(30)
    assert condition(heir, "Ready")["status"] == "False"
    heir.provider("c").health_class = HealthClass.CONNECT_REFUSED
    await asyncio.sleep(30)
    assert keys(heir)["LLM_EMBED_PROVIDER"] == "b"
    assert heir.published == "a"
    await heir.stop()


async def test_a_task_whose_provider_leaves_the_spec_is_served_without_a_gap(cluster: Cluster, api: KeepingApi) -> None:
    cluster.put(wanted())
    await asyncio.sleep(60)
    edited = elapsed()
    cluster.provider("b").seconds = 1.5
    cluster.put(wanted("a", "b", generation=2, tasks=[{**EMBED, "primary": "b"}]))
    await asyncio.sleep(60)

    assert [name for _, name in served(api, edited)][-1] == "b"
    assert None not in [name for _, name in served(api, edited)]


async def test_a_switch_of_a_task_that_was_half_applied_goes_on_with_its_revision(
    cluster: Cluster, api: KeepingApi
) -> None:
    cluster.put(wanted(publish={"service": {"name": "llm"}}))
    await asyncio.sleep(60)
    before = int(keys(cluster)["LLM_REVISION"])
    api.trouble = refuse_service(503, times=3)
    broken = elapsed()
    cluster.provider("c").health_class = HealthClass.CONNECT_REFUSED
    await asyncio.sleep(60)

    assert set(served(api, broken)) == {(before + 1, "a")}
    assert len(served(api, broken)) > 0
    assert counted(cluster, "drift_repairs_total", kind="ConfigMap") == 0
    assert told(cluster)[0] == ("embed", "c", "a", "Succeeded")
    assert cluster.status["revision"] == before + 1


async def test_a_refused_switch_of_a_task_is_rehearsed_before_it_is_tried_again(
    cluster: Cluster, api: KeepingApi
) -> None:
    cluster.put(wanted(publish={"service": {"name": "llm"}}))
    await asyncio.sleep(60)
    before = keys(cluster)
    api.trouble = refuse_service(403)
    cluster.provider("c").health_class = HealthClass.CONNECT_REFUSED
    await asyncio.sleep(15)
    assert condition(cluster, "Ready")["reason"] == "PublishRefused"
    tried = elapsed()
    await asyncio.sleep(120)

    assert served(api, tried) == []
    assert keys(cluster) == before
    assert len([at for at in api.rehearsed if at > tried]) in range(10, 40), "a few objects each ten seconds"
    api.trouble = lambda _method, _path: None
    await asyncio.sleep(15)
    assert keys(cluster)["LLM_EMBED_PROVIDER"] == "a"
    assert condition(cluster, "Ready")["status"] == "True"


async def crashed(cluster: Cluster, obj: Object) -> Cluster:
    """Let "c" fail, end the operator between publication and status, and start the next."""
    cluster.api.trouble = lambda method, path: 503 if (method, path) == ("PATCH", STATUS) else None
    cluster.provider("c").health_class = HealthClass.CONNECT_REFUSED
    await asyncio.sleep(20)
    assert keys(cluster)["LLM_EMBED_PROVIDER"] != "c"
    cluster.api.trouble = lambda _method, _path: None
    return await restart(cluster, obj)


async def test_a_switch_of_a_task_that_a_crash_left_unrecorded_comes_into_the_history(cluster: Cluster) -> None:
    cluster.put(wanted())
    await asyncio.sleep(60)
    before = told(cluster)
    heir = await crashed(cluster, wanted())
    await asyncio.sleep(60)

    assert told(heir) == [("embed", "c", "a", "Resumed"), *before]
    switch = heir.status["history"][0]
    assert (switch["trigger"], switch["revision"]) == ("Unknown", heir.status["revision"])
    assert switch["reason"] == "it was published, and the operator ended before it was recorded"
    await heir.stop()


async def test_unrecorded_switches_of_the_policy_and_of_its_task_both_come_into_the_history(cluster: Cluster) -> None:
    obj = wanted(primary="c")
    cluster.put(obj)
    await asyncio.sleep(60)
    before = told(cluster)
    heir = await crashed(cluster, obj)
    await asyncio.sleep(60)

    resumed = told(heir)[: -len(before)]
    assert sorted(resumed, key=str) == [("embed", "c", "a", "Resumed"), (None, "c", "a", "Resumed")]
    assert document(heir)["tasks"]["embed"]["name"] == heir.published == "a"
    await heir.stop()
