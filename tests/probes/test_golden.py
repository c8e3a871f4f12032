"""One golden prompt, asked over a real socket: from the request to the verdict."""

import asyncio
import json
import logging
from datetime import timedelta
from typing import Any, NoReturn

import pytest
from tests.support.eventually import eventually
from tests.support.fault_server import FaultServer, Script, always, refusing, serving, stall
from tests.support.played_answers import CATS, FRANCE, chatting, embedding, packed
from tests.support.transports import LOOPBACK, ordinary_trust

from providerswitch.api.health_check import GoldenPrompt
from providerswitch.api.provider_types import ProviderTypeName
from providerswitch.core.outcome import Usage
from providerswitch.demo.fakes import FakeProvider
from providerswitch.probes.exchange import SecretKey
from providerswitch.probes.golden import DIALECTS, golden_asker
from providerswitch.probes.golden_answer import Asked
from providerswitch.probes.target import ProbeTarget
from providerswitch.probes.transport import ProbeTransport

KEY = "sk-secret-4711"


def connect(target: ProbeTarget) -> ProbeTransport:
    """Open the connection of a target."""
    return ProbeTransport(target.base_url, ssl_context=ordinary_trust(), rules=LOOPBACK, keepalive_seconds=60)


def target_at(
    url: str,
    kind: ProviderTypeName = ProviderTypeName.OPENAI,
    *,
    model: str | None = None,
    headers: tuple[tuple[str, str], ...] = (),
) -> ProbeTarget:
    """Return the target that a policy would make of a server."""
    return ProbeTarget(kind, url, SecretKey(KEY), model, headers=headers)


async def ask(target: ProbeTarget, golden: GoldenPrompt = FRANCE, *, deadline: timedelta | None = None) -> Asked:
    """Ask once."""
    return await golden_asker(connect, deadline=deadline or timedelta(seconds=5))(target, golden)


def saying(document: Any, status: int = 200) -> Script:
    """Answer everything with a JSON document."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    head = f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return always(head.encode() + body)


def request_to(server: FaultServer) -> tuple[str, dict[str, str], dict[str, Any]]:
    """Return path, headers and body of the only request that a server got."""
    (raw,) = server.requests
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return first.split()[1], headers, json.loads(body)


async def test_a_good_answer_passes_and_tells_what_it_cost() -> None:
    async with serving(saying(chatting("It is Paris."))) as server:
        assert await ask(target_at(server.url())) == Asked(True, "as expected", Usage(9, 4))


async def test_fast_nonsense_fails_and_costs_all_the_same() -> None:
    async with serving(saying(chatting("banana banana banana"))) as server:
        assert await ask(target_at(server.url())) == Asked(False, "the expected words are missing", Usage(9, 4))


BEARER = ("authorization", f"bearer {KEY}")
CHATS = {
    ProviderTypeName.OPENAI: ("/chat/completions", BEARER, "gpt-4.1-nano", "max_completion_tokens"),
    ProviderTypeName.ANTHROPIC: ("/v1/chat/completions", BEARER, "claude-haiku-4-5", "max_tokens"),
    ProviderTypeName.GOOGLE: ("/v1beta/openai/chat/completions", BEARER, "gemini-2.5-flash-lite", "max_tokens"),
    ProviderTypeName.AZURE_OPENAI: (
        "/openai/v1/chat/completions",
        ("api-key", KEY),
        "gpt-4o-mini",
        "max_completion_tokens",
    ),
    ProviderTypeName.OPENAI_COMPATIBLE: ("/chat/completions", BEARER, None, "max_tokens"),
    ProviderTypeName.VLLM: ("/v1/chat/completions", BEARER, None, "max_tokens"),
    ProviderTypeName.OLLAMA: ("/v1/chat/completions", BEARER, None, "max_tokens"),
}


@pytest.mark.parametrize("kind", CHATS)
async def test_every_type_is_asked_as_its_consumers_ask_it(kind: ProviderTypeName) -> None:
    path, credential, model, limit = CHATS[kind]
    async with serving(saying(chatting("Paris"))) as server:
        assert (await ask(target_at(server.url(), kind, headers=(("x-team", "blue"),)))).passed
        asked_path, headers, body = request_to(server)
    assert asked_path == path
    assert credential in headers.items()
    assert headers["x-team"] == "blue"
    messages = [{"role": "user", "content": "What is the capital of France?"}]
    assert body == ({"model": model} if model else {}) | {"messages": messages, limit: 256}


async def test_the_key_of_azure_goes_nowhere_else() -> None:
    async with serving(saying(chatting("Paris"))) as server:
        await ask(target_at(server.url(), ProviderTypeName.AZURE_OPENAI))
        assert "authorization" not in request_to(server)[1]


@pytest.mark.parametrize("kind", CHATS)
async def test_the_model_of_the_policy_is_asked(kind: ProviderTypeName) -> None:
    async with serving(saying(chatting("Paris"))) as server:
        await ask(target_at(server.url(), kind, model="my-model"))
        assert request_to(server)[2]["model"] == "my-model"


@pytest.mark.parametrize("kind", CHATS)
async def test_without_a_key_none_is_sent(kind: ProviderTypeName) -> None:
    async with serving(saying(chatting("Paris"))) as server:
        await ask(ProbeTarget(kind, server.url()))
        assert not {"authorization", "api-key"} & request_to(server)[1].keys()


def test_every_type_is_either_asked_or_named_as_one_that_cannot_be() -> None:
    assert set(ProviderTypeName) - DIALECTS.keys() == {ProviderTypeName.HTTP}


EMBEDS = {
    ProviderTypeName.OPENAI: ("/embeddings", "encoding_format"),
    ProviderTypeName.GOOGLE: ("/v1beta/openai/embeddings", "encoding_format"),
    ProviderTypeName.JINA: ("/embeddings", "embedding_type"),
    ProviderTypeName.AZURE_OPENAI: ("/openai/v1/embeddings", "encoding_format"),
    ProviderTypeName.OPENAI_COMPATIBLE: ("/embeddings", "encoding_format"),
    ProviderTypeName.VLLM: ("/v1/embeddings", "encoding_format"),
    ProviderTypeName.OLLAMA: ("/v1/embeddings", "encoding_format"),
}


@pytest.mark.parametrize("kind", EMBEDS)
async def test_both_texts_are_embedded_in_one_request(kind: ProviderTypeName) -> None:
    path, encoding = EMBEDS[kind]
    async with serving(saying(embedding(packed(1, 0.1), packed(1, 0)))) as server:
        asked = await ask(target_at(server.url(), kind, model="some-embedding-model"), CATS)
        asked_path, _, body = request_to(server)
    assert asked == Asked(True, "as expected", Usage(7, 0))
    assert asked_path == path
    assert body == {"model": "some-embedding-model", "input": ["a lion", "a big cat"], encoding: "base64"}


async def test_two_long_vectors_fit_into_what_is_read_of_an_answer() -> None:
    longest = packed(*[0.5] * 3072), packed(*[0.5] * 3071, 0.4)
    async with serving(saying(embedding(*longest))) as server:
        assert (await ask(target_at(server.url(), model="text-embedding-3-large"), CATS)).passed


async def test_jina_has_a_model_for_vectors_of_its_own() -> None:
    async with serving(saying(embedding([1, 0.1], [1, 0]))) as server:
        assert (await ask(target_at(server.url(), ProviderTypeName.JINA), CATS)).passed
        assert request_to(server)[2]["model"] == "jina-embeddings-v3"


@pytest.mark.parametrize("kind", ["openai", "anthropic", "google"])
async def test_the_real_wire_formats_answer(kind: str) -> None:
    golden = GoldenPrompt.model_validate({"prompt": "Say something.", "expect": {"regex": r"\w"}})
    async with FakeProvider(kind, key="good") as fake:
        target = ProbeTarget(ProviderTypeName(fake.kind), fake.base_url, SecretKey("good"))
        assert (await ask(target, golden)).passed
        wrong_key = await ask(ProbeTarget(ProviderTypeName(fake.kind), fake.base_url, SecretKey("bad")), golden)
        no_key = await ask(ProbeTarget(ProviderTypeName(fake.kind), fake.base_url), golden)
    assert (wrong_key.passed, no_key.passed) == (None, None)


SKIPPED = {
    "a plain http check": (ProviderTypeName.HTTP, None, FRANCE, "a provider of type http answers no prompts"),
    "words of a type that only embeds": (ProviderTypeName.JINA, None, FRANCE, "a provider of type jina gives no text"),
    "vectors of a type that only chats": (
        ProviderTypeName.ANTHROPIC,
        None,
        CATS,
        "a provider of type anthropic gives no vectors",
    ),
    "words of a model that embeds": (
        ProviderTypeName.OPENAI,
        "text-embedding-3-small",
        FRANCE,
        "its model is for embeddings and gives no text",
    ),
    "vectors of a model that reranks": (
        ProviderTypeName.JINA,
        "jina-reranker-v2-base-multilingual",
        CATS,
        "its model is for rerank and gives no vectors",
    ),
    "vectors of nobody knows what": (
        ProviderTypeName.VLLM,
        None,
        CATS,
        "the policy names no embedding model of this provider",
    ),
    "a prompt that expects nothing": (
        ProviderTypeName.OPENAI,
        None,
        GoldenPrompt.model_validate({"prompt": "?", "expect": {}}),
        "expect expects nothing, so any nonsense would pass. Set contains, regex, json or embeddingNear.",
    ),
}


@pytest.mark.parametrize("case", SKIPPED)
async def test_what_cannot_be_answered_is_not_sent(case: str) -> None:
    kind, model, golden, why = SKIPPED[case]

    def open_nothing(_: ProbeTarget) -> NoReturn:
        pytest.fail("nothing should be sent")

    asked = await golden_asker(open_nothing)(target_at("http://127.0.0.1:1", kind, model=model), golden)
    assert asked == Asked(None, f"not asked: {why}")


async def test_a_provider_that_is_down_is_not_called_stupid() -> None:
    with refusing() as url:
        asked = await ask(target_at(url))
    assert asked == Asked(None, "no answer: connection refused")


async def test_a_provider_that_hangs_is_left_at_the_deadline() -> None:
    async with serving(stall) as server, asyncio.timeout(2):
        asked = await ask(target_at(server.url()), deadline=timedelta(milliseconds=100))
    assert asked.passed is None
    assert asked.why.startswith("no answer: timed out")


async def test_no_connection_is_left_open() -> None:
    async with serving(saying(chatting("Paris"))) as server:
        await ask(target_at(server.url()))
        await ask(target_at(server.url()))
        assert server.accepted == 2
        await eventually(lambda: server.held == 0)


async def test_a_question_that_is_called_off_leaves_no_connection_open() -> None:
    async with serving(stall) as server:
        asking = asyncio.create_task(ask(target_at(server.url())))
        await eventually(lambda: server.accepted == 1)
        asking.cancel()
        await asyncio.wait([asking])
        assert asking.cancelled()
        await eventually(lambda: server.held == 0)


@pytest.mark.parametrize("status", [200, 400, 401, 500])
async def test_neither_the_key_nor_the_answer_is_shown_anywhere(status: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    answer = chatting(f"my-private-answer {KEY}", refusal=KEY)
    document = answer if status == 200 else {"error": {"message": f"bad key {KEY} my-private-answer", "code": KEY}}
    async with serving(saying(document, status)) as server:
        asked = await ask(target_at(server.url()))
    shown = repr(asked) + "".join(record.getMessage() for record in caplog.records)
    assert KEY not in shown
    assert "my-private-answer" not in shown
