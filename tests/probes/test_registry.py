"""Every type that a policy may name can be probed: unbilled by default, with the key where the type wants it."""

import json

import pytest
from tests.support.repository import ROOT

from providerswitch.api.provider_types import FACTS, ProviderTypeName
from providerswitch.probes.exchange import ProbeRequest, Question, SecretKey
from providerswitch.probes.registry import ALL, REGISTRY

KEY = "sk-Zq3xV7"
PROVIDERS = ROOT / "operator" / "providerswitch" / "probes" / "providers"
UNBILLED = {
    "openai": "GET /models",
    "anthropic": "GET /v1/models",
    "google": "GET /v1beta/models?pageSize=1",
    "jina": "GET /models",
    "azure-openai": "GET /openai/models?api-version=2024-10-21",
    "openai-compatible": "GET /models",
    "vllm": "GET /v1/models",
    "ollama": "GET /v1/models",
    "http": "GET /",
}
"""With a key."""
KEY_HEADERS = {"anthropic": "x-api-key", "google": "x-goog-api-key", "azure-openai": "api-key"}


def line(request: ProbeRequest) -> str:
    """Return method and path."""
    return f"{request.method} {request.path}"


def test_every_type_of_the_crd_has_an_entry_and_a_file() -> None:
    assert set(REGISTRY) == set(ProviderTypeName) == set(FACTS)
    assert len(ALL) == len(REGISTRY)
    assert {path.stem for path in PROVIDERS.glob("[a-z]*.py")} == {name.replace("-", "_") for name in ProviderTypeName}


@pytest.mark.parametrize("name", ProviderTypeName)
def test_the_unbilled_check_is_a_get_with_the_key_in_its_header_and_nowhere_else(name: ProviderTypeName) -> None:
    request = REGISTRY[name].unbilled_probe(Question(SecretKey(KEY)))
    assert line(request) == UNBILLED[name]
    assert request.body is None
    header = KEY_HEADERS.get(name, "authorization")
    assert request.headers[header].removeprefix("Bearer ") == KEY
    assert [value for other, value in request.headers.items() if KEY in value and other != header] == []


@pytest.mark.parametrize("name", ProviderTypeName)
def test_without_a_key_no_header_pretends_to_hold_one(name: ProviderTypeName) -> None:
    request = REGISTRY[name].unbilled_probe(Question())
    assert not request.headers.keys() & {"authorization", "x-api-key", "x-goog-api-key", "api-key"}


@pytest.mark.parametrize("name", ProviderTypeName)
def test_the_headers_of_the_policy_are_sent(name: ProviderTypeName) -> None:
    question = Question(SecretKey(KEY), headers={"x-team": "search"}, model="m")
    build = REGISTRY[name].generation_probe or REGISTRY[name].unbilled_probe
    assert REGISTRY[name].unbilled_probe(question).headers["x-team"] == "search"
    assert build(question).headers["x-team"] == "search"


def test_self_hosted_servers_are_asked_for_their_engine_where_no_key_is_needed() -> None:
    assert line(REGISTRY[ProviderTypeName.VLLM].unbilled_probe(Question())) == "GET /health"
    assert line(REGISTRY[ProviderTypeName.OLLAMA].unbilled_probe(Question())) == "GET /api/version"


def test_plain_http_is_asked_at_the_path_of_the_policy_and_never_bills() -> None:
    kind = REGISTRY[ProviderTypeName.HTTP]
    assert line(kind.unbilled_probe(Question(path="/health"))) == "GET /health"
    assert kind.generation_probe is None


@pytest.mark.parametrize(
    ("name", "model", "asked"),
    [
        ("openai", "gpt-x", "POST /chat/completions"),
        ("openai", "text-embedding-3-small", "POST /embeddings"),
        ("openai-compatible", "bge-m3", "POST /embeddings"),
        ("anthropic", "claude-x", "POST /v1/messages"),
        ("google", "models/gemini-x", "POST /v1beta/models/gemini-x:generateContent"),
        ("google", "gemini-embedding-001", "POST /v1beta/models/gemini-embedding-001:embedContent"),
        ("google", "../x?y", "POST /v1beta/models/..%2Fx%3Fy:generateContent"),
        ("jina", "jina-embeddings-v3", "POST /embeddings"),
        ("jina", "jina-reranker-v2", "POST /rerank"),
        ("azure-openai", "my-deployment", "POST /openai/v1/chat/completions"),
        ("azure-openai", "my-embeddings", "POST /openai/v1/embeddings"),
        ("vllm", "llama", "POST /v1/chat/completions"),
        ("ollama", "qwen3", "POST /v1/chat/completions"),
    ],
)
def test_a_generation_probe_asks_the_model_in_the_way_it_can_answer(name: str, model: str, asked: str) -> None:
    build = REGISTRY[ProviderTypeName(name)].generation_probe
    assert build
    request = build(Question(SecretKey(KEY), model=model))
    assert line(request) == asked
    body = json.loads(request.body or b"")
    assert "google" in name or body["model"] == model
    assert KEY not in (request.body or b"").decode()


@pytest.mark.parametrize("name", [kind.name for kind in ALL if kind.generation_probe])
def test_a_generation_probe_leaves_room_for_models_that_think_first(name: ProviderTypeName) -> None:
    build = REGISTRY[name].generation_probe
    assert build
    body = json.loads(build(Question(model="jina-embeddings-v3" if name == "jina" else "some-model")).body or b"")
    settings = {**body, **body.get("generationConfig", {})}
    limits = {settings.get(name) for name in ("max_tokens", "max_completion_tokens", "maxOutputTokens")} - {None}
    assert limits == (set() if name == "jina" else {16})


def test_new_openai_models_are_not_asked_with_the_parameter_they_refuse() -> None:
    build = REGISTRY[ProviderTypeName.OPENAI].generation_probe
    assert build
    assert "max_tokens" not in json.loads(build(Question(model="gpt-5")).body or b"")


def test_a_generation_probe_without_a_model_takes_a_cheap_one_or_leaves_it_to_the_server() -> None:
    bodies = {
        kind.name: json.loads(kind.generation_probe(Question()).body or b"") for kind in ALL if kind.generation_probe
    }
    assert bodies[ProviderTypeName.OPENAI]["model"]
    assert "model" not in bodies[ProviderTypeName.VLLM]
