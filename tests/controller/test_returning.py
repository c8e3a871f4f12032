"""The end of an outage is noticed at once, and only an end."""

import asyncio
from collections.abc import Mapping

import pytest

from providerswitch.api.errors import ApiServerError
from providerswitch.controller.returning import ASK_SECONDS, watch_return
from providerswitch.kube.client import JSON, KubeClient, Object

pytestmark = pytest.mark.looptime(start=0)


class Away(KubeClient):
    """An API server that may be away."""

    def __init__(self) -> None:
        self.away = True
        self.asked = 0

    async def request(
        self,
        method: str,
        path: str,
        *,
        what: str,
        body: object = None,
        query: Mapping[str, str] | None = None,
        content_type: str = JSON,
        accept: str = JSON,
    ) -> Object:
        self.asked += 1
        if self.away:
            raise ApiServerError(what, None)
        return {}


class Waiting:
    """Somebody who may wait for the API server."""

    def __init__(self) -> None:
        self.waits = True
        self.told = 0
        self.client = Away()
        self.task = asyncio.create_task(watch_return(self.client, (), lambda: self.waits, self.tell))

    def tell(self) -> None:
        self.told += 1


async def test_the_end_of_an_outage_is_told_once_within_half_a_second() -> None:
    waiting = Waiting()
    await asyncio.sleep(300)
    assert (waiting.told, waiting.client.asked) == (0, pytest.approx(300 / ASK_SECONDS, abs=1))
    waiting.client.away = False
    await asyncio.sleep(ASK_SECONDS + 0.01)
    assert waiting.told == 1
    await asyncio.sleep(60)
    assert waiting.told == 1
    waiting.task.cancel()


async def test_where_nobody_waits_nobody_asks() -> None:
    waiting = Waiting()
    waiting.waits = False
    await asyncio.sleep(60)
    assert waiting.client.asked == 0
    waiting.task.cancel()


async def test_what_was_refused_by_an_api_server_that_is_there_is_not_hurried() -> None:
    waiting = Waiting()
    waiting.client.away = False
    await asyncio.sleep(60)
    assert waiting.told == 0
    waiting.task.cancel()
