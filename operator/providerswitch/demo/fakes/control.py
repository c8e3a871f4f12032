"""A control port for fake providers: break and heal them from another process.

`PUT /<name> {"fault": "hang", "seconds": 5}` answers when the fault shows; `GET /<name>` tells what was seen.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Any, Final

from aiohttp import web

from providerswitch.demo.fakes.faults import Fault, Scope
from providerswitch.demo.fakes.server import FakeProvider

FAKES: Final = web.AppKey("fakes", Mapping[str, FakeProvider])


@asynccontextmanager
async def controlled(fakes: Mapping[str, FakeProvider], port: int = 0) -> AsyncIterator[str]:
    """Serve the control port while the context is open; yield its URL."""
    app = web.Application()
    app[FAKES] = fakes
    app.add_routes([web.put("/{name}", _steer), web.get("/{name}", _look)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        host, taken = runner.addresses[0][:2]
        yield f"http://{host}:{taken}"
    finally:
        await runner.cleanup()


async def _steer(request: web.Request) -> web.Response:
    fake = _named(request)
    try:
        wish = await request.json()
        fault, scope = Fault(wish["fault"]), Scope(wish.get("scope", Scope.ALL))
        seconds = float(wish.get("seconds", 30))
    except (ValueError, KeyError, TypeError) as error:
        faults = ", ".join(Fault)
        raise web.HTTPBadRequest(text=f'send {{"fault": NAME, "seconds": S}}; the faults: {faults}\n') from error
    await fake.behave(fault, seconds=seconds, scope=scope)
    return web.json_response({"fault": fault})


async def _look(request: web.Request) -> web.Response:
    return web.json_response(report(_named(request)))


def _named(request: web.Request) -> FakeProvider:
    fakes = request.app[FAKES]
    if request.match_info["name"] not in fakes:
        raise web.HTTPNotFound(text=f"there are: {', '.join(fakes)}\n")
    return fakes[request.match_info["name"]]


def report(fake: FakeProvider) -> dict[str, Any]:
    """Return what a fake does and saw; times are its `time.monotonic()`."""
    behaviour, log = asdict(fake.behaviour), [asdict(exchange) for exchange in fake.log]
    return {"baseURL": fake.base_url, "behaviour": behaviour, "firstFailureAt": fake.first_failure_at, "log": log}
