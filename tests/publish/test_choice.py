"""What consumers read: environment keys that are never blank, and a document that is read back after a restart."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.publish.choices import AUTH, NOON, build_spec, choose, choose_one
from tests.support.policies import build_provider

from providerswitch.api.provider_types import FACTS, ProviderTypeName
from providerswitch.api.status import Switch
from providerswitch.core.memory import Publication
from providerswitch.publish.choice import Choice, document, environment, read_publication

OPENAI_KEYS = {"OPENAI_BASE_URL", "OPENAI_API_BASE"}

NATIVE = {
    "openai": ("openai", OPENAI_KEYS),
    "anthropic": ("anthropic", {"ANTHROPIC_BASE_URL"}),
    "google": ("google", {"GOOGLE_GEMINI_BASE_URL"}),
    "jina": ("jina", set()),
    "azure-openai": ("azure-openai", {"AZURE_OPENAI_ENDPOINT"}),
    "openai-compatible": ("openai", OPENAI_KEYS),
    "vllm": ("openai", OPENAI_KEYS),
    "ollama": ("openai", OPENAI_KEYS),
    "http": ("http", set()),
}
"""Under protocol native: what LLM_PROTOCOL says, and which variables of SDKs are set."""

GOOD = {
    "active": {"name": "openai"},
    "revision": 3,
    "primary": "openai",
    "previous": None,
    "trigger": "Failover",
    "reason": "because",
    "decidedAt": "2026-11-02T12:00:00+00:00",
}

BAD = {
    "active": (None, "openai", [], {}, {"name": None}, {"name": ""}, {"name": 3}, {"name": "x" * 64}),
    "revision": (None, "3", 0, -1, 1.5, True, 2**63, [3]),
    "primary": ([1], {}, 3, "", "x" * 64),
    "previous": ([1], {}, 3, ""),
    "trigger": (None, 3, [], "x" * 254),
    "reason": (None, 3, []),
    "decidedAt": (None, "", "yesterday", "2026-11-02", "2026-11-02T12:00:00", [], "9" * 30),
}
"""By field: what somebody else may write there, and what a status could not hold."""

names = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?", fullmatch=True)
lines = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=60)


def test_a_consumer_finds_where_to_send_requests_and_where_the_key_is() -> None:
    assert environment(choose_one(model="gpt-4o-mini", auth=AUTH)) == {
        "LLM_PROVIDER": "mine",
        "LLM_MODEL": "gpt-4o-mini",
        "LLM_BASE_URL": "https://api.openai.com/v1",
        "LLM_PROTOCOL": "openai",
        "LLM_REVISION": "7",
        "LLM_SECRET_NAME": "llm-keys",
        "LLM_SECRET_KEY": "openai",
        "OPENAI_BASE_URL": "https://api.openai.com/v1",
        "OPENAI_API_BASE": "https://api.openai.com/v1",
    }


def test_what_has_no_value_is_left_out_because_a_blank_one_breaks_sdks() -> None:
    found = environment(choose_one())
    assert {"LLM_MODEL", "LLM_SECRET_NAME", "LLM_SECRET_KEY"} & found.keys() == set()


@pytest.mark.parametrize("protocol", ["openai", "native"])
@pytest.mark.parametrize("name", sorted(ProviderTypeName))
def test_no_type_leaves_a_blank_under_any_protocol(name: str, protocol: str) -> None:
    found = environment(choose_one(name, protocol, baseURL="http://mine:8000"))
    assert [key for key, value in found.items() if not value.strip()] == []
    assert found["LLM_BASE_URL"].startswith("http://mine:8000")


@pytest.mark.parametrize("name", sorted(ProviderTypeName))
def test_under_the_openai_protocol_every_type_sets_both_variables_of_openai_sdks(name: str) -> None:
    found = environment(choose_one(name, baseURL="http://mine:8000/v1"))
    assert found["LLM_PROTOCOL"] == "openai"
    assert found["OPENAI_BASE_URL"] == found["OPENAI_API_BASE"] == found["LLM_BASE_URL"]
    assert {key for key in found if not key.startswith("LLM_")} == OPENAI_KEYS


@pytest.mark.parametrize(("name", "expected"), NATIVE.items())
def test_under_native_each_type_sets_the_variables_of_its_own_sdk(name: str, expected: tuple[str, set[str]]) -> None:
    protocol, variables = expected
    found = environment(choose_one(name, "native", baseURL="http://mine:8000"))
    assert found["LLM_PROTOCOL"] == protocol
    assert {key for key in found if not key.startswith("LLM_")} == variables
    assert {found[key] for key in variables} <= {found["LLM_BASE_URL"]}


def test_every_type_has_an_expectation_for_native() -> None:
    assert set(NATIVE) == set(FACTS)


@given(model=st.none() | lines, key=st.booleans(), url=st.sampled_from(["http://a", "https://b.example/v1/"]))
def test_keys_and_values_fit_into_an_environment(model: str | None, key: bool, url: str) -> None:  # noqa: FBT001  # drawn
    fields: dict[str, Any] = {"baseURL": url, **({"model": model} if model else {}), **({"auth": AUTH} if key else {})}
    for name, value in environment(choose_one(**fields)).items():
        assert name.replace("_", "").isalpha()
        assert name == name.upper()
        assert value
        assert "\n" not in value


def failed_over() -> Choice:
    spec = build_spec(
        build_provider("jina", auth=AUTH),
        build_provider("vllm", baseURL="http://vllm:8000", model="qwen"),
        build_provider("anthropic", model="claude"),
    )
    return choose(spec, "vllm", previous="jina", fallbacks=("anthropic", "jina"))


def test_the_document_tells_all_that_a_program_may_ask() -> None:
    assert json.loads(document(failed_over())) == {
        "active": {
            "name": "vllm",
            "type": "vllm",
            "model": "qwen",
            "baseURL": "http://vllm:8000/v1",
            "protocol": "openai",
        },
        "fallbacks": [
            {
                "name": "anthropic",
                "type": "anthropic",
                "model": "claude",
                "baseURL": "https://api.anthropic.com/v1",
                "protocol": "openai",
            },
            {
                "name": "jina",
                "type": "jina",
                "baseURL": "https://api.jina.ai/v1",
                "protocol": "openai",
                "secretName": "llm-keys",
                "secretKey": "openai",
            },
        ],
        "primary": "jina",
        "previous": "jina",
        "revision": 7,
        "trigger": "Failover",
        "reason": "jina is down: Timeout",
        "decidedAt": "2026-11-02T12:00:00.123456+00:00",
    }


def test_the_same_choice_is_the_same_text_so_that_nothing_is_written_twice() -> None:
    assert document(failed_over()) == document(failed_over())


def test_what_was_published_is_read_back_to_the_microsecond() -> None:
    assert read_publication(document(failed_over())) == Publication(
        active="vllm",
        revision=7,
        primary="jina",
        previous="jina",
        trigger="Failover",
        why="jina is down: Timeout",
        decided_at=NOON,
    )


@given(
    names,
    st.none() | names,
    st.text(max_size=200),
    st.integers(1, 10**12),
    st.timedeltas(timedelta(0), timedelta(days=9999)),
)
def test_whatever_is_published_can_be_read_back(
    name: str, previous: str | None, why: str, revision: int, later: timedelta
) -> None:
    made = choose(
        build_spec(build_provider(name, "openai")),
        previous=previous,
        why=why,
        revision=revision,
        decided_at=NOON + later,
    )
    assert read_publication(document(made)) == Publication(
        name, revision, name, previous, made.trigger, why, NOON + later
    )


def test_a_reason_too_long_for_the_history_is_cut_not_refused() -> None:
    read = read_publication(document(replace(failed_over(), why="x" * 5000)))
    assert read is not None
    resumed = Switch(
        time=NOON, to="vllm", revision=7, trigger="Failover", reason=read.why, switch_millis=1, outcome="Resumed"
    )
    assert resumed.reason == "x" * 1024


def test_a_field_of_a_newer_release_does_not_hinder_reading() -> None:
    assert read_publication(json.dumps({**GOOD, "drills": [{"name": "embed"}]})) is not None


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, values in BAD.items() for value in values])
def test_what_somebody_else_wrote_is_not_believed(field: str, value: object) -> None:
    assert read_publication(json.dumps(GOOD)) is not None
    assert read_publication(json.dumps({**GOOD, field: value})) is None


@pytest.mark.parametrize("field", GOOD)
def test_half_a_document_is_not_believed(field: str) -> None:
    assert read_publication(json.dumps({key: value for key, value in GOOD.items() if key != field})) is None


@pytest.mark.parametrize(
    "text",
    [
        *(None, "", " ", "null", "[]", "{}", "3", '"x"', "{", "\ud800"),
        json.dumps(GOOD).replace(": 3", ": 1e999"),
        json.dumps(GOOD).replace(": 3", ": Infinity"),
        json.dumps(GOOD).replace(": 3", f": {'9' * 5000}"),
        "[" * 100_000,
        '{"active":' * 100_000,
    ],
    ids=lambda text: repr(text)[:20],
)
def test_what_is_no_document_at_all_is_none(text: str | None) -> None:
    assert read_publication(text) is None


@given(
    st.text() | st.dictionaries(st.sampled_from(sorted(GOOD)), st.text() | st.integers() | st.none()).map(json.dumps)
)
def test_garbage_is_none_and_never_a_crash(text: str) -> None:
    assert read_publication(text) is None or "decidedAt" in text
