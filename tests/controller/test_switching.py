"""The switch protocol step by step: all objects or none, and nobody else's."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.controller.played_cluster import CONFIG_MAP, NAMESPACE, SERVICE, Cluster, policy
from tests.support.virtual_time import elapsed

from providerswitch.api.errors import ApiServerError, UserError
from providerswitch.controller.policy import Policy, parse_policy
from providerswitch.kube.client import Object
from providerswitch.publish.choice import Choice, Owner
from providerswitch.publish.targets import TargetKey, build_objects

pytestmark = pytest.mark.looptime(start=0)

Bodies = dict[TargetKey, Object]


def bodies(active: str, revision: int, *, service: bool = True) -> Bodies:
    """Return the objects of a choice."""
    spec: Any = {"publish": {"service": {"name": "llm"}}} if service else {}
    found = parse_policy(policy(**spec))
    assert isinstance(found, Policy)
    provider = found.spec.provider(active)
    assert provider
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    return build_objects(Choice(found.owner, found.spec, provider, revision, "ManualSwitch", "asked", moment))


FIRST, SECOND = bodies("openai", 1), bodies("backup", 2)
OWNER = Owner(NAMESPACE, "assistant", "uid-of-policy")


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    made = Cluster()
    yield made
    await made.stop()


async def publish(cluster: Cluster, wanted: Bodies, former: Bodies | None = None) -> None:
    await cluster.switching.publish(OWNER, wanted, former or {})


def revisions(cluster: Cluster) -> list[str | None]:
    found = (cluster.api.objects.get(path) for path in (CONFIG_MAP, SERVICE))
    return [obj["metadata"]["annotations"]["providerswitch.dev/revision"] if obj else None for obj in found]


def refuse(cluster: Cluster, method: str, path: str, answer: int | Exception) -> None:
    cluster.api.trouble = lambda seen, where: answer if (seen, where) == (method, path) else None


async def test_all_objects_are_published_and_then_read_back(cluster: Cluster) -> None:
    await publish(cluster, FIRST)

    assert revisions(cluster) == ["1", "1"]
    steps = [(method, path) for _, method, path in cluster.api.asked]
    assert steps[-4:] == [("PATCH", CONFIG_MAP), ("PATCH", SERVICE), ("GET", CONFIG_MAP), ("GET", SERVICE)]


@pytest.mark.parametrize("status", [400, 403, 404, 409, 413, 422])
async def test_a_refusal_puts_the_former_choice_back_everywhere(cluster: Cluster, status: int) -> None:
    await publish(cluster, FIRST)
    refuse(cluster, "PATCH", SERVICE, status)

    with pytest.raises(UserError, match="The former choice stays published") as refused:
        await publish(cluster, SECOND, FIRST)

    assert refused.value.reason == "PublishRefused"
    assert 'apply Service "team-a/llm"' in refused.value.message
    assert revisions(cluster) == ["1", "1"]
    assert cluster.published == "openai"


NO_ROLES_YET = ApiServerError("apply", 403, 'services "llm" is forbidden: User "us" cannot patch resource "services"')


async def test_an_api_server_that_does_not_know_its_roles_yet_is_asked_once_more(cluster: Cluster) -> None:
    await publish(cluster, FIRST)
    refuse(cluster, "PATCH", SERVICE, NO_ROLES_YET)
    asyncio.get_running_loop().call_later(0.5, setattr, cluster.api, "trouble", lambda _method, _path: None)

    await publish(cluster, SECOND, FIRST)

    assert revisions(cluster) == ["2", "2"]


async def test_missing_rights_that_last_are_a_refusal(cluster: Cluster) -> None:
    await publish(cluster, FIRST)
    refuse(cluster, "PATCH", SERVICE, NO_ROLES_YET)

    with pytest.raises(UserError, match="The former choice stays published"):
        await publish(cluster, SECOND, FIRST)
    assert revisions(cluster) == ["1", "1"]


async def test_what_admission_forbids_is_put_back_at_once(cluster: Cluster) -> None:
    await publish(cluster, FIRST)
    refuse(cluster, "PATCH", SERVICE, 403)
    began = elapsed()

    with pytest.raises(UserError):
        await publish(cluster, SECOND, FIRST)
    assert elapsed() - began < 0.1


async def test_with_no_former_choice_what_was_published_is_taken_away(cluster: Cluster) -> None:
    refuse(cluster, "PATCH", SERVICE, 403)

    with pytest.raises(UserError):
        await publish(cluster, FIRST)

    assert revisions(cluster) == [None, None]


@pytest.mark.parametrize("status", [0, 408, 429, 500, 502, 503, 504])
async def test_no_clear_answer_undoes_nothing_and_the_next_attempt_goes_on(cluster: Cluster, status: int) -> None:
    await publish(cluster, FIRST)
    refuse(cluster, "PATCH", SERVICE, status)

    with pytest.raises(ApiServerError):
        await publish(cluster, SECOND, FIRST)
    assert revisions(cluster) == ["2", "1"]

    cluster.api.trouble = lambda _method, _path: None
    await publish(cluster, SECOND, FIRST)
    assert revisions(cluster) == ["2", "2"]


async def test_what_does_not_read_back_as_written_is_rolled_back(cluster: Cluster) -> None:
    await publish(cluster, FIRST)

    def meddle(obj: Object) -> None:
        if obj.get("data", {}).get("LLM_PROVIDER") == "backup":
            obj["data"]["LLM_BASE_URL"] = "http://webhook.example"

    cluster.api.mutate = meddle
    with pytest.raises(UserError, match="another controller may be changing it") as refused:
        await publish(cluster, SECOND, FIRST)

    assert refused.value.reason == "PublishRefused"
    assert revisions(cluster) == ["1", "1"]


async def test_an_object_that_vanishes_before_it_is_read_back_is_noticed(cluster: Cluster) -> None:
    refuse(cluster, "GET", SERVICE, 404)

    with pytest.raises(UserError, match="does not read back"):
        await publish(cluster, FIRST)


@pytest.mark.parametrize("path", [CONFIG_MAP, SERVICE])
async def test_a_foreign_object_stops_everything_before_anything_is_touched(cluster: Cluster, path: str) -> None:
    name = path.rsplit("/", 1)[1]
    theirs = cluster.api.store(path, {"kind": "?", "metadata": {"name": name, "namespace": NAMESPACE}})
    before = dict(theirs)

    with pytest.raises(UserError, match=f'"{name}" in "{NAMESPACE}" exists and does not belong') as refused:
        await publish(cluster, FIRST)

    assert refused.value.reason == "NotOwned"
    assert cluster.api.objects == {path: before}
    assert {method for _, method, _ in cluster.api.asked} == {"GET"}


async def test_an_object_that_could_not_be_looked_at_is_not_taken_for_absent(cluster: Cluster) -> None:
    refuse(cluster, "GET", CONFIG_MAP, 500)

    with pytest.raises(ApiServerError):
        await publish(cluster, FIRST)

    assert cluster.api.objects == {}


async def test_what_is_no_longer_wanted_goes_after_the_rest_is_published(cluster: Cluster) -> None:
    await publish(cluster, FIRST)
    await publish(cluster, bodies("backup", 2, service=False), FIRST)

    assert revisions(cluster) == ["2", None]
    assert [method for _, method, _ in cluster.api.asked][-1] == "DELETE"


async def test_an_object_that_somebody_made_anew_is_not_removed(cluster: Cluster) -> None:
    await publish(cluster, FIRST)
    cluster.api.objects[SERVICE]["metadata"]["uid"] = "of-somebody-else"
    await publish(cluster, bodies("backup", 2, service=False), FIRST)

    assert SERVICE in cluster.api.objects


async def test_a_cancelled_publication_can_be_taken_up_again(cluster: Cluster) -> None:
    await publish(cluster, FIRST)
    cluster.api.seconds = lambda path: 10 if path == SERVICE else 0.001
    task = asyncio.create_task(publish(cluster, SECOND, FIRST))
    await asyncio.sleep(1)
    task.cancel()
    await asyncio.wait([task])
    cluster.api.seconds = lambda _path: 0.001
    await publish(cluster, SECOND, FIRST)

    assert revisions(cluster) == ["2", "2"]
