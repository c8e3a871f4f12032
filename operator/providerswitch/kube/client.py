"""One thin door to the API server, on `kubernetes.aio`: its login, token refresh and TLS, but plain dictionaries.

The generated methods parse every answer into models, which costs more than the request itself; what this operator
reads is small and validated by its own models.
"""

import asyncio
import json
import math
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any, Final
from urllib.parse import urlencode

import aiohttp
from aiohttp.http import HttpProcessingError
from kubernetes.aio.client import ApiClient
from kubernetes.aio.config import ConfigException

from providerswitch.api.errors import ApiServerError

Object = dict[str, Any]

JSON: Final = "application/json"
METADATA_ONLY_LIST: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
MERGE: Final = "application/merge-patch+json"
APPLY: Final = "application/apply-patch+yaml"
REQUEST_SECONDS: Final = 15.0
UNREADABLE: Final = "what answered is no Kubernetes API server"
"""Detail of an error whose answer had another form than any API server's."""
NO_ANSWER: Final = (aiohttp.ClientError, HttpProcessingError, OSError, TimeoutError, ValueError, ConfigException)
"""What a request fails with. HttpProcessingError: a line of a watch is over 4 MiB; 1 MiB of control characters in an
object is enough for that. ConfigException: a token cannot be refreshed."""
NOT_LEADING: Final = "this replica does not hold the Lease, so nothing was sent"
"""Detail of an error of a write that was not made."""
LONGEST_WAIT: Final = 60.0
"""Seconds that an API server may ask to be left alone."""
WATCH_SECONDS: Final = 290
"""Asked of the API server as timeoutSeconds: it then ends the watch in an orderly way, and a dead connection is noticed
soon after."""


class KubeClient:
    """Requests to the API server.

    Args:
        api: a configured client; closed by whoever made it.
        may_write: returns for how many seconds a write may begin and end, 0 for not at all; see `kube.election`.
    """

    def __init__(self, api: ApiClient, may_write: Callable[[], float] = lambda: math.inf) -> None:
        self._api = api
        self._may_write = may_write

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
        """Send one request and return the JSON object of the answer.

        `what` names the operation in errors, e.g. `apply ConfigMap "a/b"`.

        Raises:
            ApiServerError: an answer >= 400 (with its status), or none within 15 s, or one that is no JSON object
                (status None: it is unknown what was done), or a write that this replica may not make (status None).
        """
        headers = {"Accept": accept, "Content-Type": content_type}
        fence = math.inf if method == "GET" else self._may_write()
        if fence <= 0:
            raise ApiServerError(what, None, NOT_LEADING)
        try:
            async with asyncio.timeout(min(REQUEST_SECONDS, fence)):
                answer = await self._send(method, path, headers, {**(query or {}), **_within(fence)}, body)
                text = await answer.read()
        except NO_ANSWER as error:
            raise ApiServerError(what, None, type(error).__name__) from error
        if answer.status >= 400:  # noqa: PLR2004  # the boundary HTTP itself draws
            raise ApiServerError(what, answer.status, _message(text), _retry_after(answer.headers))
        return _parse(text, what)

    async def _send(
        self, method: str, path: str, headers: dict[str, str], query: Mapping[str, str], body: object
    ) -> aiohttp.ClientResponse:
        await self._api.update_params_for_auth(headers, [], ["BearerToken"], path, method, body)
        url = f"{self._api.configuration.host}{path}" + (f"?{urlencode(query)}" if query else "")
        reply = await self._api.call_api(method, url, header_params=headers, body=body)
        response: aiohttp.ClientResponse = reply.response
        return response

    async def stream(
        self, path: str, *, what: str, query: Mapping[str, str], accept: str = JSON
    ) -> AsyncGenerator[Object, None]:
        """Yield the events of a watch, each `{"type", "object"}`, until the API server ends it.

        Whoever stops listening before that has to close it (`contextlib.aclosing`), or the connection stays.

        Raises:
            ApiServerError: the watch was refused, or the connection broke.
        """
        query = {**query, "watch": "1", "allowWatchBookmarks": "true", "timeoutSeconds": str(WATCH_SECONDS)}
        try:
            async with asyncio.timeout(WATCH_SECONDS + 30):
                answer = await self._send("GET", path, {"Accept": accept}, query, None)
                async with answer:
                    if answer.status >= 400:  # noqa: PLR2004  # the boundary HTTP itself draws
                        message = _message(await answer.read())
                        raise ApiServerError(what, answer.status, message, _retry_after(answer.headers))
                    async for line in answer.content:
                        if line.strip():
                            yield _parse(line, what)
        except NO_ANSWER as error:
            raise ApiServerError(what, None, type(error).__name__) from error


def _within(fence: float) -> Mapping[str, str]:
    """Have the API server give up a write that it has not done in time, too."""
    return {"timeout": f"{min(REQUEST_SECONDS, fence):.3f}s"} if math.isfinite(fence) else {}


def _parse(text: bytes, what: str) -> Object:
    try:
        parsed = json.loads(text)
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict):
        raise ApiServerError(what, None, UNREADABLE)
    return parsed


def _retry_after(headers: Mapping[str, str]) -> float:
    """Return what an overloaded API server asks for, always in whole seconds; never more than a minute."""
    asked = headers.get("Retry-After", "")
    return min(float(asked), LONGEST_WAIT) if asked.isascii() and asked.isdigit() else 0.0


def _message(text: bytes) -> str:
    """Return the `message` of a metav1.Status, or nothing: other bodies come from proxies."""
    try:
        status = json.loads(text)
    except ValueError:
        return ""
    if not isinstance(status, dict) or status.get("kind") != "Status":
        return ""
    return str(status.get("message") or "")
