"""What the API server refuses of the kinds beside the policy: one folder in data/crd-<kind> for each rule.

The folders hold what those of `test_crd_rules.py` hold.
"""

from pathlib import Path

import pydantic
import pytest
import yaml
from tests.support.crd_bounds import Bound, find_bounds
from tests.support.kubectl import Kubectl

from providerswitch.api.crd import OVERRIDE, CustomKind, build_crd
from providerswitch.api.rules import RULES

DATA = Path(__file__).parent / "data"
KINDS = {"crd-override": OVERRIDE}
"""By the folder of its cases."""
CASES = [(folder, case.name) for folder in KINDS for case in sorted((DATA / folder).iterdir())]
ON_UPDATE = frozenset({"override:spec"})
"""Places whose rules compare with what was there before; each has a test of its own."""

in_each_case = pytest.mark.parametrize(("folder", "case"), CASES, ids="/".join)


def text(folder: str, case: str, file: str) -> str:
    return (DATA / folder / case / file).read_text()


def settled(told: str) -> str:
    first, *rest = [line.rstrip() for line in told.splitlines()]
    return "\n".join([first, *sorted(rest)]) + "\n"


def bounds() -> list[tuple[str, Bound]]:
    found = []
    for folder, kind in KINDS.items():
        schema = build_crd(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        own = [Bound("spec", "Required value"), *find_bounds(schema["properties"]["spec"], "spec")]
        found += [(folder, bound) for bound in own if bound not in later(kind)]
    return found


def later(kind: CustomKind) -> list[Bound]:
    """Return what is refused only when an object is edited."""
    places = [path for path in ON_UPDATE if path.startswith(kind.root)]
    return [Bound.of(rule.as_schema(), path.removeprefix(kind.root)) for path in places for rule in RULES[path]]


@in_each_case
def test_what_keeps_the_rule_is_accepted(folder: str, case: str, kubectl: Kubectl, crds_installed: None) -> None:
    printed = kubectl.apply(text(folder, case, "accepted.yaml"), "--dry-run=server")
    assert printed.endswith("created (server dry run)\n")


@in_each_case
def test_what_breaks_the_rule_is_refused_in_these_words(
    folder: str, case: str, kubectl: Kubectl, crds_installed: None
) -> None:
    refused = kubectl("apply", "--dry-run=server", "-f", "-", stdin=text(folder, case, "refused.yaml"))

    assert refused.returncode == 1
    assert settled(refused.stderr) == text(folder, case, "refused.txt")


@in_each_case
def test_the_models_agree_with_the_api_server(folder: str, case: str) -> None:
    kind = KINDS[folder]
    kind.spec.model_validate(yaml.safe_load(text(folder, case, "accepted.yaml"))["spec"])
    with pytest.raises(pydantic.ValidationError):
        kind.spec.model_validate(yaml.safe_load(text(folder, case, "refused.yaml")).get("spec"))


@pytest.mark.parametrize(("folder", "bound"), bounds(), ids=lambda value: getattr(value, "path", value))
def test_each_bound_of_the_schema_has_a_case(folder: str, bound: Bound) -> None:
    told = [line for of, case in CASES if of == folder for line in text(of, case, "refused.txt").splitlines()]

    assert any(bound.is_told_by(line) for line in told), f"add a folder to tests/e2e/data/{folder}"


def test_an_override_is_not_edited(kubectl: Kubectl, crds_installed: None, namespace: str) -> None:
    made = text("crd-override", "text-is-one-line", "accepted.yaml")
    kubectl.apply(made, "-n", namespace)

    patch = '{"spec": {"provider": "anthropic"}}'
    refused = kubectl("patch", "psoverride", "override", "-n", namespace, "--type=merge", "-p", patch)

    assert refused.returncode == 1
    (bound,) = later(OVERRIDE)
    assert bound.says in refused.stderr
