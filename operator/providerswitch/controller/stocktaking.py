"""Know all policies before the first is served: which of them have a place depends on all of their namespace."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from providerswitch.api.errors import ApiServerError
from providerswitch.kube.client import KubeClient, Object
from providerswitch.kube.objects import POLICIES, list_all

log = logging.getLogger(__name__)

T = TypeVar("T")
RETRY_SECONDS: Final = 0.5


async def list_policies(client: KubeClient, namespaces: tuple[str, ...]) -> list[Object]:
    """Return all policies of these namespaces, or of all where there are none.

    Raises:
        ApiServerError: they could not be listed.
    """
    scopes: tuple[str | None, ...] = namespaces or (None,)
    return [policy for scope in scopes async for policy in list_all(client, POLICIES, scope)]


async def take_stock(
    client: KubeClient,
    namespaces: tuple[str, ...],
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> list[Object]:
    """Return all policies; an API server that does not tell them is asked until it does."""
    return await insist(lambda: list_policies(client, namespaces), "policies cannot be listed", RETRY_SECONDS, pause)


async def insist(
    attempt: Callable[[], Awaitable[T]],
    trouble: str,
    seconds: float,
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> T:
    """Return what an attempt returns, which is made until the API server answers it.

    Between two attempts lie so many seconds, or as many as the API server asks for. `trouble` is what cannot be done
    meanwhile, for the log; each cause is told once.
    """
    told = ""
    while True:
        try:
            return await attempt()
        except ApiServerError as error:
            if str(error) != told:
                told = str(error)
                log.info("%s, which is tried again: %s", trouble, error)
            await pause(max(seconds, error.retry_after))
