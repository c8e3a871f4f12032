"""A probe takes a bounded amount of time and memory, whatever the host sends."""

import gzip
import tracemalloc
import zlib
from collections.abc import Iterator

import pytest
from tests.support.fault_server import CHUNK, always, forever, once, serving, then_hang
from tests.support.transports import GET, ask, finding_in, opened, reply_in

from providerswitch.api.health import HealthClass
from providerswitch.probes.transport import MAX_BODY_BYTES

MEGABYTE = 1 << 20
ENDLESS = b"HTTP/1.1 200 OK\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


def with_length(body: bytes, *headers: bytes) -> bytes:
    return b"\r\n".join([b"HTTP/1.1 200 OK", b"content-length: %d" % len(body), *headers, b"", b""]) + body


def zipped_gigabyte() -> bytes:
    """Return the beginning of a gzip file of a gigabyte of zeros: one block, repeated."""
    stream = zlib.compressobj(9, wbits=-15)
    block = stream.compress(bytes(MEGABYTE)) + stream.flush(zlib.Z_FULL_FLUSH)
    return gzip.compress(b"")[:10] + block * 1024


@pytest.fixture
def measured() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


async def test_a_body_of_just_the_limit_is_whole() -> None:
    async with serving(once(with_length(b"x" * MAX_BODY_BYTES))) as server:
        reply = reply_in(await ask(server.url()))
    assert (len(reply.body), reply.truncated) == (MAX_BODY_BYTES, False)


ENDLESS_BODIES = {
    "one byte too many": once(with_length(b"x" * (MAX_BODY_BYTES + 1))),
    "promised and long": once(with_length(b"x" * MEGABYTE)),
    "promised and never sent": then_hang(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n" + b"x" * 70_000),
    "endless": forever(ENDLESS),
    "endless in chunks": forever(CHUNKED, b"2000\r\n" + CHUNK + b"\r\n"),
    "endless in small chunks": forever(CHUNKED, b"8\r\n12345678\r\n" * 100),
}


@pytest.mark.parametrize("name", ENDLESS_BODIES)
async def test_a_longer_body_is_cut_and_what_is_left_is_not_waited_for(name: str) -> None:
    async with serving(ENDLESS_BODIES[name]) as server, opened(server.url()) as transport:
        reply = reply_in(await transport.ask(GET, deadline_seconds=5))
        assert (reply.status, len(reply.body), reply.truncated) == (200, MAX_BODY_BYTES, True)


async def test_the_rest_of_a_cut_body_is_not_taken_for_the_next_answer() -> None:
    async with serving(always(with_length(b"x" * MEGABYTE))) as server, opened(server.url()) as transport:
        for _ in range(2):
            assert reply_in(await transport.ask(GET, deadline_seconds=5)).truncated
        assert server.accepted == 2


@pytest.mark.parametrize("encoding", [b"gzip", b"x-gzip", b"GZIP", b"deflate"])
async def test_an_encoding_nobody_asked_for_is_undone(encoding: bytes) -> None:
    body = zlib.compress(b"hello") if encoding == b"deflate" else gzip.compress(b"hello")
    async with serving(once(with_length(body, b"content-encoding: " + encoding))) as server:
        assert reply_in(await ask(server.url())).body == b"hello"


async def test_an_encoded_answer_without_a_body_is_no_fault() -> None:
    async with serving(once(with_length(b"", b"content-encoding: gzip"))) as server:
        assert reply_in(await ask(server.url())).body == b""


async def test_a_gigabyte_in_a_few_bytes_stays_small(measured: None) -> None:
    async with serving(once(with_length(zipped_gigabyte(), b"content-encoding: gzip"))) as server:
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        reply = reply_in(await ask(server.url()))
        _, peak = tracemalloc.get_traced_memory()
    assert (reply.body, reply.truncated) == (bytes(MAX_BODY_BYTES), True)
    assert peak - before < 4 * MEGABYTE


async def test_an_encoded_body_that_brings_nothing_is_cut_by_what_was_received() -> None:
    empty_blocks = b"\x00\x00\x00\xff\xff" * 2000
    head = CHUNKED.replace(b"\r\n\r\n", b"\r\ncontent-encoding: deflate\r\n\r\n") + b"2\r\n\x78\x9c\r\n"
    script = forever(head, b"%x\r\n" % len(empty_blocks) + empty_blocks + b"\r\n")
    async with serving(script) as server:
        reply = reply_in(await ask(server.url()))
    assert (reply.body, reply.truncated) == (b"", True)


HEADERS = {
    "endless": forever(b"HTTP/1.1 200 OK\r\n", b"x-more: and more\r\n" * 100),
    "one that never ends": forever(b"HTTP/1.1 200 OK\r\nx-long: "),
    "a status line that never ends": forever(b"HTTP/1.1 200 "),
    "large": once(b"HTTP/1.1 200 OK\r\nx-large: " + b"x" * MEGABYTE + b"\r\n\r\n"),
}


@pytest.mark.parametrize("name", HEADERS)
async def test_headers_beyond_all_measure_are_malformed(name: str, measured: None) -> None:
    async with serving(HEADERS[name]) as server:
        answer = await ask(server.url())
        _, peak = tracemalloc.get_traced_memory()
    assert finding_in(answer).health_class is HealthClass.PROTOCOL
    assert finding_in(answer).why == "malformed HTTP during read-headers"
    assert peak < 8 * MEGABYTE


async def test_interim_answers_without_end_are_given_up_at_the_deadline() -> None:
    async with serving(forever(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100)) as server:
        answer = await ask(server.url(), deadline_seconds=0.3)
    assert finding_in(answer).health_class is HealthClass.TIMEOUT
    assert answer.latency_seconds < 5
