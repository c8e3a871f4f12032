"""A policy is parsed once, at the door; what cannot be honoured is a sentence, not an exception."""

from typing import Any

from tests.controller.played_cluster import policy
from tests.support.policies import build_provider

from providerswitch.api.status import PolicyStatus
from providerswitch.controller.policy import Policy, parse_policy, parse_status
from providerswitch.core.report import Problem
from providerswitch.kube.objects import ObjectKey


def parsed(obj: dict[str, Any]) -> Policy:
    found = parse_policy(obj)
    assert isinstance(found, Policy)
    return found


def problem(**spec: Any) -> str:
    found = parse_policy(policy(**spec))
    assert isinstance(found, Problem)
    assert found.reason == "SpecInvalid"
    return found.message


def test_a_policy_knows_who_it_is() -> None:
    found = parsed(policy(generation=7))

    assert (found.key, found.uid, found.generation) == (ObjectKey("team-a", "assistant"), "uid-of-policy", 7)
    assert (found.owner.namespace, found.owner.name, found.owner.uid) == ("team-a", "assistant", "uid-of-policy")
    assert found.regarding.uid == "uid-of-policy"


def test_the_failback_request_is_an_annotation_of_bounded_length() -> None:
    obj = policy()
    assert parsed(obj).failback_token is None
    obj["metadata"]["annotations"] = {"providerswitch.dev/failback-requested-at": ""}
    assert parsed(obj).failback_token is None
    obj["metadata"]["annotations"] = {"providerswitch.dev/failback-requested-at": "x" * 10_000}
    assert parsed(obj).failback_token == "x" * 253


def test_fields_of_a_newer_release_are_ignored() -> None:
    assert parsed(policy(somethingNew={"a": 1})).spec.primary == "openai"


def test_what_the_api_server_let_through_is_told_with_its_place_and_what_holds_meanwhile() -> None:
    told = problem(primary="nobody")

    assert 'primary: "nobody" is not the name of a listed provider' in told
    assert told.endswith("Correct the policy; until then nothing new is published.")


def test_every_mistake_is_told() -> None:
    told = problem(healthCheck={"interval": "soon", "failureThreshold": 0})

    assert "spec.healthCheck.interval" in told
    assert "spec.healthCheck.failureThreshold" in told


def test_a_mistake_is_told_without_the_value_that_was_written() -> None:
    headers = {"X-Team": "sk-secret-0123456789abcdef\n"}

    told = problem(providers=[build_provider("openai", headers=headers)])

    assert "sk-secret" not in told


def test_a_policy_without_a_spec_is_told_too() -> None:
    found = parse_policy({**policy(), "spec": None})

    assert isinstance(found, Problem)
    assert "spec.primary: Field required" in found.message


def test_a_status_that_cannot_be_read_counts_as_lost() -> None:
    assert parse_status(policy()) == PolicyStatus()
    assert parse_status({**policy(), "status": {"revision": "many", "activeProvider": "openai"}}) == PolicyStatus()
    assert parse_status({**policy(), "status": {"revision": 3, "newer": 1}}) == PolicyStatus(revision=3)
