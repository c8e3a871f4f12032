"""The overlays of the three environments: each is valid, says what its comment says, and its names hold together."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.gitops.environments import KUSTOMIZE, OVERLAYS, build, environment, only

from providerswitch.api import meta
from providerswitch.api.drill import DrillSpec
from providerswitch.api.policy import Mode, PolicySpec
from providerswitch.api.selection import Strategy


def spec_of(name: str) -> PolicySpec:
    return PolicySpec.model_validate(only("ProviderSwitchPolicy", environment(name))["spec"])


def key_names(folder: Path) -> set[str]:
    """Return the names of the Secrets that the policy of a kustomization refers to."""
    providers = only("ProviderSwitchPolicy", build(folder))["spec"]["providers"]
    return {provider["auth"]["secretKeyRef"]["name"] for provider in providers}


def test_there_are_three_environments() -> None:
    assert OVERLAYS == ("dev", "production", "staging")


@pytest.mark.parametrize("name", OVERLAYS)
def test_all_environments_share_the_providers_and_live_apart(name: str) -> None:
    objects = environment(name)
    assert {each["metadata"]["namespace"] for each in objects} == {f"assistant-{name}"}
    assert [provider.name for provider in spec_of(name).providers] == ["openai", "anthropic", "google"]


def test_development_is_manual_and_asks_for_nothing_that_costs() -> None:
    spec = spec_of("dev")
    assert (spec.failover.mode, spec.failover.failback) == (Mode.MANUAL, Mode.MANUAL)
    assert spec.selection.strategy is Strategy.COST
    assert spec.health_check.generation is None


def test_staging_fails_over_by_itself_and_back_by_hand_within_a_budget() -> None:
    spec = spec_of("staging")
    assert (spec.failover.mode, spec.failover.failback) == (Mode.AUTOMATIC, Mode.MANUAL)
    assert spec.health_check.budget


def test_production_is_automatic_and_stricter_than_staging() -> None:
    production, staging = spec_of("production"), spec_of("staging")
    assert (production.failover.mode, production.failover.failback) == (Mode.AUTOMATIC, Mode.AUTOMATIC)
    assert production.health_check.budget
    assert production.health_check.interval < staging.health_check.interval
    assert production.selection.thresholds.response_time < staging.selection.thresholds.response_time
    assert production.selection.thresholds.error_rate < staging.selection.thresholds.error_rate
    assert production.selection.thresholds.availability > staging.selection.thresholds.availability


def test_the_hashed_name_of_a_generated_secret_reaches_the_policy() -> None:
    secret = only("Secret", environment("dev"))["metadata"]["name"]
    assert secret.startswith("llm-keys-")
    assert key_names(KUSTOMIZE / "overlays" / "dev") == {secret}


def test_another_key_gives_another_name_in_the_policy_too(tmp_path: Path) -> None:
    copy = tmp_path / "kustomize"
    shutil.copytree(KUSTOMIZE, copy)
    (copy / "overlays" / "dev" / "llm-keys.env").write_text("openai=another\n")
    assert key_names(copy / "overlays" / "dev").isdisjoint(key_names(KUSTOMIZE / "overlays" / "dev"))


def test_without_the_configuration_the_policy_keeps_a_name_that_nobody_has(tmp_path: Path) -> None:
    copy = tmp_path / "kustomize"
    shutil.copytree(KUSTOMIZE, copy)
    base = copy / "base" / "kustomization.yaml"
    base.write_text(base.read_text().replace("configurations: [name-references.yaml]\n", ""))
    assert key_names(copy / "overlays" / "dev") == {"llm-keys"}


def test_a_prefix_reaches_the_references_and_leaves_the_published_name_alone(tmp_path: Path) -> None:
    copy = tmp_path / "kustomize"
    shutil.copytree(KUSTOMIZE, copy)
    overlay = copy / "overlays" / "dev" / "kustomization.yaml"
    overlay.write_text(overlay.read_text() + "namePrefix: blue-\n")
    objects = build(overlay.parent)
    policy = only("ProviderSwitchPolicy", objects)
    assert policy["metadata"]["name"] == "blue-assistant"
    assert key_names(overlay.parent) == {only("Secret", objects)["metadata"]["name"]}
    assert published(objects) == mounted(objects) == "assistant-llm"


def drills_of(objects: list[dict[str, Any]]) -> list[DrillSpec]:
    return [DrillSpec.model_validate(each["spec"]) for each in objects if each["kind"] == meta.DRILL_KIND]


def test_whoever_switches_by_itself_rehearses_it_and_nobody_else() -> None:
    rehearsing = {name for name in OVERLAYS if drills_of(environment(name))}
    assert rehearsing == {name for name in OVERLAYS if spec_of(name).failover.mode is Mode.AUTOMATIC}


def test_staging_rehearses_before_production() -> None:
    lines = [drill.schedule for name in ("staging", "production") for drill in drills_of(environment(name))]
    assert lines == ["0 10 * * 2", "0 10 * * 4"]


@pytest.mark.parametrize("name", OVERLAYS)
def test_nothing_is_in_git_that_the_operator_would_remove(name: str) -> None:
    objects = environment(name)
    assert [drill for drill in drills_of(objects) if drill.schedule is None] == []
    assert meta.OVERRIDE_KIND not in {each["kind"] for each in objects}


@pytest.mark.parametrize("name", ["staging", "production"])
def test_a_prefix_reaches_the_policy_of_a_drill(name: str, tmp_path: Path) -> None:
    copy = tmp_path / "kustomize"
    shutil.copytree(KUSTOMIZE, copy)
    overlay = copy / "overlays" / name / "kustomization.yaml"
    overlay.write_text(overlay.read_text() + "namePrefix: blue-\n")
    (drill,) = drills_of(build(overlay.parent))
    assert drill.policy_ref.name == "blue-assistant"


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_consumer_mounts_what_the_policy_publishes(name: str) -> None:
    objects = environment(name)
    assert mounted(objects) == published(objects)


def published(objects: list[dict[str, object]]) -> str:
    return PolicySpec.model_validate(only("ProviderSwitchPolicy", objects)["spec"]).publish.config_map.name or ""


def mounted(objects: list[dict[str, object]]) -> str:
    pod = only("Deployment", objects)["spec"]["template"]["spec"]
    return str(pod["volumes"][0]["configMap"]["name"])


def test_the_keys_in_git_are_no_keys() -> None:
    lines = (KUSTOMIZE / "overlays" / "dev" / "llm-keys.env").read_text().splitlines()
    assert {line.partition("=")[2] for line in lines} == {"replace-me"}


def test_flux_waits_for_the_policy_that_its_path_holds() -> None:
    kustomization = yaml.safe_load((KUSTOMIZE.parent / "flux" / "kustomization.yaml").read_text())["spec"]
    policy = only("ProviderSwitchPolicy", build(KUSTOMIZE / kustomization["path"]))
    awaited = {
        "apiVersion": policy["apiVersion"],
        "kind": policy["kind"],
        "name": policy["metadata"]["name"],
        "namespace": policy["metadata"]["namespace"],
    }
    assert kustomization["healthChecks"] == [awaited]
    assert kustomization["targetNamespace"] == awaited["namespace"]


def test_flux_reads_the_repository_that_is_shown() -> None:
    folder = KUSTOMIZE.parent / "flux"
    source = yaml.safe_load((folder / "source.yaml").read_text())
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
    named = {"kind": source["kind"], "name": source["metadata"]["name"]}
    assert kustomization["spec"]["sourceRef"] == named
    assert kustomization["metadata"]["namespace"] == source["metadata"]["namespace"]


def test_argo_cd_ignores_no_difference_and_reads_each_environment() -> None:
    folder = KUSTOMIZE.parent / "argocd"
    application = yaml.safe_load((folder / "application.yaml").read_text())
    generated = yaml.safe_load((folder / "applicationset.yaml").read_text())["spec"]
    assert "ignoreDifferences" not in application["spec"]
    assert "ignoreDifferences" not in generated["template"]["spec"]
    listed = [each["environment"] for each in generated["generators"][0]["list"]["elements"]]
    assert sorted(listed) == list(OVERLAYS)
    assert (KUSTOMIZE / application["spec"]["source"]["path"]).is_dir()
