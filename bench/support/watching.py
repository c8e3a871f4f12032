"""The independent watcher: an API client of the benchmark's own that notes when it was told what."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from providerswitch.demo.api_server import connected
from providerswitch.demo.processes import DemoError
from providerswitch.kube.client import Object
from providerswitch.kube.objects import CONFIG_MAPS, POLICIES, ObjectKey, Resource, key_of
from providerswitch.kube.watch import Listener, Watched, watch_forever

T = TypeVar("T", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Seen(Generic[T]):
    """What an object showed, and `time.monotonic()` when the watch first brought it."""

    value: T
    at: float


@dataclass(slots=True)
class Sight(Generic[T]):
    """What a watch shows of many objects.

    Args:
        read: what is of interest of an object.
    """

    read: Callable[[Object], T]
    seen: dict[ObjectKey, Seen[T]] = field(default_factory=dict)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, obj: Object) -> None:
        """Take in an object; one that shows nothing new keeps its time."""
        key, value = key_of(obj), self.read(obj)
        if key not in self.seen or self.seen[key].value != value:
            self.seen[key] = Seen(value, time.monotonic())
            self._changed.set()

    def listener(self) -> Listener:
        """Return what a watch has to feed."""
        return Listener(self._replace, self.take, self._drop)

    def _drop(self, obj: Object) -> None:
        self.seen.pop(key_of(obj), None)

    def _replace(self, objects: list[Object]) -> None:
        for obj in objects:
            self.take(obj)

    async def until(self, what: str, reached: Callable[[dict[ObjectKey, Seen[T]]], bool], within: float) -> None:
        """Wait for a state of all objects.

        Raises:
            DemoError: it did not come within that many seconds.
        """
        try:
            async with asyncio.timeout(within):
                while not reached(self.seen):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError as error:
            raise DemoError(f"waited {within:g} s in vain for {what}") from error

    async def shows(self, key: ObjectKey, value: T, within: float = 10.0) -> float:
        """Wait until an object shows a value; return when it was seen.

        Raises:
            DemoError: it did not within that many seconds.
        """
        await self.until(f"{key} to show {value}", lambda seen: key in seen and seen[key].value == value, within)
        return self.seen[key].at


@dataclass(frozen=True, slots=True)
class Standing:
    """What a policy's status says.

    Attributes:
        generation: that the status was derived from.
    """

    active: str | None
    generation: int
    ready: bool
    healthy: frozenset[str]


def read_provider(config_map: Object) -> str:
    """Return the provider that a ConfigMap names, or ""."""
    return str((config_map.get("data") or {}).get("LLM_PROVIDER", ""))


def read_standing(policy: Object) -> Standing:
    """Return what a policy's status says. Read by hand: the watcher must be quicker than what it measures."""
    status = policy.get("status") or {}
    ready = any(each["type"] == "Ready" and each["status"] == "True" for each in status.get("conditions", ()))
    healthy = frozenset(each["name"] for each in status.get("providers", ()) if each["state"] == "Healthy")
    return Standing(status.get("activeProvider"), status.get("observedGeneration", 0), ready, healthy)


@asynccontextmanager
async def published(kubeconfig: Path, namespace: str) -> AsyncIterator[Sight[str]]:
    """Watch which provider the ConfigMaps of a namespace name."""
    sight = Sight(read_provider)
    async with _watched(kubeconfig, CONFIG_MAPS, namespace, sight.listener()):
        yield sight


@asynccontextmanager
async def standings(kubeconfig: Path, namespace: str) -> AsyncIterator[Sight[Standing]]:
    """Watch the policies of a namespace."""
    sight = Sight(read_standing)
    async with _watched(kubeconfig, POLICIES, namespace, sight.listener()):
        yield sight


@asynccontextmanager
async def _watched(kubeconfig: Path, resource: Resource, namespace: str, listener: Listener) -> AsyncIterator[None]:
    async with connected(kubeconfig) as client:
        task = asyncio.create_task(watch_forever(client, Watched(resource.collection(namespace)), listener))
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
