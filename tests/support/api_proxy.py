"""A proxy between an operator and the API server that can act at the n-th step of a switch.

The operator speaks plain HTTP to it on loopback; it speaks TLS to the API server. A `tripwire` sees every request
before it is forwarded and after it was answered, so a test can kill the operator exactly there.
"""

import asyncio
import signal
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import yaml
from aiohttp import web
from tests.support.control_plane import ControlPlane
from tests.support.kubectl import Kubectl
from tests.support.operator_process import OperatorProcess, free_port, operator_kubeconfig
from tests.support.scene import Scene

Tripwire = Callable[[str, str, str], Awaitable[None]]
"""Gets the moment ("before" or "after"), the method and the path."""
Meddler = Callable[[web.Request], Awaitable[web.StreamResponse | None]]
"""Answers a request in the API server's place, or lets it pass with None."""
HOP_BY_HOP = frozenset({"connection", "transfer-encoding", "content-length", "content-encoding", "host", "keep-alive"})


async def lets_pass(_request: web.Request) -> web.StreamResponse | None:
    """Meddle with nothing."""
    return None


def refuses(code: int, message: str = "", *, retry_after: int | None = None) -> Meddler:
    """Return what answers every request with an API server's refusal."""

    async def refuse(_request: web.Request) -> web.StreamResponse:
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": message}
        return web.json_response(body, status=code, headers=headers)

    return refuse


async def resets(request: web.Request) -> web.StreamResponse | None:
    """Break the connection of every request."""
    assert request.transport
    request.transport.abort()
    return web.Response()


def hangs_until(over: asyncio.Event) -> Meddler:
    """Return what holds every request back, and lets it pass once that is over."""

    async def hang(_request: web.Request) -> web.StreamResponse | None:
        await over.wait()
        return None

    return hang


def is_watch(request: web.Request) -> bool:
    """Tell whether a request is a watch."""
    return request.query.get("watch") in {"1", "true"}


async def nothing(_moment: str, _method: str, _path: str) -> None:
    """Let everything pass."""


@dataclass(slots=True)
class ApiProxy:
    """One proxy.

    Args:
        upstream: URL of the API server.
        certificate: its certificate authority.

    Attributes:
        meddle: asked first about every request.
        asked: moment (of the loop), method and path of every request, the query included.
    """

    upstream: str
    certificate: Path
    tripwire: Tripwire = nothing
    refuse: Callable[[str, str], bool] = lambda _method, _path: False
    meddle: Meddler = lets_pass
    asked: list[tuple[float, str, str]] = field(default_factory=list)
    under_way: dict[int, web.Request] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    runner: web.AppRunner | None = None
    session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Listen."""
        context = ssl.create_default_context(cafile=self.certificate)
        timeout = aiohttp.ClientTimeout(total=None)
        connector = aiohttp.TCPConnector(ssl=context, limit=0)
        self.session = aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=False)
        app = web.Application(client_max_size=2**24)
        app.router.add_route("*", "/{path:.*}", self.forward)
        self.runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self.runner.setup()
        await self.open()

    async def open(self) -> None:
        """Take connections."""
        assert self.runner
        await web.TCPSite(self.runner, "127.0.0.1", self.port).start()

    async def shut(self) -> None:
        """Refuse connections, and break those that are there."""
        assert self.runner
        for site in tuple(self.runner.sites):
            await site.stop()
        self.cut()

    def cut(self) -> None:
        """Break all connections on which something is under way."""
        for request in tuple(self.under_way.values()):
            if request.transport:
                request.transport.abort()

    def times(self, method: str, part: str) -> list[float]:
        """Return when something was asked."""
        return [at for at, seen, path in self.asked if seen == method and part in path]

    async def stop(self) -> None:
        """Close everything."""
        assert self.runner
        assert self.session
        await self.session.close()
        await self.runner.cleanup()

    async def forward(self, request: web.Request) -> web.StreamResponse:
        """Note a request and have it answered."""
        self.asked.append((asyncio.get_running_loop().time(), request.method, request.path_qs))
        self.under_way[id(request)] = request
        try:
            return await self.meddle(request) or await self.pass_on(request)
        finally:
            del self.under_way[id(request)]

    async def pass_on(self, request: web.Request) -> web.StreamResponse:
        """Pass one request on, streaming the answer."""
        assert self.session
        if self.refuse(request.method, request.path):
            body = {"kind": "Status", "code": 403, "message": "refused by the policy of the test"}
            return web.json_response(body, status=403)
        await self.tripwire("before", request.method, request.path)
        headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP}
        call = self.session.request(
            request.method, f"{self.upstream}{request.path_qs}", headers=headers, data=await request.read() or None
        )
        async with call as answer:
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in HOP_BY_HOP}
            response = web.StreamResponse(status=answer.status, headers=kept)
            await self.tripwire("after", request.method, request.path)
            with suppress(ConnectionResetError):  # the operator was killed
                await response.prepare(request)
                async for chunk in answer.content.iter_any():
                    await response.write(chunk)
                await response.write_eof()
            return response

    def kubeconfig(self, original: Path, path: Path) -> Path:
        """Write a kubeconfig that goes through the proxy with the credentials of another."""
        document = yaml.safe_load(original.read_text())
        document["clusters"][0]["cluster"] = {"server": f"http://127.0.0.1:{self.port}"}
        path.write_text(yaml.safe_dump(document))
        return path


@dataclass(slots=True)
class Proxied:
    """A scene whose operator reaches the API server through a proxy."""

    scene: Scene
    proxy: ApiProxy


@asynccontextmanager
async def behind_a_proxy(
    plane: ControlPlane, namespace: str, folder: Path, original: Path | None = None
) -> AsyncIterator[Proxied]:
    """Run an operator behind a proxy, with the credentials of a kubeconfig or else of its ServiceAccount."""
    proxy = ApiProxy(plane.url, plane.certificate)
    await proxy.start()
    kubeconfig = proxy.kubeconfig(original or operator_kubeconfig(plane, folder), folder / "proxied.kubeconfig")
    flags = ("--namespaces", namespace, "--allow-probe-cidr", "127.0.0.0/8")
    scene = Scene(namespace, Kubectl(plane.kubeconfig), OperatorProcess(kubeconfig, flags))
    try:
        async with scene.stack:
            await scene.operator.start()
            await scene.operator.ready()
            yield Proxied(scene, proxy)
    finally:
        if scene.operator.process and scene.operator.process.returncode is None:
            await scene.operator.stop(signal.SIGKILL)
        await proxy.stop()
