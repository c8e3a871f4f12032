"""What is printed after an installation: the next commands to type, true for the values given."""

from typing import Any

import pytest
import yaml
from tests.chart.rendering import NAMESPACE, offline
from tests.support.helm import CHART
from tests.support.repository import ROOT


def notes(**values: Any) -> str:
    args = ("install", "providerswitch", str(CHART), "--dry-run=client", "--namespace", NAMESPACE)
    return offline().ok(*args, values={"crds": {"install": False}, **values}).split("\nNOTES:\n")[1]


def test_the_first_policy_is_the_quickstart() -> None:
    told = notes().split("<<'EOF'\n")[1].split("\nEOF\n")[0]
    assert yaml.safe_load(told) == yaml.safe_load((ROOT / "manifests" / "examples" / "quickstart.yaml").read_text())


@pytest.mark.parametrize(("values", "told"), [
    ({}, f"kubectl rollout status -n {NAMESPACE} deployment/providerswitch\n"),
    ({"fullnameOverride": "switch"}, f"kubectl rollout status -n {NAMESPACE} deployment/switch\n"),
    ({}, "Write a first policy in any namespace"),
    ({"watch": {"namespaces": ["a", "b"]}}, "Write a first policy in one of the namespaces a, b"),
    ({}, "without a registry"),
    ({"rbac": {"create": False}}, "rbac.create is false: bind the rules"),
    ({"crds": {"install": True}}, "An uninstall leaves the CustomResourceDefinition and your policies"),
    ({"crds": {"install": True, "keep": False}}, "AN UNINSTALL DELETES EVERY POLICY OF THE CLUSTER"),
])  # fmt: skip
def test_the_notes_say_what_is_true_of_the_values(values: dict[str, Any], told: str) -> None:
    assert told in notes(**values)


@pytest.mark.parametrize(("values", "never"), [
    ({"image": {"repository": "registry.example.com/providerswitch"}}, "without a registry"),
    ({}, "rbac.create"),
    ({}, "UNINSTALL"),
])  # fmt: skip
def test_the_notes_leave_out_what_is_not(values: dict[str, Any], never: str) -> None:
    assert never not in notes(**values)
