"""The ConfigMap."""

import json

import pytest
from tests.publish.choices import AUTH, OWNER, build_spec, choose, choose_one
from tests.support.policies import build_provider

from providerswitch.publish.choice import environment
from providerswitch.publish.config_map import build_config_map, config_map_name


@pytest.mark.parametrize(
    ("publish", "name"),
    [({}, "assistant-provider"), ({"configMap": {}}, "assistant-provider"), ({"configMap": {"name": "llm"}}, "llm")],
)
def test_its_name_is_the_policys_unless_the_spec_says_otherwise(publish: dict[str, object], name: str) -> None:
    spec = build_spec(publish=publish)
    assert config_map_name(spec, OWNER) == name
    assert build_config_map(choose(spec))["metadata"]["name"] == name


def test_it_holds_the_environment_and_the_document_and_nothing_else() -> None:
    choice = choose_one(auth=AUTH)
    data = build_config_map(choice)["data"]
    assert {key: value for key, value in data.items() if key != "provider.json"} == environment(choice)
    assert json.loads(data["provider.json"])["active"]["name"] == "mine"


def test_all_values_are_text_as_a_config_map_demands() -> None:
    assert {type(value) for value in build_config_map(choose_one(auth=AUTH))["data"].values()} == {str}


def test_environment_and_document_agree() -> None:
    spec = build_spec(build_provider("jina"), build_provider("anthropic", auth=AUTH, model="claude"))
    data = build_config_map(choose(spec, "anthropic", previous="jina"))["data"]
    active = json.loads(data["provider.json"])["active"]
    assert (active["name"], active["model"]) == (data["LLM_PROVIDER"], data["LLM_MODEL"])
    assert (active["baseURL"], active["protocol"]) == (data["LLM_BASE_URL"], data["LLM_PROTOCOL"])
    assert (active["secretName"], active["secretKey"]) == (data["LLM_SECRET_NAME"], data["LLM_SECRET_KEY"])


def test_headers_of_probes_are_not_published() -> None:
    assert "X-Team" not in json.dumps(build_config_map(choose_one(headers={"X-Team": "search"})))
