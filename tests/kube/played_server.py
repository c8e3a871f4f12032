"""An HTTP server on a real socket that answers what a test tells it, and a client of it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from kubernetes.aio.client import ApiClient, Configuration

from providerswitch.kube.client import KubeClient

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(slots=True)
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class PlayedServer:
    """Answers requests one after the other from `answers`; the last one goes on for ever."""

    url: str = ""
    answers: list[Answer] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Note a request and give the next answer."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        body = await request.read()
        self.asked.append(Asked(request.method, request.path, dict(request.query), headers, body))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return await answer(request)


def says(status: int, body: object = None, *, text: str | None = None) -> Answer:
    """Return an answer with a JSON body, or with `text` as it is."""

    async def answer(_: web.Request) -> web.StreamResponse:
        if text is not None:
            return web.Response(status=status, text=text)
        return web.json_response(body, status=status)

    return answer


def refuses(code: int, message: str = "") -> Answer:
    """Return the answer of an API server that refuses."""
    return says(code, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": message})


async def hangs_up(request: web.Request) -> web.StreamResponse:
    """Close the connection. Before the head of an answer is sent, aiohttp then asks once more by itself."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def stays_open(left: asyncio.Event | None = None) -> Answer:
    """Return an answer that says nothing until the client leaves, and then sets `left`."""

    async def answer(request: web.Request) -> web.StreamResponse:
        while request.transport is not None and not request.transport.is_closing():  # noqa: ASYNC110  # it has no event
            await asyncio.sleep(0.01)
        if left:
            left.set()
        return web.Response()

    return answer


def streams(*lines: bytes, then: Answer | None = None) -> Answer:
    """Return a watch that sends these lines, and then ends or does something else."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for line in lines:
            await response.write(line)
        if then:
            await then(request)
        return response

    return answer


@asynccontextmanager
async def serving(*answers: Answer, token: str | None = None) -> AsyncIterator[tuple[PlayedServer, KubeClient]]:
    """Serve the answers on a free loopback port, with a client that has logged in with `token`."""
    server = PlayedServer(answers=list(answers))
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        async with logged_in(server.url, token) as client:
            yield server, client
    finally:
        await runner.cleanup()


@asynccontextmanager
async def logged_in(url: str, token: str | None = None) -> AsyncIterator[KubeClient]:
    """Return a client of whatever is at the URL."""
    configuration = Configuration()
    configuration.host = url
    if token:
        configuration.api_key["BearerToken"] = f"Bearer {token}"
    api = ApiClient(configuration)
    try:
        yield KubeClient(api)
    finally:
        await api.close()


def obj(name: str, version: int | str = 1, **fields: Any) -> dict[str, Any]:
    """Return an object as it is read from an API server."""
    metadata = {"name": name, "namespace": "team-a", "resourceVersion": str(version), "uid": f"uid-of-{name}"}
    return {"metadata": {**metadata, **fields.pop("metadata", {})}, **fields}
