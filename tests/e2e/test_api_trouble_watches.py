"""Watches that break in every way: policies, published objects and Secrets are heard of again, by the same process."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from tests.support.api_proxy import Meddler, Proxied, behind_a_proxy, is_watch, refuses, resets
from tests.support.control_plane import ControlPlane
from tests.support.eventually import eventually
from tests.support.scene import POLICY, Scene, key_of

TIMES = 3
"""Each watch meets its trouble so often before it works again."""


@pytest.fixture
async def proxied(installed: ControlPlane, namespace: str, tmp_path: Path) -> AsyncIterator[Proxied]:
    async with behind_a_proxy(installed, namespace, tmp_path) as made:
        yield made


def streams(text: str) -> Meddler:
    """Return what answers a watch with this text, and ends it."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        await response.write(text.encode())
        return response

    return answer


def error(code: int, message: str) -> str:
    status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": message}
    return json.dumps({"type": "ERROR", "object": status}) + "\n"


TROUBLES: dict[str, Meddler] = {
    "expired, said in the stream": streams(error(410, "too old resource version: 1 (2)")),
    "expired, said as a status": refuses(410, "too old resource version"),
    "an error in the stream": streams(error(500, "etcdserver: leader changed")),
    "a version of the future": refuses(504, "Too large resource version"),
    "an error of etcd": refuses(500, "etcdserver: leader changed"),
    "overload": refuses(429, "too many requests, please try again later", retry_after=1),
    "an end at once": streams(""),
    "an event cut in the middle": streams('{"type": "ADDED", "obj'),
    "a reset": resets,
}


def meets(trouble: Meddler) -> Meddler:
    """Return what lets each watch meet trouble a few times, and then pass."""
    met: Counter[str] = Counter()

    async def meddle(request: web.Request) -> web.StreamResponse | None:
        met[request.path] += is_watch(request)
        return await trouble(request) if is_watch(request) and met[request.path] <= TIMES else None

    return meddle


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_after_any_trouble_of_the_watches_everything_is_heard_of_again(proxied: Proxied, trouble: str) -> None:
    scene, proxy = proxied.scene, proxied.proxy
    await scene.opens("openai", "backup", failover={"blacklistDuration": "1h"})
    proxy.meddle = meets(TROUBLES[trouble])
    asked = len(proxy.asked)
    proxy.cut()

    await scene.edit(primary="backup")
    await scene.serves("backup")
    await is_put_right(scene)
    await scene.apply(scene.secret(backup="sk-revoked"))
    await scene.serves("openai")
    assert key_of("backup") not in scene.operator.text
    watches = [path for _, _, path in proxy.asked[asked:] if "watch=" in path]
    assert len(watches) < 60, "a hot loop"


async def is_put_right(scene: Scene) -> None:
    name = f"{POLICY}-provider"
    await scene.run("patch", "configmap", name, "--type=merge", "-p", '{"data":{"LLM_MODEL":"theirs"}}')

    async def right() -> bool:
        return bool((await scene.look("configmap", name))["data"]["LLM_MODEL"] == "model-of-backup")

    await eventually(right, within=15)


async def test_watches_that_end_every_second_miss_nothing(proxied: Proxied) -> None:
    scene, proxy = proxied.scene, proxied.proxy
    await scene.opens("openai", "backup")

    async def cut_each_second() -> None:
        while True:
            await asyncio.sleep(1)
            proxy.cut()

    cutting = asyncio.create_task(cut_each_second())
    try:
        for primary in ("backup", "openai", "backup"):
            await scene.edit(primary=primary)
            await scene.serves(primary)
            await eventually(lambda: len(proxy.asked), within=1)
    finally:
        cutting.cancel()
    await is_put_right(scene)
