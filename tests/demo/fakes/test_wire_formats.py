"""Healthy answers of each wire format, over real sockets."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from providerswitch.controller.clock import utc_now
from providerswitch.core.outcome import Allowance, Usage
from providerswitch.demo.fakes import FORMATS, FakeProvider, Fault, Scope
from providerswitch.probes.allowance import read_allowance
from providerswitch.probes.usage import read_usage

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)

KEY = "sk-right"
BEARER = {"authorization": f"Bearer {KEY}"}
ANTHROPIC = {"x-api-key": KEY, "anthropic-version": "2023-06-01"}
GOOGLE = {"x-goog-api-key": KEY}
CHAT = {"model": "some-model", "messages": [{"role": "user", "content": "hi"}]}
EMBED = {"model": "some-model", "input": ["a", "b"]}

HEALTHY = {
    "openai lists models": ("openai", "GET", "/models", BEARER, None, ("data", 0, "id"), "gpt-4o-mini"),
    "openai shows one model": ("openai", "GET", "/models/gpt-4o", BEARER, None, ("id",), "gpt-4o"),
    "openai chats": ("openai", "POST", "/chat/completions", BEARER, CHAT, ("model",), "some-model"),
    "openai embeds each input": ("openai", "POST", "/embeddings", BEARER, EMBED, ("data", 1, "index"), 1),
    "anthropic lists models": ("anthropic", "GET", "/v1/models", ANTHROPIC, None, ("data", 0, "type"), "model"),
    "anthropic answers messages": ("anthropic", "POST", "/v1/messages", ANTHROPIC, CHAT, ("stop_reason",), "end_turn"),
    "anthropic counts tokens": ("anthropic", "POST", "/v1/messages/count_tokens", ANTHROPIC, CHAT,
                                ("input_tokens",), 8),
    "anthropic chats as openai does": ("anthropic", "POST", "/v1/chat/completions", BEARER, CHAT,
                                       ("object",), "chat.completion"),
    "google lists models": ("google", "GET", "/v1beta/models", GOOGLE, None,
                            ("models", 0, "name"), "models/gemini-2.5-flash"),
    "google generates": ("google", "POST", "/v1beta/models/gemini-2.5-flash:generateContent", GOOGLE, {},
                         ("candidates", 0, "finishReason"), "STOP"),
    "google embeds": ("google", "POST", "/v1beta/models/gemini-embedding-001:embedContent", GOOGLE, {},
                      ("embedding", "values", 0), 0.1),
    "google lists models as openai does": ("google", "GET", "/v1beta/openai/models", BEARER, None, ("object",), "list"),
    "google chats as openai does": ("google", "POST", "/v1beta/openai/chat/completions", BEARER, CHAT,
                                    ("model",), "some-model"),
    "jina lists models without a key": ("jina", "GET", "/models", {}, None, ("object",), "list"),
    "jina embeds": ("jina", "POST", "/embeddings", BEARER, EMBED, ("data", 0, "object"), "embedding"),
    "jina reranks": ("jina", "POST", "/rerank", BEARER, {"model": "m", "documents": ["x"]}, ("results", 0, "index"), 0),
}  # fmt: skip

REFUSED = {
    "openai without a key": ("openai", "GET", "/models", {}, None, 401, ("error", "code"), "invalid_api_key"),
    "openai with another key": ("openai", "GET", "/models", {"authorization": "Bearer no"}, None, 401,
                                ("error", "code"), "invalid_api_key"),
    "openai without a model": ("openai", "POST", "/chat/completions", BEARER, {}, 400,
                               ("error", "type"), "invalid_request_error"),
    "openai for an unknown model": ("openai", "GET", "/models/gpt-9", BEARER, None, 404,
                                    ("error", "code"), "model_not_found"),
    "openai on an unknown path": ("openai", "GET", "/nowhere", BEARER, None, 404, ("error", "code"), "unknown_url"),
    "anthropic with a bad key": ("anthropic", "GET", "/v1/models", {"x-api-key": "no"}, None, 401,
                                 ("error", "type"), "authentication_error"),
    "anthropic without a version": ("anthropic", "GET", "/v1/models", {"x-api-key": KEY}, None, 400,
                                    ("error", "type"), "invalid_request_error"),
    "google with a bad key": ("google", "GET", "/v1beta/models", {"x-goog-api-key": "no"}, None, 400,
                              ("error", "details", 0, "reason"), "API_KEY_INVALID"),
    "jina with a bad key": ("jina", "POST", "/embeddings", {}, EMBED, 401, ("code",), "AUTH_INVALID_API_KEY"),
}  # fmt: skip


def dig(value: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        value = value[step]
    return value


@pytest.mark.parametrize("case", HEALTHY.values(), ids=HEALTHY)
async def test_a_proper_request_gets_the_real_shape(case: tuple[Any, ...]) -> None:
    kind, method, path, headers, body, place, expected = case
    async with FakeProvider(kind, key=KEY) as fake, httpx.AsyncClient(headers=headers) as client:
        reply = await client.request(method, fake.base_url + path, json=body)
    assert (reply.status_code, dig(reply.json(), place), reply.headers["server"]) == (200, expected, kind)


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
async def test_an_improper_request_is_refused_in_the_real_shape(case: tuple[Any, ...]) -> None:
    kind, method, path, headers, body, status, place, expected = case
    async with FakeProvider(kind, key=KEY) as fake, httpx.AsyncClient(headers=headers) as client:
        reply = await client.request(method, fake.base_url + path, json=body)
        assert fake.first_failure_at is None
    assert (reply.status_code, dig(reply.json(), place)) == (status, expected)


async def test_a_stream_comes_in_events_and_ends_with_done() -> None:
    async with FakeProvider("openai") as fake, httpx.AsyncClient(headers=BEARER) as client:
        reply = await client.post(fake.base_url + "/chat/completions", json={**CHAT, "stream": True})
    events = [line for line in reply.text.splitlines() if line]
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert (len(events), events[-1]) == (5, "data: [DONE]")


async def test_a_stream_tells_its_usage_to_those_who_ask() -> None:
    wanted = {**CHAT, "stream": True, "stream_options": {"include_usage": True}}
    async with FakeProvider("openai") as fake, httpx.AsyncClient(headers=BEARER) as client:
        reply = await client.post(fake.base_url + "/chat/completions", json=wanted)
    assert read_usage(reply.content) == Usage(8, 3)


LIMITS = {
    "openai": Allowance(500, 499, 200_000, 199_992),
    "anthropic": Allowance(1000, 999, 450_000, 449_000),
    "google": None,
    "jina": None,
}


@pytest.mark.parametrize("kind", FORMATS)
async def test_each_answer_tells_the_limits_that_the_real_provider_tells(kind: str) -> None:
    async with FakeProvider(kind) as fake, httpx.AsyncClient() as client:
        reply = await client.get(f"http://{fake.host}/")
    found = read_allowance(reply.headers, NOW)
    assert (found and replace(found, reset_at=None)) == LIMITS[kind]


async def test_anthropic_tells_when_a_limit_is_full_again_as_a_moment_soon_to_come() -> None:
    async with FakeProvider("anthropic") as fake, httpx.AsyncClient(headers=ANTHROPIC) as client:
        before = utc_now()
        reply = await client.get(f"{fake.base_url}/v1/models")
    resets = datetime.fromisoformat(reply.headers["anthropic-ratelimit-requests-reset"])
    assert before <= resets <= utc_now() + timedelta(seconds=1)


async def test_a_rate_limited_client_of_anthropic_has_no_request_left() -> None:
    async with FakeProvider("anthropic") as fake, httpx.AsyncClient(headers=ANTHROPIC) as client:
        await fake.behave(Fault.RATE_LIMITED, seconds=7)
        reply = await client.get(f"{fake.base_url}/v1/models")
    assert (reply.headers["anthropic-ratelimit-requests-remaining"], reply.headers["retry-after"]) == ("0", "7")


@pytest.mark.parametrize("kind", FORMATS)
async def test_without_a_key_of_its_own_a_fake_accepts_any(kind: str) -> None:
    async with FakeProvider(kind) as fake, httpx.AsyncClient(headers=BEARER) as client:
        path = "/v1beta/openai/models" if kind == "google" else "/v1/models"
        reply = await client.get(f"http://{fake.host}{path}")
    assert reply.status_code == 200


async def test_an_outage_of_generation_alone_spares_unbilled_checks() -> None:
    async with FakeProvider("openai") as fake, httpx.AsyncClient(headers=BEARER) as client:
        await fake.behave(Fault.SERVER_ERROR, scope=Scope.GENERATION)
        listed = await client.get(fake.base_url + "/models")
        chatted = await client.post(fake.base_url + "/chat/completions", json=CHAT)
    assert (listed.status_code, chatted.status_code) == (200, 500)
