"""What is generated is current, and says all there is to say."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.docs.pages import name_of
from tests.support.repository import ROOT

from providerswitch.api.crd import build_crd
from providerswitch.api.health import HealthClass
from providerswitch.api.provider_types import ProviderTypeName
from providerswitch.controller.drill_reports import REASONS as DRILL_EVENTS
from providerswitch.controller.settings import FLAGS
from providerswitch.core.case import Reason

import generate  # isort: skip  # tests.support.repository puts hack/ on the path
from reference import events, flags, health, providers, reasons  # isort: skip

GENERATED = generate.generated()
REFERENCE = ROOT / "docs" / "reference"
REASON_PLACES = {"Problem": 0, "UserError": 0, "Verdict": 1, "PolicyEvent": 1}
"""Position of the reason among the arguments of what carries one."""


@pytest.mark.parametrize("path", GENERATED, ids=name_of)
def test_a_generated_file_is_current(path: Path) -> None:
    assert path.read_text() == GENERATED[path], f"{name_of(path)} is stale: run `make generated` and commit the result"


def test_no_page_of_the_reference_is_left_over() -> None:
    assert sorted(REFERENCE.glob("*.md")) == sorted(path for path in GENERATED if path.parent == REFERENCE)


def constants() -> dict[str, str]:
    """Return the module-level string constants of the package, by name: reasons have some."""
    found = {}
    for tree in trees():
        for node in tree.body:
            target = node.target if isinstance(node, ast.AnnAssign) else None
            if isinstance(target, ast.Name) and isinstance(node.value, ast.Constant):
                found[target.id] = str(node.value.value)
    return found


def trees() -> Iterator[ast.Module]:
    for path in sorted((ROOT / "operator" / "providerswitch").rglob("*.py")):
        if "demo" not in path.parts:
            yield ast.parse(path.read_text(), str(path))


def reasons_in_code() -> set[str]:
    """Return every reason that the code spells out, or names by a constant."""
    named, found = constants(), set()
    for tree in trees():
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            place = REASON_PLACES.get(call.func.id) if isinstance(call.func, ast.Name) else None
            if place is None or len(call.args) <= place:
                continue
            for part in ast.walk(call.args[place]):
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    found.add(part.value)
                elif isinstance(part, ast.Name) and part.id in named:
                    found.add(named[part.id])
    return found


def literals() -> set[str]:
    """Return all that the code spells out."""
    found = (node for tree in trees() for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return {node.value for node in found if isinstance(node.value, str)}


def documented_reasons() -> set[str]:
    return {*map(str, reasons.all_reasons()), *events.all_events(), *flags.SETTING_ERRORS, *flags.REFUSALS}


def test_every_reason_in_the_code_is_documented() -> None:
    found = reasons_in_code()
    assert {"SecretNotFound", "NotOwned", "ProviderDown", "ListenFailed", "SwitchRefused"} <= found
    assert found - documented_reasons() == set(), "describe them in hack/reference/, then run `make generated`"


def test_every_documented_reason_is_used_by_the_code() -> None:
    tabled = {*reasons.DRILLS, *DRILL_EVENTS.values()} & literals()
    spelled = {*reasons_in_code(), *Reason, *events.SWITCH_REASONS.values(), *tabled}
    assert documented_reasons() - set(map(str, spelled)) == set(), "they are not used any more: remove them"


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_of_a_decision_says_what_to_do(reason: Reason) -> None:
    assert reasons.DECISIONS[reason].advice


@pytest.mark.parametrize("kind", HealthClass)
def test_every_health_class_says_what_it_means_and_does(kind: HealthClass) -> None:
    row = f"| `{kind}` | {health.MEANINGS[kind][0]} | {health.effect(kind)} |"
    assert row in (REFERENCE / "health-classes.md").read_text()


@pytest.mark.parametrize(("kind", "effect"), [
    (HealthClass.SERVER_ERROR, "counts: 3 in a row"),
    (HealthClass.AUTH_INVALID, "confirmed: 2 in a row"),
    (HealthClass.QUOTA_EXHAUSTED, "at once"),
    (HealthClass.CONFIG_INVALID, "at once; no blacklist"),
    (HealthClass.DNS, "counts: 3 in a row, network"),
    (HealthClass.HEALTHY, "alive"),
    (HealthClass.UNKNOWN, "changes nothing"),
])  # fmt: skip
def test_what_a_class_does_is_found_out_from_the_state_machine(kind: HealthClass, effect: str) -> None:
    assert health.effect(kind) == effect


@pytest.mark.parametrize("name", ProviderTypeName)
def test_every_provider_type_has_a_section_with_its_requests(name: ProviderTypeName) -> None:
    page = GENERATED[REFERENCE / "providers.md"]
    own = page.split(f"\n## {name}\n", 1)[1].split("\n## ", 1)[0]
    assert "| unbilled, with a key | `GET " in own
    assert providers.told(name)[0] in own


def test_every_source_says_when_it_was_read() -> None:
    listed = GENERATED[REFERENCE / "providers.md"].split("\n## Sources\n", 1)[1].strip().splitlines()
    assert len(listed) > 5
    assert [line for line in listed if "read 20" not in line] == []


def test_every_flag_stands_in_the_reference_with_its_variable() -> None:
    page = GENERATED[REFERENCE / "flags.md"]
    assert [flag for flag, variable, *_ in FLAGS if f"`{flag} " not in page or f"`{variable}`" not in page] == []


def test_every_field_stands_in_the_reference_with_its_description() -> None:
    page = GENERATED[REFERENCE / "policy.md"]
    root = build_crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    spec = root["spec"]["properties"]
    provider = spec["providers"]["items"]["properties"]
    texts = [
        node["description"] for node in (*spec.values(), *provider.values(), *root["status"]["properties"].values())
    ]
    assert [text for text in texts if f"| {text} |" not in page] == []
