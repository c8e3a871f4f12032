"""One provider: which model it is asked for, and what it is believed to be able to do."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.support.policies import build_provider

from providerswitch.api.provider import Embedding, Provider
from providerswitch.api.provider_types import FACTS, Capability, ProviderTypeName


def read(name: str = "openai", **fields: Any) -> Provider:
    if FACTS[ProviderTypeName(name)].default_base_url is None:
        fields = {"baseURL": "http://host", **fields}
    return Provider.model_validate(build_provider(name, **fields))


def test_a_task_has_the_model_that_is_named_for_it() -> None:
    provider = read(model="gpt-4o-mini", models={"embed": "text-embedding-3-small"})
    assert provider.model_for("embed") == "text-embedding-3-small"


@pytest.mark.parametrize("task", ["chat", None])
def test_the_policy_itself_and_a_task_without_a_model_of_its_own_have_the_providers_model(task: str | None) -> None:
    provider = read(model="gpt-4o-mini", models={"embed": "text-embedding-3-small"})
    assert provider.model_for(task) == "gpt-4o-mini"


@pytest.mark.parametrize("task", ["chat", None])
def test_without_a_model_there_is_none_to_ask_for(task: str | None) -> None:
    assert read(models={"embed": "text-embedding-3-small"}).model_for(task) is None


def test_a_provider_can_do_what_is_declared_whatever_its_model_is_called() -> None:
    provider = read(capabilities=["chat", "vision"])
    assert provider.abilities_with("text-embedding-3-small") == {Capability.CHAT, Capability.VISION}


def test_a_provider_that_is_declared_to_do_nothing_can_do_nothing() -> None:
    assert read(capabilities=[]).abilities_with("gpt-4o-mini") == frozenset()


@pytest.mark.parametrize(
    ("model", "capability"),
    [("text-embedding-3-small", Capability.EMBEDDINGS), ("jina-reranker-v2", Capability.RERANK)],
)
@pytest.mark.parametrize("name", ["openai", "vllm", "http"])
def test_a_model_that_tells_its_purpose_can_do_nothing_else(name: str, model: str, capability: Capability) -> None:
    assert read(name).abilities_with(model) == {capability}


@pytest.mark.parametrize("model", ["gpt-4o-mini", None])
@pytest.mark.parametrize("name", [name for name in ProviderTypeName if name is not ProviderTypeName.HTTP])
def test_any_other_model_can_do_what_its_type_can(name: ProviderTypeName, model: str | None) -> None:
    abilities = read(name).abilities_with(model)
    assert abilities
    assert abilities == FACTS[name].capabilities


def test_nobody_knows_what_a_plain_http_endpoint_can_do() -> None:
    assert read("http").abilities_with(None) is None


def test_anthropic_does_not_embed() -> None:
    abilities = read("anthropic").abilities_with("claude-haiku-4-5")
    assert abilities is not None
    assert Capability.EMBEDDINGS not in abilities


@given(st.none() | st.text(max_size=40), st.lists(st.sampled_from(Capability), max_size=8))
def test_no_name_of_a_model_changes_what_is_declared(model: str | None, capabilities: list[Capability]) -> None:
    assert read(capabilities=capabilities).abilities_with(model) == frozenset(capabilities)


def test_what_is_not_said_is_unknown_instead_of_free_or_bad() -> None:
    provider = read()
    assert (provider.cost, provider.quality, provider.context_window, provider.region) == (None, None, None, None)
    assert (provider.embedding, provider.status_page, provider.capabilities) == (None, None, None)
    assert provider.weight == 100


def test_a_vector_may_be_of_unknown_length() -> None:
    assert read(embedding={"space": "bge-m3"}).embedding == Embedding(space="bge-m3", dimensions=None)


@pytest.mark.parametrize(
    "fields",
    [
        {"models": {"Embed": "m"}},
        {"models": {"embed": ""}},
        {"cost": {"inputPerMillionTokens": -0.01}},
        {"cost": {"outputPerMillionTokens": float("inf")}},
        {"quality": 1.01},
        {"quality": float("nan")},
        {"weight": -1},
        {"weight": 1001},
        {"weight": 0.5},
        {"capabilities": ["embedding"]},
        {"contextWindow": 0},
        {"region": " "},
        {"embedding": {}},
        {"embedding": {"space": "bge-m3", "dimensions": 0}},
    ],
)
def test_what_is_out_of_bounds_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        read(**fields)
