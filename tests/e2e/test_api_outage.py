"""An API server that is away for a while: nothing is lost, nobody is busy, and a second later all is well again."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from tests.support.api_proxy import ApiProxy, Proxied, behind_a_proxy, hangs_until, lets_pass, refuses, resets
from tests.support.control_plane import ControlPlane
from tests.support.eventually import eventually
from tests.support.scene import POLICY, Scene

from providerswitch.demo.fakes import Fault

OUTAGE_SECONDS = 6.0
REQUESTS_PER_SECOND = 20
"""Of four watches, the reconciles and who looks for the return. Where a connection breaks, aiohttp asks twice."""
BUSY = 0.5
"""Share of one core; probes every 200 ms are part of it."""
SOON = 1.5
"""A second, and the time that this machine takes for what is asked of it."""


@pytest.fixture
async def proxied(installed: ControlPlane, namespace: str, tmp_path: Path) -> AsyncIterator[Proxied]:
    async with behind_a_proxy(installed, namespace, tmp_path) as made:
        yield made


async def refused(proxy: ApiProxy) -> Callable[[], Awaitable[None]]:
    await proxy.shut()
    return proxy.open


async def reset(proxy: ApiProxy) -> Callable[[], Awaitable[None]]:
    proxy.meddle = resets
    proxy.cut()
    return lambda: back(proxy)


async def hung(proxy: ApiProxy) -> Callable[[], Awaitable[None]]:
    over = asyncio.Event()
    proxy.meddle = hangs_until(over)
    proxy.cut()

    async def end() -> None:
        over.set()
        await back(proxy)

    return end


async def unavailable(proxy: ApiProxy) -> Callable[[], Awaitable[None]]:
    proxy.meddle = refuses(503, "the server is currently unable to handle the request")
    proxy.cut()
    return lambda: back(proxy)


async def back(proxy: ApiProxy) -> None:
    proxy.meddle = lets_pass


def now() -> float:
    return asyncio.get_running_loop().time()


def cpu_seconds(scene: Scene) -> float:
    """Return the processor time that the operator has taken."""
    assert scene.operator.process
    fields = Path(f"/proc/{scene.operator.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


async def passes(seconds: float) -> None:
    """Let real time pass."""
    end = now() + seconds
    await eventually(lambda: now() > end, within=seconds + 5)


@pytest.mark.parametrize("away", [refused, reset, hung, unavailable])
async def test_an_outage_changes_nothing_and_a_second_after_it_all_is_done(
    proxied: Proxied, away: Callable[[ApiProxy], Awaitable[Callable[[], Awaitable[None]]]]
) -> None:
    scene, proxy = proxied.scene, proxied.proxy
    await scene.opens("openai", "backup")
    await scene.apply(scene.policy("old"))
    await eventually(lambda: proxy.times("PATCH", "/old/status"), within=10)

    end = await away(proxy)
    began, spent, asked = now(), cpu_seconds(scene), len(proxy.asked)
    await scene.providers["openai"].behave(Fault.SERVER_ERROR)
    await scene.run("delete", "pswitch", "old", "--wait=false")
    await scene.apply(scene.policy("young"))
    await passes(OUTAGE_SECONDS)
    lasted = now() - began
    assert len(proxy.asked) - asked < REQUESTS_PER_SECOND * lasted
    assert cpu_seconds(scene) - spent < BUSY * lasted
    assert (await scene.look("configmap", f"{POLICY}-provider"))["data"]["LLM_PROVIDER"] == "openai"

    returned, asked = now(), len(proxy.asked)
    await end()
    await eventually(lambda: published(proxy, POLICY, asked) and published(proxy, "young", asked), within=20)
    assert published(proxy, POLICY, asked)[0] - returned < SOON
    assert published(proxy, "young", asked)[0] - returned < SOON
    await scene.serves("backup")
    await eventually(lambda: serves_policies(scene, 2), within=3)
    edited = now()
    await scene.edit(primary="backup")
    await scene.becomes("Ready", "True", "PrimaryHealthy", within=3)
    assert now() - edited < 3
    assert scene.operator.process
    assert scene.operator.process.returncode is None


def published(proxy: ApiProxy, policy: str, since: int) -> list[float]:
    """Return when the choice of a policy was written since a request."""
    part = f"/configmaps/{policy}-provider"
    return [at for at, method, path in proxy.asked[since:] if method == "PATCH" and part in path]


async def serves_policies(scene: Scene, count: int) -> bool:
    return await scene.operator.metric("providerswitch_policies") == count
