"""List and watch one resource for ever: the informer that this operator needs, and no more.

kopf watches the policies. What it cannot do is done here: filter by label on the server (only published objects are
streamed, not every ConfigMap of the cluster) and ask for metadata only (Secrets are noticed, never streamed).
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from typing_extensions import override

from providerswitch.api.errors import ApiServerError
from providerswitch.kube.client import JSON, METADATA_ONLY_LIST, UNREADABLE, KubeClient, Object

log = logging.getLogger(__name__)

METADATA_ONLY: Final = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
BACKOFF_SECONDS: Final = (0.2, 0.5, 1.0, 2.0, 5.0)
GONE: Final = 410
MISSING: Final = 404
MISSING_SECONDS: Final = 10.0
"""How often to look for a resource that is not served."""
QUIET_SECONDS: Final = 90.0
"""An API server sends a bookmark every minute; a watch that is silent for longer is one whose connection is dead."""


@dataclass(frozen=True, slots=True)
class Watched:
    """What to watch.

    Attributes:
        path: the collection.
        selector: label selector, "" for all.
        metadata_only: have the API server strip everything but metadata.
        optional: the operator works without this resource, whose CRD may be of a later release than what is installed.
    """

    path: str
    selector: str = ""
    metadata_only: bool = False
    optional: bool = False

    @property
    def query(self) -> Mapping[str, str]:
        """Query parameters of both list and watch."""
        return {"labelSelector": self.selector} if self.selector else {}

    @property
    def accept(self) -> str:
        """Accept header of the watch."""
        return METADATA_ONLY if self.metadata_only else JSON


@dataclass(frozen=True, slots=True)
class Listener:
    """Who hears of changes.

    Attributes:
        replaced: gets all objects after each list; what it knew and does not find there is gone.
        changed: gets each added or modified object.
        deleted: gets the last state of each deleted object.
        listed: gets the version of each list just before its objects are told, and whether what was told before is
            undone: an API server that was restored from a backup counts versions from further back.
        missing: called when the API server does not know the resource; what was told before stands.
    """

    replaced: Callable[[list[Object]], None]
    changed: Callable[[Object], None]
    deleted: Callable[[Object], None]
    listed: Callable[[str, bool], None] = lambda _version, _undone: None
    missing: Callable[[], None] = lambda: None


class WatchExpired(Exception):  # noqa: N818  # not an error: the API server forgot where we were, so list again
    """The resource version is too old to go on from."""

    @override
    def __str__(self) -> str:
        return "expired, listing again"


async def watch_forever(
    client: KubeClient,
    watched: Watched,
    listener: Listener,
    *,
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Keep a listener informed until cancelled; failures are retried with backoff, from a fresh list."""
    failures, reached, missed = 0, "", False

    def came(version: str) -> None:
        nonlocal failures, reached, missed
        failures, reached, missed = 0, version, False

    while True:
        try:
            reached = await _list(client, watched, listener, reached)
            await _follow(client, watched, listener, reached, came)
        except (ApiServerError, WatchExpired) as error:
            if watched.optional and isinstance(error, ApiServerError) and error.status == MISSING:
                if not missed:
                    log.warning("%s is not served: apply crds/ of this release to use it", watched.path)
                missed = True
                listener.missing()
                await pause(MISSING_SECONDS)
                continue
            failures += 1
            log.log(_level(failures), "watch interrupted: %s", error, extra={"path": watched.path})
            asked = error.retry_after if isinstance(error, ApiServerError) else 0.0
            await pause(max(BACKOFF_SECONDS[min(failures, len(BACKOFF_SECONDS)) - 1], asked))


def _level(failures: int) -> int:
    """A single break is the API server's routine; a lasting one deserves attention."""
    return logging.INFO if failures == 1 else logging.WARNING


async def _list(client: KubeClient, watched: Watched, listener: Listener, reached: str) -> str:
    answer = await client.request(
        "GET",
        watched.path,
        what=f"list {watched.path}",
        query=watched.query,
        accept=METADATA_ONLY_LIST if watched.metadata_only else JSON,
    )
    version = _version(answer, f"list {watched.path}")
    listener.listed(version, _precedes(version, reached))
    listener.replaced(answer.get("items") or [])
    return version


def _precedes(version: str, reached: str) -> bool:
    """Tell whether a version is of an earlier time; other text than numbers is nobody's to compare."""
    return version.isdecimal() and reached.isdecimal() and int(version) < int(reached)


async def _follow(
    client: KubeClient, watched: Watched, listener: Listener, version: str, came: Callable[[str], None]
) -> None:
    """Watch from `version` on, through as many watches as it takes; `came` is called with each event.

    Raises:
        WatchExpired: list again.
        ApiServerError: the watch was refused, or broke, or ended without any event: nothing that works does that.
    """
    what = f"watch {watched.path}"
    while True:
        quiet = True
        query = {**watched.query, "resourceVersion": version}
        async with aclosing(client.stream(watched.path, what=what, query=query, accept=watched.accept)) as events:
            while (event := await _next(events, what)) is not None:
                version = _handle(event, listener, what)
                quiet = False
                came(version)
        if quiet:
            raise ApiServerError(what, None, "it ended without an event")


async def _next(events: AsyncIterator[Object], what: str) -> Object | None:
    """Return the next event; None at the end.

    Raises:
        ApiServerError: none came for too long.
    """
    try:
        async with asyncio.timeout(QUIET_SECONDS):
            return await anext(events, None)
    except TimeoutError as error:
        raise ApiServerError(what, None, f"nothing was heard for {QUIET_SECONDS:.0f} s") from error


def _handle(event: Object, listener: Listener, what: str) -> str:
    obj = event.get("object")
    if not isinstance(obj, dict):
        raise ApiServerError(what, None, UNREADABLE)
    kind = event.get("type")
    if kind == "ERROR":
        raise _error(obj, what)
    version = _version(obj, what)
    if kind in {"ADDED", "MODIFIED"}:
        listener.changed(obj)
    elif kind == "DELETED":
        listener.deleted(obj)
    return version


def _version(obj: Object, what: str) -> str:
    metadata = obj.get("metadata")
    version = metadata.get("resourceVersion") if isinstance(metadata, dict) else None
    if not isinstance(version, str):
        raise ApiServerError(what, None, UNREADABLE)
    return version


def _error(status: Object, what: str) -> Exception:
    if status.get("code") == GONE:
        return WatchExpired()
    return ApiServerError(what, status.get("code"), str(status.get("message") or ""))
