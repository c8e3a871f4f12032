"""Send a probe and bring back the answer, or the reason why there is none.

What every probe is promised here, whatever the host does: it is over by its deadline, it goes only to an address that
was checked (the request is made to that address, so nothing can resolve differently in between), it follows no
redirect, takes no proxy from the environment, keeps no cookie, and reads at most 64 KiB.

httpx is used below its client: `httpx.AsyncClient` logs every URL, keeps cookies and inflates bodies without a limit.
Header values are checked before httpx sees them, because httpcore's debug log quotes illegal ones.
"""

import asyncio
import ssl
import zlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from time import perf_counter
from typing import Any, Final, Protocol

import httpcore
import httpx

from providerswitch.api.health import HealthClass
from providerswitch.probes.addresses import Address, AddressRules, order_attempts, refusal
from providerswitch.probes.exchange import Finding, ProbeRequest, Reply
from providerswitch.probes.faults import Phase, classify_fault, find_flaw, timed_out
from providerswitch.probes.resolving import Resolver, hear_out, system_resolver

MAX_BODY_BYTES: Final = 64 * 1024
MAX_ATTEMPTS: Final = 4
"""Addresses tried for one probe; each gets its share of the deadline to take the connection."""

REPEATABLE: Final = frozenset({"GET", "HEAD"})
"""Methods that may be sent again when a kept connection turns out to be dead: they are never billed."""

PLAIN: Final = frozenset({"", "identity"})
ZLIB: Final = frozenset({"gzip", "x-gzip", "deflate"})
ANY_ZLIB_HEADER: Final = 47
"""`wbits` of zlib: the largest window, gzip or zlib header, whichever is there."""

PHASES: Final[Mapping[str, Phase]] = {
    "connection.connect_tcp.started": Phase.CONNECT,
    "connection.start_tls.started": Phase.TLS,
    "http11.send_request_headers.started": Phase.WRITE,
    "http11.receive_response_headers.started": Phase.READ_HEADERS,
    "http11.receive_response_headers.complete": Phase.READ_BODY,
}
"""Phase that begins with an event of httpcore's trace extension."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one probe.

    Attributes:
        result: any HTTP answer, redirects and errors too; a finding if no usable one came.
        latency_seconds: from looking up the host to the last byte that was read.
        first_byte_seconds: to the end of the headers, or None if they never came.
    """

    result: Reply | Finding
    latency_seconds: float
    first_byte_seconds: float | None


class Transport(Protocol):
    """What asks one server, as `ProbeTransport` does."""

    async def ask(self, request: ProbeRequest, *, deadline_seconds: float) -> Answer:
        """Send one request; raises nothing but CancelledError."""

    async def aclose(self) -> None:
        """Close the connection."""


@dataclass(slots=True)
class _Progress:
    """How far one probe has come."""

    deadline: asyncio.Timeout
    phase: Phase = Phase.RESOLVE
    connected_anew: bool = False
    started: float = field(default_factory=perf_counter)
    first_byte_seconds: float | None = None
    patience: asyncio.Timeout | None = None
    patience_seconds: float = 0
    stream: httpcore.AsyncNetworkStream | None = None

    async def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Hear of httpcore's events; hardly ever look at what comes with them, for it may hold the request."""
        self.phase = PHASES.get(event, self.phase)
        if event == "connection.connect_tcp.started":
            self.connected_anew = True
            self._give_patience(asyncio.get_running_loop().time() + self.patience_seconds)
        elif event == "connection.connect_tcp.complete":
            self._give_patience(None)
            self.stream = info["return_value"]
        elif event == "http11.receive_response_headers.complete":
            self.first_byte_seconds = perf_counter() - self.started

    def _give_patience(self, until: float | None) -> None:
        if self.patience:
            self.patience.reschedule(until)

    def time_left(self) -> float:
        """Return the seconds before the deadline."""
        return (self.deadline.when() or 0) - asyncio.get_running_loop().time()

    async def drop_half_open(self) -> None:
        """Close what httpcore forgets: a connection whose TLS handshake was cut off by our deadline."""
        if self.phase is Phase.TLS and self.stream:
            await self.stream.aclose()


class ProbeTransport:
    """The connection to one probe target. At most one probe is under way; another waits for its turn.

    Args:
        base_url: `request.path` is appended to it.
        ssl_context: shared by all targets.
        keepalive_seconds: how long an unused connection stays open; more than the probe interval.
    """

    def __init__(
        self,
        base_url: str,
        *,
        ssl_context: ssl.SSLContext,
        rules: AddressRules,
        keepalive_seconds: float,
        resolve: Resolver | None = None,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._ssl_context = ssl_context
        self._rules = rules
        self._keepalive_seconds = keepalive_seconds
        self._resolve = resolve or system_resolver
        self._turn = asyncio.Lock()
        self._kept: httpx.AsyncHTTPTransport | None = None
        self._last: Address | None = None
        self._lookup: asyncio.Future[Sequence[str]] | None = None

    async def ask(self, request: ProbeRequest, *, deadline_seconds: float) -> Answer:
        """Send one request; back by the deadline, which counts from its turn. Raises nothing but CancelledError."""
        async with self._turn:
            progress = _Progress(asyncio.timeout(deadline_seconds))
            result = await self._ask(request, progress)
            return Answer(result, perf_counter() - progress.started, progress.first_byte_seconds)

    async def aclose(self) -> None:
        """Close the connection, after the probe under way."""
        async with self._turn:
            kept, self._kept = self._kept, None
            if self._lookup:
                self._lookup.cancel()
            if kept:
                await kept.aclose()

    async def _ask(self, request: ProbeRequest, progress: _Progress) -> Reply | Finding:
        try:
            async with progress.deadline:
                return await self._exchange(request, progress)
        except Exception as error:  # noqa: BLE001  # whatever a host makes the libraries raise is a finding about it
            return timed_out(progress.phase) if progress.deadline.expired() else classify_fault(error, progress.phase)
        finally:
            await progress.drop_half_open()

    async def _exchange(self, request: ProbeRequest, progress: _Progress) -> Reply | Finding:
        url = httpx.URL(self._base_url + request.path)
        if flaw := find_flaw(url, request):
            return Finding(HealthClass.CONFIG_INVALID, flaw)
        addresses = await self._look_up(url)
        refusals = [why for address in addresses if (why := refusal(address, self._rules))]
        if refusals:
            return Finding(HealthClass.CONFIG_INVALID, f"host {url.host}: {refusals[0]}")
        if not addresses:
            return Finding(HealthClass.DNS, "the host name has no address")
        return await self._send_to_any(_to_wire(url, request, progress), addresses, progress)

    async def _look_up(self, url: httpx.URL) -> tuple[Address, ...]:
        """Return all addresses of the host, in the order of trying them."""
        with suppress(ValueError):
            return (ip_address(url.host),)
        if self._lookup is None or self._lookup.done():
            # A lookup outlives the probe that wanted it and serves the next: one hanging name has one, not hundreds.
            self._lookup = asyncio.ensure_future(self._resolve(url.raw_host.decode(), url.port or 0))
            self._lookup.add_done_callback(hear_out)
        found = await asyncio.shield(self._lookup)
        return order_attempts((ip_address(text) for text in found), self._last)

    async def _send_to_any(
        self, wire: httpx.Request, addresses: tuple[Address, ...], progress: _Progress
    ) -> Reply | Finding:
        """Send to the first address that takes the connection."""
        failures: list[Exception] = []
        attempts = addresses[:MAX_ATTEMPTS]
        for done, address in enumerate(attempts):
            progress.patience_seconds = progress.time_left() / (len(attempts) - done)
            try:
                return await self._send_to(address, wire, progress)
            except (httpx.ConnectError, TimeoutError) as error:
                if progress.phase is not Phase.CONNECT:
                    raise
                failures.append(error)
        raise ExceptionGroup("no address takes the connection", failures)

    async def _send_to(self, address: Address, wire: httpx.Request, progress: _Progress) -> Reply:
        wire.url = wire.url.copy_with(host=str(address))
        async with asyncio.timeout(None) as progress.patience:
            reply = await self._send_again_if_stale(wire, progress)
        self._last = address
        return reply

    async def _send_again_if_stale(self, wire: httpx.Request, progress: _Progress) -> Reply:
        """A server may close an idle connection just when it is used again; that says nothing about its health."""
        try:
            return await self._send(wire)
        except (httpx.NetworkError, httpx.RemoteProtocolError) as error:
            stale = not progress.connected_anew and progress.first_byte_seconds is None
            reset = classify_fault(error, progress.phase).health_class is HealthClass.RESET
            if not (stale and reset and wire.method in REPEATABLE):
                raise
        return await self._send(wire)

    async def _send(self, wire: httpx.Request) -> Reply:
        async with self._connection() as connection, aclosing(await connection.handle_async_request(wire)) as response:
            headers = dict(response.headers.items())
            body, truncated = await _read_body(response)
        return Reply(response.status_code, headers, body, truncated)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[httpx.AsyncHTTPTransport]:
        """Lend the kept connection, or a new one; it is kept only if nothing goes wrong."""
        connection, self._kept = self._kept or self._open(), None
        try:
            yield connection
        except BaseException:
            await connection.aclose()
            raise
        self._kept = connection

    def _open(self) -> httpx.AsyncHTTPTransport:
        limits = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=self._keepalive_seconds)
        return httpx.AsyncHTTPTransport(verify=self._ssl_context, trust_env=False, limits=limits)


def _to_wire(url: httpx.URL, request: ProbeRequest, progress: _Progress) -> httpx.Request:
    """Build the request as it is sent, but for its address."""
    defaults = {"accept": "*/*", "user-agent": "providerswitch"}
    if request.body is not None:
        defaults["content-type"] = "application/json"
    theirs = {name.lower(): value for name, value in request.headers.items()}
    ours = {"host": url.netloc.decode(), "accept-encoding": "identity"}
    extensions = {"sni_hostname": url.raw_host.decode().rstrip("."), "trace": progress.trace}
    return httpx.Request(
        request.method, url, headers=defaults | theirs | ours, content=request.body, extensions=extensions
    )


async def _read_body(response: httpx.Response) -> tuple[bytes, bool]:
    """Return at most 64 KiB of the body, and whether there was more, before and after inflating.

    Raises:
        httpx.DecodingError: the body is encoded in a way we did not ask for and cannot undo.
    """
    inflate = _Inflate(response.headers.get("content-encoding", ""))
    body, received = bytearray(), 0
    async for chunk in response.aiter_raw():
        received += len(chunk)
        body += inflate.take(chunk, MAX_BODY_BYTES + 1 - len(body))
        if max(len(body), received) > MAX_BODY_BYTES:
            return bytes(body[:MAX_BODY_BYTES]), True
    inflate.finish()
    return bytes(body), False


class _Inflate:
    """Undoes a content encoding, never to more than it is asked for: a few KiB can hold gigabytes."""

    def __init__(self, encoding: str) -> None:
        self._name = encoding.strip().lower()
        self._stream = zlib.decompressobj(ANY_ZLIB_HEADER)
        self._begun = False

    def take(self, chunk: bytes, limit: int) -> bytes:
        """Return what a chunk brings, at most `limit` bytes if it is inflated; `limit` is at least 1."""
        if self._name in PLAIN:
            return chunk
        if self._name not in ZLIB:
            raise httpx.DecodingError("unknown content encoding")
        self._begun = True
        try:
            return self._stream.decompress(chunk, limit)
        except zlib.error as error:
            raise httpx.DecodingError("not what its content encoding says") from error

    def finish(self) -> None:
        """Check that nothing is missing."""
        if self._begun and not self._stream.eof:
            raise httpx.DecodingError("ends too soon")
