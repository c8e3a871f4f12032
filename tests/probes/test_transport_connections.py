"""How a transport keeps, reuses and gives up its connection."""

import asyncio
import contextlib

import pytest
from tests.support.eventually import eventually
from tests.support.fault_server import (
    HOST,
    OK,
    Connection,
    Script,
    always,
    answer_first_request_only,
    close_at_once,
    once,
    overrun,
    serving,
    stall,
    then_hang,
)
from tests.support.transports import GET, POST, finding_in, opened, reply_in, resolving

from providerswitch.api.health import HealthClass
from providerswitch.probes.exchange import Finding, ProbeRequest

OTHER = "127.0.0.2"
HALF = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf"


async def test_a_connection_is_kept_for_the_next_probe() -> None:
    async with serving(always(OK)) as server, opened(server.url()) as transport:
        for request in (GET, POST, GET):
            assert reply_in(await transport.ask(request, deadline_seconds=5)).status == 200
        assert (server.accepted, len(server.requests)) == (1, 3)


async def test_a_connection_kept_too_long_is_replaced() -> None:
    async with serving(always(OK)) as server, opened(server.url(), keepalive_seconds=0) as transport:
        for _ in range(2):
            await transport.ask(GET, deadline_seconds=5)
        assert server.accepted == 2
        await eventually(lambda: server.held <= 1)


@pytest.mark.parametrize("header", [b"connection: close", b"Connection: Close"])
async def test_a_connection_the_server_wants_closed_is_not_kept(header: bytes) -> None:
    answer = OK.replace(b"\r\n\r\n", b"\r\n" + header + b"\r\n\r\n")
    async with serving(always(answer)) as server, opened(server.url()) as transport:
        for _ in range(2):
            assert reply_in(await transport.ask(GET, deadline_seconds=5)).status == 200
        assert server.accepted == 2


async def test_a_server_that_closes_after_each_answer_is_well() -> None:
    async with serving(once(OK)) as server, opened(server.url()) as transport:
        for _ in range(3):
            assert reply_in(await transport.ask(GET, deadline_seconds=5)).status == 200


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_kept_connection_that_died_is_replaced_and_the_request_sent_again(method: str) -> None:
    answers_once_each = answer_first_request_only
    async with serving(answers_once_each) as server, opened(server.url()) as transport:
        request = ProbeRequest(method, "/")
        await transport.ask(GET, deadline_seconds=5)
        assert reply_in(await transport.ask(request, deadline_seconds=5)).status == 200
        assert (server.accepted, len(server.requests)) == (2, 3)


async def test_a_billed_request_is_never_sent_twice() -> None:
    async with serving(answer_first_request_only) as server, opened(server.url()) as transport:
        await transport.ask(GET, deadline_seconds=5)
        finding = finding_in(await transport.ask(POST, deadline_seconds=5))
        assert finding == Finding(HealthClass.RESET, "connection closed during read-headers")
        assert [request.split()[0] for request in server.requests] == [b"GET", b"POST"]


async def test_a_request_is_sent_again_only_once() -> None:
    async def answer_the_first_connection_only(connection: Connection) -> None:
        await connection.request()
        if connection.server.accepted == 1:
            await connection.send(OK)
            await connection.request()

    async with serving(answer_the_first_connection_only) as server, opened(server.url()) as transport:
        await transport.ask(GET, deadline_seconds=5)
        finding = finding_in(await transport.ask(GET, deadline_seconds=5))
        assert finding.health_class is HealthClass.RESET
        assert len(server.requests) == 3


async def test_a_new_connection_that_breaks_is_a_failure_at_once() -> None:
    async with serving(once(b"")) as server, opened(server.url()) as transport:
        assert finding_in(await transport.ask(GET, deadline_seconds=5)).health_class is HealthClass.RESET
        assert len(server.requests) == 1


async def test_a_kept_connection_that_breaks_within_its_answer_is_a_failure() -> None:
    async def answer_half_the_second_time(connection: Connection) -> None:
        await connection.request()
        await connection.send(OK)
        await connection.request()
        await connection.send(HALF)

    async with serving(answer_half_the_second_time) as server, opened(server.url()) as transport:
        await transport.ask(GET, deadline_seconds=5)
        finding = finding_in(await transport.ask(GET, deadline_seconds=5))
        assert finding == Finding(HealthClass.RESET, "connection closed during read-body")
        assert len(server.requests) == 2


async def test_nonsense_on_a_kept_connection_is_an_answer_and_is_not_asked_for_again() -> None:
    async def answer_nonsense_the_second_time(connection: Connection) -> None:
        await connection.request()
        await connection.send(OK)
        await connection.request()
        await connection.send(b"nonsense\r\n\r\n")
        await connection.hang()

    async with serving(answer_nonsense_the_second_time) as server, opened(server.url()) as transport:
        await transport.ask(GET, deadline_seconds=5)
        assert finding_in(await transport.ask(GET, deadline_seconds=5)).health_class is HealthClass.PROTOCOL
        assert len(server.requests) == 2


async def test_a_kept_connection_that_falls_silent_is_not_waited_for_twice() -> None:
    async def answer_the_first_request(connection: Connection) -> None:
        await connection.request()
        await connection.send(OK)
        await connection.request()
        await connection.hang()

    async with serving(answer_the_first_request) as server, opened(server.url()) as transport:
        await transport.ask(GET, deadline_seconds=5)
        answer = await transport.ask(GET, deadline_seconds=0.3)
        assert finding_in(answer) == Finding(HealthClass.TIMEOUT, "timed out during read-headers")
        assert answer.latency_seconds < 5
        assert len(server.requests) == 2


GIVEN_UP = {"silent": stall, "silent after the request": then_hang(), "silent in the body": then_hang(HALF)}


@pytest.mark.parametrize("name", GIVEN_UP)
async def test_the_connection_of_a_probe_that_failed_is_closed_and_not_used_again(name: str) -> None:
    async with serving(GIVEN_UP[name]) as server, opened(server.url()) as transport:
        for number in (1, 2):
            await transport.ask(GET, deadline_seconds=0.1)
            assert server.accepted == number
            await eventually(lambda: server.held == 0)


@pytest.mark.parametrize("name", GIVEN_UP)
async def test_a_cancelled_probe_closes_its_connection_and_frees_its_turn(name: str) -> None:
    async with serving(GIVEN_UP[name]) as server, opened(server.url()) as transport:
        probe = asyncio.create_task(transport.ask(GET, deadline_seconds=60))
        await eventually(lambda: server.held == 1)
        probe.cancel()
        with pytest.raises(asyncio.CancelledError):
            await probe
        await eventually(lambda: server.held == 0)
        assert finding_in(await transport.ask(GET, deadline_seconds=0.1)).health_class is HealthClass.TIMEOUT


async def test_a_probe_cancelled_in_a_tls_handshake_closes_its_connection() -> None:
    async with serving(stall) as server, opened(server.url("provider.test", scheme="https")) as transport:
        probe = asyncio.create_task(transport.ask(GET, deadline_seconds=60))
        await eventually(lambda: server.held == 1)
        probe.cancel()
        with pytest.raises(asyncio.CancelledError):
            await probe
        await eventually(lambda: server.held == 0)


async def test_only_one_probe_is_under_way_and_the_deadline_counts_from_its_turn() -> None:
    under_way: list[int] = []

    async def answer_slowly(connection: Connection) -> None:
        while await connection.request():
            under_way.append(sum(not seen.reader.other_side_gone for seen in connection.server.connections))
            for _ in range(5):
                await connection.pause()
            await connection.send(OK)

    async with serving(answer_slowly) as server, opened(server.url()) as transport:
        answers = await asyncio.gather(*(transport.ask(GET, deadline_seconds=0.5) for _ in range(8)))
        assert [reply_in(answer).status for answer in answers] == [200] * 8
        assert under_way == [1] * 8
        assert server.accepted == 1


async def test_closing_ends_the_kept_connection_after_the_probe_under_way() -> None:
    async with serving(always(OK)) as server, opened(server.url()) as transport:
        probe = asyncio.create_task(transport.ask(GET, deadline_seconds=5))
        await asyncio.sleep(0)
        await transport.aclose()
        assert reply_in(await probe).status == 200
        await eventually(lambda: server.held == 0)
        await transport.aclose()


async def test_an_upgrade_that_nobody_asked_for_is_malformed_and_ends_the_connection() -> None:
    switching = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n"
    async with serving(always(switching)) as server, opened(server.url()) as transport:
        finding = finding_in(await transport.ask(GET, deadline_seconds=5))
        assert finding.health_class is HealthClass.PROTOCOL
        await eventually(lambda: server.held == 0)


async def test_an_address_that_refuses_is_passed_over() -> None:
    async with (
        serving(always(OK)) as server,
        opened(server.url("provider.test"), resolve=resolving([OTHER, HOST])) as transport,
    ):
        assert reply_in(await transport.ask(GET, deadline_seconds=5)).status == 200


async def test_an_address_that_takes_no_connection_costs_only_its_share_of_the_deadline() -> None:
    async with (
        serving(always(OK)) as server,
        opened(server.url("x.test"), resolve=resolving([OTHER, HOST])) as transport,
    ):
        with overrun(OTHER, server.port):
            answer = await transport.ask(GET, deadline_seconds=2)
        assert reply_in(answer).status == 200
        assert 0.9 < answer.latency_seconds < 2


async def test_when_no_address_takes_the_connection_the_one_that_refused_tells_most() -> None:
    with overrun(OTHER) as url:
        port = url.rpartition(":")[2]
        async with opened(f"http://x.test:{port}", resolve=resolving([OTHER, HOST])) as transport:
            answer = await transport.ask(GET, deadline_seconds=0.4)
    assert finding_in(answer) == Finding(HealthClass.CONNECT_REFUSED, "connection refused")


async def test_at_most_four_addresses_are_tried() -> None:
    tried = [f"127.0.0.{last}" for last in (2, 3, 4, 5)]
    async with (
        serving(always(OK)) as server,
        opened(server.url("x.test"), resolve=resolving([*tried, HOST])) as transport,
    ):
        finding = finding_in(await transport.ask(GET, deadline_seconds=5))
    assert finding.health_class is HealthClass.CONNECT_REFUSED
    assert server.accepted == 0


async def test_another_address_is_not_tried_once_one_took_the_connection_even_if_its_handshake_fails() -> None:
    async with serving(close_at_once) as first, serving(close_at_once, host=OTHER, port=first.port) as second:
        url = first.url("x.test", scheme="https")
        async with opened(url, resolve=resolving([HOST, OTHER])) as transport:
            finding = finding_in(await transport.ask(GET, deadline_seconds=5))
        assert finding == Finding(HealthClass.RESET, "connection closed during tls")
        assert (first.accepted, second.accepted) == (1, 0)


@pytest.mark.parametrize("script", [then_hang(), once(b"")], ids=["silent", "broken"])
async def test_another_address_is_not_tried_once_the_request_was_sent(script: Script) -> None:
    async with contextlib.AsyncExitStack() as stack:
        first = await stack.enter_async_context(serving(script))
        second = await stack.enter_async_context(serving(always(OK), host=OTHER, port=first.port))
        transport = await stack.enter_async_context(opened(first.url("x.test"), resolve=resolving([HOST, OTHER])))
        finding_in(await transport.ask(POST, deadline_seconds=0.3))
        assert second.accepted == 0
