"""A proxy between an operator and the API server that can act at the n-th step of a switch.

The operator speaks plain HTTP to it on loopback; it speaks TLS to the API server. A `tripwire` sees every request
before it is forwarded and after it was answered, so a test can kill the operator exactly there.
"""

import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import yaml
from aiohttp import web
from tests.support.operator_process import free_port

Tripwire = Callable[[str, str, str], Awaitable[None]]
"""Gets the moment ("before" or "after"), the method and the path."""
HOP_BY_HOP = frozenset({"connection", "transfer-encoding", "content-length", "content-encoding", "host", "keep-alive"})


async def nothing(_moment: str, _method: str, _path: str) -> None:
    """Let everything pass."""


@dataclass(slots=True)
class ApiProxy:
    """One proxy.

    Args:
        upstream: URL of the API server.
        certificate: its certificate authority.
    """

    upstream: str
    certificate: Path
    tripwire: Tripwire = nothing
    refuse: Callable[[str, str], bool] = lambda _method, _path: False
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
        await web.TCPSite(self.runner, "127.0.0.1", self.port).start()

    async def stop(self) -> None:
        """Close everything."""
        assert self.runner
        assert self.session
        await self.session.close()
        await self.runner.cleanup()

    async def forward(self, request: web.Request) -> web.StreamResponse:
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
