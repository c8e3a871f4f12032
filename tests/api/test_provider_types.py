"""Addresses of the provider types: where consumers are sent, and where a key may go."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providerswitch.api.provider_types import FACTS, Capability, ProviderFacts, ProviderTypeName, host_of, purpose_of

OWN_ADDRESS = {
    "openai": ("https://api.openai.com/v1", "https://api.openai.com/v1"),
    "anthropic": ("https://api.anthropic.com", "https://api.anthropic.com/v1"),
    "google": (
        "https://generativelanguage.googleapis.com",
        "https://generativelanguage.googleapis.com/v1beta/openai",
    ),
    "jina": ("https://api.jina.ai/v1", "https://api.jina.ai/v1"),
}
"""Type to its native and its OpenAI-compatible base URL, for types that have an address of their own."""

GIVEN = {
    ("openai", "https://eu.api.openai.com/v1/"): ("https://eu.api.openai.com/v1", "https://eu.api.openai.com/v1"),
    ("anthropic", "https://api.anthropic.com/v1"): ("https://api.anthropic.com", "https://api.anthropic.com/v1"),
    ("anthropic", "https://proxy.example/anthropic/v1/"): (
        "https://proxy.example/anthropic",
        "https://proxy.example/anthropic/v1",
    ),
    ("google", "https://generativelanguage.googleapis.com/v1beta/openai/"): OWN_ADDRESS["google"],
    ("google", "https://generativelanguage.googleapis.com/v1beta"): OWN_ADDRESS["google"],
    ("azure-openai", "https://team.openai.azure.com/"): (
        "https://team.openai.azure.com",
        "https://team.openai.azure.com/openai/v1",
    ),
    ("azure-openai", "https://team.openai.azure.com/openai/v1"): (
        "https://team.openai.azure.com",
        "https://team.openai.azure.com/openai/v1",
    ),
    ("vllm", "http://vllm:8000"): ("http://vllm:8000", "http://vllm:8000/v1"),
    ("vllm", "http://vllm:8000/v1/"): ("http://vllm:8000", "http://vllm:8000/v1"),
    ("ollama", "http://ollama:11434/v1"): ("http://ollama:11434", "http://ollama:11434/v1"),
    ("openai-compatible", "https://llm.example/api/v3"): ("https://llm.example/api/v3", "https://llm.example/api/v3"),
    ("http", "http://front:8080/"): ("http://front:8080", "http://front:8080"),
}
"""Type and baseURL as users write it to the native and the OpenAI-compatible base URL."""

OFFICIAL = {
    "openai": ("https://api.openai.com/v1", "https://API.OPENAI.COM/v1", "https://us.api.openai.com/v1"),
    "anthropic": ("https://api.anthropic.com", "https://api.anthropic.com:443/v1"),
    "google": ("https://generativelanguage.googleapis.com",),
    "jina": ("https://api.jina.ai/v1",),
    "azure-openai": (
        "https://team.openai.azure.com",
        "https://team.cognitiveservices.azure.com",
        "https://team.services.ai.azure.com",
    ),
}

LOOKALIKES = (
    "http://api.openai.com/v1",
    "https://api.openai.com.evil.example/v1",
    "https://evil-api.openai.com/v1",
    "https://evilapi.openai.com/v1",
    "https://openai.com/v1",
    "https://api.openai.com@evil.example/v1",
    "https://api.openai.com:443@evil.example/v1",
    "https://evil.example/https://api.openai.com/v1",
    "https://evil.example?https://api.openai.com",
    "https://evil.example#@api.openai.com",
    "https://evil.example/@api.openai.com",
    "https://evil.example:443/.api.openai.com",
    "https://api.openai.com\t.evil.example",
    "https://api.openai.com.",
    "https://api.openai.com:0/v1",
    "https://api.openai.com:99999/v1",
    "https://api-openai.com",
    "https://ａpi.openai.com",  # noqa: RUF001  # full width
    "https://аpi.openai.com",  # noqa: RUF001  # Cyrillic
    "https://xn--pi-7kc.openai.com",
    "https://[::1",
    "https://[::1]",
    "https://127.0.0.1",
    "https://api.openai.com℀.evil.example",
    "httpsx://api.openai.com",
    "ftp://api.openai.com",
    "//api.openai.com",
    "api.openai.com",
    "https://",
    "https:api.openai.com",
    "https:///api.openai.com",
    "",
)
"""Where an OpenAI key must not go, however much it looks like OpenAI."""

addresses = st.text() | st.from_regex(r"https?://[a-z.@:\[\]/\\#?℀\d]*(api\.openai\.com)?.*")


def facts(name: str) -> ProviderFacts:
    return FACTS[ProviderTypeName(name)]


def test_each_type_has_its_facts() -> None:
    assert set(FACTS) == set(ProviderTypeName)


@pytest.mark.parametrize(("name", "urls"), OWN_ADDRESS.items())
def test_a_type_has_its_own_address_in_both_protocols(name: str, urls: tuple[str, str]) -> None:
    assert (facts(name).native_base_url(None), facts(name).openai_base_url(None)) == urls


@pytest.mark.parametrize("name", sorted(set(ProviderTypeName) - set(OWN_ADDRESS)))
def test_every_other_type_needs_one(name: str) -> None:
    assert facts(name).native_base_url(None) == ""


@pytest.mark.parametrize(("written", "urls"), GIVEN.items(), ids=lambda value: str(value[:2]))
def test_endings_that_users_copy_from_elsewhere_are_not_doubled(
    written: tuple[str, str], urls: tuple[str, str]
) -> None:
    name, url = written
    assert (facts(name).native_base_url(url), facts(name).openai_base_url(url)) == urls


@given(st.sampled_from(sorted(ProviderTypeName)), st.sampled_from(sorted({url for _, url in GIVEN})))
def test_a_published_address_read_again_stays_what_it_is(name: ProviderTypeName, url: str) -> None:
    published = facts(name).openai_base_url(url)
    assert facts(name).openai_base_url(published) == published
    assert not published.endswith("/")


@pytest.mark.parametrize(("name", "url"), [(name, url) for name, urls in OFFICIAL.items() for url in urls])
def test_a_key_may_go_to_its_own_hosts(name: str, url: str) -> None:
    assert facts(name).is_official(url)


@pytest.mark.parametrize("name", sorted(OWN_ADDRESS))
def test_the_own_address_of_a_type_is_official(name: str) -> None:
    assert facts(name).is_official(facts(name).native_base_url(None))


@pytest.mark.parametrize("url", LOOKALIKES)
def test_a_key_may_not_go_to_what_only_looks_like_its_host(url: str) -> None:
    assert not facts("openai").is_official(url)


@pytest.mark.parametrize("url", [url for urls in OFFICIAL.values() for url in urls])
@pytest.mark.parametrize("name", ["openai-compatible", "vllm", "ollama", "http"])
def test_a_type_that_anybody_may_run_has_no_official_host(name: str, url: str) -> None:
    assert not facts(name).is_official(url)


@pytest.mark.parametrize("name", sorted(OFFICIAL))
def test_no_type_sends_its_key_to_another_types_host(name: str) -> None:
    others = [url for other, urls in OFFICIAL.items() for url in urls if other != name]
    assert [url for url in others if facts(name).is_official(url)] == []


@given(st.sampled_from(sorted(ProviderTypeName)), addresses)
def test_no_address_crashes_the_judgement(name: ProviderTypeName, url: str) -> None:
    if facts(name).is_official(url):
        assert url.lower().startswith("https://")


@given(addresses)
def test_no_address_crashes_the_search_for_its_host(url: str) -> None:
    assert host_of(url) == host_of(url).lower()


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://API.openai.com/v1", "api.openai.com"),
        ("http://vllm:8000", "vllm"),
        ("http://10.0.0.1:8000", "10.0.0.1"),
        ("http://[fd00::1]:8000", "fd00::1"),
        ("https://a@b.example", "b.example"),
        ("https://b.example:99999", ""),
        ("https://b.example:0", ""),
        ("https://b℀.example", ""),
        ("https://[::1", ""),
        ("b.example", ""),
    ],
)
def test_the_host_of_an_address(url: str, host: str) -> None:
    assert host_of(url) == host


def test_under_native_no_two_wire_protocols_share_an_sdk_variable() -> None:
    users: dict[str, set[str]] = {}
    for each in FACTS.values():
        for variable in each.native_variables:
            users.setdefault(variable, set()).add(each.native_protocol)
    assert [variable for variable, protocols in users.items() if len(protocols) > 1] == []


@pytest.mark.parametrize(
    ("model", "purpose"),
    [
        ("text-embedding-3-small", {Capability.EMBEDDINGS}),
        ("jina-embeddings-v3", {Capability.EMBEDDINGS}),
        ("BAAI/BGE-M3", {Capability.EMBEDDINGS}),
        ("intfloat/multilingual-e5-large", {Capability.EMBEDDINGS}),
        ("Alibaba-NLP/gte-base-en-v1.5", {Capability.EMBEDDINGS}),
        ("jina-reranker-v2-base-multilingual", {Capability.RERANK}),
        ("BAAI/bge-reranker-v2-m3", {Capability.RERANK}),
        ("gpt-4o-mini", set()),
        ("claude-haiku-4-5", set()),
        ("Qwen/Qwen3-8B", set()),
        ("", set()),
        (None, set()),
    ],
)
def test_what_a_model_is_for_as_far_as_its_name_tells(model: str | None, purpose: set[Capability]) -> None:
    assert purpose_of(model) == purpose


@given(st.text(max_size=40))
def test_a_name_tells_one_purpose_at_most(model: str) -> None:
    assert len(purpose_of(model)) <= 1
