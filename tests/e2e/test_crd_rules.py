"""What the API server refuses, and what the user then reads: one folder in data/crd for each rule.

Each holds accepted.yaml, refused.yaml, which differs in that rule alone, and refused.txt: what kubectl prints, with the
lines sorted, because the API server checks maps in any order.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydantic
import pytest
import yaml
from tests.support.crd_bounds import Bound, find_bounds
from tests.support.kubectl import Kubectl

from providerswitch.api.crd import build_crd
from providerswitch.api.policy import PolicySpec
from providerswitch.api.provider_types import Capability
from providerswitch.api.rules import RULES

DATA = Path(__file__).parent / "data" / "crd"
CASES = sorted(folder.name for folder in DATA.iterdir())
LEFT_TO_THE_API_SERVER = frozenset(
    {
        "addresses-are-http-urls",
        "addresses-hold-no-secrets",
        "backups-stand-once",
        "fields-are-known",
        "groups-say-something",
    }
)
"""What the models let pass: they read what was accepted, and must not be stricter than a newer CRD."""

SCHEMA: dict[str, Any] = build_crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
BOUNDS = [Bound("spec", "Required value"), *find_bounds(SCHEMA["properties"]["spec"], "spec")]

LONGEST_DURATION = "1." + "0" * 29 + "h"
LONGEST_URL = "http://host/".ljust(2048, "p")
ALL_CAPABILITIES = [each.value for each in Capability]
LARGEST_EMBEDDING = {"space": "e" * 253, "dimensions": 100_000}
LARGEST_WEIGHTS = dict.fromkeys(("latency", "accuracy", "cost", "availability"), 100)
LARGEST_REQUIREMENTS = {
    "capabilities": ALL_CAPABILITIES,
    "minContextWindow": 100_000_000,
    "regions": ["r" * 253] * 16,
    "minQuality": 1,
    "embedding": LARGEST_EMBEDDING,
    "protocols": ["p" * 253] * 8,
}

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
    own = {path: rules for path, rules in RULES.items() if ":" not in path}
    written = {bound for path, rules in own.items() for rule in rules for bound in [Bound.of(rule.as_schema(), path)]}

    assert written <= set(BOUNDS)


def test_no_user_has_to_read_a_regular_expression() -> None:
    assert [case for case in CASES if "should match" in answer(case)] == []


def test_the_largest_policy_stays_within_the_cost_that_rules_may_have(kubectl: Kubectl, crds_installed: None) -> None:
    policy = {**yaml.safe_load(manifest("needs-a-spec", "refused")), "spec": largest_spec()}

    kubectl.apply(yaml.safe_dump(policy), "--server-side", "--dry-run=server")


def test_the_largest_refusal_is_told_in_words(kubectl: Kubectl, crds_installed: None) -> None:
    stray = largest_spec() | {"primary": "p", "backups": ["b"] * 32}
    for entry in (*stray["schedule"], *stray["tasks"]):
        entry["primary"] = "x" * 63
    policy = {**yaml.safe_load(manifest("needs-a-spec", "refused")), "spec": stray}

    refused = kubectl("apply", "--server-side", "--dry-run=server", "-f", "-", stdin=yaml.safe_dump(policy))

    assert refused.returncode == 1
    assert refused.stderr.count("is not the name of a listed provider: add it to providers") == 4


def test_the_largest_policy_leaves_out_only_what_may_not_stand_beside_the_rest() -> None:
    assert list(left_out(largest_spec(), SCHEMA["properties"]["spec"], "spec")) == ["spec.schedule[].strategy"]


def left_out(given: Any, node: dict[str, Any], path: str) -> Iterator[str]:
    """Yield the fields of the schema that the first entries of a manifest do not have."""
    for name, child in node.get("properties", {}).items():
        if name in given:
            yield from left_out(given[name], child, f"{path}.{name}")
        else:
            yield f"{path}.{name}"
    if "items" in node:
        yield from left_out(given[0], node["items"], f"{path}[]")


def largest_spec() -> dict[str, Any]:
    names = long_names(32)
    return {
        "protocol": "native",
        "dryRun": True,
        "revisionHistoryLimit": 50,
        "primary": names[-1],
        "backups": names[::-1],
        "providers": [largest_provider(name) for name in names],
        "healthCheck": largest_health_check(),
        "failover": {
            "mode": "Automatic",
            "failback": "Automatic",
            "blacklistDuration": LONGEST_DURATION,
            "minDwell": LONGEST_DURATION,
            "maxSwitchesPerHour": 50,
        },
        "selection": largest_selection(),
        "schedule": [largest_entry(name, names[-1]) for name in long_names(16)],
        "tasks": [largest_task(name, names[-1]) for name in long_names(8)],
        "qualityChecks": {"interval": LONGEST_DURATION, "prompts": [largest_prompt()] * 8},
        "publish": {"configMap": {"name": "c" * 253}, "service": {"name": "s" * 63}, "secret": {"name": "p" * 253}},
    }


def long_names(count: int) -> list[str]:
    return [f"{number:02}{'n' * 61}" for number in range(count)]


def largest_provider(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "type": "openai-compatible",
        "model": "m" * 253,
        "models": dict.fromkeys(long_names(16), "m" * 253),
        "baseURL": LONGEST_URL,
        "auth": {"secretKeyRef": {"name": "s" * 253, "key": "k" * 253}},
        "headers": {f"{number:02}{'h' * 61}": "v" * 253 for number in range(16)},
        "failureDomain": "d" * 253,
        "cost": {"inputPerMillionTokens": 1_000_000, "outputPerMillionTokens": 1_000_000},
        "quality": 1,
        "weight": 1000,
        "capabilities": ALL_CAPABILITIES,
        "contextWindow": 100_000_000,
        "region": "r" * 253,
        "embedding": LARGEST_EMBEDDING,
        "statusPage": LONGEST_URL,
    }


def largest_health_check() -> dict[str, Any]:
    return {
        **dict.fromkeys(("interval", "fastInterval"), LONGEST_DURATION),
        "timeout": "1." + "0" * 29 + "m",
        "failureThreshold": 100,
        "recoveryThreshold": 100,
        "path": "/".ljust(1024, "p"),
        "generation": {"interval": LONGEST_DURATION},
        "budget": {"probesPerDay": 1_000_000, "costPerDay": 1_000_000},
    }


def largest_selection() -> dict[str, Any]:
    queries = dict.fromkeys(("responseTime", "errorRate", "availability", "throughput"), "q" * 2048)
    source = {"url": LONGEST_URL, "queries": queries, "providerLabel": "l" * 253, "interval": LONGEST_DURATION}
    return {
        "strategy": "Performance",
        "weights": LARGEST_WEIGHTS,
        "thresholds": {"responseTime": LONGEST_DURATION, "errorRate": 1, "availability": 1, "quality": 1},
        "switchOnDegradation": True,
        **dict.fromkeys(("window", "rotationPeriod", "rampInterval"), LONGEST_DURATION),
        "minSamples": 500,
        "hysteresis": 1,
        "requirements": LARGEST_REQUIREMENTS,
        "metricsSource": {"prometheus": source},
    }


def largest_entry(name: str, primary: str) -> dict[str, Any]:
    return {
        "name": name,
        "cron": "0 0 1 1 ".ljust(120, "0"),
        "duration": LONGEST_DURATION,
        "timeZone": "Z" * 63,
        "primary": primary,
        "rotate": False,
    }


def largest_task(name: str, primary: str) -> dict[str, Any]:
    return {
        "name": name,
        "requirements": LARGEST_REQUIREMENTS,
        "primary": primary,
        "strategy": "RoundRobin",
        "weights": LARGEST_WEIGHTS,
    }


def largest_prompt() -> dict[str, Any]:
    expect = {
        "contains": "c" * 253,
        "regex": "r" * 253,
        "json": True,
        "embeddingNear": {"text": "t" * 1024, "similarity": 1},
    }
    return {"prompt": "p" * 1024, "expect": expect}
