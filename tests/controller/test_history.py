"""Each configuration that was put in force is kept, whatever the API server says, and calm costs no request."""

import asyncio
import copy
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.controller.played_cluster import NAMESPACE, POLICY, STATUS, Cluster, policy
from tests.support.virtual_time import elapsed

from providerswitch.controller.history import REFUSED_RETRY, Revisions
from providerswitch.core.history import Kept
from providerswitch.kube.client import Object
from providerswitch.publish.choice import Owner
from providerswitch.publish.revision import build_revision

pytestmark = pytest.mark.looptime(start=0)

COLLECTION = f"/apis/apps/v1/namespaces/{NAMESPACE}/controllerrevisions"


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    made = Cluster()
    made.start()
    yield made
    await made.stop()


def history(cluster: Cluster) -> dict[int, str]:
    """Return number and primary of each configuration that is kept."""
    return {obj["revision"]: obj["data"]["spec"]["primary"] for obj in kept(cluster)}


def kept(cluster: Cluster) -> list[Object]:
    return [obj for path, obj in cluster.api.objects.items() if path.startswith(COLLECTION)]


def last_good(cluster: Cluster) -> list[int]:
    """Return the numbers of those marked as the last good."""
    return [obj["revision"] for obj in kept(cluster) if obj["metadata"]["labels"].get("providerswitch.dev/last-good")]


def asked(cluster: Cluster, since: float = 0.0) -> list[tuple[str, str]]:
    """Return the requests about history."""
    return [(method, path) for at, method, path in cluster.api.asked if "controllerrevisions" in path and at >= since]


async def accept(cluster: Cluster, generation: int, primary: str = "a", seconds: float = 5, **spec: Any) -> None:
    """Show the next generation of the policy, and let it come into force."""
    cluster.put(policy("a", "b", generation=generation, primary=primary, **spec))
    await asyncio.sleep(seconds)


async def test_each_configuration_in_force_is_kept_as_the_user_stored_it(cluster: Cluster) -> None:
    await accept(cluster, 1)
    await accept(cluster, 2, primary="b")
    assert history(cluster) == {1: "a", 2: "b"}
    shown = policy("a", "b", primary="b")
    identity = {"name": POLICY, "namespace": NAMESPACE}
    assert kept(cluster)[-1]["data"] == {
        "apiVersion": shown["apiVersion"],
        "kind": shown["kind"],
        "metadata": identity,
        "spec": shown["spec"],
    }
    assert last_good(cluster) == [2]


async def test_calm_costs_no_request(cluster: Cluster) -> None:
    await accept(cluster, 1)
    since = elapsed()
    await asyncio.sleep(3600)
    assert asked(cluster, since) == []


async def test_a_return_to_an_earlier_configuration_gives_it_the_new_number(cluster: Cluster) -> None:
    await accept(cluster, 1)
    await accept(cluster, 2, primary="b")
    await accept(cluster, 3)
    assert history(cluster) == {2: "b", 3: "a"}
    assert last_good(cluster) == [3]


async def test_a_configuration_that_changes_nothing_published_is_the_last_good_too(cluster: Cluster) -> None:
    await accept(cluster, 1)
    await accept(cluster, 2, failover={"minDwell": "7s"})
    assert last_good(cluster) == [2]
    assert cluster.status["lastGoodGeneration"] == 2


async def test_a_bad_spec_is_not_kept_and_the_last_good_one_stays(cluster: Cluster) -> None:
    await accept(cluster, 1)
    await accept(cluster, 2, primary="nobody")
    assert history(cluster) == {1: "a"}
    assert last_good(cluster) == [1]


async def test_what_cannot_be_published_is_kept_but_is_not_the_last_good(cluster: Cluster) -> None:
    await accept(cluster, 1)
    cluster.api.trouble = lambda method, path: 403 if method == "PATCH" and "/configmaps/" in path else None
    await accept(cluster, 2, primary="b")
    assert history(cluster) == {1: "a", 2: "b"}
    assert last_good(cluster) == [1]


async def test_history_is_bounded(cluster: Cluster) -> None:
    for generation in range(1, 9):
        await accept(cluster, generation, failover={"minDwell": f"{generation}s"}, revisionHistoryLimit=2)
    assert sorted(history(cluster)) == [6, 7, 8]


async def test_a_shorter_limit_removes_at_once(cluster: Cluster) -> None:
    for generation in range(1, 6):
        await accept(cluster, generation, failover={"minDwell": f"{generation}s"})
    assert len(history(cluster)) == 5
    await accept(cluster, 6, revisionHistoryLimit=0)
    assert sorted(history(cluster)) == [6]


async def test_one_that_somebody_deleted_is_made_again(cluster: Cluster) -> None:
    await accept(cluster, 1)
    (gone,) = kept(cluster)
    cluster.api.objects.pop(f"{COLLECTION}/{gone['metadata']['name']}")
    cluster.operator.revisions.listener().deleted(gone)
    await asyncio.sleep(120)
    assert history(cluster) == {1: "a"}


async def test_one_that_is_deleted_while_it_gets_its_number_is_made_again(cluster: Cluster) -> None:
    await accept(cluster, 1)
    await accept(cluster, 2, primary="b")
    gone = [404]
    cluster.api.trouble = lambda _method, path: gone.pop() if gone and path.startswith(COLLECTION) else None
    cluster.api.objects.pop(f"{COLLECTION}/{kept(cluster)[0]['metadata']['name']}")
    await accept(cluster, 3, seconds=200)
    assert history(cluster) == {2: "b", 3: "a"}


async def test_more_defaults_of_a_newer_schema_replace_the_same_generation(cluster: Cluster) -> None:
    await accept(cluster, 1)
    await accept(cluster, 1, protocol="openai", seconds=200)
    assert history(cluster) == {1: "a"}
    assert [obj["data"]["spec"].get("protocol") for obj in kept(cluster)] == ["openai"]


@pytest.mark.parametrize("status", [403, 409, 422])
async def test_a_refusal_holds_nothing_up_and_is_tried_again_each_minute(
    cluster: Cluster, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    cluster.api.trouble = lambda _method, path: status if path.startswith(COLLECTION) else None
    await accept(cluster, 1, seconds=600)
    assert cluster.published == "a"
    assert STATUS in cluster.api.objects
    assert 5 <= len(asked(cluster)) <= 600 / REFUSED_RETRY.total_seconds()
    assert caplog.text.count("a configuration is not kept") == 1
    cluster.api.trouble = lambda _method, _path: None
    await asyncio.sleep(200)
    assert history(cluster) == {1: "a"}


async def test_an_api_server_that_hangs_holds_up_nothing_for_long(cluster: Cluster) -> None:
    cluster.api.seconds = lambda path: 3600 if path.startswith(COLLECTION) else 0.001
    await accept(cluster, 1, seconds=1)
    await accept(cluster, 2, primary="b", seconds=2.5)
    assert cluster.published == "b"
    assert cluster.value("providerswitch_reconcile_errors_total", error="ApiServerError") == 0


async def test_no_answer_is_tried_again_soon(cluster: Cluster) -> None:
    cluster.api.trouble = lambda _method, path: 503 if path.startswith(COLLECTION) and elapsed() < 3 else None
    await accept(cluster, 1, seconds=10)
    assert history(cluster) == {1: "a"}


def build(number: int, version: int, uid: str = "uid-1", name: str = "chat-1") -> Object:
    """Return a ControllerRevision as a watch tells of it."""
    obj = build_revision(Owner(NAMESPACE, "chat", uid), "{}", Kept(name, number))
    obj["metadata"] |= {"uid": f"uid-of-{name}", "resourceVersion": str(version)}
    return copy.deepcopy(obj)


def numbers(revisions: Revisions, uid: str = "uid-1") -> dict[str, int]:
    return {name: each.kept.number for name, each in revisions.of(Owner(NAMESPACE, "chat", uid)).items()}


def test_late_news_of_an_older_state_is_not_believed() -> None:
    revisions = Revisions()
    revisions.keep(build(3, version=9))
    revisions.listener().changed(build(1, version=4))
    assert numbers(revisions) == {"chat-1": 3}


def test_what_a_list_does_not_show_is_gone_unless_it_was_written_after_it() -> None:
    revisions = Revisions()
    revisions.keep(build(1, version=4, name="chat-1"))
    revisions.keep(build(2, version=9, name="chat-2"))
    listener = revisions.listener(NAMESPACE)
    listener.listed("6", False)
    listener.replaced([build(3, version=5, name="chat-3")])
    assert numbers(revisions) == {"chat-2": 2, "chat-3": 3}


def test_after_a_restore_from_a_backup_only_the_list_is_true() -> None:
    revisions = Revisions()
    revisions.keep(build(5, version=90))
    listener = revisions.listener()
    listener.listed("20", True)
    listener.replaced([build(3, version=15)])
    assert numbers(revisions) == {"chat-1": 3}


def test_a_list_of_one_namespace_says_nothing_of_others() -> None:
    revisions = Revisions()
    revisions.keep(build(1, version=4))
    listener = revisions.listener("team-b")
    listener.listed("6", False)
    listener.replaced([])
    assert numbers(revisions) == {"chat-1": 1}


def test_those_of_a_deleted_policy_of_the_same_name_are_not_this_ones() -> None:
    revisions = Revisions()
    revisions.keep(build(1, version=4, uid="uid-before"))
    assert numbers(revisions) == {}
    revisions.listener().deleted(build(1, version=5, uid="uid-before"))
    assert numbers(revisions, "uid-before") == {}
