"""What a user sees and may do with kubectl, before any operator runs."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.crd_bounds import Schema, children
from tests.support.kubectl import Kubectl
from tests.support.policies import build_policy, build_provider
from tests.support.statuses import build_failed_over, build_full, build_refused, build_switch

from providerswitch.api.crd import build_crd
from providerswitch.api.meta import FIELD_MANAGER
from providerswitch.api.policy import PolicySpec
from providerswitch.api.status import HISTORY_LIMIT, PolicyStatus
from providerswitch.controller.reporter import render

pytestmark = pytest.mark.usefixtures("crds_installed")

DEFAULTS = {
    "dryRun": False,
    "protocol": "openai",
    "healthCheck": {
        "interval": "30s",
        "timeout": "10s",
        "fastInterval": "1s",
        "failureThreshold": 3,
        "recoveryThreshold": 5,
    },
    "failover": {
        "mode": "Automatic",
        "blacklistDuration": "300s",
        "failback": "Automatic",
        "minDwell": "60s",
        "maxSwitchesPerHour": 12,
    },
    "selection": {
        "strategy": "Priority",
        "weights": {"latency": 0.4, "accuracy": 0.3, "cost": 0.2, "availability": 0.1},
        "thresholds": {"responseTime": "5s", "errorRate": 0.05, "availability": 0.95},
        "window": "15m",
        "minSamples": 5,
        "hysteresis": 0.1,
        "requirements": {"capabilities": [], "regions": [], "protocols": []},
        "rotationPeriod": "24h",
        "rampInterval": "5m",
    },
    "revisionHistoryLimit": 10,
    "schedule": [],
    "tasks": [],
    "publish": {"configMap": {}},
}
"""What the guide promises to those who write nothing."""


@pytest.fixture
def policy(kubectl: Kubectl, namespace: str) -> tuple[str, str, str]:
    """The arguments that name a policy, which is there, with openai as its primary."""
    kubectl.apply(json.dumps(build_policy("assistant", namespace, build_provider("openai"), build_provider("jina"))))
    return ("assistant", "-n", namespace)


def write_status(kubectl: Kubectl, policy: tuple[str, str, str], status: PolicyStatus) -> dict[str, Any]:
    """Write a status as the operator does, and return what was sent."""
    name, _, namespace = policy
    sent = render(status)
    body = {**build_policy(name, namespace), "status": sent}
    del body["spec"]
    kubectl.apply(json.dumps(body), "--server-side", "--subresource=status", "--field-manager", FIELD_MANAGER)
    return sent


def fields(schema: Schema, path: str) -> Iterator[tuple[str, Schema]]:
    """Yield each named field below a node."""
    for step, child in children(schema):
        if step.startswith(".") and step != ".*":
            yield path + step, child
        yield from fields(child, path + step)


ROOT: Schema = build_crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
FIELDS = [*fields(ROOT["spec"], "spec"), *fields(ROOT["status"], "status")]


def test_the_list_tells_who_serves_and_why(kubectl: Kubectl, policy: tuple[str, str, str]) -> None:
    write_status(kubectl, policy, build_failed_over())

    heading, row = kubectl.ok("get", "pswitch", *policy).splitlines()

    assert heading.split() == ["NAME", "PRIMARY", "ACTIVE", "READY", "FAILEDOVER", "REASON", "AGE"]
    assert row.split()[:-1] == ["assistant", "openai", "anthropic", "True", "True", "FailedOver"]


@pytest.mark.parametrize("name", ["pswitch", "providerswitchpolicy", "providerswitchpolicies", "providerswitch"])
def test_policies_are_found_under_each_of_their_names(
    name: str, kubectl: Kubectl, policy: tuple[str, str, str]
) -> None:
    assert "assistant" in kubectl.ok("get", name, *policy[1:])


def test_policies_are_selected_by_their_primary(kubectl: Kubectl, namespace: str) -> None:
    for primary in ("openai", "jina"):
        kubectl.apply(json.dumps(build_policy(f"first-{primary}", namespace, build_provider(primary))))

    found = kubectl.ok("get", "pswitch", "-n", namespace, "--field-selector", "spec.primary=openai", "-o", "name")

    assert found.split() == ["providerswitchpolicy.providerswitch.dev/first-openai"]


def test_a_script_can_wait_until_a_policy_is_ready(kubectl: Kubectl, policy: tuple[str, str, str]) -> None:
    write_status(kubectl, policy, build_failed_over())

    assert "condition met" in kubectl.ok("wait", "pswitch", *policy, "--for=condition=Ready", "--timeout=5s")


def test_explain_lists_each_field_of_the_spec(kubectl: Kubectl) -> None:
    told = kubectl.ok("explain", "pswitch.spec", "--recursive").split()

    assert {path.rsplit(".", 1)[1] for path, _ in FIELDS if path.startswith("spec")} <= set(told)


def test_explain_tells_what_a_field_means(kubectl: Kubectl) -> None:
    told = " ".join(kubectl.ok("explain", "pswitch.spec.failover.failback").split())

    assert "Manual stays until primary is edited" in told
    assert "ENUM: Automatic Manual" in told


@pytest.mark.parametrize(("path", "schema"), FIELDS, ids=[path for path, _ in FIELDS])
def test_each_field_is_described_in_a_sentence(path: str, schema: Schema) -> None:
    assert len(schema.get("description", "").split()) > 1, f"add a docstring under {path}"


def test_the_smallest_policy_gets_the_documented_defaults(kubectl: Kubectl, policy: tuple[str, str, str]) -> None:
    spec = kubectl.json("get", "pswitch", *policy)["spec"]

    written = {"primary", "providers"}
    assert {key: value for key, value in spec.items() if key not in written} == DEFAULTS


def test_the_models_default_to_what_the_api_server_fills_in(kubectl: Kubectl, policy: tuple[str, str, str]) -> None:
    filled = kubectl.json("get", "pswitch", *policy)["spec"]
    bare = {"primary": filled["primary"], "providers": filled["providers"]}

    assert PolicySpec.model_validate(filled) == PolicySpec.model_validate(bare)


def test_an_empty_generation_switches_billed_probes_on(kubectl: Kubectl, namespace: str) -> None:
    kubectl.apply(json.dumps(build_policy("billed", namespace, healthCheck={"generation": {}})))

    spec = kubectl.json("get", "pswitch", "billed", "-n", namespace)["spec"]
    assert spec["healthCheck"]["generation"] == {"interval": "10m"}


def test_two_managers_may_each_keep_a_provider_of_their_own(kubectl: Kubectl, namespace: str) -> None:
    whole = build_policy("shared", namespace, build_provider("openai"))
    added = build_policy("shared", namespace, build_provider("jina"))
    del added["spec"]["primary"]
    kubectl.apply(json.dumps(whole), "--server-side", "--field-manager=platform")
    kubectl.apply(json.dumps(added), "--server-side", "--field-manager=team")
    kubectl.apply(json.dumps(whole), "--server-side", "--field-manager=platform")

    spec = kubectl.json("get", "pswitch", "shared", "-n", namespace)["spec"]
    assert [provider["name"] for provider in spec["providers"]] == ["openai", "jina"]


def test_a_change_of_the_spec_leaves_the_status_alone(kubectl: Kubectl, policy: tuple[str, str, str]) -> None:
    sent = write_status(kubectl, policy, build_failed_over())
    change = {"spec": {"primary": "jina"}, "status": {"activeProvider": "forged"}}

    kubectl.ok("patch", "pswitch", *policy, "--type=merge", "-p", json.dumps(change))

    found = kubectl.json("get", "pswitch", *policy)
    assert (found["spec"]["primary"], found["status"]) == ("jina", sent)


def test_a_status_leaves_the_spec_and_its_generation_alone(kubectl: Kubectl, policy: tuple[str, str, str]) -> None:
    before = kubectl.json("get", "pswitch", *policy)

    write_status(kubectl, policy, build_failed_over())

    after = kubectl.json("get", "pswitch", *policy)
    assert after["spec"] == before["spec"]
    assert after["metadata"]["generation"] == before["metadata"]["generation"] == 1


@pytest.mark.parametrize("status", [build_failed_over(), build_refused()], ids=["failed over", "to be mended"])
def test_nothing_of_a_status_is_lost(status: PolicyStatus, kubectl: Kubectl, policy: tuple[str, str, str]) -> None:
    sent = write_status(kubectl, policy, status)

    found = kubectl.json("get", "pswitch", *policy)["status"]
    assert found == sent
    assert PolicyStatus.model_validate(found) == status


def test_the_status_that_is_written_here_holds_each_field_there_is() -> None:
    assert set(named(render(build_full()), "status")) == {path for path, _ in FIELDS if path.startswith("status.")}


def named(value: Any, path: str) -> Iterator[str]:
    """Yield the paths in a value, as `fields` does those in a schema."""
    for key, child in value.items() if isinstance(value, dict) else ():
        yield f"{path}.{key}"
        yield from named(child, f"{path}.{key}")
    for child in value if isinstance(value, list) else ():
        yield from named(child, f"{path}[]")


def test_a_status_with_too_long_a_history_is_refused(kubectl: Kubectl, policy: tuple[str, str, str]) -> None:
    history = render(PolicyStatus(history=[build_switch()]))["history"] * (HISTORY_LIMIT + 1)
    patch = json.dumps({"status": {"history": history}})

    refused = kubectl("patch", "pswitch", *policy, "--subresource=status", "--type=merge", "-p", patch)

    assert "status.history: Too many: 51: must have at most 50 items" in refused.stderr


def test_the_longest_history_can_be_stored(kubectl: Kubectl, policy: tuple[str, str, str]) -> None:
    crowded = build_switch(why="w" * 512, rejected=31)
    status = build_failed_over().model_copy(update={"history": [crowded] * HISTORY_LIMIT})

    assert write_status(kubectl, policy, status) == kubectl.json("get", "pswitch", *policy)["status"]
