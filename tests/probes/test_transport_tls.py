"""What can be wrong with TLS, over real sockets and with real certificates."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
import trustme
from tests.support.eventually import eventually
from tests.support.fault_server import (
    HOST,
    OK,
    Connection,
    Script,
    always,
    close_at_once,
    once,
    reset_at_once,
    serving,
    speaking_first,
    stall,
    then_reset,
)
from tests.support.transports import GET, ask, finding_in, opened, reply_in

from providerswitch.api.health import HealthClass
from providerswitch.probes.exchange import Finding

NAME = "provider.test"
HALF = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf"
NOW = datetime.now(UTC)
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Authorities:
    """One that is trusted, and one that is not."""

    ours: trustme.CA
    theirs: trustme.CA

    @property
    def trust(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        self.ours.configure_trust(context)
        return context


@pytest.fixture(scope="module")
def authorities() -> Authorities:
    return Authorities(trustme.CA(), trustme.CA())


def serving_context(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


async def drip_handshake(connection: Connection) -> None:
    """Begin to answer the handshake, a byte now and then."""
    while not connection.server.stopped.is_set():
        for byte in b"\x16\x03\x03\x40\x00" + b"x" * 16384:
            await connection.send(bytes([byte]))
            await connection.pause()


def valid(authorities: Authorities) -> ssl.SSLContext:
    return serving_context(authorities.ours.issue_cert(NAME))


def expired(authorities: Authorities) -> ssl.SSLContext:
    return serving_context(authorities.ours.issue_cert(NAME, not_before=NOW - 9 * DAY, not_after=NOW - DAY))


def not_valid_yet(authorities: Authorities) -> ssl.SSLContext:
    return serving_context(authorities.ours.issue_cert(NAME, not_before=NOW + DAY, not_after=NOW + 9 * DAY))


def other_host(authorities: Authorities) -> ssl.SSLContext:
    return serving_context(authorities.ours.issue_cert("elsewhere.test"))


def untrusted(authorities: Authorities) -> ssl.SSLContext:
    return serving_context(authorities.theirs.issue_cert(NAME))


def untrusted_chain(authorities: Authorities) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf = authorities.theirs.issue_cert(NAME)
    chain = [*leaf.cert_chain_pems, authorities.theirs.cert_pem]
    with trustme.Blob(leaf.private_key_pem.bytes() + b"".join(pem.bytes() for pem in chain)).tempfile() as path:
        context.load_cert_chain(path)
    return context


def self_signed(authorities: Authorities) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    own = authorities.theirs
    with trustme.Blob(own.private_key_pem.bytes() + own.cert_pem.bytes()).tempfile() as path:
        context.load_cert_chain(path)
    return context


def for_clients_with_a_certificate(authorities: Authorities) -> ssl.SSLContext:
    context = valid(authorities)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


CERTIFICATES: dict[Callable[[Authorities], ssl.SSLContext], str] = {
    expired: "TLS certificate has expired",
    not_valid_yet: "TLS certificate is not valid yet",
    other_host: "TLS certificate is for another host",
    untrusted: "TLS certificate is not signed by a trusted authority",
    untrusted_chain: "TLS certificate is not signed by a trusted authority (self-signed in its chain)",
    self_signed: "TLS certificate is self-signed",
}


async def test_a_certificate_is_checked_for_the_name_and_not_for_the_address(authorities: Authorities) -> None:
    names: list[str | None] = []
    context = valid(authorities)
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    async with serving(always(OK), context) as server:
        assert reply_in(await ask(server.url(NAME), trust=authorities.trust)).body == b"ok"
        assert reply_in(await ask(server.url(f"{NAME}."), trust=authorities.trust)).body == b"ok"
    assert names == [NAME, NAME]


@pytest.mark.parametrize("kind", CERTIFICATES, ids=lambda kind: kind.__name__)
async def test_a_certificate_that_is_not_accepted_says_why(
    authorities: Authorities, kind: Callable[[Authorities], ssl.SSLContext]
) -> None:
    async with serving(always(OK), kind(authorities)) as server:
        finding = finding_in(await ask(server.url(NAME), trust=authorities.trust))
        assert finding == Finding(HealthClass.TLS, CERTIFICATES[kind])
        assert server.requests == []


async def test_a_certificate_for_a_name_does_not_serve_for_its_address(authorities: Authorities) -> None:
    async with serving(always(OK), valid(authorities)) as server:
        finding = finding_in(await ask(server.url(HOST), trust=authorities.trust))
    assert finding == Finding(HealthClass.TLS, "TLS certificate is for another address")


ALERTS = {40: "SSLV3_ALERT_HANDSHAKE_FAILURE", 70: "TLSV1_ALERT_PROTOCOL_VERSION", 112: "TLSV1_UNRECOGNIZED_NAME"}


@pytest.mark.parametrize("code", ALERTS)
async def test_a_server_that_declines_the_handshake_is_a_fault_of_tls_with_its_reason(code: int) -> None:
    async with serving(speaking_first(b"\x15\x03\x03\x00\x02\x02" + bytes([code]))) as server:
        finding = finding_in(await ask(server.url(NAME, scheme="https")))
    assert finding == Finding(HealthClass.TLS, f"TLS failed ({ALERTS[code]})")


def turn_away_one_client(listener: socket.socket, context: ssl.SSLContext) -> None:
    accepted, _ = listener.accept()
    with accepted, context.wrap_socket(accepted, server_side=True, do_handshake_on_connect=False) as connection:
        with contextlib.suppress(ssl.SSLError):
            connection.do_handshake()
        while socket.socket.recv(connection, 4096):  # to close before all is read would be a reset
            pass


async def test_a_server_that_wants_a_certificate_of_ours_is_a_fault_of_tls(authorities: Authorities) -> None:
    context = for_clients_with_a_certificate(authorities)
    with socket.create_server((HOST, 0)) as listener:
        turned_away = asyncio.create_task(asyncio.to_thread(turn_away_one_client, listener, context))
        finding = finding_in(await ask(f"https://{NAME}:{listener.getsockname()[1]}", trust=authorities.trust))
        await turned_away
    assert finding == Finding(HealthClass.TLS, "TLS failed (TLSV13_ALERT_CERTIFICATE_REQUIRED)")


@pytest.mark.parametrize("greeting", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-x\r\n"], ids=["HTTP", "SSH"])
async def test_a_server_without_tls_is_a_fault_of_tls(greeting: bytes) -> None:
    async with serving(speaking_first(greeting)) as server:
        finding = finding_in(await ask(server.url(NAME, scheme="https")))
    assert finding == Finding(HealthClass.TLS, "TLS failed (WRONG_VERSION_NUMBER)")


BREAKING = {"closed": close_at_once, "reset": reset_at_once}


@pytest.mark.parametrize("how", BREAKING)
async def test_a_connection_that_breaks_in_the_handshake_is_a_reset(how: str) -> None:
    async with serving(BREAKING[how]) as server:
        finding = finding_in(await ask(server.url(NAME, scheme="https")))
    assert finding == Finding(HealthClass.RESET, f"connection {how} during tls")


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (then_reset(), "connection reset during read-headers"),
        (then_reset(HALF), "connection reset during read-body"),
        (once(b""), "connection closed during read-headers"),
        (once(HALF), "connection closed during read-body"),
    ],
)
async def test_a_connection_that_breaks_after_the_handshake_is_no_fault_of_tls(
    authorities: Authorities, script: Script, why: str
) -> None:
    async with serving(script, valid(authorities)) as server:
        finding = finding_in(await ask(server.url(NAME), trust=authorities.trust))
    assert finding == Finding(HealthClass.RESET, why)


@pytest.mark.parametrize("script", [stall, drip_handshake], ids=["silent", "dripping"])
async def test_a_handshake_that_does_not_end_is_a_timeout_of_its_own_phase_and_is_given_up(script: Script) -> None:
    async with serving(script) as server, opened(server.url(NAME, scheme="https")) as transport:
        finding = finding_in(await transport.ask(GET, deadline_seconds=0.3))
        assert finding == Finding(HealthClass.TIMEOUT, "timed out during tls")
        assert server.accepted == 1
        await eventually(lambda: server.held == 0)


async def test_plain_http_to_a_server_that_wants_tls_is_no_answer(authorities: Authorities) -> None:
    async with serving(always(OK), valid(authorities)) as server:
        finding = finding_in(await ask(server.url(NAME, scheme="http")))
    assert finding.health_class in {HealthClass.PROTOCOL, HealthClass.RESET}
