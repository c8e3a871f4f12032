"""The Secret: address and key of one provider in one object, and no way to print it by accident."""

import base64
import json
import pprint
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.publish.choices import AUTH, build_spec, choose
from tests.support.policies import build_provider

from providerswitch.api.provider_types import FACTS, OPENAI_KEY_VARIABLES, ProviderTypeName
from providerswitch.probes.exchange import SecretKey
from providerswitch.publish.choice import Choice, environment
from providerswitch.publish.secret import NOT_REPEATED, build_secret, hide_keys, read_keys, same_keys, sealed
from providerswitch.publish.targets import WITHOUT_SECRETS, build_objects

PUBLISH = {"secret": {"name": "assistant-llm"}}
KEY = "sk-secret-of-mine-0123456789"
TYPES = [(kind.value, protocol) for kind in ProviderTypeName for protocol in ("openai", "native")]


def key_of(provider: str) -> str:
    return f"sk-{provider}-0123456789abcdef"


def host_of(provider: str) -> str:
    return f"http://{provider}.example"


def listed(name: str, kind: str = "openai-compatible", **fields: Any) -> dict[str, Any]:
    return build_provider(name, kind, **{"baseURL": host_of(name), "auth": AUTH, **fields})


def choice_of(kind: str = "openai", protocol: str = "openai", key: str | None = KEY) -> Choice:
    spec = build_spec(listed("mine", kind), protocol=protocol, publish=PUBLISH)
    return choose(spec, keys={"mine": SecretKey(key)} if key else {})


def read(choice: Choice) -> dict[str, str]:
    """Return what a container sees that takes its environment from the Secret."""
    built = build_secret(choice)
    assert built
    return {name: base64.b64decode(value, validate=True).decode() for name, value in built["data"].items()}


@pytest.mark.parametrize(("kind", "protocol"), TYPES)
def test_it_holds_all_that_the_config_map_says_to_an_environment_and_keys_besides(kind: str, protocol: str) -> None:
    choice = choice_of(kind, protocol)
    data, keys = read(choice), {name: value for name, value in read(choice).items() if name.endswith("_API_KEY")}
    assert {name: value for name, value in data.items() if name not in keys} == environment(choice)
    assert data["LLM_API_KEY"] == KEY
    assert set(keys.values()) == {KEY}


@pytest.mark.parametrize(("kind", "protocol", "variables"), [
    ("openai", "openai", {"OPENAI_API_KEY"}),
    ("anthropic", "openai", {"OPENAI_API_KEY"}),
    ("vllm", "native", {"OPENAI_API_KEY"}),
    ("anthropic", "native", {"ANTHROPIC_API_KEY"}),
    ("google", "native", {"GEMINI_API_KEY", "GOOGLE_API_KEY"}),
    ("azure-openai", "native", {"AZURE_OPENAI_API_KEY"}),
    ("jina", "native", set()),
    ("http", "native", set()),
])  # fmt: skip
def test_the_sdk_finds_the_key_under_its_own_name(kind: str, protocol: str, variables: set[str]) -> None:
    found = {name for name in read(choice_of(kind, protocol)) if name.endswith("_API_KEY")}
    assert found - {"LLM_API_KEY"} == variables


@pytest.mark.parametrize("kind", ProviderTypeName)
def test_no_sdk_gets_a_key_without_the_address_that_it_is_for(kind: ProviderTypeName) -> None:
    facts = FACTS[kind]
    assert bool(facts.native_key_variables) <= bool(facts.native_variables)
    assert all(name.endswith("_API_KEY") for name in (*facts.native_key_variables, *OPENAI_KEY_VARIABLES))


def test_without_a_key_the_variables_are_left_out_and_not_blank() -> None:
    data = read(choice_of(key=None))
    assert [name for name in data if name.endswith("_API_KEY")] == []
    assert all(data.values())


def test_it_carries_owner_revision_and_labels_like_the_config_map() -> None:
    objects = {target.kind: obj for target, obj in build_objects(choice_of()).items()}
    secret, config_map = objects["Secret"]["metadata"], objects["ConfigMap"]["metadata"]
    assert {**secret, "name": ""} == {**config_map, "name": ""}
    assert (secret["name"], objects["Secret"]["type"]) == ("assistant-llm", "Opaque")
    assert list(objects) == ["ConfigMap", "Secret"]


def test_there_is_none_unless_the_policy_asks_and_the_administrator_allows() -> None:
    asked, unasked = build_spec(publish=PUBLISH), build_spec()
    assert build_secret(choose(asked, keys=None)) is None
    assert build_secret(choose(unasked, keys={"openai": SecretKey(KEY)})) is None
    assert "Secret" not in WITHOUT_SECRETS


def test_no_key_is_in_any_other_object() -> None:
    choice = choice_of()
    others = [obj for target, obj in build_objects(choice).items() if target.kind != "Secret"]
    assert others
    assert KEY not in json.dumps(others)
    assert base64.b64encode(KEY.encode()).decode() not in json.dumps(others)


def test_neither_the_choice_nor_the_object_can_be_printed_with_its_key() -> None:
    choice = choice_of()
    built = build_secret(choice)
    assert built
    again = sealed(json.loads(json.dumps(built)))
    for shown in (choice, built, again, {"published": [again]}):
        for text in (repr(shown), str(shown), f"{shown}", pprint.pformat(shown)):
            assert KEY not in text
            assert base64.b64encode(KEY.encode()).decode() not in text
    assert "'LLM_API_KEY': ***" in repr(again)


def test_objects_of_other_kinds_and_broken_secrets_are_not_sealed() -> None:
    for obj in ({"kind": "ConfigMap", "data": {"a": "b"}}, {"kind": "Secret"}, {"kind": "Secret", "data": None}):
        assert sealed(obj) is obj


def test_each_task_has_the_key_of_its_own_provider() -> None:
    spec = build_spec(listed("chat"), listed("vectors"), tasks=[{"name": "em-bed"}], publish=PUBLISH)
    embed = spec.provider("vectors")
    assert embed
    keys = {name: SecretKey(key_of(name)) for name in ("chat", "vectors")}
    data = read(choose(spec, "chat", tasks={"em-bed": embed}, keys=keys))
    assert data["LLM_API_KEY"] == data["OPENAI_API_KEY"] == key_of("chat")
    assert (data["LLM_EM_BED_PROVIDER"], data["LLM_EM_BED_API_KEY"]) == ("vectors", key_of("vectors"))


NAMES = ("a", "b", "c")
KINDS = st.sampled_from([kind.value for kind in ProviderTypeName])
URL_VARIABLES = {
    "OPENAI_API_KEY": "OPENAI_BASE_URL",
    "ANTHROPIC_API_KEY": "ANTHROPIC_BASE_URL",
    "GEMINI_API_KEY": "GOOGLE_GEMINI_BASE_URL",
    "GOOGLE_API_KEY": "GOOGLE_GEMINI_BASE_URL",
    "AZURE_OPENAI_API_KEY": "AZURE_OPENAI_ENDPOINT",
}


def url_beside(variable: str) -> str:
    """Return the variable that says where a key is to be sent."""
    return URL_VARIABLES.get(variable, variable.replace("_API_KEY", "_BASE_URL"))


@given(
    kinds=st.lists(KINDS, min_size=3, max_size=3),
    protocol=st.sampled_from(["openai", "native"]),
    switches=st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES), st.sets(st.sampled_from(NAMES)))),
)
def test_a_reader_never_sees_the_key_of_one_provider_with_the_address_of_another(
    kinds: list[str], protocol: str, switches: list[tuple[str, str, set[str]]]
) -> None:
    providers = [listed(name, kind) for name, kind in zip(NAMES, kinds, strict=True)]
    spec = build_spec(*providers, protocol=protocol, tasks=[{"name": "embed"}], publish=PUBLISH)
    for active, of_task, keyed in switches:
        serving = spec.provider(of_task)
        assert serving
        keys = {name: SecretKey(key_of(name)) for name in keyed}
        data = read(choose(spec, active, tasks={"embed": serving}, keys=keys))
        for variable in (name for name in data if name.endswith("_API_KEY")):
            (owner,) = (name for name in NAMES if data[variable] == key_of(name))
            assert data[url_beside(variable)].startswith(host_of(owner))
        assert ("LLM_API_KEY" in data) == (active in keyed)


def test_what_was_published_tells_the_keys_of_providers_whose_address_is_still_the_same() -> None:
    spec = build_spec(listed("chat"), listed("vectors"), tasks=[{"name": "embed"}], publish=PUBLISH)
    embed = spec.provider("vectors")
    assert embed
    keys = {name: SecretKey(key_of(name)) for name in ("chat", "vectors")}
    built = build_secret(choose(spec, "chat", tasks={"embed": embed}, keys=keys))
    assert built
    assert read_keys(built, spec) == {"chat": key_of("chat"), "vectors": key_of("vectors")}
    moved = build_spec(listed("chat", baseURL="http://evil.example"), listed("vectors"), publish=PUBLISH)
    assert read_keys(built, moved) == {"vectors": key_of("vectors")}
    assert read_keys(built, build_spec()) == {}


@given(st.dictionaries(st.sampled_from(["LLM_API_KEY", "LLM_PROVIDER", "LLM_BASE_URL", "_API_KEY", "X"]), st.text()))
def test_whatever_somebody_wrote_into_it_is_read_without_a_crash(data: dict[str, str]) -> None:
    assert read_keys({"kind": "Secret", "data": data}, build_spec()) == {}
    assert read_keys({"kind": "Secret"}, build_spec()) == {}


def test_two_are_of_the_same_keys_whatever_else_differs() -> None:
    one, other = build_secret(choice_of()), build_secret(choice_of("vllm"))
    rotated = build_secret(choice_of(key="sk-other-0123456789"))
    assert one
    assert other
    assert rotated
    assert same_keys(one, other)
    assert not same_keys(one, rotated)


@given(start=st.integers(0, len(KEY) - 8), before=st.text(max_size=20), after=st.text(max_size=20))
def test_no_answer_that_quotes_a_part_of_a_key_is_repeated(start: int, before: str, after: str) -> None:
    built = build_secret(choice_of())
    assert built
    for form in (KEY, base64.b64encode(KEY.encode()).decode()):
        assert hide_keys(f"{before}{form[start : start + 8]}{after}", built) == NOT_REPEATED


def test_an_answer_that_quotes_no_key_is_repeated_word_for_word() -> None:
    built = build_secret(choice_of())
    assert built
    for said in ("", 'admission webhook "w" denied the request: LLM_PROVIDER mine is not on the list'):
        assert hide_keys(said, built) == said
    assert hide_keys(KEY, {"kind": "ConfigMap", "data": {"LLM_API_KEY": KEY}}) == KEY
