"""Find policies whose deletion was never told.

kopf's watch begins anew from what exists: a policy that is deleted while the API server cannot be reached is never told
of. Its published objects are then collected as garbage and put back, for ever, and its providers are probed. So the
policies are compared when that watch begins anew, and every minute besides.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from providerswitch.api.errors import ApiServerError
from providerswitch.controller.registry import Registry
from providerswitch.kube.client import KubeClient
from providerswitch.kube.objects import POLICIES, ObjectKey, list_uids

log = logging.getLogger(__name__)

SWEEP_SECONDS: Final = 60.0


async def sweep_forever(
    client: KubeClient,
    namespaces: tuple[str, ...],
    registry: Registry,
    forget: Callable[[ObjectKey], None],
    tidy: Callable[[], None],
    soon: asyncio.Event | None = None,
) -> None:
    """Compare the policies that are served with those that exist, and `tidy`, every minute until cancelled.

    `soon` asks for it at once.
    """
    soon = soon or asyncio.Event()
    while True:
        with suppress(TimeoutError):
            await asyncio.wait_for(soon.wait(), SWEEP_SECONDS)
        soon.clear()
        try:
            await sweep(client, namespaces, registry, forget)
        except ApiServerError as error:
            log.info("policies cannot be listed, which is tried again: %s", error)
        tidy()


async def sweep(
    client: KubeClient, namespaces: tuple[str, ...], registry: Registry, forget: Callable[[ObjectKey], None]
) -> None:
    """Forget policies that do not exist any more.

    Raises:
        ApiServerError: they could not be listed; then none is forgotten.
    """
    # Taken before the list: a policy that is made meanwhile is not in it.
    served = {entry.key: entry.uid for entry in registry}
    scopes: tuple[str | None, ...] = namespaces or (None,)
    existing = {uid for scope in scopes for uid in await list_uids(client, POLICIES, scope)}
    for key, uid in served.items():
        entry = registry.get(key)
        if uid not in existing and entry and entry.uid == uid:
            log.info("the policy was deleted while nobody could tell", extra={"policy": str(key)})
            forget(key)
