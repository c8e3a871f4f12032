"""Send a probe and bring back the answer, or the reason why there is none.

What every probe is promised here, whatever the host does: it is over by its deadline, it goes only to an address that
was checked (the request is made to that address, so nothing can resolve differently in between), it follows no
redirect, takes no proxy but the administrator's, keeps no cookie, and reads at most 64 KiB. A proxy on the way looks
the name up itself: then only what can be known here is checked, and the proxy's own rules decide the rest.

httpx is used below its client: `httpx.AsyncClient` logs every URL, keeps cookies and inflates bodies without a limit.
Header values are checked before httpx sees them, because httpcore's debug log quotes illegal ones.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from ipaddress import ip_address
from time import perf_counter
from typing import Final, Protocol

import httpx

from providerswitch.api.health import HealthClass
from providerswitch.probes.addresses import Address, AddressRules, order_attempts, refusal
from providerswitch.probes.bodies import read_body
from providerswitch.probes.exchange import Finding, ProbeRequest, Reply
from providerswitch.probes.faults import Phase, classify_fault, find_flaw, timed_out
from providerswitch.probes.progress import Progress
from providerswitch.probes.proxies import CREDENTIALS_WANTED, DIRECT, Proxies, Proxy, as_address
from providerswitch.probes.resolving import Resolver, hear_out, system_resolver

MAX_BODY_BYTES: Final = 64 * 1024
MAX_ATTEMPTS: Final = 4
"""Addresses tried for one probe; each gets its share of the deadline to take the connection."""

GLANCE_SECONDS: Final = 1.0
"""How long a host's addresses are waited for where they are wanted for a check only, because a proxy connects to it."""

REPEATABLE: Final = frozenset({"GET", "HEAD"})
"""Methods that may be sent again when a kept connection turns out to be dead: they are never billed."""


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


class ProbeTransport:
    """The connection to one probe target. At most one probe is under way; another waits for its turn.

    Args:
        base_url: `request.path` is appended to it.
        ssl_context: shared by all targets.
        keepalive_seconds: how long an unused connection stays open; more than the probe interval.
        proxies: which of them is on the way to the base URL.
    """

    def __init__(
        self,
        base_url: str,
        *,
        ssl_context: ssl.SSLContext,
        rules: AddressRules,
        keepalive_seconds: float,
        resolve: Resolver | None = None,
        proxies: Proxies = DIRECT,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._ssl_context = ssl_context
        self._rules = rules
        self._keepalive_seconds = keepalive_seconds
        self._resolve = resolve or system_resolver
        self._proxies = proxies
        self._turn = asyncio.Lock()
        self._kept: httpx.AsyncHTTPTransport | None = None
        self._kept_proxy: Address | None = None
        self._last: Address | None = None
        self._lookups: dict[str, asyncio.Future[Sequence[str]]] = {}

    async def ask(self, request: ProbeRequest, *, deadline_seconds: float) -> Answer:
        """Send one request; back by the deadline, which counts from its turn. Raises nothing but CancelledError."""
        async with self._turn:
            progress = Progress(asyncio.timeout(deadline_seconds))
            result = await self._ask(request, progress)
            return Answer(result, perf_counter() - progress.started, progress.first_byte_seconds)

    async def aclose(self) -> None:
        """Close the connection, after the probe under way."""
        async with self._turn:
            kept, self._kept = self._kept, None
            for lookup in self._lookups.values():
                lookup.cancel()
            if kept:
                await kept.aclose()

    async def _ask(self, request: ProbeRequest, progress: Progress) -> Reply | Finding:
        try:
            async with progress.deadline:
                return await self._exchange(request, progress)
        except Exception as error:  # noqa: BLE001  # whatever a host makes the libraries raise is a finding about it
            return _explain(error, progress)
        finally:
            await progress.drop_half_open()

    async def _exchange(self, request: ProbeRequest, progress: Progress) -> Reply | Finding:
        url = httpx.URL(self._base_url + request.path)
        if flaw := find_flaw(url, request):
            return Finding(HealthClass.CONFIG_INVALID, flaw)
        if proxy := self._proxies.between(url):
            return await self._exchange_through(proxy, url, request, progress)
        addresses = await self._look_up(url.raw_host.decode(), url.port or 0)
        if refused := self._refuse(url, addresses):
            return refused
        if not addresses:
            return Finding(HealthClass.DNS, "the host name has no address")
        return await self._send_to_any(_to_wire(url, request, progress), addresses, progress)

    async def _exchange_through(
        self, proxy: Proxy, url: httpx.URL, request: ProbeRequest, progress: Progress
    ) -> Reply | Finding:
        if refused := self._refuse(url, await self._glance_at(url)):
            return refused
        progress.go_through(proxy, tunnelled=url.scheme == "https")
        addresses = await self._look_up(proxy.host, proxy.port)
        if not addresses:
            return proxy.explain(Finding(HealthClass.DNS, "the host name has no address"))
        result = await self._send_to_any(_to_wire(url, request, progress), addresses, progress)
        if isinstance(result, Reply) and result.status == CREDENTIALS_WANTED and not progress.tunnelled:
            return proxy.explain_answer(result.status)
        return result

    def _refuse(self, url: httpx.URL, addresses: Sequence[Address]) -> Finding | None:
        refusals = (refusal(address, self._rules) for address in addresses)
        why = next((why for why in refusals if why), None)
        return Finding(HealthClass.CONFIG_INVALID, f"host {url.host}: {why}") if why else None

    async def _glance_at(self, url: httpx.URL) -> Sequence[Address]:
        """Return the addresses that a host has here, none where it has none; names of outside may be unknown here."""
        host = url.raw_host.decode()
        if as_address(host) is None and self._under_way(host):
            return ()
        with suppress(OSError, UnicodeError, TimeoutError):
            async with asyncio.timeout(GLANCE_SECONDS):
                return await self._look_up(host, url.port or 0)
        return ()

    def _under_way(self, host: str) -> bool:
        return host in self._lookups and not self._lookups[host].done()

    async def _look_up(self, host: str, port: int) -> tuple[Address, ...]:
        """Return all addresses of a host, in the order of trying them."""
        if address := as_address(host):
            return (address,)
        if not self._under_way(host):
            # A lookup outlives the probe that wanted it and serves the next: one hanging name has one, not hundreds.
            self._lookups[host] = asyncio.ensure_future(self._resolve(host, port))
            self._lookups[host].add_done_callback(hear_out)
        found = await asyncio.shield(self._lookups[host])
        return order_attempts((ip_address(text) for text in found), self._last)

    async def _send_to_any(
        self, wire: httpx.Request, addresses: tuple[Address, ...], progress: Progress
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

    async def _send_to(self, address: Address, wire: httpx.Request, progress: Progress) -> Reply:
        if progress.proxy is None:
            wire.url = wire.url.copy_with(host=str(address))
        async with asyncio.timeout(None) as progress.patience:
            reply = await self._send_again_if_stale(address, wire, progress)
        self._last = address
        return reply

    async def _send_again_if_stale(self, address: Address, wire: httpx.Request, progress: Progress) -> Reply:
        """A server may close an idle connection just when it is used again; that says nothing about its health."""
        try:
            return await self._send(wire, address, progress.proxy)
        except (httpx.NetworkError, httpx.RemoteProtocolError) as error:
            stale = not progress.connected_anew and progress.first_byte_seconds is None
            reset = classify_fault(error, progress.phase).health_class is HealthClass.RESET
            if not (stale and reset and wire.method in REPEATABLE):
                raise
        return await self._send(wire, address, progress.proxy)

    async def _send(self, wire: httpx.Request, address: Address, proxy: Proxy | None) -> Reply:
        async with (
            self._connection(address, proxy) as connection,
            aclosing(await connection.handle_async_request(wire)) as response,
        ):
            headers = dict(response.headers.items())
            body, truncated = await read_body(response, MAX_BODY_BYTES)
        return Reply(response.status_code, headers, body, truncated)

    @asynccontextmanager
    async def _connection(self, address: Address, proxy: Proxy | None) -> AsyncIterator[httpx.AsyncHTTPTransport]:
        """Lend the kept connection, or a new one; it is kept only if nothing goes wrong."""
        kept, self._kept = self._kept, None
        if kept and proxy and self._kept_proxy != address:
            await kept.aclose()
            kept = None
        connection = kept or self._open(address, proxy)
        try:
            yield connection
        except BaseException:
            await connection.aclose()
            raise
        self._kept, self._kept_proxy = connection, address

    def _open(self, address: Address, proxy: Proxy | None) -> httpx.AsyncHTTPTransport:
        limits = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=self._keepalive_seconds)
        return httpx.AsyncHTTPTransport(
            verify=self._ssl_context, trust_env=False, limits=limits, proxy=self._proxy_at(address, proxy)
        )

    def _proxy_at(self, address: Address, proxy: Proxy | None) -> httpx.Proxy | None:
        """Return a proxy as httpx wants it, at an address that was looked up here, as those of hosts are."""
        if proxy is None:
            return None
        url = httpx.URL(scheme=proxy.scheme, host=str(address), port=proxy.port)
        context = self._ssl_context if proxy.scheme == "https" else None
        return httpx.Proxy(url, auth=proxy.credentials, ssl_context=context)


def _explain(error: Exception, progress: Progress) -> Finding:
    """Return what an exception says: about the proxy, if it had not been passed yet, or else about the host."""
    proxy = progress.proxy
    if proxy and isinstance(error, httpx.ProxyError):
        status = str(error)[:3]
        return proxy.explain_answer(int(status) if status.isascii() and status.isdecimal() else 0)
    late = progress.deadline.expired()
    finding = timed_out(progress.phase) if late else classify_fault(error, progress.phase)
    return proxy.explain(finding) if proxy and progress.at_proxy else finding


def _to_wire(url: httpx.URL, request: ProbeRequest, progress: Progress) -> httpx.Request:
    """Build the request as it is sent, but for its address."""
    defaults = {"accept": "*/*", "user-agent": "providerswitch"}
    if request.body is not None:
        defaults["content-type"] = "application/json"
    theirs = {name.lower(): value for name, value in request.headers.items()}
    ours = {"host": url.netloc.decode(), "accept-encoding": "identity"}
    # Whom the TLS certificate must name of what we connect to; inside a tunnel httpcore takes the URL's host instead.
    peer = progress.proxy.host if progress.proxy else url.raw_host.decode()
    target = url.copy_with(host=url.host.rstrip(".")) if progress.proxy else url
    extensions = {"sni_hostname": peer.rstrip("."), "trace": progress.trace}
    return httpx.Request(
        request.method, target, headers=defaults | theirs | ours, content=request.body, extensions=extensions
    )
