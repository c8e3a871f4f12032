"""Lanes in virtual time: what a namespace asks of the API server waits for its own requests and for no others."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Coroutine, Mapping
from typing import Any

import pytest
from tests.support.virtual_time import elapsed

from providerswitch.kube.client import JSON, KubeClient, Object
from providerswitch.kube.lanes import LANE_WIDTH, LanedClient

pytestmark = pytest.mark.looptime(start=0)

COLLECTION = "/api/v1/namespaces/{}/configmaps"


class Slow(KubeClient):
    """Needs a second for each answer, or fails."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.under_way: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.sent: list[tuple[str, dict[str, Any]]] = []

    async def request(self, method: str, path: str, **rest: Any) -> Object:
        self.sent.append((f"{method} {path}", rest))
        self.under_way[path] += 1
        self.most[path] = max(self.most[path], self.under_way[path])
        try:
            await asyncio.sleep(1)
        finally:
            self.under_way[path] -= 1
        if self.error:
            raise self.error
        return {"path": path}

    async def stream(
        self, path: str, *, what: str, query: Mapping[str, str], accept: str = JSON
    ) -> AsyncGenerator[Object, None]:
        yield {"path": path, "what": what, "query": query, "accept": accept}


def ask(client: KubeClient, path: str) -> Coroutine[Any, Any, Object]:
    return client.request("GET", path, what="look")


async def test_a_namespace_has_so_many_requests_at_once_and_the_others_wait_for_it() -> None:
    slow = Slow()
    busy, client = COLLECTION.format("busy"), LanedClient(slow)
    await asyncio.gather(*(ask(client, busy) for _ in range(3 * LANE_WIDTH)))
    assert slow.most[busy] == LANE_WIDTH
    assert elapsed() == pytest.approx(3)


async def test_another_namespace_does_not_wait_nor_does_what_is_about_none() -> None:
    slow = Slow()
    client = LanedClient(slow)
    crowd = [asyncio.create_task(ask(client, COLLECTION.format("busy"))) for _ in range(50 * LANE_WIDTH)]
    await asyncio.sleep(0)
    await asyncio.gather(ask(client, COLLECTION.format("calm")), ask(client, "/api/v1/configmaps"))
    assert elapsed() == pytest.approx(1)
    for task in crowd:
        task.cancel()
    await asyncio.wait(crowd)


async def test_failed_and_cancelled_requests_give_their_place_back() -> None:
    slow = Slow()
    path, client = COLLECTION.format("busy"), LanedClient(slow)
    slow.error = RuntimeError("broken")
    failed = await asyncio.gather(*(ask(client, path) for _ in range(LANE_WIDTH)), return_exceptions=True)
    assert {type(each) for each in failed} == {RuntimeError}
    hanging = [asyncio.create_task(ask(client, path)) for _ in range(2 * LANE_WIDTH)]
    await asyncio.sleep(0.5)
    for task in hanging:
        task.cancel()
    await asyncio.wait(hanging)
    slow.error, before = None, elapsed()
    await ask(client, path)
    assert elapsed() - before == pytest.approx(1)


async def test_everything_about_a_request_is_passed_on() -> None:
    slow = Slow()
    client, rest = LanedClient(slow), {"body": {"a": 1}, "query": {"q": "1"}, "content_type": "c", "accept": "d"}
    assert await client.request("PATCH", "/a", what="do", **rest) == {"path": "/a"}
    assert slow.sent == [("PATCH /a", {"what": "do", **rest})]
    watched = [event async for event in client.stream("/b", what="watch", query={"q": "2"}, accept="e")]
    assert watched == [{"path": "/b", "what": "watch", "query": {"q": "2"}, "accept": "e"}]
