"""Run fake providers as a process of their own.

Prints one JSON line with their addresses and that of the control port, then obeys until standard input ends.
"""

import argparse
import asyncio
import json
import sys
from contextlib import AsyncExitStack

from providerswitch.demo.fakes import FORMATS, FakeProvider
from providerswitch.demo.fakes.control import controlled


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m providerswitch.demo.fakes", description=__doc__)
    parser.add_argument("--kind", action="append", choices=sorted(FORMATS), required=True, help="may be repeated")
    parser.add_argument("--key", help="the API key to accept (default: any)")
    parser.add_argument("--port", type=int, default=0, help="port of the first one; the others take the next ones")
    parser.add_argument("--control-port", type=int, default=0, help="port for faults and logs (default: a free one)")
    return parser.parse_args()


def _numbered(kinds: list[str]) -> list[str]:
    """Name each fake by its kind, with a number from the second of a kind on."""
    counts = [kinds[: index + 1].count(kind) for index, kind in enumerate(kinds)]
    return [kind if count == 1 else f"{kind}-{count}" for kind, count in zip(kinds, counts, strict=True)]


def _make(arguments: argparse.Namespace) -> dict[str, FakeProvider]:
    first, names = arguments.port, _numbered(arguments.kind)
    ports = [first + index if first else 0 for index, _ in enumerate(names)]
    return {
        name: FakeProvider(kind, key=arguments.key, port=port, name=name)
        for name, kind, port in zip(names, arguments.kind, ports, strict=True)
    }


async def _run(arguments: argparse.Namespace) -> None:
    fakes = _make(arguments)
    async with AsyncExitStack() as stack:
        for fake in fakes.values():
            await stack.enter_async_context(fake)
        control = await stack.enter_async_context(controlled(fakes, arguments.control_port))
        addresses = {"control": control, **{name: fake.base_url for name, fake in fakes.items()}}
        print(json.dumps(addresses), flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    try:
        asyncio.run(_run(_arguments()))
    except KeyboardInterrupt:
        sys.exit(130)
