"""Run fake providers as a process of their own.

Prints one JSON line with their addresses, then obeys a control port: `PUT /<name> {"fault": "hang", "seconds": 5}`
answers when the fault shows; `GET /<name>` tells what the provider saw. Standard input's end stops it.
"""

import argparse
import asyncio
import json
import sys
from dataclasses import asdict
from typing import Any, Final

from aiohttp import web

from providerswitch.demo.fakes import FORMATS, FakeProvider, Fault, Scope

FAKES: Final = web.AppKey("fakes", dict[str, FakeProvider])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m providerswitch.demo.fakes", description=__doc__)
    parser.add_argument("--kind", action="append", choices=sorted(FORMATS), required=True, help="may be repeated")
    parser.add_argument("--key", help="the API key to accept (default: any)")
    parser.add_argument("--port", type=int, default=0, help="port of the first one; the others take the next ones")
    parser.add_argument("--control-port", type=int, default=0, help="port for faults and logs (default: a free one)")
    return parser.parse_args()


async def _steer(request: web.Request) -> web.Response:
    wish = await request.json()
    fake = _named(request)
    await fake.behave(
        Fault(wish["fault"]), seconds=float(wish.get("seconds", 30)), scope=Scope(wish.get("scope", "all"))
    )
    return web.json_response(_report(fake))


async def _look(request: web.Request) -> web.Response:
    return web.json_response(_report(_named(request)))


def _named(request: web.Request) -> FakeProvider:
    fakes = request.app[FAKES]
    if request.match_info["name"] not in fakes:
        raise web.HTTPNotFound(text=f"there are: {', '.join(fakes)}")
    return fakes[request.match_info["name"]]


def _report(fake: FakeProvider) -> dict[str, Any]:
    behaviour, log = asdict(fake.behaviour), [asdict(exchange) for exchange in fake.log]
    return {"baseURL": fake.base_url, "behaviour": behaviour, "firstFailureAt": fake.first_failure_at, "log": log}


def _numbered(kinds: list[str]) -> list[str]:
    """Name each fake by its kind, with a number from the second of a kind on."""
    counts = [kinds[: index + 1].count(kind) for index, kind in enumerate(kinds)]
    return [kind if count == 1 else f"{kind}-{count}" for kind, count in zip(kinds, counts, strict=True)]


async def _run(arguments: argparse.Namespace) -> None:
    fakes = {
        name: FakeProvider(kind, key=arguments.key, port=arguments.port + index if arguments.port else 0, name=name)
        for index, (kind, name) in enumerate(zip(arguments.kind, _numbered(arguments.kind), strict=True))
    }
    app = web.Application()
    app[FAKES] = fakes
    app.add_routes([web.put("/{name}", _steer), web.get("/{name}", _look)])
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", arguments.control_port)
    await site.start()
    for fake in fakes.values():
        await fake.start()
    host, port = runner.addresses[0][:2]
    print(
        json.dumps({"control": f"http://{host}:{port}", **{name: fakes[name].base_url for name in fakes}}), flush=True
    )
    await asyncio.to_thread(sys.stdin.read)
    for fake in fakes.values():
        await fake.stop()
    await runner.cleanup()


if __name__ == "__main__":
    try:
        asyncio.run(_run(_arguments()))
    except KeyboardInterrupt:
        sys.exit(130)
