"""Listing and watching for ever: what the listener knows is what is there, whatever happens to the connection."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from tests.kube.played_server import Answer, PlayedServer, hangs_up, obj, refuses, says, serving, stays_open, streams
from tests.support.eventually import eventually

from providerswitch.kube.client import Object
from providerswitch.kube.watch import BACKOFF_SECONDS, MISSING_SECONDS, Listener, Watched, watch_forever

WATCHED = Watched("/api/v1/configmaps", "app=x")


@dataclass(slots=True)
class Heard:
    """What a listener was told, and how long the watch waited between its attempts."""

    server: PlayedServer
    known: dict[str, str] = field(default_factory=dict)
    lists: int = 0
    pauses: list[float] = field(default_factory=list)

    def listener(self) -> Listener:
        return Listener(self._replaced, self._changed, self._deleted)

    def _replaced(self, objects: list[Object]) -> None:
        self.lists += 1
        self.known = {}
        for each in objects:
            self._changed(each)

    def _changed(self, each: Object) -> None:
        self.known[each["metadata"]["name"]] = each["metadata"]["resourceVersion"]

    def _deleted(self, each: Object) -> None:
        del self.known[each["metadata"]["name"]]

    async def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await asyncio.sleep(0)

    def watches(self) -> list[str]:
        """Return the versions that watches began at."""
        return [each.query["resourceVersion"] for each in self.server.asked if "watch" in each.query]


def lists(version: int, *objects: Object) -> Answer:
    return says(200, {"metadata": {"resourceVersion": str(version)}, "items": list(objects)})


def event(kind: str, name: str, version: int) -> bytes:
    return json.dumps({"type": kind, "object": obj(name, version)}).encode() + b"\n"


def bookmark(version: int) -> bytes:
    found = {"kind": "ConfigMap", "metadata": {"resourceVersion": str(version)}}
    return json.dumps({"type": "BOOKMARK", "object": found}).encode() + b"\n"


def error(code: int, message: str = "") -> bytes:
    status = {"kind": "Status", "code": code, "message": message}
    return json.dumps({"type": "ERROR", "object": status}).encode() + b"\n"


@asynccontextmanager
async def watching(*answers: Answer, watched: Watched = WATCHED) -> AsyncIterator[Heard]:
    async with serving(*answers) as (server, client):
        heard = Heard(server)
        task = asyncio.create_task(watch_forever(client, watched, heard.listener(), pause=heard.pause))
        try:
            yield heard
            assert not task.done(), task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_it_tells_what_is_there_and_then_what_changes() -> None:
    lines = (event("ADDED", "b", 6), event("MODIFIED", "a", 7), event("DELETED", "b", 8))
    async with watching(lists(5, obj("a", 3)), streams(*lines, then=stays_open())) as heard:
        await eventually(lambda: heard.known == {"a": "7"})
        assert heard.lists == 1
        assert heard.watches() == ["5"]


async def test_it_asks_for_its_selector_in_both() -> None:
    async with watching(lists(5), streams(then=stays_open())) as heard:
        await eventually(heard.watches)
        assert [each.query["labelSelector"] for each in heard.server.asked] == ["app=x", "app=x"]
        assert {each.headers["accept"] for each in heard.server.asked} == {"application/json"}


async def test_with_metadata_only_no_content_is_ever_asked_for() -> None:
    watched = Watched("/api/v1/secrets", metadata_only=True)
    async with watching(lists(5), streams(then=stays_open()), watched=watched) as heard:
        await eventually(heard.watches)
        accepted = [each.headers["accept"] for each in heard.server.asked]
        assert [accept.split(";")[1] for accept in accepted] == [
            "as=PartialObjectMetadataList",
            "as=PartialObjectMetadata",
        ]
        assert [each.query.get("labelSelector") for each in heard.server.asked] == [None, None]


async def test_a_watch_that_the_server_ends_goes_on_where_it_was_without_a_list() -> None:
    first, second = streams(event("ADDED", "a", 6)), streams(event("ADDED", "b", 7), then=stays_open())
    async with watching(lists(5), first, second) as heard:
        await eventually(lambda: heard.known == {"a": "6", "b": "7"})
        assert heard.watches() == ["5", "6"]
        assert heard.lists == 1
        assert heard.pauses == []


async def test_a_bookmark_moves_on_and_tells_nothing() -> None:
    async with watching(lists(5, obj("a", 3)), streams(bookmark(90)), streams(then=stays_open())) as heard:
        await eventually(lambda: heard.watches() == ["5", "90"])
        assert heard.known == {"a": "3"}


@pytest.mark.parametrize("expired", [streams(error(410, "too old")), refuses(410, "too old")])
async def test_when_the_server_forgot_where_it_was_it_lists_again(expired: Answer) -> None:
    async with watching(lists(5, obj("a", 3)), expired, lists(9, obj("b", 8)), streams(then=stays_open())) as heard:
        await eventually(lambda: heard.watches() == ["5", "9"])
        assert heard.known == {"b": "8"}


async def test_what_went_while_nobody_watched_is_gone_after_the_list() -> None:
    broken = streams(event("ADDED", "b", 6), then=hangs_up)
    async with watching(lists(5, obj("a", 3)), broken, lists(9, obj("b", 8)), streams(then=stays_open())) as heard:
        await eventually(lambda: heard.watches() == ["5", "9"])
        assert heard.known == {"b": "8"}
        assert heard.pauses == [0.2]


TROUBLES: dict[str, Answer] = {
    "an error event": streams(error(500, "etcd is away")),
    "an error event without a code": streams(b'{"type": "ERROR", "object": {}}\n'),
    "a hang-up": streams(then=hangs_up),
    "a line too long to be read": streams(b"x" * 5 * 1024 * 1024 + b"\n"),
    "a refusal": refuses(403, "forbidden"),
    "a page": says(200, text="<html>\n"),
    "an event of nothing": streams(b"{}\n"),
    "an event of another shape": streams(b'{"type": "ADDED", "object": "x"}\n'),
    "an object without metadata": streams(b'{"type": "ADDED", "object": {}}\n'),
    "an object without a version": streams(b'{"type": "ADDED", "object": {"metadata": {"name": "x"}}}\n'),
    "an end without an event": streams(),
}


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_after_any_trouble_of_the_watch_it_waits_a_moment_and_lists_again(trouble: str) -> None:
    async with watching(lists(5), TROUBLES[trouble], lists(9, obj("b", 8)), streams(then=stays_open())) as heard:
        await eventually(lambda: heard.watches() == ["5", "9"])
        assert heard.known == {"b": "8"}
        assert heard.pauses == [0.2]


@pytest.mark.parametrize(
    "trouble",
    [
        streams(b'{"items":', then=hangs_up),
        refuses(500),
        says(200, text="<html>"),
        says(200, {}),
        says(200, {"metadata": {}}),
        says(200, {"metadata": None, "items": []}),
    ],
)
async def test_after_any_trouble_of_the_list_it_waits_a_moment_and_forgets_nothing(trouble: Answer) -> None:
    broken = streams(event("ADDED", "a", 6), then=hangs_up)
    async with watching(lists(5), broken, trouble, trouble, lists(9), streams(then=stays_open())) as heard:
        await eventually(lambda: heard.pauses == [0.2, 0.5, 1.0])
        await eventually(lambda: heard.lists == 2)


async def test_a_list_of_nothing_may_have_null_items() -> None:
    nothing = says(200, {"metadata": {"resourceVersion": "5"}, "items": None})
    async with watching(nothing, streams(event("ADDED", "a", 6), then=stays_open())) as heard:
        await eventually(lambda: heard.known == {"a": "6"})


def in_turn(*answers: Answer) -> Answer:
    """Return an answer that lists or watches, whichever is asked, for ever."""
    listing, watch = answers

    async def answer(request: web.Request) -> web.StreamResponse:
        return await (watch if "watch" in request.query else listing)(request)

    return answer


@pytest.mark.parametrize("trouble", [refuses(403), refuses(410), streams(), streams(error(410))])
async def test_a_watch_that_never_works_is_tried_less_and_less_often_though_lists_work(trouble: Answer) -> None:
    async with watching(in_turn(lists(5), trouble)) as heard:
        await eventually(lambda: len(heard.pauses) >= 7)
        assert heard.pauses[:7] == [*BACKOFF_SECONDS, BACKOFF_SECONDS[-1], BACKOFF_SECONDS[-1]]


async def test_once_an_event_came_the_next_break_is_retried_at_once_again() -> None:
    cut, breaks = streams(then=hangs_up), streams(event("ADDED", "a", 6), then=hangs_up)
    async with watching(lists(5), cut, lists(5), cut, lists(5), breaks, in_turn(lists(5), breaks)) as heard:
        await eventually(lambda: len(heard.pauses) >= 4)
        assert heard.pauses[:4] == [0.2, 0.5, 0.2, 0.2]


async def test_a_single_break_is_routine_and_a_lasting_one_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "providerswitch.kube.watch")
    async with watching(refuses(503, "etcd is away")) as heard:
        await eventually(lambda: len(heard.pauses) >= 2)
    first, second, *_ = caplog.records
    assert (first.levelname, second.levelname) == ("INFO", "WARNING")
    assert second.getMessage() == "watch interrupted: list /api/v1/configmaps: HTTP 503: etcd is away"


async def test_a_fault_of_the_listener_is_not_hidden() -> None:
    def faulty(_: Any) -> None:
        raise KeyError("bug")

    async with serving(lists(5)) as (_, client):
        with pytest.raises(KeyError, match="bug"):
            await watch_forever(client, WATCHED, Listener(faulty, faulty, faulty))


async def test_when_it_is_cancelled_its_connection_is_freed() -> None:
    left = asyncio.Event()

    async with serving(lists(5), streams(bookmark(6), then=stays_open(left))) as (server, client):
        task = asyncio.create_task(watch_forever(client, WATCHED, Heard(server).listener()))
        await eventually(lambda: len(server.asked) == 2)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert await eventually(left.is_set)


async def test_an_expired_watch_is_told_as_routine(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "providerswitch.kube.watch")
    async with watching(lists(5), streams(error(410, "too old")), lists(9), streams(then=stays_open())) as heard:
        await eventually(lambda: heard.watches() == ["5", "9"])
    assert caplog.records[0].getMessage() == "watch interrupted: expired, listing again"


async def test_a_list_of_an_earlier_time_than_what_was_told_undoes_it() -> None:
    told: list[tuple[str, bool]] = []

    def listed(version: str, undone: bool) -> None:  # noqa: FBT001  # as the listener is called
        told.append((version, undone))

    broken = streams(event("ADDED", "a", 90), then=hangs_up)
    async with serving(lists(80), broken, lists(60), broken, lists(95), streams(then=stays_open())) as (server, client):
        heard = Heard(server)
        own = heard.listener()
        listener = Listener(
            own.replaced, own.changed, own.deleted, lambda version, undone: told.append((version, undone))
        )
        task = asyncio.create_task(watch_forever(client, WATCHED, listener, pause=heard.pause))
        await eventually(lambda: len(told) == 3)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert told == [("80", False), ("60", True), ("95", False)]


async def test_a_watch_that_says_nothing_at_all_is_begun_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("providerswitch.kube.watch.QUIET_SECONDS", 0.2)
    async with watching(lists(5), streams(then=stays_open()), lists(9), streams(then=stays_open())) as heard:
        await eventually(lambda: heard.watches()[:2] == ["5", "9"])


async def test_an_overloaded_api_server_is_left_alone_as_long_as_it_asks() -> None:
    async def overloaded(_: web.Request) -> web.StreamResponse:
        return web.json_response({"kind": "Status", "code": 429}, status=429, headers={"Retry-After": "7"})

    async with watching(overloaded, lists(5), streams(then=stays_open())) as heard:
        await eventually(heard.watches)
        assert heard.pauses == [7.0]


async def test_a_resource_that_is_not_served_is_looked_for_calmly_and_forgets_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    missed: list[None] = []
    optional = Watched("/apis/providerswitch.dev/v1alpha1/providerswitchoverrides", optional=True)
    async with serving(refuses(404), refuses(404), lists(1, obj("a", 1)), stays_open()) as (server, client):
        heard = Heard(server)
        listener = Listener(heard._replaced, heard._changed, heard._deleted, missing=lambda: missed.append(None))
        task = asyncio.create_task(watch_forever(client, optional, listener, pause=heard.pause))
        await eventually(lambda: heard.known == {"a": "1"})
        task.cancel()
    assert heard.pauses == [MISSING_SECONDS, MISSING_SECONDS]
    assert len(missed) == 2
    assert [record.message for record in caplog.records if "is not served" in record.message] == [
        f"{optional.path} is not served: apply crds/ of this release to use it"
    ]
