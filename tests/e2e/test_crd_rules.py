"""What the API server refuses, and what the user then reads: one folder in data/crd for each rule.

Each holds accepted.yaml, refused.yaml, which differs in that rule alone, and refused.txt: what kubectl prints, with the
lines sorted, because the API server checks maps in any order.
"""

from pathlib import Path
from typing import Any

import pydantic
import pytest
import yaml
from tests.support.crd_bounds import Bound, find_bounds
from tests.support.kubectl import Kubectl

from providerswitch.api.crd import build_crd
from providerswitch.api.policy import PolicySpec
from providerswitch.api.rules import RULES

DATA = Path(__file__).parent / "data" / "crd"
CASES = sorted(folder.name for folder in DATA.iterdir())
LEFT_TO_THE_API_SERVER = frozenset(
    {"addresses-are-http-urls", "addresses-hold-no-secrets", "backups-stand-once", "fields-are-known"}
)
"""What the models let pass: they read what was accepted, and must not be stricter than a newer CRD."""

SCHEMA: dict[str, Any] = build_crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
BOUNDS = [Bound("spec", "Required value"), *find_bounds(SCHEMA["properties"]["spec"], "spec")]

in_each_case = pytest.mark.parametrize("case", CASES)


def manifest(case: str, verdict: str) -> str:
    return (DATA / case / f"{verdict}.yaml").read_text()


def answer(case: str) -> str:
    return (DATA / case / "refused.txt").read_text()


def settled(text: str) -> str:
    """Sort what stands in any order, and drop the blank that kubectl leaves at the end of a line."""
    first, *rest = [line.rstrip() for line in text.splitlines()]
    return "\n".join([first, *sorted(rest)]) + "\n"


def read_spec(case: str, verdict: str) -> PolicySpec:
    return PolicySpec.model_validate(yaml.safe_load(manifest(case, verdict)).get("spec"))


@in_each_case
def test_what_keeps_the_rule_is_accepted(case: str, kubectl: Kubectl, crds_installed: None) -> None:
    assert kubectl.apply(manifest(case, "accepted"), "--dry-run=server").endswith("created (server dry run)\n")


@in_each_case
def test_what_breaks_the_rule_is_refused_in_these_words(case: str, kubectl: Kubectl, crds_installed: None) -> None:
    refused = kubectl("apply", "--dry-run=server", "-f", "-", stdin=manifest(case, "refused"))

    assert refused.returncode == 1
    assert settled(refused.stderr) == answer(case)


@in_each_case
def test_the_operator_can_read_what_is_accepted(case: str) -> None:
    assert read_spec(case, "accepted").order()


@pytest.mark.parametrize("case", sorted(set(CASES) - LEFT_TO_THE_API_SERVER))
def test_the_models_refuse_what_the_api_server_refuses(case: str) -> None:
    with pytest.raises(pydantic.ValidationError):
        read_spec(case, "refused")


@pytest.mark.parametrize("bound", BOUNDS, ids=lambda bound: f"{bound.path}: {bound.says}")
def test_each_bound_of_the_schema_has_a_case(bound: Bound) -> None:
    told = [line for case in CASES for line in answer(case).splitlines()]

    assert any(bound.is_told_by(line) for line in told), "add a folder to tests/e2e/data/crd"


def test_each_rule_stands_in_the_schema() -> None:
    written = {bound for path, rules in RULES.items() for rule in rules for bound in [Bound.of(rule.as_schema(), path)]}

    assert written <= set(BOUNDS)


def test_no_user_has_to_read_a_regular_expression() -> None:
    assert [case for case in CASES if "should match" in answer(case)] == []


def test_the_largest_policy_stays_within_the_cost_that_rules_may_have(kubectl: Kubectl, crds_installed: None) -> None:
    names = [f"{number:02}{'n' * 61}" for number in range(32)]
    spec = {"primary": names[-1], "backups": names[::-1], "providers": [largest_provider(name) for name in names]}
    policy = {**yaml.safe_load(manifest("needs-a-spec", "refused")), "spec": spec}

    kubectl.apply(yaml.safe_dump(policy), "--server-side", "--dry-run=server")


def largest_provider(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "type": "openai-compatible",
        "model": "m" * 253,
        "baseURL": "http://host/".ljust(2048, "p"),
        "auth": {"secretKeyRef": {"name": "s" * 253, "key": "k" * 253}},
        "headers": {f"{number:02}{'h' * 61}": "v" * 253 for number in range(16)},
        "failureDomain": "d" * 253,
    }
