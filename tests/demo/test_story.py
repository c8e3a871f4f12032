"""The story itself: what it tells can be observed, and its manifests are what the API takes."""

import base64
from pathlib import Path

import yaml

from providerswitch.api.drill import DrillSpec
from providerswitch.api.durations import parse_duration
from providerswitch.api.override import OverrideSpec
from providerswitch.api.policy import PolicySpec
from providerswitch.controller.wanted import find_key
from providerswitch.demo import acts, operations, policies, story
from providerswitch.demo.fakes import FakeProvider, Fault
from providerswitch.demo.kubectl import Kubectl
from providerswitch.demo.world import World
from providerswitch.kube.objects import ObjectKey
from providerswitch.kube.secrets import parse_secret
from providerswitch.probes.exchange import SecretKey

NAMES = [name for names in policies.POLICIES.values() for name in names]


def fakes() -> dict[str, FakeProvider]:
    made = policies.make_fakes({name: f"key-of-{name}" for name in NAMES})
    for number, fake in enumerate(made.values()):
        fake.port = 9000 + number
    return made


def spec(name: str, made: dict[str, FakeProvider]) -> PolicySpec:
    return PolicySpec.model_validate(policies.build_policy(name, made)["spec"])


def test_each_step_expects_something() -> None:
    steps = story.build_story(fakes())
    assert all(step.expectations for step in steps)
    assert len({step.title for step in steps}) == len(steps)


def test_the_first_failover_is_expected_within_the_first_three_steps() -> None:
    seen = [expectation.what for step in story.build_story(fakes())[:3] for expectation in step.expectations]
    assert "Event FailedOver" in seen


def test_the_policies_are_valid_and_name_the_fakes_by_type() -> None:
    made = fakes()
    for name in policies.POLICIES:
        for provider in spec(name, made).providers:
            assert provider.type.value == made[provider.name].kind
            assert provider.base_url == made[provider.name].base_url


def test_what_the_people_on_call_make_is_valid_and_about_a_policy_and_provider_of_the_demo() -> None:
    order = OverrideSpec.model_validate(operations.build_override("google")["spec"])
    rehearsal = DrillSpec.model_validate(operations.build_drill()["spec"])
    assert order.provider in policies.POLICIES[order.policy_ref.name]
    assert rehearsal.policy_ref.name in policies.POLICIES
    assert rehearsal.duration.total_seconds() == operations.FAULT_SECONDS


def test_the_secret_lets_each_key_go_to_its_fake() -> None:
    made = fakes()
    secret = policies.build_secret(made)
    stored = {key: base64.b64encode(value.encode()).decode() for key, value in secret["stringData"].items()}
    value = parse_secret({**secret, "data": stored})
    for name in policies.POLICIES:
        for provider in spec(name, made).providers:
            key = find_key(provider, "here", "n", {ObjectKey("n", policies.SECRET): value})
            assert key == SecretKey(f"key-of-{provider.name}")


def test_the_quicker_pace_is_told_as_it_is() -> None:
    check = policies.PACE["healthCheck"]
    assert f"every {check['interval']} (default 30s)" in policies.PACE_NOTE
    assert f"every {check['fastInterval']} (1s)" in policies.PACE_NOTE
    assert f"{check['recoveryThreshold']} good probes" in policies.PACE_NOTE
    assert policies.PACE["failover"]["blacklistDuration"] in policies.PACE_NOTE


def test_the_rate_limit_is_longer_than_the_operator_waits_out() -> None:
    interval = parse_duration(policies.PACE["healthCheck"]["interval"])
    assert interval.total_seconds() * 2 < story.RETRY_AFTER_SECONDS


def test_the_consumer_may_read_one_secret_and_no_other() -> None:
    role = next(entry for entry in policies.build_consumer_access() if entry["kind"] == "Role")
    rule = next(rule for rule in role["rules"] if "secrets" in rule["resources"])
    assert (rule["resourceNames"], rule["verbs"]) == ([policies.SECRET], ["get"])


def test_manifests_are_plain_yaml() -> None:
    assert yaml.safe_load(yaml.safe_dump(policies.build_policy("assistant", fakes())))["kind"] == "ProviderSwitchPolicy"


async def test_a_revoked_key_is_refused_by_its_provider() -> None:
    async with FakeProvider("anthropic", key="old", name="anthropic") as fake:
        stage = acts.Stage(Kubectl(Path()), {"anthropic": fake}, World(), Path())
        await acts.revoke_key("anthropic")(stage)
        assert fake.key not in {None, "old"}
        await acts.break_provider("anthropic", Fault.HANG)(stage)
        assert fake.behaviour.fault is Fault.HANG
