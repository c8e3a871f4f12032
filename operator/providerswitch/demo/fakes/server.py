"""A fake provider: a real listener on loopback that speaks one wire format and misbehaves on request."""

import asyncio
import hmac
import socket
import struct
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Self

from providerswitch.controller.clock import utc_now
from providerswitch.demo.fakes.anthropic import ANTHROPIC
from providerswitch.demo.fakes.faults import CONNECTION_FAULTS, UNANSWERED, Behaviour, Fault, Scope
from providerswitch.demo.fakes.google import GOOGLE
from providerswitch.demo.fakes.http import Answer, Request, read_request
from providerswitch.demo.fakes.jina import JINA
from providerswitch.demo.fakes.nonsense import spoil_meaning
from providerswitch.demo.fakes.openai import OPENAI
from providerswitch.demo.fakes.wire_format import Refused, Route, WireFormat

FORMATS: Final[Mapping[str, WireFormat]] = {"openai": OPENAI, "anthropic": ANTHROPIC, "google": GOOGLE, "jina": JINA}
"""The wire formats by provider type."""

LOG_LENGTH: Final = 10_000
HTML: Final = (
    b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body><h1>502 Bad Gateway</h1></body>\r\n</html>\r\n"
)
GARBAGE: Final = b"\x16\x03\x01\x00\xffthis is not HTTP\x00\r\n\r\n"
RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request, or one connection that was reset before a request.

    Attributes:
        at: `time.monotonic()` when the answer was sent; when the request came, where it waits for its answer.
        status: None when no HTTP status was sent.
        fault: what was done to it; HEALTHY for a proper answer, errors that the client deserved included.
    """

    at: float
    fault: Fault
    method: str = ""
    path: str = ""
    status: int | None = None


class FakeProvider:
    """One provider on a port of its own.

    Args:
        kind: a key of FORMATS.
        key: the API key it accepts; None accepts any that is not empty.
        port: 0 takes a free one.
        name: sent as the `server` header, so that clients can tell who answered; default: the kind.

    Attributes:
        log: the last exchanges, oldest first.
        first_failure_at: `time.monotonic()` when the current fault first hit a client; None before that, and for
            REFUSE always: nobody sees the connections he refuses.
        key: may be changed at any time.
    """

    def __init__(self, kind: str, *, key: str | None = None, port: int = 0, name: str = "") -> None:
        self.kind = kind
        self.key = key
        self.name = name or kind
        self.port = port
        self.log: deque[Exchange] = deque(maxlen=LOG_LENGTH)
        self.first_failure_at: float | None = None
        self.behaviour = Behaviour()
        self._format = FORMATS[kind]
        self._holder: socket.socket | None = None
        self._server: asyncio.Server | None = None
        self._conversations: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    @property
    def host(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.port}"

    @property
    def base_url(self) -> str:
        """The native base URL, to be written into a policy."""
        return f"http://{self.host}{self._format.base_path}"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Take the port and listen.

        Raises:
            OSError: the port is taken.
        """
        self._holder = _bound(self.port)
        self.port = self._holder.getsockname()[1]
        await self._listen()

    async def stop(self) -> None:
        """Cut all connections and give the port back."""
        await self._close()
        if self._holder:
            self._holder.close()
            self._holder = None

    async def behave(self, fault: Fault, *, seconds: float = 30.0, scope: Scope = Scope.ALL) -> None:
        """Show a fault from now on, to clients that are already connected too; HEALTHY ends it."""
        self.first_failure_at = None
        self.behaviour = Behaviour(fault, seconds, scope)
        if fault in CONNECTION_FAULTS:
            self._cut()
        if fault is Fault.REFUSE:
            await self._close()
        elif self._server is None:
            await self._listen()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._converse, sock=_bound(self.port))

    async def _close(self) -> None:
        if self._server:
            self._server.close()
            self._server = None
        await asyncio.sleep(0)  # a connection that was just accepted begins its conversation
        self._cut()
        writers = list(self._conversations.values())
        for conversation in self._conversations:
            conversation.cancel()
        await asyncio.gather(*self._conversations, return_exceptions=True)
        # The loop may end right after this; a transport closes its socket a turn after it was told to.
        await asyncio.gather(*(writer.wait_closed() for writer in writers), return_exceptions=True)

    def _cut(self) -> None:
        for writer in self._conversations.values():
            _reset(writer)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._conversations[task] = writer
        try:
            if self.behaviour.fault is Fault.RESET:
                self._record(Exchange(time.monotonic(), Fault.RESET))
                _reset(writer)
            while await self._exchange(reader, writer):
                pass
        except (OSError, ValueError, asyncio.IncompleteReadError, asyncio.CancelledError):
            # Only `_close` cancels. Passed on, it would end in the loop's exception handler (Python 3.11).
            writer.transport.abort()
        finally:
            del self._conversations[task]
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Serve one request; False ends the connection."""
        request = await read_request(reader)
        if request is None:
            return False
        behaviour = self._behaviour_towards(request)
        seen = Exchange(time.monotonic(), behaviour.fault, request.method, request.path)
        if behaviour.fault in UNANSWERED:
            self._record(seen)
            if not await _patience(behaviour, reader):
                return False
        answer = self._answer(request, behaviour)
        keeps = await _send(answer, behaviour.fault, writer, self._headers())
        if behaviour.fault not in UNANSWERED:
            status = None if behaviour.fault is Fault.GARBAGE else answer.status
            self._record(replace(seen, at=time.monotonic(), status=status))
        return keeps

    def _behaviour_towards(self, request: Request) -> Behaviour:
        route = self._format.route(request)
        spared = self.behaviour.scope is Scope.GENERATION and not (route and route.generates)
        return Behaviour() if spared else self.behaviour

    def _record(self, exchange: Exchange) -> None:
        self.log.append(exchange)
        if exchange.fault is not Fault.HEALTHY and self.first_failure_at is None:
            self.first_failure_at = exchange.at

    def _headers(self) -> dict[str, str]:
        return {"server": self.name, **self._format.headers(utc_now())}

    def _answer(self, request: Request, behaviour: Behaviour) -> Answer:
        render, failures, fault = self._format.render, self._format.failures, behaviour.fault
        if fault in failures:
            return render(failures[fault], request, behaviour)
        if fault is Fault.HTML_PROXY:
            return Answer(502, HTML, content_type="text/html")
        if fault is Fault.ERROR_IN_200:
            return replace(render(failures[Fault.SERVER_ERROR], request, behaviour), status=200)
        proper = self._proper_answer(request)
        spoil = SPOILERS.get(fault)
        return spoil(proper) if spoil else proper

    def _proper_answer(self, request: Request) -> Answer:
        route, calm = self._format.route(request), Behaviour()
        if route is None:
            return self._format.render(self._format.not_found, request, calm)
        if not self._accepts(route, request):
            return self._format.render(self._format.failures[Fault.BAD_KEY], request, calm)
        try:
            return route.answer(request)
        except Refused as refused:
            return self._format.render(refused.failure, request, calm)

    def _accepts(self, route: Route, request: Request) -> bool:
        if route.credential is None:
            return True
        given = route.credential(request)
        return bool(given) and (self.key is None or hmac.compare_digest(given.encode(), self.key.encode()))


def _bound(port: int) -> socket.socket:
    """Bind a socket beside others of ours on the same port, and of nobody else (SO_REUSEPORT without SO_REUSEADDR).

    One that never listens holds the port during REFUSE; else any outgoing connection of this machine could take it.
    """
    taken = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        taken.bind(("127.0.0.1", port))
    except OSError:
        taken.close()
        raise
    return taken


def _reset(writer: asyncio.StreamWriter) -> None:
    """End a connection with RST."""
    if not writer.transport.is_closing():
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        writer.transport.abort()


async def _patience(behaviour: Behaviour, reader: asyncio.StreamReader) -> bool:
    """Let the client wait; True when it shall get its answer after all."""
    if behaviour.fault is Fault.SLOW:
        await asyncio.sleep(behaviour.seconds)
        return True
    while await reader.read(2**16):
        pass
    return False


async def _send(answer: Answer, fault: Fault, writer: asyncio.StreamWriter, headers: Mapping[str, str]) -> bool:
    """Send an answer as the fault has it; False when the connection is over after that."""
    data = answer.encode(headers)
    if fault is Fault.GARBAGE:
        data = GARBAGE
    if fault is Fault.CLOSE_MIDWAY:
        data = data[: -max(1, len(answer.body) // 2)]
    writer.write(data)
    await writer.drain()
    return fault not in {Fault.GARBAGE, Fault.CLOSE_MIDWAY}


def _halved(answer: Answer) -> Answer:
    if answer.events:
        return replace(answer, events=answer.events[: len(answer.events) // 2])
    return replace(answer, body=answer.body[: len(answer.body) // 2])


SPOILERS: Final[Mapping[Fault, Callable[[Answer], Answer]]] = {Fault.TRUNCATED: _halved, Fault.NONSENSE: spoil_meaning}
"""What faults make of a proper answer."""
