"""Reading, applying and deleting objects."""

import json

import pytest
from tests.kube.played_server import obj, refuses, says, serving

from providerswitch.api.errors import ApiServerError
from providerswitch.kube.client import Object
from providerswitch.kube.objects import (
    CONFIG_MAPS,
    EVENTS,
    POLICIES,
    SECRETS,
    SERVICES,
    ObjectKey,
    apply,
    delete,
    fetch,
    key_of,
    list_all,
    list_uids,
    path_of,
)

KEY = ObjectKey("team-a", "llm")
PATH = "/api/v1/namespaces/team-a/configmaps/llm"


@pytest.mark.parametrize(
    ("resource", "path"),
    [
        (CONFIG_MAPS, PATH),
        (SERVICES, "/api/v1/namespaces/team-a/services/llm"),
        (SECRETS, "/api/v1/namespaces/team-a/secrets/llm"),
        (EVENTS, "/apis/events.k8s.io/v1/namespaces/team-a/events/llm"),
        (POLICIES, "/apis/providerswitch.dev/v1alpha1/namespaces/team-a/providerswitchpolicies/llm"),
    ],
)
def test_where_objects_live(resource: object, path: str) -> None:
    assert path_of(resource, KEY) == path  # type: ignore[arg-type]  # from the table


def test_a_collection_is_that_of_a_namespace_or_of_all() -> None:
    assert CONFIG_MAPS.collection("team-a") == "/api/v1/namespaces/team-a/configmaps"
    assert CONFIG_MAPS.collection(None) == "/api/v1/configmaps"


def test_an_object_is_known_by_namespace_and_name() -> None:
    assert key_of(obj("llm")) == KEY
    assert str(KEY) == "team-a/llm"
    assert key_of({"metadata": {"name": "node"}}) == ObjectKey("", "node")


async def test_an_object_is_read() -> None:
    async with serving(says(200, obj("llm"))) as (server, client):
        assert await fetch(client, CONFIG_MAPS, KEY) == obj("llm")
    assert (server.asked[0].method, server.asked[0].path) == ("GET", PATH)


async def test_an_object_that_is_not_there_is_none() -> None:
    async with serving(refuses(404, "not found")) as (_, client):
        assert await fetch(client, CONFIG_MAPS, KEY) is None


@pytest.mark.parametrize("status", [401, 403, 500, 503])
async def test_an_object_that_cannot_be_read_is_not_taken_for_absent(status: int) -> None:
    async with serving(refuses(status)) as (_, client):
        with pytest.raises(ApiServerError, match=f'read ConfigMap "team-a/llm": HTTP {status}'):
            await fetch(client, CONFIG_MAPS, KEY)


async def test_a_proxys_page_is_not_taken_for_an_empty_object() -> None:
    async with serving(says(200, text="<html>")) as (_, client):
        with pytest.raises(ApiServerError):
            await fetch(client, CONFIG_MAPS, KEY)


async def test_applying_owns_the_fields_under_our_name_and_returns_what_is_stored() -> None:
    async with serving(says(200, obj("llm", 9))) as (server, client):
        assert await apply(client, CONFIG_MAPS, obj("llm", 8)) == obj("llm", 9)
    (asked,) = server.asked
    assert (asked.method, asked.path) == ("PATCH", PATH)
    assert asked.query == {"fieldManager": "providerswitch", "force": "true"}
    assert asked.headers["content-type"] == "application/apply-patch+yaml"
    assert json.loads(asked.body) == obj("llm", 8)


async def test_a_subresource_is_applied_at_its_own_path() -> None:
    async with serving(refuses(403)) as (server, client):
        with pytest.raises(ApiServerError, match='apply ProviderSwitchPolicy/status "team-a/llm": HTTP 403'):
            await apply(client, POLICIES, obj("llm"), subresource="status")
    assert server.asked[0].path.endswith("/providerswitchpolicies/llm/status")


async def test_deleting_means_the_very_object_that_was_seen() -> None:
    async with serving(says(200, {"kind": "Status"})) as (server, client):
        await delete(client, CONFIG_MAPS, KEY, "uid-1")
    (asked,) = server.asked
    assert (asked.method, asked.path) == ("DELETE", PATH)
    assert json.loads(asked.body) == {"preconditions": {"uid": "uid-1"}}


@pytest.mark.parametrize("status", [404, 409])
async def test_an_object_that_went_or_was_replaced_is_left_alone(status: int) -> None:
    async with serving(refuses(status)) as (server, client):
        await delete(client, CONFIG_MAPS, KEY, "uid-1")
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", [403, 500])
async def test_a_deletion_that_was_not_done_is_told(status: int) -> None:
    async with serving(refuses(status)) as (_, client):
        with pytest.raises(ApiServerError, match=f'delete ConfigMap "team-a/llm": HTTP {status}'):
            await delete(client, CONFIG_MAPS, KEY, "uid-1")


@pytest.mark.parametrize("answer", [{}, {"kind": "Status", "status": "Success"}])
async def test_an_answer_that_is_no_list_is_not_taken_for_an_empty_one(answer: Object) -> None:
    async with serving(says(200, answer), says(200, answer)) as (_, client):
        with pytest.raises(ApiServerError, match="no Kubernetes API server"):
            await list_uids(client, POLICIES, None)
        with pytest.raises(ApiServerError, match="no Kubernetes API server"):
            [policy async for policy in list_all(client, POLICIES, None)]


@pytest.mark.parametrize("items", [[], None])
async def test_an_empty_list_is_one(items: list[Object] | None) -> None:
    async with serving(says(200, {"items": items})) as (_, client):
        assert await list_uids(client, POLICIES, None) == frozenset()
