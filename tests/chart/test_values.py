"""What values the chart takes: all are described, wrong ones are refused with their path."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from tests.chart.rendering import refusal, render
from tests.support.helm import CHART

SCHEMA = json.loads((CHART / "values.schema.json").read_text())
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())


def nodes(node: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each value and section of the schema with its path."""
    for name, below in node.get("properties", {}).items():
        yield f"{path}/{name}", below
        if "default" not in below:
            yield from nodes(below, f"{path}/{name}")


def paths(node: Any, known: dict[str, Any], path: str = "") -> Iterator[str]:
    """Yield the path of each value in values.yaml; what the schema takes as one value is one."""
    if not isinstance(node, dict) or "default" in known:
        yield path
        return
    for name, below in node.items():
        yield from paths(below, known["properties"][name], f"{path}/{name}")


LEAVES = {path: node for path, node in nodes(SCHEMA) if "default" in node}
SECTIONS = {path: node for path, node in nodes(SCHEMA) if "default" not in node}


def test_the_schema_holds_the_values_of_the_file_and_no_more() -> None:
    assert set(paths(VALUES, SCHEMA)) == set(LEAVES)


@pytest.mark.parametrize("path", LEAVES)
def test_every_value_is_described(path: str) -> None:
    assert LEAVES[path]["description"].endswith(".")


@pytest.mark.parametrize("path", LEAVES)
def test_every_value_stands_in_the_readme_with_its_description(path: str) -> None:
    row = f"| `{path[1:].replace('/', '.')}` |"
    lines = [line for line in (CHART / "README.md").read_text().splitlines() if line.startswith(row)]
    assert len(lines) == 1
    assert LEAVES[path]["description"].replace("|", "\\|") in lines[0]


def inside(path: str, value: Any) -> dict[str, Any]:
    """Return values with one at a path of slashes."""
    for key in reversed(path.strip("/").split("/")):
        value = {key: value}
    return dict(value)


@pytest.fixture(scope="module")
def told_of_typos() -> str:
    """What is said of a key too many in each section, all at once."""
    wrong: dict[str, Any] = {"typo": 1}
    for path in SECTIONS:
        _put(wrong, f"{path}/typo", 1)
    return refusal(**wrong)


@pytest.fixture(scope="module")
def told_of_numbers() -> str:
    """What is said of values that are no number, all at once."""
    wrong: dict[str, Any] = {}
    for path in LEAVES:
        _put(wrong, path, 1.5)
    return refusal(**wrong)


def _put(values: dict[str, Any], path: str, value: Any) -> None:
    *above, last = path.strip("/").split("/")
    for key in above:
        values = values.setdefault(key, {})
    values[last] = value


@pytest.mark.parametrize("path", ["", *SECTIONS])
def test_a_key_that_is_not_known_is_refused_with_its_path(path: str, told_of_typos: str) -> None:
    assert f"- at '{path}': additional properties 'typo' not allowed\n" in told_of_typos


@pytest.mark.parametrize("path", [path for path in LEAVES if path != "/global"])
def test_a_value_of_a_wrong_type_is_refused_with_its_path(path: str, told_of_numbers: str) -> None:
    assert f"- at '{path}': got number, want " in told_of_numbers


@pytest.mark.parametrize(("path", "value", "told"), [
    ("/image/pullPolicy", "Sometimes", "at '/image/pullPolicy': value must be one of 'Always', 'IfNotPresent',"),
    ("/image/digest", "sha256:abc", "at '/image/digest': 'sha256:abc' does not match pattern"),
    ("/image/repository", "", "at '/image/repository': minLength: got 0, want 1"),
    ("/image/pullSecrets", ["registry"], "at '/image/pullSecrets/0': got string, want object"),
    ("/replicas", -1, "at '/replicas': minimum: got -1, want 0"),
    ("/leaderElection/leaseDuration", "soon", "at '/leaderElection/leaseDuration': 'soon' does not match pattern"),
    ("/operations/keepFinished", "soon", "at '/operations/keepFinished': 'soon' does not match pattern"),
    ("/log/level", "trace", "at '/log/level': value must be one of 'debug', 'info', 'warning', 'error'"),
    ("/log/format", "xml", "at '/log/format': value must be one of 'json', 'text'"),
    ("/listen/port", 70000, "at '/listen/port': maximum: got 70,000, want 65,535"),
    ("/watch/namespaces", ["Team A"], "at '/watch/namespaces/0': 'Team A' does not match pattern"),
    ("/watch/namespaces", ["a", "a"], "at '/watch/namespaces': items at 0 and 1 are equal"),
    ("/limits/policiesPerNamespace", -1, "at '/limits/policiesPerNamespace': minimum: got -1, want 0"),
    ("/networkPolicy/egress/providerPorts", [], "at '/networkPolicy/egress/providerPorts': minItems: got 0, want 1"),
    ("/podDisruptionBudget/maxUnavailable", "one", "at '/podDisruptionBudget/maxUnavailable': 'one' does not match"),
    ("/affinity/podAntiAfinity", {}, "at '/affinity': additional properties 'podAntiAfinity' not allowed"),
    ("/commonLabels/team", 7, "at '/commonLabels/team': got number, want string"),
    ("/extraEnv", [{"value": "x"}], "at '/extraEnv/0': missing property 'name'"),
    ("/topologySpreadConstraints", [{}], "at '/topologySpreadConstraints/0': missing properties"),
])  # fmt: skip
def test_a_wrong_value_is_refused_with_its_path(path: str, value: Any, told: str) -> None:
    assert told in refusal(**inside(path, value))


def test_two_replicas_without_leader_election_are_refused() -> None:
    told = "replicas is 2 and leaderElection.enabled is false: two operators would work against each other. Set "
    assert told in refusal(leaderElection={"enabled": False})


def test_two_bundles_of_authorities_are_refused() -> None:
    told = 'caBundle.configMapName is "a" and caBundle.secretName is "b": give one of the two.'
    assert told in refusal(caBundle={"configMapName": "a", "secretName": "b"})


def test_what_helm_and_a_parent_chart_hand_down_is_accepted() -> None:
    assert render(**{"global": {"imageRegistry": "x"}, "enabled": True}).kinds == render().kinds
