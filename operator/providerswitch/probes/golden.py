"""Ask a provider a question whose good answer is known, the way its consumers would.

Every type is asked over its OpenAI-compatible endpoint, which is what consumers use under `protocol: openai`: a gateway
that garbles only that one is found out. A type's model is the one that generation probes take, where the policy names
none. No temperature is set, for some models refuse it.

Sources, read 2026-11: the API references of OpenAI (Chat Completions, Embeddings), Azure OpenAI (v1: key in `api-key`)
and Jina, and the OpenAI compatibility pages of Anthropic and Google (key as a bearer token). Jina refuses
`encoding_format` and calls it `embedding_type`: github.com/QuantumNous/new-api/issues/1941.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from providerswitch.api.health_check import EmbeddingNear, GoldenPrompt
from providerswitch.api.provider_types import FACTS, Capability, ProviderTypeName, purpose_of
from providerswitch.core.quality import find_prompt_flaw
from providerswitch.probes.exchange import Finding, ProbeRequest, Question
from providerswitch.probes.golden_answer import Asked, read_answer
from providerswitch.probes.openai_dialect import bearer, post
from providerswitch.probes.providers import anthropic, azure_openai, google, jina, openai
from providerswitch.probes.target import ProbeTarget
from providerswitch.probes.transport import ProbeTransport

TOKENS: Final = 256
"""Allowed for an answer. Models that think first need room."""

DEADLINE: Final = timedelta(seconds=60)
"""Of one question. How fast a provider is, others measure."""

Ask = Callable[[ProbeTarget, GoldenPrompt], Awaitable[Asked]]


def api_key(question: Question) -> Mapping[str, str]:
    """Return the headers of a request to Azure: the policy's own, and the key."""
    if question.key is None:
        return dict(question.headers)
    return {**question.headers, "api-key": question.key.reveal()}


@dataclass(frozen=True, slots=True)
class Dialect:
    """What is special about one type's OpenAI-compatible API.

    Attributes:
        chat_model: asked where the policy names none; None leaves it to the server.
        embedding_model: the same for vectors, but None asks nothing: a server's own model would chat.
        limit: name of the parameter that bounds the answer.
        packed: name of the parameter that asks for vectors in base64; as numbers, two long ones exceed what is read of
            an answer.
        headers: builds the headers, the key among them.
    """

    chat_model: str | None = None
    embedding_model: str | None = None
    limit: str = "max_tokens"
    packed: str = "encoding_format"
    headers: Callable[[Question], Mapping[str, str]] = bearer


DIALECTS: Final[Mapping[ProviderTypeName, Dialect]] = {
    ProviderTypeName.OPENAI: Dialect(openai.CHEAPEST_MODEL, limit="max_completion_tokens"),
    ProviderTypeName.ANTHROPIC: Dialect(anthropic.CHEAPEST_MODEL),
    ProviderTypeName.GOOGLE: Dialect(google.CHEAPEST_MODEL),
    ProviderTypeName.JINA: Dialect(embedding_model=jina.CHEAPEST_MODEL, packed="embedding_type"),
    ProviderTypeName.AZURE_OPENAI: Dialect(
        azure_openai.DEFAULT_DEPLOYMENT, limit="max_completion_tokens", headers=api_key
    ),
    ProviderTypeName.OPENAI_COMPATIBLE: Dialect(),
    ProviderTypeName.VLLM: Dialect(),
    ProviderTypeName.OLLAMA: Dialect(),
}
"""The types that can be asked."""


def golden_asker(open_transport: Callable[[ProbeTarget], ProbeTransport], *, deadline: timedelta = DEADLINE) -> Ask:
    """Return what asks for real.

    Each question has a connection of its own: questions come too rarely to keep one, and must not hold up probes.
    """

    async def ask(target: ProbeTarget, golden: GoldenPrompt) -> Asked:
        request = build_request(target, golden)
        return request if isinstance(request, Asked) else await send(target, golden, request)

    async def send(target: ProbeTarget, golden: GoldenPrompt, request: ProbeRequest) -> Asked:
        transport = open_transport(target)
        try:
            answer = await transport.ask(request, deadline_seconds=deadline.total_seconds())
        finally:
            await transport.aclose()
        if isinstance(answer.result, Finding):
            return Asked(None, f"no answer: {answer.result.why}")
        # An expression that is hard to match takes a tenth of a second, which no probe should wait for.
        return await asyncio.to_thread(read_answer, target.type, golden, answer.result)

    return ask


def build_request(target: ProbeTarget, golden: GoldenPrompt) -> ProbeRequest | Asked:
    """Return what to send, or why there is nothing to send."""
    dialect = DIALECTS.get(target.type)
    if dialect is None:
        return Asked(None, f"not asked: a provider of type {target.type} answers no prompts")
    if flaw := find_prompt_flaw(golden):
        return Asked(None, f"not asked: expect{flaw}")
    near = golden.expect.embedding_near
    if why := _find_unfitness(target, dialect, Capability.EMBEDDINGS if near else Capability.CHAT):
        return Asked(None, f"not asked: {why}")
    return _embed(target, dialect, golden.prompt, near) if near else _chat(target, dialect, golden.prompt)


def _find_unfitness(target: ProbeTarget, dialect: Dialect, wanted: Capability) -> str | None:
    """Return why a target cannot give what is wanted, a text or vectors; None where it may."""
    able = FACTS[target.type].capabilities
    what = "vectors" if wanted is Capability.EMBEDDINGS else "text"
    if able is not None and wanted not in able:
        return f"a provider of type {target.type} gives no {what}"
    purpose = purpose_of(target.model)
    if purpose and wanted not in purpose:
        return f"its model is for {', '.join(purpose)} and gives no {what}"
    if wanted is Capability.EMBEDDINGS and not (target.model or dialect.embedding_model):
        return "the policy names no embedding model of this provider"
    return None


def _chat(target: ProbeTarget, dialect: Dialect, prompt: str) -> ProbeRequest:
    body = {
        "model": target.model or dialect.chat_model,
        "messages": [{"role": "user", "content": prompt}],
        dialect.limit: TOKENS,
    }
    return _post(target, dialect, "/chat/completions", body)


def _embed(target: ProbeTarget, dialect: Dialect, prompt: str, near: EmbeddingNear) -> ProbeRequest:
    model = target.model or dialect.embedding_model
    return _post(
        target, dialect, "/embeddings", {"model": model, "input": [prompt, near.text], dialect.packed: "base64"}
    )


def _post(target: ProbeTarget, dialect: Dialect, path: str, body: Mapping[str, object]) -> ProbeRequest:
    return post(FACTS[target.type].openai_suffix + path, body, dialect.headers(target.question))
