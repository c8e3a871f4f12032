"""An API server that does not take a write at once: what it asks for is honoured, and in the end all is published."""

from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import pytest
from aiohttp import web
from tests.support.api_proxy import Meddler, Proxied, behind_a_proxy, refuses, resets
from tests.support.control_plane import ControlPlane
from tests.support.eventually import eventually
from tests.support.scene import POLICY

TIMES = 3


@pytest.fixture
async def proxied(installed: ControlPlane, namespace: str, tmp_path: Path) -> AsyncIterator[Proxied]:
    async with behind_a_proxy(installed, namespace, tmp_path) as made:
        yield made


async def half_an_answer(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'{"kind": "ConfigMap", "metad')
    assert request.transport
    request.transport.abort()
    return response


def on_writes(part: str, trouble: Meddler, proxied: Proxied) -> Meddler:
    """Return what lets the first few writes of a kind of object meet trouble."""

    async def meddle(request: web.Request) -> web.StreamResponse | None:
        wanted = request.method == "PATCH" and part in request.path
        return await trouble(request) if wanted and len(proxied.proxy.times("PATCH", part)) - before <= TIMES else None

    before = len(proxied.proxy.times("PATCH", part))
    return meddle


TROUBLES: dict[str, Meddler] = {
    "an error of etcd": refuses(500, "etcdserver: leader changed"),
    "a bad gateway": refuses(502),
    "too long": refuses(504, "Timeout: request did not complete within the allotted duration"),
    "expired credentials": refuses(401, "Unauthorized"),
    "half an answer": half_an_answer,
    "a reset": resets,
}
PLACES = [f"/configmaps/{POLICY}-provider", f"/{POLICY}/status"]


@pytest.mark.parametrize("part", PLACES, ids=["configmap", "status"])
@pytest.mark.parametrize("trouble", TROUBLES)
async def test_a_write_that_is_not_taken_is_tried_again_until_it_is(proxied: Proxied, trouble: str, part: str) -> None:
    scene, proxy = proxied.scene, proxied.proxy
    await scene.opens("openai", "backup")
    tried = len(proxy.times("PATCH", part))
    proxy.meddle = on_writes(part, TROUBLES[trouble], proxied)
    await scene.edit(primary="backup")
    assert (await scene.serves("backup"))["LLM_REVISION"] == "2"
    history = (await scene.status())["history"]
    assert [entry["outcome"] for entry in history] == ["Succeeded", "Succeeded"]
    assert len(proxy.times("PATCH", part)) - tried <= 2 * TIMES + 2, "a hot loop"


@pytest.mark.parametrize("part", PLACES, ids=["configmap", "status"])
async def test_an_overloaded_api_server_is_left_alone_as_long_as_it_asks(proxied: Proxied, part: str) -> None:
    scene, proxy = proxied.scene, proxied.proxy
    await scene.opens("openai", "backup")
    proxy.meddle = on_writes(part, refuses(429, "too many requests", retry_after=2), proxied)
    tried = len(proxy.times("PATCH", part))
    await scene.edit(primary="backup")
    await eventually(lambda: len(proxy.times("PATCH", part)) > tried + TIMES, within=20)
    times = proxy.times("PATCH", part)[tried : tried + TIMES + 1]
    assert [later - earlier >= 1.9 for earlier, later in pairwise(times)] == [True] * TIMES
    assert (await scene.serves("backup"))["LLM_REVISION"] == "2"


async def test_a_conflict_of_the_status_is_no_failure(proxied: Proxied) -> None:
    scene, proxy = proxied.scene, proxied.proxy
    await scene.opens("openai", "backup")
    proxy.meddle = on_writes(f"/{POLICY}/status", refuses(409, "the object has been modified"), proxied)
    await scene.edit(primary="backup")
    await scene.serves("backup", within=30)


async def test_slow_answers_hold_up_one_write_and_no_probe(proxied: Proxied) -> None:
    scene, proxy = proxied.scene, proxied.proxy
    await scene.opens("openai", "backup")
    probed = len(scene.providers["openai"].log)

    async def slow(request: web.Request) -> None:
        seen = len(scene.providers["openai"].log)
        await eventually(lambda: len(scene.providers["openai"].log) > seen + 1, within=10)

    async def meddle(request: web.Request) -> web.StreamResponse | None:
        if request.method == "PATCH":
            await slow(request)
        return None

    proxy.meddle = meddle
    await scene.edit(primary="backup")
    await scene.serves("backup")
    assert len(scene.providers["openai"].log) > probed + 2
