"""The door to the API server, against a real server on a real socket."""

import asyncio
import json
import math
import socket
from contextlib import aclosing
from functools import partial
from typing import Any

import pytest
from kubernetes.aio.config import ConfigException
from tests.kube.played_server import Answer, hangs_up, logged_in, refuses, says, serving, stays_open, streams
from tests.support.eventually import eventually

from providerswitch.api.errors import ApiServerError
from providerswitch.kube import client as client_module
from providerswitch.kube.client import KubeClient, Object

WHAT = 'read ConfigMap "a/b"'
PATH = "/api/v1/namespaces/a/configmaps/b"
SECRET = "c2stc2VjcmV0LTEyMw=="  # of sk-secret-123


async def failure(*answers: Answer) -> ApiServerError:
    async with serving(*answers) as (_, client):
        with pytest.raises(ApiServerError) as caught:
            await client.request("GET", PATH, what=WHAT)
    return caught.value


async def test_an_answer_is_the_object_in_it() -> None:
    async with serving(says(200, {"kind": "ConfigMap"})) as (server, client):
        assert await client.request("GET", PATH, what=WHAT) == {"kind": "ConfigMap"}
        (asked,) = server.asked
    assert (asked.method, asked.path, asked.query, asked.body) == ("GET", PATH, {}, b"")


async def test_body_query_types_and_token_reach_the_server() -> None:
    async with serving(says(201, {}), token="t0ken") as (server, client):
        await client.request(
            "PATCH",
            PATH,
            what=WHAT,
            body={"data": {"ключ": "значение"}},
            query={"fieldManager": "us & them"},
            content_type="application/apply-patch+yaml",
            accept="application/json;as=Table",
        )
        (asked,) = server.asked
    assert json.loads(asked.body) == {"data": {"ключ": "значение"}}
    assert asked.query == {"fieldManager": "us & them"}
    assert asked.headers["content-type"] == "application/apply-patch+yaml"
    assert asked.headers["accept"] == "application/json;as=Table"
    assert asked.headers["authorization"] == "Bearer t0ken"


async def test_a_replica_that_does_not_lead_reads_and_writes_nothing() -> None:
    async with serving(says(200, {"kind": "ConfigMap"})) as (server, client):
        fenced = KubeClient(client._api, lambda: 0.0)
        await fenced.request("GET", PATH, what=WHAT)
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            with pytest.raises(ApiServerError, match="does not hold the Lease, so nothing was sent"):
                await fenced.request(method, PATH, what=WHAT, body={})
    assert [asked.method for asked in server.asked] == ["GET"]


async def test_a_write_has_to_end_before_another_replica_may_begin() -> None:
    async with serving(stays_open()) as (server, client):
        fenced = KubeClient(client._api, lambda: 0.2)
        with pytest.raises(ApiServerError, match="TimeoutError"):
            await fenced.request("PATCH", PATH, what=WHAT, body={}, query={"force": "true"})
    assert [asked.query for asked in server.asked] == [{"force": "true", "timeout": "0.200s"}]


@pytest.mark.parametrize(("fence", "query"), [(120.0, {"timeout": "15.000s"}), (math.inf, {})])
async def test_a_server_is_not_left_to_write_for_longer_than_it_is_waited_for(
    fence: float, query: dict[str, str]
) -> None:
    """Without a word it may take a minute, and a Lease of half that time has another holder by then."""
    async with serving(says(200, {"kind": "ConfigMap"})) as (server, client):
        await KubeClient(client._api, lambda: fence).request("PATCH", PATH, what=WHAT, body={})
    assert [asked.query for asked in server.asked] == [query]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 422, 429, 500, 503, 504])
async def test_a_refusal_carries_its_status_and_the_servers_own_words(status: int) -> None:
    error = await failure(refuses(status, "configmaps is forbidden"))
    assert (error.what, error.status, error.detail) == (WHAT, status, "configmaps is forbidden")


@pytest.mark.parametrize(
    "answer",
    [
        says(502, text="<html>Bad gateway sk-secret-123</html>"),
        says(502, text=""),
        says(502, text="\xff\x00"),
        says(502, [1, 2]),
        says(502, "sk-secret-123"),
        says(502, {"message": "sk-secret-123"}),
        says(502, {"kind": "Secret", "data": {"key": SECRET}, "message": SECRET}),
        says(502, {"kind": "Status", "message": None}),
        says(502, {"kind": "Status"}),
    ],
)
async def test_a_refusal_that_is_no_status_has_no_words(answer: Answer) -> None:
    error = await failure(answer)
    assert (error.status, error.detail) == (502, "")


@pytest.mark.parametrize("text", ["<html>sk-secret-123</html>", "", "{", "[]", "null", '"sk-secret-123"', "3"])
async def test_a_good_status_with_something_else_in_it_is_an_error_of_unknown_outcome(text: str) -> None:
    error = await failure(says(200, text=text))
    assert (error.status, error.detail) == (None, "what answered is no Kubernetes API server")
    assert "sk-secret" not in f"{error!r} {error}"


async def test_a_connection_that_is_hung_up_is_no_answer() -> None:
    error = await failure(hangs_up)
    assert (error.status, error.detail) == (None, "ServerDisconnectedError")


async def test_a_refused_connection_is_no_answer() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with logged_in(f"http://127.0.0.1:{port}") as client:
        with pytest.raises(ApiServerError) as caught:
            await client.request("GET", PATH, what=WHAT)
    assert caught.value.status is None
    assert str(caught.value) == f"{WHAT}: no answer: ClientConnectorError"


async def test_a_server_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "REQUEST_SECONDS", 0.1)

    error = await failure(stays_open())
    assert (error.status, error.detail) == (None, "TimeoutError")


async def test_a_server_that_stops_in_the_middle_of_its_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "REQUEST_SECONDS", 0.1)

    error = await failure(streams(b'{"kind":', then=stays_open()))
    assert (error.status, error.detail) == (None, "TimeoutError")


async def test_an_answer_that_breaks_off_is_no_answer() -> None:
    error = await failure(streams(b'{"kind":', then=hangs_up))
    assert error.status is None
    assert error.detail == "ClientPayloadError"


@pytest.mark.parametrize("raised", [ConfigException("token sk-secret-123"), OSError("sk-secret-123")])
async def test_a_token_that_cannot_be_refreshed_is_no_answer_and_its_text_stays_inside(raised: Exception) -> None:
    async with serving(says(200, {}), token="t0ken") as (server, client):

        def refresh(_: object) -> None:
            raise raised

        client._api.configuration.refresh_api_key_hook = refresh
        for tried in (partial(client.request, "GET", PATH, what=WHAT), partial(listen, client)):
            with pytest.raises(ApiServerError) as caught:
                await tried()
            assert str(caught.value) == f"{WHAT}: no answer: {type(raised).__name__}"
        assert server.asked == []


async def listen(client: KubeClient) -> list[Object]:
    async with aclosing(client.stream(PATH, what=WHAT, query={"resourceVersion": "5"})) as events:
        return [event async for event in events]


async def stream_failure(*answers: Answer) -> ApiServerError:
    async with serving(*answers) as (_, client):
        with pytest.raises(ApiServerError) as caught:
            await listen(client)
    return caught.value


def line(**event: Any) -> bytes:
    return json.dumps(event).encode() + b"\n"


async def test_a_watch_gives_its_events_in_order_until_the_server_ends_it() -> None:
    lines = (line(type="ADDED", n=1), b"\n", line(type="MODIFIED", n=2), line(type="DELETED", n=3))
    async with serving(streams(*lines)) as (server, client):
        assert [event["n"] for event in await listen(client)] == [1, 2, 3]
        (asked,) = server.asked
    assert asked.query == {
        "resourceVersion": "5",
        "watch": "1",
        "allowWatchBookmarks": "true",
        "timeoutSeconds": "290",
    }


async def test_lines_are_put_together_however_they_are_cut() -> None:
    whole = line(type="ADDED", text="grün") + line(type="DELETED", text="blau")
    pieces = (whole[at : at + 3] for at in range(0, len(whole), 3))
    async with serving(streams(*pieces)) as (_, client):
        assert [event["text"] for event in await listen(client)] == ["grün", "blau"]


async def test_the_largest_object_that_etcd_holds_fits_into_a_line() -> None:
    text = "x" * 2 * 1024 * 1024
    async with serving(streams(line(type="ADDED", text=text), line(type="DELETED", text=""))) as (_, client):
        assert [len(event["text"]) for event in await listen(client)] == [len(text), 0]


async def test_a_line_that_escapes_made_longer_than_can_be_read_is_an_error_like_others() -> None:
    error = await stream_failure(streams(line(type="ADDED", text="\x01" * 1024 * 1024)))
    assert (error.status, error.detail) == (None, "LineTooLong")


async def test_a_refused_watch_carries_its_status_and_words() -> None:
    error = await stream_failure(refuses(403, "secrets is forbidden"))
    assert (error.status, error.detail) == (403, "secrets is forbidden")


@pytest.mark.parametrize("text", [b"<html>\n", b"{\n", b"[]\n", b"3\n", b"\xff\n"])
async def test_a_watch_that_sends_something_else_is_an_error(text: bytes) -> None:
    error = await stream_failure(streams(line(type="ADDED"), text))
    assert (error.status, error.detail) == (None, "what answered is no Kubernetes API server")


async def test_a_watch_that_breaks_off_is_an_error() -> None:
    error = await stream_failure(streams(line(type="ADDED"), then=hangs_up))
    assert error.status is None


async def test_half_a_line_at_the_end_is_an_error_and_no_event() -> None:
    error = await stream_failure(streams(line(type="ADDED"), b'{"type": "DELE'))
    assert error.status is None


async def test_a_watch_that_falls_silent_is_given_up_a_little_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "WATCH_SECONDS", -29.9)

    error = await stream_failure(streams(line(type="ADDED"), then=stays_open()))
    assert (error.status, error.detail) == (None, "TimeoutError")


async def test_whoever_stops_listening_frees_the_connection() -> None:
    left = asyncio.Event()

    async with serving(streams(line(type="ADDED"), then=stays_open(left))) as (_, client):
        async with aclosing(client.stream(PATH, what=WHAT, query={})) as events:
            assert await anext(events) == {"type": "ADDED"}
        assert await eventually(left.is_set)
