"""Share the connections to the API server between namespaces: a busy one waits for itself, not the others for it."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from typing_extensions import override

from providerswitch.kube.client import JSON, KubeClient, Object

LANE_WIDTH: Final = 20
"""Requests about one namespace at the same time; the client has 100 connections for all (`kube.login`)."""


@dataclass(slots=True)
class _Lane:
    users: int = 0
    gate: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(LANE_WIDTH))


class LanedClient(KubeClient):
    """A client whose requests about one namespace queue up among themselves; watches are not counted.

    Args:
        client: does the work. Its time-outs and its fence begin when a request has come to its turn.
    """

    def __init__(self, client: KubeClient) -> None:
        self._client = client
        self._lanes: dict[str, _Lane] = {}

    @override
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
        async with self._lane(_namespace_of(path)):
            return await self._client.request(
                method, path, what=what, body=body, query=query, content_type=content_type, accept=accept
            )

    @override
    def stream(
        self, path: str, *, what: str, query: Mapping[str, str], accept: str = JSON
    ) -> AsyncGenerator[Object, None]:
        return self._client.stream(path, what=what, query=query, accept=accept)

    @asynccontextmanager
    async def _lane(self, namespace: str) -> AsyncIterator[None]:
        lane = self._lanes.setdefault(namespace, _Lane())
        lane.users += 1
        try:
            async with lane.gate:
                yield
        finally:
            lane.users -= 1
            if not lane.users:
                del self._lanes[namespace]


def _namespace_of(path: str) -> str:
    """Return the namespace a path is about, "" for those that are about none."""
    return path.partition("/namespaces/")[2].partition("/")[0]
