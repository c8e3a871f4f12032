"""Every way to get no usable answer, over real sockets: refused, reset, silent, cut short, not HTTP."""

import asyncio
import gc
import gzip
import socket
from collections.abc import Sequence

import pytest
from tests.support.fault_server import (
    OK,
    Script,
    close_at_once,
    dripping,
    once,
    overrun,
    refusing,
    reset_at_once,
    serving,
    speaking_first,
    stall,
    then_hang,
    then_reset,
)
from tests.support.transports import GET, ask, finding_in, opened, reply_in, resolving

from providerswitch.api.health import HealthClass
from providerswitch.probes.exchange import Finding, ProbeRequest
from providerswitch.probes.resolving import system_resolver

DEADLINE = 0.3
HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
HALF_GZIP = gzip.compress(b"x" * 1000)[:-9]

UNRESOLVED: dict[str, tuple[Sequence[str] | Exception, str]] = {
    "no such name": (socket.gaierror(socket.EAI_NONAME, "?"), "the host name does not exist"),
    "a name without addresses": (socket.gaierror(socket.EAI_NODATA, "?"), "the host name has no address"),
    "a server that fails": (socket.gaierror(socket.EAI_FAIL, "?"), "the DNS server fails"),
    "a server that does not answer": (socket.gaierror(socket.EAI_AGAIN, "?"), "the DNS server does not answer"),
    "an empty answer": ((), "the host name has no address"),
}


@pytest.mark.parametrize("name", UNRESOLVED)
async def test_a_name_that_does_not_resolve_is_a_fault_of_dns(name: str) -> None:
    answer, why = UNRESOLVED[name]
    answered = await ask("http://provider.test", resolve=resolving(answer))
    assert answered.result == Finding(HealthClass.DNS, why)
    assert answered.first_byte_seconds is None


@pytest.mark.parametrize("name", [f"{'a' * 64}.test", "a..test"])
async def test_a_name_that_cannot_even_be_asked_for_is_a_mistake_of_the_policy(name: str) -> None:
    finding = finding_in(await ask(f"http://{name}", resolve=system_resolver))
    assert finding == Finding(HealthClass.CONFIG_INVALID, "the host of the base URL is not a valid host name")


async def test_a_resolver_that_hangs_is_a_timeout_of_its_own_phase() -> None:
    async def hang(_host: str, _port: int) -> Sequence[str]:
        await asyncio.get_running_loop().create_future()
        return []

    finding = finding_in(await ask("http://provider.test", resolve=hang, deadline_seconds=DEADLINE))
    assert finding == Finding(HealthClass.TIMEOUT, "timed out during resolve")


async def test_probes_share_one_lookup_while_it_hangs_and_use_what_it_finds() -> None:
    asked: list[str] = []
    found: asyncio.Future[Sequence[str]] = asyncio.get_running_loop().create_future()

    async def slow(host: str, _port: int) -> Sequence[str]:
        asked.append(host)
        return await found

    async with serving(once(OK)) as server, opened(server.url("provider.test"), resolve=slow) as transport:
        for _ in range(3):
            await transport.ask(GET, deadline_seconds=0.05)
        found.set_result(["127.0.0.1"])
        assert reply_in(await transport.ask(GET, deadline_seconds=5)).status == 200
    assert asked == ["provider.test"]


async def test_a_lookup_that_fails_when_nobody_waits_any_more_is_not_complained_about(
    caplog: pytest.LogCaptureFixture,
) -> None:
    over = asyncio.Event()
    found: asyncio.Future[Sequence[str]] = asyncio.get_running_loop().create_future()

    async def slow(_host: str, _port: int) -> Sequence[str]:
        try:
            return await found
        finally:
            over.set()

    async with opened("http://provider.test", resolve=slow) as transport:
        await transport.ask(GET, deadline_seconds=0.05)
        found.set_exception(socket.gaierror(socket.EAI_AGAIN, "?"))
        await over.wait()
        await asyncio.sleep(0)
        await transport.ask(GET, deadline_seconds=5)
        gc.collect()
    assert caplog.text == ""


async def test_a_port_that_nobody_listens_to_is_refused() -> None:
    with refusing() as url:
        finding = finding_in(await ask(url))
    assert finding == Finding(HealthClass.CONNECT_REFUSED, "connection refused")


async def test_a_connection_nobody_takes_is_a_timeout_of_connecting() -> None:
    with overrun() as url:
        finding = finding_in(await ask(url, deadline_seconds=DEADLINE))
    assert finding == Finding(HealthClass.TIMEOUT, "timed out during connect")


SILENT = {
    "before the headers": (stall, "read-headers"),
    "after the request": (then_hang(), "read-headers"),
    "in the status line": (then_hang(b"HTTP/1.1 2"), "read-headers"),
    "in the headers": (then_hang(b"HTTP/1.1 200 OK\r\ncontent-le"), "read-headers"),
    "before the body": (then_hang(HEAD), "read-body"),
    "in the body": (then_hang(HEAD + b"half"), "read-body"),
    "between chunks": (then_hang(CHUNKED + b"2\r\nok\r\n"), "read-body"),
    "in a body that ends by closing": (then_hang(b"HTTP/1.1 200 OK\r\n\r\nall"), "read-body"),
    "dripping headers": (dripping(b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 1000), "read-headers"),
    "dripping a body": (dripping(b"x" * 99, HEAD), "read-body"),
    "dripping chunks": (dripping(b"1\r\nx\r\n" * 99, CHUNKED), "read-body"),
    "dripping interim answers": (dripping(b"HTTP/1.1 103 Wait\r\n\r\n"), "read-headers"),
}


@pytest.mark.parametrize("name", SILENT)
async def test_a_server_that_does_not_finish_is_a_timeout_of_the_phase_it_came_to(name: str) -> None:
    script, phase = SILENT[name]
    async with serving(script) as server:
        answer = await ask(server.url(), deadline_seconds=DEADLINE)
    assert answer.result == Finding(HealthClass.TIMEOUT, f"timed out during {phase}")
    assert DEADLINE * 0.9 < answer.latency_seconds < 5
    assert (answer.first_byte_seconds is not None) is (phase == "read-body")


async def test_a_server_that_does_not_take_the_request_is_a_timeout_of_writing() -> None:
    async with serving(stall) as server:
        large = ProbeRequest("POST", "/", body=b"x" * 20_000_000)
        finding = finding_in(await ask(server.url(), large, deadline_seconds=DEADLINE))
    assert finding == Finding(HealthClass.TIMEOUT, "timed out during write")


BROKEN = {
    "reset after the request": (then_reset(), "connection reset during read-headers"),
    "reset in the headers": (then_reset(b"HTTP/1.1 200 OK\r\nx-"), "connection reset during read-headers"),
    "reset in the body": (then_reset(HEAD + b"half"), "connection reset during read-body"),
    "closed after the request": (once(b""), "connection closed during read-headers"),
    "closed in the headers": (once(b"HTTP/1.1 200 OK\r\nx-"), "connection closed during read-headers"),
    "closed before the promised length": (once(HEAD + b"half"), "connection closed during read-body"),
    "closed in a chunk": (once(CHUNKED + b"9\r\nhalf"), "connection closed during read-body"),
    "closed before the last chunk": (once(CHUNKED + b"2\r\nok\r\n"), "connection closed during read-body"),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_a_connection_that_breaks_is_a_reset_of_the_phase_it_came_to(name: str) -> None:
    script, why = BROKEN[name]
    async with serving(script) as server:
        finding = finding_in(await ask(server.url()))
    assert finding == Finding(HealthClass.RESET, why)


@pytest.mark.parametrize("script", [close_at_once, reset_at_once], ids=["closed", "reset"])
async def test_a_connection_that_breaks_before_the_request_is_a_reset(script: Script) -> None:
    async with serving(script) as server:
        finding = finding_in(await ask(server.url()))
    assert finding.health_class is HealthClass.RESET


MALFORMED = {
    "another protocol that speaks first": (
        speaking_first(b"220 mail.test ESMTP\r\n\r\n"),
        "malformed HTTP during read-headers",
    ),
    "binary": (once(b"\x00\x00\x12\x04\x00\x00\x00\x00\x00\r\n\r\n"), "malformed HTTP during read-headers"),
    "a TLS alert": (once(b"\x15\x03\x01\x00\x02\x02\x46\r\n\r\n"), "malformed HTTP during read-headers"),
    "no status": (once(b"HTTP/1.1\r\n\r\n"), "malformed HTTP during read-headers"),
    "a page without headers": (once(b"<html>\r\n\r\n</html>"), "malformed HTTP during read-headers"),
    "a length that is none": (once(HEAD.replace(b"100", b"-1")), "malformed HTTP during read-headers"),
    "two lengths": (once(HEAD.replace(b"100", b"1\r\ncontent-length: 2")), "malformed HTTP during read-headers"),
    "a chunk size that is none": (once(CHUNKED + b"zz\r\n"), "malformed HTTP during read-body"),
    "an unknown encoding": (
        once(b"HTTP/1.1 200 OK\r\ncontent-encoding: br\r\ncontent-length: 1\r\n\r\nx"),
        "the answer's content encoding cannot be read",
    ),
    "an encoding that is not true": (
        once(b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\nabcd"),
        "the answer's content encoding cannot be read",
    ),
    "an encoded body that ends too soon": (
        once(b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(HALF_GZIP) + HALF_GZIP),
        "the answer's content encoding cannot be read",
    ),
}


@pytest.mark.parametrize("name", MALFORMED)
async def test_what_is_not_http_is_a_fault_of_protocol(name: str) -> None:
    script, why = MALFORMED[name]
    async with serving(script) as server:
        finding = finding_in(await ask(server.url()))
    assert finding.health_class is HealthClass.PROTOCOL, finding
    assert finding.why.startswith(why)
