"""A cluster of the previous release is upgraded, and one of this release is read under the previous CRD."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml
from tests.docs.pages import rows, section, words
from tests.gitops.releases import AS_OPERATOR, Past, install_crd, misses, newest_folder, policies, recorded
from tests.support.control_plane import ControlPlane
from tests.support.crds import CRD_NAME
from tests.support.eventually import eventually
from tests.support.kubectl import Kubectl
from tests.support.operator_process import OperatorProcess, install, operator_kubeconfig
from tests.support.repository import ROOT
from tests.support.scene import Scene
from tests.support.statuses import build_full

from providerswitch.api import meta
from providerswitch.api.policy import PolicySpec
from providerswitch.api.status import PolicyStatus
from providerswitch.controller.reporter import render
from providerswitch.demo.fakes import Fault

Object = dict[str, Any]
FORMER = newest_folder() / "crd.yaml"
PRESENT = ROOT / "crds" / f"{meta.GROUP}_{meta.POLICY_PLURAL}.yaml"
NAMES = ("steady", "failed-over", "broken")


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    """A control plane of its own, because its CRD changes."""
    with ControlPlane() as made:
        yield made


@pytest.fixture
def upgraded(plane: ControlPlane) -> Iterator[Kubectl]:
    """A kubectl for a cluster with the CRD of the previous release."""
    kubectl = Kubectl(plane.kubeconfig)
    install_crd(kubectl, FORMER)
    yield kubectl
    kubectl.ok("delete", "crd", CRD_NAME)


@pytest.fixture
async def past(upgraded: Kubectl, tmp_path: Path) -> AsyncIterator[tuple[Past, Scene]]:
    """A namespace as the previous release left it, with the providers it knew."""
    namespace = f"test-{uuid4().hex[:8]}"
    upgraded.ok("create", "namespace", namespace)
    async with AsyncExitStack() as stack:
        scene = Scene(namespace, upgraded, OperatorProcess(tmp_path / "operator.kubeconfig"), stack=stack)
        for name in ("openai", "backup"):
            await scene.provider(name)
        hosts = {f"{name}.recorded:1": provider.host for name, provider in scene.providers.items()}
        made = Past(upgraded, namespace, hosts)
        await asyncio.to_thread(made.store)
        yield made, scene


async def start_operator(plane: ControlPlane, scene: Scene, folder: Path, crd: Path = PRESENT) -> None:
    """Install this release over the previous one, but for the CRD where another is named, and start its operator."""
    await asyncio.to_thread(install, scene.kubectl)
    await asyncio.to_thread(install_crd, scene.kubectl, crd)
    flags = ("--namespaces", scene.namespace, "--allow-probe-cidr", "127.0.0.0/8")
    scene.operator = OperatorProcess(operator_kubeconfig(plane, folder), flags)
    await scene.operator.start()
    await scene.operator.ready()


async def is_told_anew(scene: Scene) -> bool:
    """Tell whether the new operator wrote each status; conditions that the previous release had not show it."""
    statuses = [await scene.status(name) for name in NAMES]
    kinds = [{each["type"] for each in status["conditions"]} for status in statuses]
    return all("Degraded" in known for known in kinds)


def lasting(status: Object) -> Object:
    """Return what of a status must outlive an upgrade."""
    ready = next(each for each in status["conditions"] if each["type"] == "Ready")
    kept = (
        "activeProvider",
        "activeSince",
        "revision",
        "primary",
        "observedGeneration",
        "lastGoodGeneration",
        "reason",
    )
    return {
        **{key: status.get(key) for key in kept},
        "history": status["history"],
        "switching": {key: status["switching"][key] for key in ("total", "succeeded", "rolledBack")},
        "ready": {key: ready[key] for key in ("status", "reason", "lastTransitionTime")},
        "blacklisted": {each["name"]: each.get("blacklistedUntil") for each in status["providers"]},
    }


def test_what_was_recorded_is_what_this_file_tells_of() -> None:
    assert set(policies(recorded())) == set(NAMES)


def fields(value: object) -> object:
    """Return which fields there are; a duration may be spelled in another way."""
    if isinstance(value, dict):
        return {key: fields(inner) for key, inner in value.items()}
    return [fields(inner) for inner in value] if isinstance(value, list) else None


@pytest.mark.parametrize("policy", policies(recorded()).values(), ids=policies(recorded()))
def test_the_models_read_what_the_previous_release_stored(policy: Object) -> None:
    spec = PolicySpec.model_validate(policy["spec"]).model_dump(mode="json", by_alias=True)
    status = render(PolicyStatus.model_validate(policy["status"]))
    assert misses(fields(spec), fields(policy["spec"])) == []
    assert misses(status, policy["status"]) == []


async def test_replacing_the_crd_loses_nothing_that_was_stored(past: tuple[Past, Scene]) -> None:
    before, scene = past
    await asyncio.to_thread(install_crd, scene.kubectl, PRESENT)
    for name, policy in policies(before.stored()).items():
        found = before.read("pswitch", name)
        assert misses(found["spec"], policy["spec"]) == []
        assert found["status"] == policy["status"]
        assert found["metadata"]["generation"] == policy["metadata"]["generation"]


async def test_an_upgraded_operator_goes_on_where_the_former_stood(
    plane: ControlPlane, past: tuple[Past, Scene], tmp_path: Path
) -> None:
    before, scene = past
    stored = policies(before.stored())
    published = {name: before.read("configmap", name)["data"] for name in ("llm", "steady-provider")}
    await start_operator(plane, scene, tmp_path)
    await eventually(lambda: is_told_anew(scene), within=30)
    assert {name: lasting(await scene.status(name)) for name in NAMES} == {
        name: lasting(policy["status"]) for name, policy in stored.items()
    }
    assert {name: before.read("configmap", name)["data"] for name in published} == published
    assert await scene.look("service", "llm")
    await scene.providers["backup"].behave(Fault.SERVER_ERROR)
    await eventually(lambda: has_moved(scene), within=30)
    history = (await scene.status("steady"))["history"]
    assert history[1:] == stored["steady"]["status"]["history"]
    await scene.operator.stop()


async def has_moved(scene: Scene) -> bool:
    status = await scene.status("steady")
    return (status["activeProvider"], status["revision"]) == ("openai", 4)


async def test_an_operator_whose_crd_was_forgotten_still_fails_over_and_catches_up_with_it(
    plane: ControlPlane, past: tuple[Past, Scene], tmp_path: Path
) -> None:
    before, scene = past
    await start_operator(plane, scene, tmp_path, crd=FORMER)
    await scene.providers["backup"].behave(Fault.SERVER_ERROR)

    async def published() -> str:
        return str((await scene.look("configmap", "steady-provider"))["data"]["LLM_PROVIDER"])

    async def switched() -> bool:
        return await published() == "openai"

    await eventually(switched, within=30)
    assert "older than the operator. Apply crds/ of this release" in scene.operator.text
    assert "field not declared in schema" in scene.operator.text
    assert await scene.status("steady") == policies(before.stored())["steady"]["status"]
    await asyncio.to_thread(install_crd, scene.kubectl, PRESENT)
    await eventually(lambda: has_moved(scene), within=45)
    assert await published() == "openai"
    await scene.operator.stop()


def everything(namespace: str) -> Object:
    """Return a policy of this release that leaves out as little as can be."""
    example = yaml.safe_load((ROOT / "manifests" / "examples" / "all-fields.yaml").read_text())
    return {**example, "metadata": {"name": "new", "namespace": namespace}}


def test_what_a_downgrade_loses_is_what_the_docs_say(upgraded: Kubectl) -> None:
    install_crd(upgraded, PRESENT)
    namespace = f"test-{uuid4().hex[:8]}"
    upgraded.ok("create", "namespace", namespace)
    policy = everything(namespace)
    upgraded.apply(json.dumps(policy))
    told = {**policy, "status": render(build_full())}
    del told["spec"]
    upgraded.apply(json.dumps(told), *AS_OPERATOR, "--subresource=status")
    before = upgraded.json("get", "pswitch", "new", "-n", namespace)
    install_crd(upgraded, FORMER)
    after = upgraded.json("get", "pswitch", "new", "-n", namespace)
    lost = {path for part in ("spec", "status") for path in misses(after[part], before[part], part)}
    table = rows(section(ROOT / "docs" / "upgrade.md", "What a downgrade loses"))
    print(sorted(lost))
    assert {word for row in table for word in words(row[0])} == lost


def test_a_policy_of_this_release_can_still_be_edited_after_a_downgrade(upgraded: Kubectl) -> None:
    install_crd(upgraded, PRESENT)
    namespace = f"test-{uuid4().hex[:8]}"
    upgraded.ok("create", "namespace", namespace)
    upgraded.apply(json.dumps(everything(namespace)))
    install_crd(upgraded, FORMER)
    upgraded.ok("patch", "pswitch", "new", "-n", namespace, "--type=merge", "-p", '{"spec":{"primary":"google"}}')
    assert upgraded.json("get", "pswitch", "new", "-n", namespace)["spec"]["primary"] == "google"
