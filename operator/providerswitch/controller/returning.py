"""Notice the end of an outage of the API server at once, so that nothing that waits for it waits out its backoff.

Each policy retries on its own, less and less often, and a thousand of them must not ask every second. So one request
asks for all: while anything waits for a retry and the API server does not answer.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from providerswitch.api.errors import ApiServerError
from providerswitch.kube.client import KubeClient
from providerswitch.kube.objects import POLICIES

ASK_SECONDS: Final = 0.5


async def watch_return(
    client: KubeClient,
    namespaces: tuple[str, ...],
    anyone_waits: Callable[[], bool],
    returned: Callable[[], None],
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Call `returned` whenever the API server answers again, until cancelled.

    One that answers all the time is not asked for more than that: what waits then was refused, and has its own rhythm.
    """
    path, away = POLICIES.collection(namespaces[0] if namespaces else None), False
    while True:
        await pause(ASK_SECONDS)
        if not anyone_waits():
            away = False
            continue
        was_away, away = away, not await _answers(client, path)
        if was_away and not away:
            returned()


async def _answers(client: KubeClient, path: str) -> bool:
    try:
        await client.request("GET", path, what="look for the API server", query={"limit": "1"})
    except ApiServerError:
        return False
    return True
