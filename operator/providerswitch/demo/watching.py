"""Feeds the world: watches of the API server, and the consumer's lines."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

from providerswitch.api import meta
from providerswitch.demo.api_server import connected
from providerswitch.demo.identities import service_account_kubeconfig
from providerswitch.demo.installation import NAMESPACE
from providerswitch.demo.kubectl import Kubectl
from providerswitch.demo.processes import Child, python_module, running
from providerswitch.demo.world import World
from providerswitch.kube.client import Object
from providerswitch.kube.objects import CONFIG_MAPS, DRILLS, EVENTS, POLICIES, key_of
from providerswitch.kube.watch import Listener, Watched, watch_forever

CONSUMER: Final = "consumer"


@asynccontextmanager
async def watching(kubeconfig: Path, world: World) -> AsyncIterator[None]:
    """Keep the world current while the context is open."""
    sources = (
        (Watched(POLICIES.collection(NAMESPACE)), world.take_policy),
        (Watched(CONFIG_MAPS.collection(NAMESPACE), meta.POLICY_LABEL), lambda obj: _published(world, obj)),
        (Watched(DRILLS.collection(NAMESPACE)), world.take_drill),
        (Watched(EVENTS.collection(NAMESPACE)), _EventReader(world).take),
    )
    async with AsyncExitStack() as stack:
        kube = await stack.enter_async_context(connected(kubeconfig))
        work = [watch_forever(kube, watched, _listener(take)) for watched, take in sources]
        await stack.enter_async_context(_background(*work))
        yield


@asynccontextmanager
async def consuming(kubectl: Kubectl, policy: str, world: World) -> AsyncIterator[None]:
    """Run the consumer while the context is open, under rights of its own."""
    kubeconfig = await service_account_kubeconfig(kubectl, CONSUMER, NAMESPACE)
    command = python_module(
        "providerswitch.demo.consumer", "--kubeconfig", str(kubeconfig), "--namespace", NAMESPACE, "--policy", policy
    )
    log = kubeconfig.parent / "consumer.log"
    async with running("consumer", command, log, piped=True) as child, _background(_listen(child, world)):
        yield


async def _listen(child: Child, world: World) -> None:
    async for line in child.lines():
        world.take_call(json.loads(line))
    await child.process.wait()
    child.check()


@asynccontextmanager
async def _background(*work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Do work that never ends by itself, until the context closes; what made it end early is raised then."""
    tasks = [asyncio.create_task(one) for one in work]
    try:
        yield
    finally:
        ended = [task for task in tasks if task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for task in ended:
            task.result()


class _EventReader:
    """Passes on each Event once, however often a list repeats it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._seen: set[str] = set()

    def take(self, obj: Object) -> None:
        name = key_of(obj).name
        if name not in self._seen:
            self._seen.add(name)
            self._world.take_event(obj)


def _published(world: World, obj: Object) -> None:
    world.take_published(obj["metadata"]["labels"][meta.POLICY_LABEL], obj)


def _listener(take: Callable[[Object], None]) -> Listener:
    def replaced(objects: list[Object]) -> None:
        for obj in objects:
            take(obj)

    return Listener(replaced, take, lambda _: None)
