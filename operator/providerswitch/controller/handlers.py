"""The kopf handlers. `on.event` handlers write nothing: no annotations, no finalizers, no drift under GitOps."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
import kopf
from kopf._cogs.clients.errors import APIError
from kopf._cogs.clients.watching import WatchingError
from typing_extensions import override

from providerswitch.api import meta
from providerswitch.kube.client import Object
from providerswitch.kube.login import Login

log = logging.getLogger(__name__)

Received = Callable[[str, Object], None]


class HistoryUndone(Exception):  # noqa: N818  # not an error: the API server was restored from a backup
    """The policies have to be listed anew: a watch would wait for versions that may be far away."""


TROUBLE: Final = (HistoryUndone, APIError, WatchingError, kopf.LoginError, aiohttp.ClientError, OSError, ValueError)
"""What ends kopf although nothing is wrong with us: an answer or an event of the API server that it does not expect, or
credentials that expired. ValueError: an event that was cut off."""
BACKOFF_SECONDS: Final = (0.1, 0.5, 1.0, 2.0, 5.0)
CALM_SECONDS: Final = 30.0
"""After so long without trouble the next is the first again."""


@dataclass(frozen=True, slots=True)
class NoDiffBase(kopf.DiffBaseStorage):
    """Keeps kopf from copying and comparing each object for a difference that nobody reads."""

    @override
    def build(self, *, body: kopf.Body, extra_fields: object = None) -> kopf.BodyEssence:
        return kopf.BodyEssence()

    @override
    def fetch(self, *, body: kopf.Body) -> kopf.BodyEssence | None:
        return None

    @override
    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        """Nothing is stored."""


def build_kopf_registry(login: Login, received: Received) -> kopf.OperatorRegistry:
    """Return kopf's registry with our handlers.

    `received` gets the kind of each event (ADDED, MODIFIED, DELETED, or "" for the first list) and the object.
    """
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry, backoff=1)
    async def on_login(**_: object) -> kopf.ConnectionInfo:
        return await connection(login)

    @kopf.on.event(meta.GROUP, meta.VERSION, meta.POLICY_PLURAL, registry=registry)
    async def on_policy(event: Any, **_: object) -> None:
        received(event["type"] or "", event["object"])

    return registry


async def connection(login: Login) -> kopf.ConnectionInfo:
    """Return the login as kopf wants it; called again when the API server no longer accepts it."""
    found = login.configuration
    token = await login.bearer_token()
    return kopf.ConnectionInfo(
        server=found.host,
        ca_path=None if found.ca_cert_data else found.ssl_ca_cert,
        ca_data=found.ca_cert_data,
        insecure=not found.verify_ssl,
        scheme="Bearer" if token else None,
        token=token,
        certificate_path=found.cert_file,
        private_key_path=found.key_file,
        proxy_url=found.proxy,
    )


async def follow_policies(
    watch: Callable[[asyncio.Event], Awaitable[None]],
    begun: Callable[[], None],
    recover: Callable[[], Awaitable[None]],
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Run kopf, and run it again whenever trouble of the API server has ended it.

    Args:
        watch: runs kopf once; sets the event once it has started.
        begun: called then, each time.
        recover: returns when it may be tried again.
        pause: waits for so many seconds.
    """
    loop, failures = asyncio.get_running_loop(), 0
    while True:
        since = loop.time()
        try:
            await _watch_once(watch, begun)
        except TROUBLE as error:
            failures = 1 if loop.time() - since > CALM_SECONDS else failures + 1
            log.warning("the watch of policies broke and is begun again (%s)", type(error).__name__)
            await pause(BACKOFF_SECONDS[min(failures, len(BACKOFF_SECONDS)) - 1])
            await recover()
        else:
            return


async def _watch_once(watch: Callable[[asyncio.Event], Awaitable[None]], begun: Callable[[], None]) -> None:
    started = asyncio.Event()
    telling = asyncio.create_task(_after(started, begun))
    try:
        await watch(started)
    finally:
        telling.cancel()


async def _after(event: asyncio.Event, call: Callable[[], None]) -> None:
    await event.wait()
    call()


async def run_kopf(
    registry: kopf.OperatorRegistry, namespaces: tuple[str, ...], started: asyncio.Event, undone: asyncio.Event
) -> None:
    """Run kopf until it ends by itself or is cancelled.

    `kopf.operator` would end every task that was made since it began, probes and reconciles included.

    Raises:
        HistoryUndone: `undone` was set; it is cleared.
    """
    undone.clear()
    tasks = await kopf.spawn_tasks(
        registry=registry,
        settings=build_kopf_settings(),
        standalone=True,
        clusterwide=not namespaces,
        namespaces=namespaces,
        ready_flag=started,
    )
    turning = asyncio.create_task(undone.wait())
    tasks = [*tasks, turning]
    try:
        ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    if turning in ended:
        raise HistoryUndone
    for task in ended:
        task.result()


def build_kopf_settings() -> kopf.OperatorSettings:
    """Return kopf's settings; docs/architecture.md says why each is what it is."""
    settings = kopf.OperatorSettings()
    settings.posting.loggers = False
    settings.posting.level = logging.CRITICAL
    settings.persistence.diffbase_storage = NoDiffBase()
    settings.scanning.disabled = True
    settings.networking.error_backoffs = [0.2, *[0.5] * 120]
    settings.networking.request_timeout = 15
    settings.queueing.worker_limit = None
    settings.queueing.exit_timeout = 0.2
    settings.process.ultimate_exiting_timeout = None
    return settings
