"""Tasks as users see them: their own provider beside the policy's, their own switches, and what a restart keeps."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.controller.played_cluster import CONFIG_MAP, STATUS, Cluster, played
from tests.controller.what_users_see import (
    condition,
    counted,
    document,
    keys,
    notes,
    of,
    provider,
    restart,
    task,
)
from tests.support.policies import AT_ONCE

from providerswitch.api.health import HealthClass
from providerswitch.kube.client import Object

pytestmark = pytest.mark.looptime(start=0)

CHAT = ["chat"]
BOTH = ["chat", "embeddings"]
SPACE = {"space": "small", "dimensions": 1536}
EMBED = {"name": "embed-docs", "requirements": {"capabilities": ["embeddings"]}}
RULES = {"healthCheck": {"interval": "10s"}, "failover": {**AT_ONCE, "blacklistDuration": "20s"}}
LISTED = (
    played("chatty", model="talk", capabilities=CHAT),
    played("both", model="talk-too", models={"embed-docs": "small"}, capabilities=BOTH, embedding=SPACE),
    played("vectors", model="small", capabilities=["embeddings"], embedding=SPACE),
)


def wanted(*tasks: Object, generation: int = 1, **spec: Any) -> Object:
    """Return a policy for chat with a task for embeddings."""
    return of(*LISTED, generation=generation, tasks=list(tasks or (EMBED,)), **{**RULES, **spec})


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    made = Cluster()
    made.start()
    yield made
    await made.stop()


async def test_a_task_has_a_provider_of_its_own(cluster: Cluster) -> None:
    cluster.put(wanted())
    await asyncio.sleep(5)

    published = keys(cluster)
    assert published["LLM_PROVIDER"] == "chatty"
    assert {name: value for name, value in published.items() if name.startswith("LLM_EMBED")} == {
        "LLM_EMBED_DOCS_PROVIDER": "both",
        "LLM_EMBED_DOCS_MODEL": "small",
        "LLM_EMBED_DOCS_BASE_URL": "http://both.example/v1",
        "LLM_EMBED_DOCS_PROTOCOL": "openai",
    }
    assert document(cluster)["tasks"]["embed-docs"]["model"] == "small"
    told = task(cluster, "embed-docs")
    assert (told["activeProvider"], told["reason"], told["primary"]) == ("both", "PrimaryHealthy", "both")
    assert condition(cluster, "Ready")["status"] == "True"


async def test_a_failover_of_a_task_leaves_the_policy_where_it_is(cluster: Cluster) -> None:
    cluster.put(wanted())
    await asyncio.sleep(35)
    before = keys(cluster)
    cluster.provider("both").health_class = HealthClass.SERVER_ERROR
    await asyncio.sleep(15)

    after = keys(cluster)
    assert (after["LLM_PROVIDER"], after["LLM_EMBED_DOCS_PROVIDER"]) == ("chatty", "vectors")
    assert int(after["LLM_REVISION"]) == int(before["LLM_REVISION"]) + 1 == cluster.status["revision"]
    switch = cluster.status["history"][0]
    assert (switch["task"], switch["from"], switch["to"], switch["trigger"]) == (
        "embed-docs",
        "both",
        "vectors",
        "Failover",
    )
    assert switch["detectMillis"] == 2000
    assert cluster.status["activeProvider"] == "chatty"
    assert condition(cluster, "FailedOver")["status"] == "False"
    told = task(cluster, "embed-docs")
    assert (told["activeProvider"], told["reason"]) == ("vectors", "FailedOver")
    (note,) = notes(cluster, "FailedOver")
    assert note.startswith('Task "embed-docs": Switched from "both" to "vectors" (revision')
    assert counted(cluster, "switches_total", trigger="Failover", outcome="Succeeded") == 1


async def test_a_failover_of_the_policy_leaves_its_tasks_where_they_are(cluster: Cluster) -> None:
    cluster.put(wanted({**EMBED, "primary": "vectors"}))
    await asyncio.sleep(35)
    before = document(cluster)["tasks"]
    revisions: dict[str, Any] = {}
    cluster.api.mutate = lambda obj: revisions.update(
        {obj["data"]["LLM_REVISION"]: obj["data"]} if "data" in obj else {}
    )
    cluster.provider("chatty").health_class = HealthClass.SERVER_ERROR
    await asyncio.sleep(15)

    (shown,) = revisions.values()
    assert (shown["LLM_PROVIDER"], shown["LLM_EMBED_DOCS_PROVIDER"]) == ("both", "vectors")
    assert document(cluster)["tasks"] == before
    assert "task" not in cluster.status["history"][0]


async def test_a_task_goes_back_when_its_primary_is_well(cluster: Cluster) -> None:
    cluster.put(wanted())
    await asyncio.sleep(35)
    cluster.provider("both").health_class = HealthClass.SERVER_ERROR
    await asyncio.sleep(15)
    cluster.provider("both").health_class = HealthClass.HEALTHY
    await asyncio.sleep(120)

    assert keys(cluster)["LLM_EMBED_DOCS_PROVIDER"] == "both"
    assert (cluster.status["history"][0]["task"], cluster.status["history"][0]["trigger"]) == ("embed-docs", "Failback")


async def test_an_outage_of_what_both_use_moves_both(cluster: Cluster) -> None:
    cluster.put(wanted(primary="both"))
    await asyncio.sleep(35)
    assert (keys(cluster)["LLM_PROVIDER"], keys(cluster)["LLM_EMBED_DOCS_PROVIDER"]) == ("both", "both")
    cluster.provider("both").health_class = HealthClass.SERVER_ERROR
    await asyncio.sleep(15)

    assert (keys(cluster)["LLM_PROVIDER"], keys(cluster)["LLM_EMBED_DOCS_PROVIDER"]) == ("chatty", "vectors")
    assert [each.get("task") for each in cluster.status["history"][:2]] == ["embed-docs", None]


async def test_a_task_that_nobody_can_serve_is_told_and_has_no_keys(cluster: Cluster) -> None:
    cluster.put(wanted({"name": "see", "requirements": {"capabilities": ["vision"]}}))
    await asyncio.sleep(15)

    assert not [name for name in keys(cluster) if name.startswith("LLM_SEE")]
    assert "tasks" not in document(cluster)
    told = task(cluster, "see")
    assert (told["reason"], "activeProvider" in told) == ("NoHealthyProvider", False)
    assert "it cannot do vision" in told["why"]
    assert keys(cluster)["LLM_PROVIDER"] == "chatty", "the policy itself is served"
    assert condition(cluster, "Ready")["status"] == "False"
    assert '"see"' in condition(cluster, "Ready")["message"]


async def test_a_task_stays_where_it_is_when_nobody_is_left_for_it(cluster: Cluster) -> None:
    cluster.put(wanted())
    await asyncio.sleep(35)
    for name in ("both", "vectors"):
        cluster.provider(name).health_class = HealthClass.SERVER_ERROR
    await asyncio.sleep(60)

    assert keys(cluster)["LLM_EMBED_DOCS_PROVIDER"] in {"both", "vectors"}, "and not at the one that cannot embed"
    assert keys(cluster)["LLM_PROVIDER"] == "chatty"
    assert task(cluster, "embed-docs")["reason"] in {"NoHealthyProvider", "LastResort"}


async def test_a_task_may_prefer_another_provider_and_an_edit_of_that_is_obeyed(cluster: Cluster) -> None:
    cluster.put(wanted({**EMBED, "primary": "vectors"}))
    await asyncio.sleep(35)
    assert keys(cluster)["LLM_EMBED_DOCS_PROVIDER"] == "vectors"
    cluster.put(wanted({**EMBED, "primary": "both"}, generation=2))
    await asyncio.sleep(1)

    assert keys(cluster)["LLM_EMBED_DOCS_PROVIDER"] == "both"
    assert cluster.status["history"][0]["trigger"] == "ManualSwitch"
    assert keys(cluster)["LLM_PROVIDER"] == "chatty"


async def test_a_task_has_a_strategy_of_its_own(cluster: Cluster) -> None:
    cluster.provider("both").seconds = 2.0
    cluster.put(wanted({**EMBED, "strategy": "Performance"}))
    await asyncio.sleep(90)

    assert keys(cluster)["LLM_EMBED_DOCS_PROVIDER"] == "vectors"
    assert (cluster.status["history"][0]["task"], cluster.status["history"][0]["trigger"]) == (
        "embed-docs",
        "Performance",
    )
    assert keys(cluster)["LLM_PROVIDER"] == "chatty"


async def test_a_task_that_leaves_the_spec_leaves_what_is_published(cluster: Cluster) -> None:
    cluster.put(wanted())
    await asyncio.sleep(35)
    without = of(*LISTED, generation=2, **RULES)
    cluster.put(without)
    await asyncio.sleep(5)

    assert not [name for name in keys(cluster) if name.startswith("LLM_EMBED")]
    assert "tasks" not in document(cluster)
    assert "tasks" not in cluster.status
    cluster.put(wanted(generation=3))
    await asyncio.sleep(5)
    assert keys(cluster)["LLM_EMBED_DOCS_PROVIDER"] == "both"


async def test_a_restart_keeps_a_task_where_it_was(cluster: Cluster) -> None:
    cluster.put(wanted(failover={**AT_ONCE, "blacklistDuration": "1h"}))
    await asyncio.sleep(35)
    cluster.provider("both").health_class = HealthClass.SERVER_ERROR
    await asyncio.sleep(15)
    cluster.provider("both").health_class = HealthClass.HEALTHY
    before, since = keys(cluster), task(cluster, "embed-docs")["activeSince"]

    successor = await restart(cluster, wanted(failover={**AT_ONCE, "blacklistDuration": "1h"}))
    await asyncio.sleep(120)
    assert keys(successor) == before
    assert task(successor, "embed-docs")["activeSince"] == since
    assert len(successor.status["history"]) == len(cluster.status["history"])
    await successor.stop()


async def test_with_the_status_lost_a_task_stays_where_it_is_published(cluster: Cluster) -> None:
    cluster.put(wanted(failover={**AT_ONCE, "failback": "Manual"}))
    await asyncio.sleep(35)
    cluster.provider("both").health_class = HealthClass.SERVER_ERROR
    await asyncio.sleep(15)
    before = keys(cluster)
    await cluster.stop()
    del cluster.api.objects[STATUS]

    successor = await restart(cluster, wanted(failover={**AT_ONCE, "failback": "Manual"}))
    await asyncio.sleep(120)
    assert keys(successor) == before
    assert task(successor, "embed-docs")["activeProvider"] == "vectors"
    await successor.stop()


async def test_a_switch_of_a_task_that_a_crash_left_unrecorded_is_believed(cluster: Cluster) -> None:
    cluster.put(wanted(failover={**AT_ONCE, "blacklistDuration": "1h"}))
    await asyncio.sleep(35)
    cluster.api.trouble = lambda method, path: 503 if (method, path) == ("PATCH", STATUS) else None
    cluster.provider("both").health_class = HealthClass.SERVER_ERROR
    await asyncio.sleep(15)
    before = keys(cluster)
    assert before["LLM_EMBED_DOCS_PROVIDER"] == "vectors"
    assert task(cluster, "embed-docs")["activeProvider"] == "both", "the status knows nothing of it"
    cluster.api.trouble = lambda _method, _path: None

    successor = await restart(cluster, wanted(failover={**AT_ONCE, "blacklistDuration": "1h"}))
    await asyncio.sleep(60)
    assert keys(successor) == before
    assert task(successor, "embed-docs")["activeProvider"] == "vectors"
    assert successor.status["revision"] == int(before["LLM_REVISION"])
    assert len(notes(successor, "FailedOver")) == 1
    await successor.stop()


async def test_a_switch_of_a_task_that_cannot_be_published_is_undone_and_tried_again(cluster: Cluster) -> None:
    cluster.put(wanted())
    await asyncio.sleep(35)
    before = keys(cluster)
    cluster.api.trouble = lambda method, path: 422 if (method, path) == ("PATCH", CONFIG_MAP) else None
    cluster.provider("both").health_class = HealthClass.SERVER_ERROR
    await asyncio.sleep(15)
    assert keys(cluster) == before
    assert condition(cluster, "Ready")["reason"] == "PublishRefused"
    cluster.api.trouble = lambda _method, _path: None
    await asyncio.sleep(25)

    assert keys(cluster)["LLM_EMBED_DOCS_PROVIDER"] == "vectors"
    assert condition(cluster, "Ready")["status"] == "True"


async def test_in_manual_mode_a_task_is_advised_and_not_moved(cluster: Cluster) -> None:
    cluster.provider("both").seconds = 2.0
    manual = {**AT_ONCE, "mode": "Manual"}
    cluster.put(wanted({**EMBED, "strategy": "Performance"}, failover=manual))
    await asyncio.sleep(600)

    assert keys(cluster)["LLM_EMBED_DOCS_PROVIDER"] == "both"
    told = task(cluster, "embed-docs")
    assert told["reason"] == "Manual"
    assert told["recommendation"]["provider"] == "vectors"
    assert told["recommendation"]["gain"] > 0.3
    assert "p95 response time 0.01 s instead of 2 s" in told["recommendation"]["why"]
    cluster.provider("both").health_class = HealthClass.SERVER_ERROR
    await asyncio.sleep(60)
    assert keys(cluster)["LLM_EMBED_DOCS_PROVIDER"] == "both"
    assert provider(cluster, "both")["state"] == "Down"
