"""Serve /metrics, /healthz and /readyz.

They are served by the event loop that does the work: one that stalls answers nothing, which Kubernetes takes for a
failed probe.
"""

import asyncio
import ssl
from collections.abc import Callable
from typing import Any

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_1_0_0

from providerswitch.api.errors import UserError

SHUTDOWN_SECONDS = 1.0
"""Requests under way at the end get this long to finish."""


def build_app(registry: CollectorRegistry, *, alive: Callable[[], bool], ready: Callable[[], bool]) -> web.Application:
    """Return the web application.

    `alive` tells whether the process works (if not, Kubernetes restarts it), `ready` whether policies are served.
    """
    writing = asyncio.Lock()

    async def metrics(_: web.Request) -> web.Response:
        # In a thread: a thousand policies have fifty thousand lines, and probes must not wait for them. One at a time:
        # whoever reaches the port may ask as often as they like.
        async with writing:
            body = await asyncio.to_thread(generate_latest, registry)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_PLAIN_1_0_0})

    async def healthz(_: web.Request) -> web.Response:
        return _verdict(good=alive())

    async def readyz(_: web.Request) -> web.Response:
        return _verdict(good=ready())

    app = web.Application()
    app.add_routes([web.get("/metrics", metrics), web.get("/healthz", healthz), web.get("/readyz", readyz)])
    return app


def _verdict(*, good: bool) -> web.Response:
    return web.Response(status=200 if good else 503, text="ok\n" if good else "not ok\n")


async def serve(
    app: web.Application,
    host: str,
    port: int,
    *,
    flag: str = "--listen",
    tls: ssl.SSLContext | None = None,
    **options: Any,
) -> web.AppRunner:
    """Start serving; the caller calls `cleanup()` on what is returned.

    Args:
        app: what to serve.
        host: name or address.
        port: of TCP.
        flag: that names the address, for errors.
        tls: None for plain HTTP.
        options: of aiohttp's server.

    Raises:
        UserError: the address cannot be used.
    """
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS, **options)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, ssl_context=tls).start()
    except OSError as error:
        await runner.cleanup()
        advice = f"Is another process using it? Choose another with {flag}."
        raise UserError("ListenFailed", f"Cannot listen on {host}:{port}. {advice}") from error
    return runner
