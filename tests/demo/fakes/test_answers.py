"""What a fake knows and what it talks in its sleep: golden prompts put to it over real sockets."""

from typing import Any

import httpx
import pytest
from tests.support.transports import LOOPBACK, ordinary_trust

from providerswitch.api.health_check import EmbeddingNear, Expectation, GoldenPrompt
from providerswitch.api.provider_types import ProviderTypeName
from providerswitch.demo.fakes import FORMATS, FakeProvider, Fault
from providerswitch.demo.fakes.meaning import embed
from providerswitch.probes.exchange import SecretKey
from providerswitch.probes.golden import golden_asker
from providerswitch.probes.golden_answer import Asked
from providerswitch.probes.target import ProbeTarget
from providerswitch.probes.transport import ProbeTransport

CAPITAL = GoldenPrompt(prompt="What is the capital of France?", expect=Expectation(contains="Paris"))
OBJECT = GoldenPrompt(prompt="Answer with a JSON object", expect=Expectation(json_object=True))
NEAR = GoldenPrompt(
    prompt="the cat sits on the mat",
    expect=Expectation(embedding_near=EmbeddingNear(text="a cat sits on the mat", similarity=0.8)),
)
CHATTY = sorted(FORMATS.keys() - {"jina"})


async def ask(fake: FakeProvider, golden: GoldenPrompt, model: str = "some-model") -> Asked:
    """Put a golden prompt to a fake as the operator does."""
    asker = golden_asker(
        lambda target: ProbeTransport(
            target.base_url, ssl_context=ordinary_trust(), rules=LOOPBACK, keepalive_seconds=60
        )
    )
    return await asker(ProbeTarget(ProviderTypeName(fake.kind), fake.base_url, SecretKey("k"), model), golden)


@pytest.mark.parametrize("golden", [CAPITAL, OBJECT], ids=["capital", "object"])
@pytest.mark.parametrize("kind", CHATTY)
async def test_a_known_question_is_answered_well_and_nonsense_is_found_out(kind: str, golden: GoldenPrompt) -> None:
    async with FakeProvider(kind) as fake:
        good = await ask(fake, golden)
        await fake.behave(Fault.NONSENSE)
        bad = await ask(fake, golden)
    assert (good.passed, good.usage is not None) == (True, True)
    assert bad.passed is False


@pytest.mark.parametrize("kind", ["openai", "jina"])
async def test_vectors_tell_texts_apart_unless_they_are_nonsense(kind: str) -> None:
    model = "text-embedding-3-small" if kind == "openai" else "jina-embeddings-v3"
    far = NEAR.model_copy(update={"prompt": "an invoice of last year"})
    async with FakeProvider(kind) as fake:
        assert (await ask(fake, NEAR, model)).passed
        assert (await ask(fake, far, model)).passed is False
        await fake.behave(Fault.NONSENSE)
        assert (await ask(fake, NEAR, model)).passed is False


async def test_nonsense_is_healthy_to_every_client_that_does_not_read_it() -> None:
    body: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": True}
    async with FakeProvider("openai") as fake, httpx.AsyncClient(headers={"authorization": "Bearer k"}) as client:
        await fake.behave(Fault.NONSENSE)
        listed = await client.get(f"{fake.base_url}/models")
        streamed = await client.post(f"{fake.base_url}/chat/completions", json=body)
        refused = await client.post(f"{fake.base_url}/chat/completions", json={})
    assert "gpt-4o-mini" in listed.text
    assert streamed.text.count("lorem ipsum") == 3
    assert streamed.text.endswith("data: [DONE]\n\n")
    assert (refused.status_code, refused.json()["error"]["type"]) == (400, "invalid_request_error")


def test_a_text_has_one_vector_whatever_the_order_and_case_of_its_words() -> None:
    assert embed("Good morning") == embed("morning, GOOD!") != embed("good evening")
    assert embed("") == [0.0] * 64
