"""Find the addresses of hosts without letting one name that hangs hold up the others."""

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""Finds the addresses of a host and port, best first. Raises OSError or UnicodeError."""


def hear_out(lookup: asyncio.Future[Sequence[str]]) -> None:
    """Look at the exception of a lookup that nobody may be waiting for any more, so that asyncio does not log it."""
    if not lookup.cancelled():
        lookup.exception()


def share_lookups(resolve: Resolver) -> Resolver:
    """Return a resolver that asks once for all who want the same name at the same time.

    When DNS hangs, thousands of targets on a few hosts then wait for a few lookups.
    """
    under_way: dict[tuple[str, int], asyncio.Future[Sequence[str]]] = {}

    async def shared(host: str, port: int) -> Sequence[str]:
        name = (host, port)
        lookup = under_way.get(name)
        if lookup is None:
            lookup = under_way[name] = asyncio.ensure_future(resolve(host, port))
            lookup.add_done_callback(hear_out)
            lookup.add_done_callback(lambda _: under_way.pop(name, None))
        return await asyncio.shield(lookup)

    return shared


async def system_resolver(host: str, port: int) -> Sequence[str]:
    """Ask the system, in a daemon thread of its own.

    In a shared pool of threads a few names whose DNS servers hang would hold up every other target, and a pool's
    threads hold up the end of the process.
    """
    loop = asyncio.get_running_loop()
    found: asyncio.Future[Sequence[str]] = loop.create_future()
    thread = threading.Thread(target=_look_up_for, args=(found, loop, host, port), daemon=True, name="resolve")
    thread.start()
    return await found


def _look_up_for(found: asyncio.Future[Sequence[str]], loop: asyncio.AbstractEventLoop, host: str, port: int) -> None:
    try:
        answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError, OverflowError) as error:
        tell = partial(_settle, found, error)
    else:
        tell = partial(_settle, found, [str(answer[4][0]) for answer in answers])
    with suppress(RuntimeError):  # the loop is closed: nobody wants to know any more
        loop.call_soon_threadsafe(tell)


def _settle(found: asyncio.Future[Sequence[str]], result: Sequence[str] | Exception) -> None:
    if found.done():
        return
    if isinstance(result, Exception):
        found.set_exception(result)
    else:
        found.set_result(result)
