"""The CRD: current, structural, bounded, described, and of one mind with the models."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from pydantic import BaseModel
from tests.support.crd_bounds import Schema, children
from tests.support.policies import build_policy, build_provider
from tests.support.repository import ROOT

from providerswitch.api import meta
from providerswitch.api.crd import KINDS, LIST_MAPS, build_crd, build_crds, structural
from providerswitch.api.policy import PolicySpec
from providerswitch.api.rules import RULES

CRD = build_crd()
(VERSION,) = CRD["spec"]["versions"]
ROOTS: dict[str, Schema] = {
    kind.root: build_crd(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"] for kind in KINDS
}

UNDERSTOOD = frozenset(
    {
        *("type", "description", "default", "enum", "format", "required", "properties", "items"),
        *("additionalProperties", "minLength", "maxLength", "minItems", "maxItems", "maxProperties"),
        *("minimum", "maximum", "x-kubernetes-validations", "x-kubernetes-list-type", "x-kubernetes-list-map-keys"),
    }
)
"""What the API server takes in a structural schema and this CRD makes use of."""


def walk(node: Schema, path: str) -> Iterator[tuple[str, Schema]]:
    """Yield a node and all below it, with their paths."""
    yield path, node
    for name, child in children(node):
        yield from walk(child, path + name)


NODES = {
    path: node
    for root, parts in ROOTS.items()
    for part in ("spec", "status")
    for path, node in walk(parts[part], f"{root}{part}")
}
MODELS: dict[str, type[BaseModel]] = {
    **{f"{kind.root}spec": kind.spec for kind in KINDS},
    **{f"{kind.root}status": kind.status for kind in KINDS},
}


def nodes(kind: str) -> dict[str, Schema]:
    return {path: node for path, node in NODES.items() if node.get("type") == kind}


def test_the_committed_crd_is_the_one_that_the_models_give() -> None:
    import generate

    texts = {path: text for path, text in generate.generated().items() if path.parent == ROOT / "crds"}
    assert texts
    assert {path: path.read_text() for path in texts} == texts, "run make generated"


def test_what_is_installed_and_what_is_in_crds_are_the_same_crds() -> None:
    files = [yaml.safe_load(file.read_text()) for file in (ROOT / "crds").glob("*.yaml")]
    installed = list(yaml.safe_load_all((ROOT / "manifests" / "install.yaml").read_text()))
    assert len(files) == len(KINDS)
    assert all(crd in files for crd in build_crds())
    assert [obj for obj in installed if obj["kind"] == "CustomResourceDefinition"] == list(build_crds())


def test_the_kind_is_known_under_the_names_of_the_api() -> None:
    assert CRD["metadata"]["name"] == f"{meta.POLICY_PLURAL}.{meta.GROUP}"
    assert CRD["spec"]["scope"] == "Namespaced"
    assert CRD["spec"]["names"]["kind"] == "ProviderSwitchPolicy"
    assert CRD["spec"]["names"]["shortNames"] == ["pswitch"]
    assert (VERSION["name"], VERSION["served"], VERSION["storage"]) == ("v1alpha1", True, True)
    assert VERSION["subresources"] == {"status": {}}


def test_the_columns_are_those_of_the_design_in_its_order() -> None:
    columns = VERSION["additionalPrinterColumns"]
    names = [column["name"].upper() for column in columns if not column.get("priority")]
    assert names == ["PRIMARY", "ACTIVE", "READY", "FAILEDOVER", "REASON", "AGE"]


def test_only_the_wide_view_tells_of_shadow_mode() -> None:
    wide = [column["name"] for column in VERSION["additionalPrinterColumns"] if column.get("priority")]
    assert wide == ["DryRun"]


def test_the_columns_point_at_fields_that_there_are() -> None:
    for column in VERSION["additionalPrinterColumns"]:
        path = column["jsonPath"].split("[")[0].removeprefix(".")
        assert path in NODES or path.startswith("metadata."), path


@pytest.mark.parametrize("path", NODES)
def test_each_node_has_a_type_and_nothing_that_the_api_server_refuses(path: str) -> None:
    assert NODES[path]["type"] in {"object", "array", "string", "integer", "number", "boolean"}
    assert set(NODES[path]) - UNDERSTOOD == set()


@pytest.mark.parametrize("path", [path for path in NODES if not path.endswith(("[]", ".*"))])
def test_each_field_is_described_in_one_line(path: str) -> None:
    description = NODES[path].get("description", "")
    assert description
    assert description == " ".join(description.split())


@pytest.mark.parametrize("path", nodes("string"))
def test_each_string_is_bounded(path: str) -> None:
    assert {"maxLength", "enum", "format"} & NODES[path].keys()


@pytest.mark.parametrize("path", nodes("array"))
def test_each_list_is_bounded_and_says_how_it_is_merged(path: str) -> None:
    assert NODES[path]["maxItems"] <= 50
    assert NODES[path]["x-kubernetes-list-type"] == ("map" if path in LIST_MAPS else "atomic")


@pytest.mark.parametrize("path", [path for path, node in NODES.items() if "additionalProperties" in node])
def test_each_map_is_bounded_and_has_no_fields_besides(path: str) -> None:
    assert NODES[path]["maxProperties"] <= 16
    assert "properties" not in NODES[path]


@pytest.mark.parametrize("path", nodes("object"))
def test_each_object_says_what_it_holds(path: str) -> None:
    assert NODES[path].get("properties") or NODES[path].get("additionalProperties")


@pytest.mark.parametrize(("path", "key"), LIST_MAPS.items())
def test_the_key_of_a_keyed_list_is_required(path: str, key: str) -> None:
    assert NODES[path]["x-kubernetes-list-map-keys"] == [key]
    assert key in NODES[f"{path}[]"]["required"]


def test_no_place_that_a_rule_is_written_for_is_missing_in_the_schema() -> None:
    assert set(RULES) - set(NODES) == set()


def test_each_rule_has_a_text_of_its_own_and_a_reason_for_programs() -> None:
    rules = [rule for node in NODES.values() for rule in node.get("x-kubernetes-validations", ())]
    assert len(rules) > 20
    for rule in rules:
        assert ("message" in rule) != ("messageExpression" in rule)
        assert rule["reason"] == "FieldValueInvalid"


def test_what_the_operator_writes_has_no_defaults() -> None:
    written = {path: node for path, node in NODES.items() if path.rpartition(":")[2].startswith("status.")}
    assert [path for path, node in written.items() if "default" in node] == []


def test_a_policy_that_nobody_has_looked_at_is_told_from_one_that_is_up_to_date() -> None:
    assert NODES["status"]["default"] == {"observedGeneration": -1}


@pytest.mark.parametrize("root", MODELS)
def test_schema_and_models_have_the_same_fields(root: str) -> None:
    listed = [path.removeprefix(root + ".") for path in NODES if path.startswith(root + ".")]
    top = {path for path in listed if "." not in path and "[" not in path}
    assert top == {field.alias or name for name, field in MODELS[root].model_fields.items()}
    assert set(NODES[root].get("required", ())) == {
        field.alias or name for name, field in MODELS[root].model_fields.items() if field.is_required()
    }


def fill(value: Any, node: Schema) -> Any:
    """Fill in defaults as the API server does: in what is there, top down."""
    if isinstance(value, dict) and "properties" in node:
        defaults = {name: child["default"] for name, child in node["properties"].items() if "default" in child}
        both = {**json.loads(json.dumps(defaults)), **value}
        return {name: fill(each, node["properties"].get(name, {})) for name, each in both.items()}
    if isinstance(value, list):
        return [fill(each, node.get("items", {})) for each in value]
    return value


def test_the_api_server_fills_in_what_the_models_default_to() -> None:
    written = build_policy("p", "n", build_provider("openai"), healthCheck={"generation": {}})["spec"]
    filled = fill(written, NODES["spec"])
    assert filled["healthCheck"]["interval"] == "30s"
    assert filled["healthCheck"]["generation"] == {"interval": "10m"}
    assert filled["failover"]["blacklistDuration"] == "300s"
    assert filled["selection"]["weights"] == {"latency": 0.4, "accuracy": 0.3, "cost": 0.2, "availability": 0.1}
    assert PolicySpec.model_validate(filled) == PolicySpec.model_validate(written)


def test_defaults_are_of_the_type_of_their_field() -> None:
    kinds = {"object": dict, "array": list, "string": str, "integer": int, "number": float, "boolean": bool}
    for path, node in NODES.items():
        if "default" in node:
            assert isinstance(node["default"], kinds[node["type"]]), path


def test_a_schema_is_made_anew_each_time() -> None:
    first = structural(PolicySpec, "spec")
    first["properties"].clear()
    assert structural(PolicySpec, "spec") == NODES["spec"]
