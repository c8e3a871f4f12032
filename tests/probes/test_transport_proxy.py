"""Probes through an HTTP proxy, over real sockets: tunnels with real TLS inside, and forwarded requests."""

import asyncio
import base64
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
import trustme
from tests.support.connect_proxy import tunnelling
from tests.support.eventually import eventually
from tests.support.fault_server import (
    HOST,
    OK,
    FaultServer,
    Script,
    always,
    answer_first_request_only,
    close_at_once,
    dripping,
    forever,
    once,
    refusing,
    reset_at_once,
    serving,
    stall,
    then_hang,
)
from tests.support.transports import GET, STRICT, finding_in, ordinary_trust, reply_in

from providerswitch.api.health import HealthClass
from providerswitch.probes.exchange import Finding, ProbeRequest
from providerswitch.probes.proxies import read_proxies
from providerswitch.probes.resolving import Resolver
from providerswitch.probes.transport import GLANCE_SECONDS, MAX_BODY_BYTES, ProbeTransport

NAME = "provider.test"
PASSWORD = "tr0ub4dor"
BASIC = b"basic " + base64.b64encode(f"me:{PASSWORD}".encode()).lower()
UNKNOWN_HERE = socket.gaierror(socket.EAI_NONAME, "?")
WITH_KEY = ProbeRequest("GET", "/v1/models", {"authorization": "Bearer sk-secret"})


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def certified(authority: trustme.CA, name: str = NAME) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def names(known: Mapping[str, Sequence[str]]) -> Resolver:
    async def resolve(host: str, _port: int) -> Sequence[str]:
        if host not in known:
            raise UNKNOWN_HERE
        return known[host]

    return resolve


ONLY_THE_PROXY = names({"proxy.test": [HOST]})


def at_proxy_test(proxy: FaultServer, credentials: str = "") -> str:
    return f"{proxy.scheme}://{credentials}proxy.test:{proxy.port}"


@asynccontextmanager
async def through(
    proxy: str,
    url: str = f"https://{NAME}",
    trust: ssl.SSLContext | None = None,
    resolve: Resolver = ONLY_THE_PROXY,
    no_proxy: str = "",
) -> AsyncIterator[ProbeTransport]:
    """Open a transport under the strict rules: they are about targets, not about the proxy."""
    proxies = read_proxies({"HTTPS_PROXY": proxy, "HTTP_PROXY": proxy, "NO_PROXY": no_proxy})
    context = trust or ordinary_trust()
    transport = ProbeTransport(
        url, ssl_context=context, rules=STRICT, keepalive_seconds=60, resolve=resolve, proxies=proxies
    )
    try:
        yield transport
    finally:
        await transport.aclose()


@dataclass(frozen=True, slots=True)
class Tunnelled:
    """A transport, and what is on its way."""

    transport: ProbeTransport
    proxy: FaultServer
    server: FaultServer


@asynccontextmanager
async def tunnelled(
    authority: trustme.CA,
    script: Script | None = None,
    url: str = f"https://{NAME}",
    resolve: Resolver = ONLY_THE_PROXY,
    proxy_tls: ssl.SSLContext | None = None,
) -> AsyncIterator[Tunnelled]:
    """Run a server with TLS, OK unless a script says otherwise, behind a proxy that opens tunnels to it."""
    async with (
        serving(script or always(OK), certified(authority)) as server,
        serving(tunnelling(server.port), proxy_tls) as proxy,
        through(at_proxy_test(proxy), url, trusting(authority), resolve) as transport,
    ):
        yield Tunnelled(transport, proxy, server)


async def finding_through(
    proxy: str, url: str = f"https://{NAME}", trust: ssl.SSLContext | None = None, deadline_seconds: float = 5
) -> Finding:
    async with through(proxy, url, trust) as transport:
        return finding_in(await transport.ask(GET, deadline_seconds=deadline_seconds))


async def test_an_https_target_is_reached_through_a_tunnel_that_hides_the_key(authority: trustme.CA) -> None:
    async with tunnelled(authority) as way:
        answer = await way.transport.ask(WITH_KEY, deadline_seconds=5)
        assert reply_in(answer).body == b"ok"
        assert answer.first_byte_seconds is not None
        assert way.proxy.requests[0].startswith(b"CONNECT provider.test:443 HTTP/1.1\r\n")
        assert b"secret" not in way.proxy.requests[0]
        request = way.server.requests[0].lower()
    assert b"\r\nauthorization: bearer sk-secret\r\n" in request
    assert b"\r\nhost: provider.test\r\n" in request


async def test_a_name_that_ends_in_a_dot_is_the_same_host_in_a_tunnel(authority: trustme.CA) -> None:
    async with tunnelled(authority, url=f"https://{NAME}.") as way:
        assert reply_in(await way.transport.ask(GET, deadline_seconds=5)).status == 200


async def test_an_http_target_is_asked_for_by_its_whole_url() -> None:
    async with (
        serving(always(OK)) as proxy,
        through(at_proxy_test(proxy), "http://provider.test:8000/api") as transport,
    ):
        answer = await transport.ask(GET, deadline_seconds=5)
        assert reply_in(answer).body == b"ok"
        assert answer.first_byte_seconds is not None
        assert proxy.requests[0].startswith(b"GET http://provider.test:8000/api/v1/models HTTP/1.1\r\n")
        assert b"\r\nhost: provider.test:8000\r\n" in proxy.requests[0].lower()


async def test_a_tunnel_is_kept_for_the_next_probe(authority: trustme.CA) -> None:
    async with tunnelled(authority) as way:
        for _ in range(3):
            answer = await way.transport.ask(GET, deadline_seconds=5)
            assert reply_in(answer).status == 200
            assert answer.first_byte_seconds is not None
        assert (way.proxy.accepted, len(way.server.requests)) == (1, 3)


async def test_a_kept_tunnel_that_turns_out_dead_is_opened_anew(authority: trustme.CA) -> None:
    async with tunnelled(authority, answer_first_request_only) as way:
        for _ in range(2):
            assert reply_in(await way.transport.ask(GET, deadline_seconds=5)).status == 200
        assert way.proxy.accepted == 2


@pytest.mark.parametrize("url", [f"https://{NAME}", f"http://{NAME}"])
async def test_credentials_go_to_the_proxy_and_nowhere_else(
    authority: trustme.CA, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secure = url.startswith("https")
    async with serving(always(OK), certified(authority)) as server:
        async with serving(tunnelling(server.port) if secure else always(OK)) as proxy:
            async with through(at_proxy_test(proxy, f"me:{PASSWORD}@"), url, trusting(authority)) as transport:
                assert reply_in(await transport.ask(WITH_KEY, deadline_seconds=5)).status == 200
            assert b"\r\nproxy-authorization: " + BASIC + b"\r\n" in proxy.requests[0].lower()
        assert all(b"proxy-authorization" not in request.lower() for request in server.requests)
        assert len(server.requests) == secure
    assert PASSWORD not in caplog.text
    assert BASIC.decode() not in caplog.text.lower()


async def test_a_policy_cannot_speak_to_the_proxy() -> None:
    async with serving(always(OK)) as proxy, through(at_proxy_test(proxy), f"http://{NAME}") as transport:
        request = ProbeRequest("GET", "/", {"Proxy-Authorization": "Basic x"})
        finding = finding_in(await transport.ask(request, deadline_seconds=5))
        assert finding.health_class is HealthClass.CONFIG_INVALID
        assert proxy.accepted == 0


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("169.254.169.254", "169.254.169.254"),
        ("[::ffff:169.254.169.254]", "::ffff:a9fe:a9fe"),
        ("metadata.test", "169.254.169.254"),
        ("inside.test", "127.0.0.1"),
    ],
)
async def test_what_the_rules_refuse_is_not_asked_of_the_proxy_either(scheme: str, host: str, address: str) -> None:
    known = names({"proxy.test": [HOST], "metadata.test": ["10.0.0.1", "169.254.169.254"], "inside.test": [HOST]})
    async with serving(always(OK)) as proxy:
        async with through(at_proxy_test(proxy), f"{scheme}://{host}", resolve=known) as transport:
            finding = finding_in(await transport.ask(GET, deadline_seconds=5))
        assert finding.health_class is HealthClass.CONFIG_INVALID
        assert f"{address} is a " in finding.why or f"{host.strip('[]')} is a " in finding.why
        assert proxy.accepted == 0


async def test_a_host_of_no_proxy_is_reached_directly_under_all_rules() -> None:
    known = names({"proxy.test": [HOST], NAME: [HOST]})
    async with serving(always(OK)) as proxy, serving(always(OK)) as server:
        url = server.url(NAME)
        async with through(at_proxy_test(proxy), url, resolve=known, no_proxy=".test") as transport:
            finding = finding_in(await transport.ask(GET, deadline_seconds=5))
        assert finding.why.startswith("host provider.test: 127.0.0.1 is a loopback address")
        assert (proxy.accepted, server.accepted) == (0, 0)


async def test_a_lookup_that_hangs_holds_up_one_probe_for_a_moment_and_no_clock() -> None:
    async def resolve(host: str, _port: int) -> Sequence[str]:
        if host == NAME:
            await asyncio.get_running_loop().create_future()
        return [HOST]

    loop = asyncio.get_running_loop()
    async with (
        serving(always(OK)) as proxy,
        through(at_proxy_test(proxy), f"http://{NAME}", resolve=resolve) as transport,
    ):
        began = loop.time()
        first = await transport.ask(GET, deadline_seconds=5)
        waited = loop.time() - began
        assert reply_in(first).status == 200
        assert first.latency_seconds < GLANCE_SECONDS <= waited
        assert reply_in(await transport.ask(GET, deadline_seconds=GLANCE_SECONDS / 2)).status == 200


async def test_the_next_address_of_the_proxy_is_tried(authority: trustme.CA) -> None:
    async with tunnelled(authority, resolve=names({"proxy.test": ["127.0.0.9", HOST]})) as way:
        assert reply_in(await way.transport.ask(GET, deadline_seconds=5)).status == 200


async def test_a_proxy_may_speak_tls_itself(authority: trustme.CA) -> None:
    tls = certified(authority, "proxy.test")
    async with tunnelled(authority, proxy_tls=tls) as way:
        assert reply_in(await way.transport.ask(GET, deadline_seconds=5)).body == b"ok"
    async with (
        serving(always(OK), tls) as proxy,
        through(at_proxy_test(proxy), f"http://{NAME}", trusting(authority)) as transport,
    ):
        assert reply_in(await transport.ask(GET, deadline_seconds=5)).body == b"ok"


async def test_a_certificate_for_another_than_the_proxy_is_a_fault_of_the_proxy(authority: trustme.CA) -> None:
    async with serving(stall, certified(authority)) as proxy:
        finding = await finding_through(at_proxy_test(proxy), trust=trusting(authority))
    assert finding == Finding(
        HealthClass.TLS, f"the proxy at proxy.test:{proxy.port}: TLS certificate is for another host"
    )


REFUSALS = {
    b"407 Proxy Authentication Required": (
        HealthClass.UNKNOWN,
        "wants valid credentials (HTTP 407); put USER:PASSWORD@ into HTTPS_PROXY and HTTP_PROXY",
    ),
    b"403 Forbidden": (HealthClass.UNKNOWN, "refuses to connect to the host (HTTP 403)"),
    b"302 Found": (HealthClass.UNKNOWN, "refuses to connect to the host (HTTP 302)"),
    b"500 Oops": (HealthClass.UNKNOWN, "refuses to connect to the host (HTTP 500)"),
    b"502 Bad Gateway": (HealthClass.CONNECT_REFUSED, "does not reach the host (HTTP 502)"),
    b"503 Service Unavailable": (HealthClass.CONNECT_REFUSED, "does not reach the host (HTTP 503)"),
    b"504 Gateway Timeout": (HealthClass.TIMEOUT, "does not reach the host (HTTP 504)"),
}


@pytest.mark.parametrize("status", REFUSALS)
async def test_a_proxy_that_opens_no_tunnel_says_why_and_a_provider_is_not_to_blame(status: bytes) -> None:
    health_class, what = REFUSALS[status]
    async with serving(once(b"HTTP/1.1 " + status + b"\r\ncontent-length: 9\r\n\r\nsome text")) as proxy:
        finding = await finding_through(at_proxy_test(proxy))
    assert finding == Finding(health_class, f"the proxy at proxy.test:{proxy.port} {what}")


async def test_a_proxy_that_does_not_accept_its_credentials_says_so() -> None:
    async with serving(once(b"HTTP/1.1 407 No\r\ncontent-length: 0\r\n\r\n")) as proxy:
        finding = await finding_through(at_proxy_test(proxy, f"me:{PASSWORD}@"))
    assert finding.why == f"the proxy at proxy.test:{proxy.port} wants valid credentials (HTTP 407); correct them"


async def test_a_proxy_that_wants_credentials_to_forward_is_no_answer_of_the_provider() -> None:
    async with serving(once(b"HTTP/1.1 407 No\r\ncontent-length: 0\r\n\r\n")) as proxy:
        finding = await finding_through(at_proxy_test(proxy), f"http://{NAME}")
    assert finding.health_class is HealthClass.UNKNOWN
    assert finding.why.startswith(f"the proxy at proxy.test:{proxy.port} wants valid credentials")


FAULTS: dict[str, tuple[Script, HealthClass, str]] = {
    "silent": (stall, HealthClass.TIMEOUT, "timed out during read-headers"),
    "dripping": (dripping(b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 1000), HealthClass.TIMEOUT, "timed out during"),
    "hanging half-way": (then_hang(b"HTTP/1.1 2"), HealthClass.TIMEOUT, "timed out during read-headers"),
    "interim answers without end": (dripping(b"HTTP/1.1 103 Wait\r\n\r\n"), HealthClass.TIMEOUT, "timed out during"),
    "closing": (close_at_once, HealthClass.RESET, "connection closed during read-headers"),
    "resetting": (reset_at_once, HealthClass.RESET, "connection reset during"),
    "not HTTP": (once(b"SSH-2.0-x\r\n\r\n"), HealthClass.UNKNOWN, "malformed HTTP during read-headers"),
    "headers without end": (forever(b"HTTP/1.1 200 OK\r\nx: "), HealthClass.UNKNOWN, "malformed HTTP"),
}


@pytest.mark.parametrize("name", FAULTS)
async def test_a_proxy_in_trouble_is_told_by_its_own_name_and_given_up_in_time(name: str) -> None:
    script, health_class, why = FAULTS[name]
    async with serving(script) as proxy:
        finding = await finding_through(at_proxy_test(proxy), deadline_seconds=0.3)
        assert finding.health_class is health_class
        assert finding.why.startswith(f"the proxy at proxy.test:{proxy.port}: {why}")
        await eventually(lambda: proxy.held == 0)


async def test_a_proxy_that_takes_no_connections_is_a_fault_of_the_network() -> None:
    with refusing() as url:
        port = urlsplit(url).port
        finding = await finding_through(f"http://proxy.test:{port}")
    assert finding == Finding(HealthClass.CONNECT_REFUSED, f"the proxy at proxy.test:{port}: connection refused")


async def test_a_proxy_whose_name_is_unknown_is_a_fault_of_dns() -> None:
    finding = await finding_through("http://nowhere.test:3128")
    assert finding == Finding(HealthClass.DNS, "the proxy at nowhere.test:3128: the host name does not exist")


async def test_a_certificate_behind_the_tunnel_is_the_hosts_fault_and_not_the_proxys(authority: trustme.CA) -> None:
    async with serving(always(OK), certified(authority, "elsewhere.test")) as server:
        async with serving(tunnelling(server.port)) as proxy:
            finding = await finding_through(at_proxy_test(proxy), trust=trusting(authority))
        assert server.requests == []
    assert finding == Finding(HealthClass.TLS, "TLS certificate is for another host")


async def test_a_host_that_is_silent_in_the_handshake_is_given_up_through_the_tunnel() -> None:
    async with serving(stall) as server, serving(tunnelling(server.port)) as proxy:
        finding = await finding_through(at_proxy_test(proxy), deadline_seconds=0.3)
        assert finding == Finding(HealthClass.TIMEOUT, "timed out during tls")
        await eventually(lambda: proxy.held == 0)


async def test_a_host_that_is_silent_behind_the_tunnel_is_a_timeout_of_its_own(authority: trustme.CA) -> None:
    async with tunnelled(authority, then_hang()) as way:
        answer = await way.transport.ask(GET, deadline_seconds=0.5)
    assert answer.result == Finding(HealthClass.TIMEOUT, "timed out during read-headers")
    assert answer.first_byte_seconds is None


async def test_an_answer_without_end_is_cut_off_through_a_proxy_too(authority: trustme.CA) -> None:
    endless = forever(b"HTTP/1.1 200 OK\r\n\r\n")
    async with tunnelled(authority, endless) as way:
        inside = reply_in(await way.transport.ask(GET, deadline_seconds=5))
    async with serving(endless) as proxy, through(at_proxy_test(proxy), f"http://{NAME}") as transport:
        forwarded = reply_in(await transport.ask(GET, deadline_seconds=5))
    assert [(len(reply.body), reply.truncated) for reply in (inside, forwarded)] == [(MAX_BODY_BYTES, True)] * 2
