"""Servers on the loopback interface that misbehave on the wire: refuse, hang, reset, stop half-way, speak garbage.

A server follows a script: an async function of one connection. Whatever a script still does is ended with the server.
"""

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

from typing_extensions import override

HOST = "127.0.0.1"
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
DRIP_SECONDS = 0.02
CHUNK = b"x" * 8192


class Reader(asyncio.StreamReader):
    """A reader that knows at once when the other side is gone, even while there is something left to read."""

    other_side_gone = False

    @override
    def feed_eof(self) -> None:
        self.other_side_gone = True
        super().feed_eof()

    @override
    def set_exception(self, exc: Exception) -> None:
        self.other_side_gone = True
        super().set_exception(exc)


@dataclass(slots=True)
class Connection:
    """One accepted connection."""

    reader: Reader
    writer: asyncio.StreamWriter
    server: "FaultServer"

    async def request(self) -> bytes:
        """Read one request with its body; raises IncompleteReadError when there is none."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        names = (line.partition(b":") for line in head.split(b"\r\n"))
        lengths = [int(value) for name, _, value in names if name.lower() == b"content-length"]
        got = head + await self.reader.readexactly(sum(lengths))
        self.server.requests.append(got)
        return got

    async def send(self, data: bytes) -> None:
        """Write, and wait until it is on its way."""
        self.writer.write(data)
        await self.writer.drain()

    async def hang(self) -> None:
        """Do nothing for as long as the server lives."""
        await self.server.stopped.wait()

    async def pause(self) -> None:
        """Let a moment pass, less if the server stops."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.server.stopped.wait(), DRIP_SECONDS)

    def reset(self) -> None:
        """Close with a TCP reset."""
        raw = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Script = Callable[[Connection], Awaitable[None]]


@dataclass(slots=True)
class FaultServer:
    """A running server.

    Attributes:
        accepted: connections so far; with TLS, only those whose handshake succeeded.
        requests: raw bytes of every request that a script read.
        connections: all there were.
    """

    script: Script
    scheme: str = "http"
    port: int = 0
    accepted: int = 0
    requests: list[bytes] = field(default_factory=list)
    connections: list[Connection] = field(default_factory=list)
    stopped: asyncio.Event = field(default_factory=asyncio.Event)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def held(self) -> int:
        """How many connections the other side has not closed."""
        return sum(not connection.reader.other_side_gone for connection in self.connections)

    def url(self, host: str = HOST, scheme: str | None = None) -> str:
        """Return the base URL, under another host or scheme if asked."""
        return f"{scheme or self.scheme}://{host}:{self.port}"

    def protocol(self) -> asyncio.StreamReaderProtocol:
        """Prepare for a new connection."""
        reader = Reader()
        return asyncio.StreamReaderProtocol(reader, partial(self._accept, reader))

    def _accept(self, reader: Reader, _same: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Play the script to a new connection."""
        self.accepted += 1
        self.connections.append(Connection(reader, writer, self))
        task = asyncio.ensure_future(self._play(self.connections[-1]))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _play(self, connection: Connection) -> None:
        try:
            with contextlib.suppress(OSError, EOFError):
                await self.script(connection)
        finally:
            connection.writer.close()

    async def stop(self) -> None:
        """End every script and connection."""
        self.stopped.set()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        for connection in self.connections:
            with contextlib.suppress(AttributeError):  # Python 3.11.2, of a TLS transport that was aborted before
                connection.writer.transport.abort()
            with contextlib.suppress(OSError):
                await connection.writer.wait_closed()


@contextlib.asynccontextmanager
async def serving(
    script: Script, tls: ssl.SSLContext | None = None, *, host: str = HOST, port: int = 0
) -> AsyncIterator[FaultServer]:
    """Run a server; on a free port, if none is named."""
    server = FaultServer(script, "https" if tls else "http")
    listener = await asyncio.get_running_loop().create_server(server.protocol, host, port, ssl=tls)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        await server.stop()
        await listener.wait_closed()


@contextlib.contextmanager
def refusing() -> Iterator[str]:
    """Give the base URL of a port that is taken, but listens to nobody."""
    with socket.socket() as bound:
        bound.bind((HOST, 0))
        yield f"http://{HOST}:{bound.getsockname()[1]}"


@contextlib.contextmanager
def overrun(host: str = HOST, port: int = 0) -> Iterator[str]:
    """Give the base URL of a port whose queue is full: the kernel drops what else wants to connect."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind((host, port))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield f"http://{host}:{listener.getsockname()[1]}"


def always(data: bytes) -> Script:
    """Answer each request on a connection with the same bytes, and keep it open."""

    async def script(connection: Connection) -> None:
        while await connection.request():
            await connection.send(data)

    return script


def once(data: bytes) -> Script:
    """Answer one request, then close."""

    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(data)

    return script


def then_hang(data: bytes = b"") -> Script:
    """Send the beginning of an answer, then nothing more."""

    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(data)
        await connection.hang()

    return script


def then_reset(data: bytes = b"") -> Script:
    """Reset the connection after a request; with `data`, after the beginning of an answer."""

    async def script(connection: Connection) -> None:
        await connection.request()
        if data:
            await connection.send(data)
            await connection.pause()  # a reset overtakes what the other side has not read yet
        connection.reset()

    return script


def forever(head: bytes, chunk: bytes = CHUNK) -> Script:
    """Send an answer that never ends, as fast as it is taken."""

    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(head)
        while True:
            await connection.send(chunk)

    return script


def dripping(data: bytes, head: bytes = b"") -> Script:
    """After a head, send the answer byte by byte, over and over, so slowly that it is never complete."""

    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(head)
        while not connection.server.stopped.is_set():
            for byte in data:
                await connection.send(bytes([byte]))
                await connection.pause()

    return script


def speaking_first(data: bytes) -> Script:
    """Send something before anything was asked, then nothing more."""

    async def script(connection: Connection) -> None:
        await connection.send(data)
        await connection.hang()

    return script


async def close_at_once(connection: Connection) -> None:
    """Accept, and close."""
    connection.writer.close()


async def reset_at_once(connection: Connection) -> None:
    """Accept, and reset."""
    connection.reset()


async def stall(connection: Connection) -> None:
    """Accept, and say nothing, not even a TLS handshake."""
    await connection.hang()


async def answer_first_request_only(connection: Connection) -> None:
    """Answer once and keep the connection; drop it when it is used again."""
    await connection.request()
    await connection.send(OK)
    await connection.request()
