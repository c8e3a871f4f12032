"""Each fault as a client meets it, over real sockets, on fresh and on kept-alive connections."""

import asyncio
import time
from collections.abc import AsyncIterator

import httpx
import pytest

from providerswitch.demo.fakes import FORMATS, FakeProvider, Fault

ALL_KEYS = {"authorization": "Bearer k", "x-api-key": "k", "x-goog-api-key": "k", "anthropic-version": "2023-06-01"}
UNBILLED = {"openai": "/v1/models", "anthropic": "/v1/models", "google": "/v1beta/models", "jina": "/v1/models"}

ERRORS = {
    httpx.ConnectError: Fault.REFUSE,
    httpx.ReadError: Fault.RESET,
    httpx.ReadTimeout: Fault.HANG,
    httpx.RemoteProtocolError: Fault.GARBAGE,
}
STATUSES = {
    ("openai", Fault.SERVER_ERROR): (500, "server_error"),
    ("openai", Fault.OVERLOADED): (503, "server_is_overloaded"),
    ("openai", Fault.RATE_LIMITED): (429, "rate_limit_exceeded"),
    ("openai", Fault.BAD_KEY): (401, "invalid_api_key"),
    ("openai", Fault.QUOTA_EXHAUSTED): (429, "insufficient_quota"),
    ("openai", Fault.MODEL_UNAVAILABLE): (404, "model_not_found"),
    ("openai", Fault.HTML_PROXY): (502, "<html>"),
    ("openai", Fault.ERROR_IN_200): (200, "server_error"),
    ("anthropic", Fault.OVERLOADED): (529, "overloaded_error"),
    ("anthropic", Fault.BAD_KEY): (401, "authentication_error"),
    ("anthropic", Fault.QUOTA_EXHAUSTED): (400, "credit balance is too low"),
    ("google", Fault.BAD_KEY): (400, "API_KEY_INVALID"),
    ("google", Fault.RATE_LIMITED): (429, '"retryDelay": "7s"'),
    ("google", Fault.QUOTA_EXHAUSTED): (429, "PerDay"),
    ("jina", Fault.BAD_KEY): (401, "AUTH_INVALID_API_KEY"),
    ("jina", Fault.QUOTA_EXHAUSTED): (403, "AUTHZ_INSUFFICIENT_BALANCE"),
}


@pytest.fixture(params=["fresh", "kept-alive"])
def connection(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(headers=ALL_KEYS, timeout=0.3) as client:
        yield client


async def ask(client: httpx.AsyncClient, fake: FakeProvider) -> httpx.Response:
    return await client.get(f"http://{fake.host}{UNBILLED[fake.kind]}")


async def begin(client: httpx.AsyncClient, fake: FakeProvider, connection: str) -> None:
    if connection == "kept-alive":
        assert (await ask(client, fake)).status_code == 200


@pytest.mark.parametrize("fault", ERRORS.values(), ids=str)
async def test_a_broken_connection_raises_the_error_of_its_kind(
    client: httpx.AsyncClient, fault: Fault, connection: str
) -> None:
    error = next(kind for kind, known in ERRORS.items() if known is fault)
    async with FakeProvider("openai") as fake:
        await begin(client, fake, connection)
        await fake.behave(fault, seconds=7)
        with pytest.raises((error, httpx.WriteError) if fault is Fault.RESET else error):
            await ask(client, fake)


async def test_an_answer_may_end_midway(client: httpx.AsyncClient, connection: str) -> None:
    async with FakeProvider("openai") as fake:
        await begin(client, fake, connection)
        await fake.behave(Fault.CLOSE_MIDWAY)
        with pytest.raises(httpx.RemoteProtocolError, match=r"incomplete|closed"):
            await ask(client, fake)


@pytest.mark.parametrize(("kind", "fault"), STATUSES, ids=str)
async def test_an_error_has_the_status_and_words_of_the_real_one(
    client: httpx.AsyncClient, kind: str, fault: Fault, connection: str
) -> None:
    async with FakeProvider(kind) as fake:
        await begin(client, fake, connection)
        await fake.behave(fault, seconds=7)
        reply = await ask(client, fake)
    status, words = STATUSES[kind, fault]
    assert (reply.status_code, words in reply.text) == (status, True)


@pytest.mark.parametrize("kind", ["openai", "anthropic", "jina"])
async def test_a_rate_limit_says_how_long_to_wait(client: httpx.AsyncClient, kind: str) -> None:
    async with FakeProvider(kind) as fake:
        await fake.behave(Fault.RATE_LIMITED, seconds=7)
        assert (await ask(client, fake)).headers["retry-after"] == "7"


async def test_truncated_json_comes_in_a_complete_answer(client: httpx.AsyncClient) -> None:
    async with FakeProvider("openai") as fake:
        await fake.behave(Fault.TRUNCATED)
        reply = await ask(client, fake)
    with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
        reply.json()


async def test_a_slow_answer_is_right_but_late(client: httpx.AsyncClient) -> None:
    async with FakeProvider("openai") as fake:
        await fake.behave(Fault.SLOW, seconds=0.1)
        begun = time.monotonic()
        assert (await ask(client, fake)).status_code == 200
        assert time.monotonic() - begun >= 0.1


@pytest.mark.parametrize("fault", Fault, ids=str)
async def test_healing_restores_the_same_port(client: httpx.AsyncClient, fault: Fault) -> None:
    async with FakeProvider("openai") as fake:
        address = fake.base_url
        await fake.behave(fault)
        await fake.behave(Fault.HEALTHY)
        assert (await ask(client, fake)).status_code == 200
        assert fake.base_url == address


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault not in {Fault.HEALTHY, Fault.REFUSE}], ids=str)
async def test_the_first_failure_is_timed(client: httpx.AsyncClient, fault: Fault) -> None:
    async with FakeProvider("openai") as fake:
        await fake.behave(fault)
        assert fake.first_failure_at is None
        before = time.monotonic()
        await asyncio.gather(ask(client, fake), return_exceptions=True)
        first = fake.first_failure_at
        await asyncio.gather(ask(client, fake), return_exceptions=True)
        assert before < first < time.monotonic()
        assert (fake.first_failure_at, fake.log[-1].fault) == (first, fault)


async def test_stopping_waits_for_nobody(client: httpx.AsyncClient) -> None:
    fake = FakeProvider("openai")
    await fake.start()
    await fake.behave(Fault.SLOW, seconds=60)
    waiting = asyncio.create_task(ask(client, fake))
    while fake.first_failure_at is None:
        await asyncio.wait([waiting], timeout=0.01)
    async with asyncio.timeout(1):
        await fake.stop()
    with pytest.raises(httpx.TransportError):
        await waiting


async def test_nobody_else_gets_the_port_during_a_refusal() -> None:
    async with FakeProvider("openai") as fake:
        await fake.behave(Fault.REFUSE)
        with pytest.raises(OSError, match="in use"):
            await asyncio.start_server(lambda *_: None, "127.0.0.1", fake.port)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize(
    "request_bytes", [b"\r\n\r\n", b"GET\r\n\r\n", b"POST / HTTP/1.1\r\ncontent-length: x\r\n\r\n"]
)
async def test_a_client_that_speaks_no_http_is_cut_off(kind: str, request_bytes: bytes) -> None:
    async with FakeProvider(kind) as fake:
        reader, writer = await asyncio.open_connection("127.0.0.1", fake.port)
        writer.write(request_bytes)
        assert await asyncio.wait_for(_rest(reader), 1) == b""
        writer.close()


async def _rest(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""
