"""A policy under GitOps: no drift whatever the operator does, and the tools' own libraries read its state right."""

import asyncio
import json
import signal
from dataclasses import dataclass
from typing import Any

import pytest
import yaml
from tests.gitops.environments import OVERLAYS, environment, only
from tests.gitops.verdicts import (
    TRACKING_ANNOTATION,
    TRACKING_LABELS,
    act,
    after_another_sync,
    flux,
    health,
    kstatus,
    offered_actions,
    tracks,
)
from tests.support.eventually import eventually
from tests.support.kubectl import Kubectl
from tests.support.operator_process import OperatorProcess
from tests.support.policies import build_policy
from tests.support.scene import POLICY, Scene

from providerswitch.api import meta
from providerswitch.api.policy import PolicySpec
from providerswitch.demo.fakes import Fault

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Tool:
    """How a GitOps tool applies.

    Attributes:
        manager: whom the API server records for it.
    """

    flags: tuple[str, ...]
    manager: str


ARGO = "argocd-controller"
SERVER_SIDE = Tool(("--server-side", f"--field-manager={ARGO}", "--force-conflicts"), ARGO)
CLIENT_SIDE = Tool((), "kubectl-client-side-apply")
TOOLS = pytest.mark.parametrize("tool", [SERVER_SIDE, CLIENT_SIDE], ids=["server-side", "client-side"])


def tracked(policy: Object) -> Object:
    """Return a policy as the tools mark it."""
    metadata = policy["metadata"] | {
        "labels": dict.fromkeys(sorted(TRACKING_LABELS), "assistant"),
        "annotations": {TRACKING_ANNOTATION: f"assistant:{meta.GROUP}/{meta.POLICY_KIND}:team/{POLICY}"},
    }
    return {**policy, "metadata": metadata}


def compared(policy: Object) -> Object:
    """Return what Argo CD compares of a policy: no status, and no record of who wrote what when."""
    metadata = {
        key: value for key, value in policy["metadata"].items() if key not in {"managedFields", "resourceVersion"}
    }
    return {**policy, "metadata": metadata, "status": None}


async def sync(scene: Scene, tool: Tool, source: Object) -> None:
    await scene.run("apply", *tool.flags, "-f", "-", stdin=json.dumps(source))


async def assert_no_drift(scene: Scene, tool: Tool, source: Object) -> None:
    """Neither kubectl nor Argo CD in any of its ways to compare sees a difference between Git and the cluster."""
    text = json.dumps(source)
    diff = await asyncio.to_thread(scene.kubectl, "diff", *tool.flags, "-f", "-", stdin=text)
    assert (diff.returncode, diff.stdout, diff.stderr) == (0, "", "")
    live = json.loads(await scene.run("get", "pswitch", POLICY, "-o", "json", "--show-managed-fields"))
    if tool is SERVER_SIDE:
        rehearsed = await scene.run("apply", *tool.flags, "--dry-run=server", "-f", "-", "-o", "json", stdin=text)
        assert compared(json.loads(rehearsed)) == compared(live)
    else:
        assert after_another_sync(source, live) == live
    assert live["metadata"]["generation"] == 1
    assert only_wrote_status(live, tool)


def only_wrote_status(policy: Object, tool: Tool) -> bool:
    """Tell whether nobody but the tool wrote the policy, and nobody but the operator its status."""
    writers = {(each["manager"], each.get("subresource", "")) for each in policy["metadata"]["managedFields"]}
    ours = next(each for each in policy["metadata"]["managedFields"] if each["manager"] == meta.FIELD_MANAGER)
    return writers == {(tool.manager, ""), (meta.FIELD_MANAGER, "status")} and set(ours["fieldsV1"]) == {"f:status"}


async def restart(scene: Scene) -> None:
    """Kill the operator, and start another that has its rights and settings."""
    await scene.operator.stop(signal.SIGKILL)
    scene.operator = OperatorProcess(scene.operator.kubeconfig, scene.operator.flags)
    await scene.operator.start()
    await scene.operator.ready()
    await eventually(lambda: "decision" in scene.operator.text, within=20)


@TOOLS
async def test_nothing_the_operator_does_is_drift(scene: Scene, tool: Tool) -> None:
    for name in ("openai", "backup"):
        await scene.provider(name)
    await scene.apply(scene.secret())
    source = tracked(scene.policy())
    await sync(scene, tool, source)
    await scene.serves("openai")
    await assert_no_drift(scene, tool, source)
    await scene.providers["openai"].behave(Fault.SERVER_ERROR)
    await scene.serves("backup")
    await assert_no_drift(scene, tool, source)
    await restart(scene)
    await assert_no_drift(scene, tool, source)
    await scene.providers["openai"].behave(Fault.HEALTHY)
    await scene.serves("openai")
    await assert_no_drift(scene, tool, source)
    await sync(scene, tool, source)
    await assert_no_drift(scene, tool, source)


async def test_drift_of_others_is_seen(scene: Scene) -> None:
    await scene.provider("openai")
    source = scene.policy()
    await sync(scene, CLIENT_SIDE, source)
    await scene.edit(failover={"minDwell": "7s"})
    diff = await asyncio.to_thread(scene.kubectl, "diff", "-f", "-", stdin=json.dumps(source))
    live = await scene.look("pswitch", POLICY)
    assert diff.returncode == 1
    assert after_another_sync(source, live) != live


async def test_a_tool_that_prunes_leaves_what_is_published(scene: Scene) -> None:
    await scene.provider("openai")
    await scene.apply(scene.secret())
    source = tracked(scene.policy(publish={"service": {"name": "llm"}}))
    extra = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {**source["metadata"], "name": "theirs"}}
    await scene.apply(source, extra)
    await scene.serves("openai")
    published = [await scene.look("configmap", f"{POLICY}-provider"), await scene.look("service", "llm")]
    assert [tracks(obj) for obj in published] == [frozenset(), frozenset()]
    for label in sorted(TRACKING_LABELS):
        allowed = [f"--prune-allowlist=core/v1/{kind}" for kind in ("ConfigMap", "Service")]
        command = ("apply", "--prune", "-l", f"{label}=assistant", *allowed, "-f", "-")
        await scene.run(*command, stdin=json.dumps(source))
    assert await scene.look("configmap", "theirs") == {}
    assert [await scene.look("configmap", f"{POLICY}-provider"), await scene.look("service", "llm")] == published


async def seen(scene: Scene) -> tuple[str, str]:
    """Return what Argo CD and Flux say of the policy now; where only an edit helps, Flux knows sooner than kstatus."""
    live = await scene.look("pswitch", POLICY)
    if not live.get("status"):
        return "", ""
    told = flux(live)
    assert kstatus(live)[0] == ("InProgress" if told == "Failed" else told)
    return health(live)[0], told


async def becomes(scene: Scene, expected: tuple[str, str]) -> str:
    """Wait until the tools say so; return the message of Argo CD."""

    async def there() -> bool:
        return await seen(scene) == expected

    try:
        await eventually(there, within=20)
    except AssertionError as error:
        raise AssertionError(f"{await seen(scene)}, not {expected}: {await scene.status()}") from error
    return health(await scene.look("pswitch", POLICY))[1]


async def test_the_tools_follow_a_policy_from_outage_to_outage(scene: Scene) -> None:
    await scene.opens("openai", "backup")
    assert "openai serves (PrimaryHealthy)" in await becomes(scene, ("Healthy", "Current"))
    await scene.providers["openai"].behave(Fault.SERVER_ERROR)
    await scene.serves("backup")
    assert "backup serves (FailedOver)" in await becomes(scene, ("Healthy", "Current"))
    await scene.providers["backup"].behave(Fault.SERVER_ERROR)
    assert "backup" in await becomes(scene, ("Degraded", "InProgress"))
    for provider in scene.providers.values():
        await provider.behave(Fault.HEALTHY)
    await becomes(scene, ("Healthy", "Current"))


async def test_a_policy_without_its_secret_is_degraded_and_waited_for_until_it_comes(scene: Scene) -> None:
    await scene.provider("openai")
    await scene.apply(scene.policy())
    assert "llm-keys" in await becomes(scene, ("Degraded", "InProgress"))
    wait = ("wait", "pswitch", POLICY, "--for=condition=Ready")
    impatient = await asyncio.to_thread(scene.kubectl, *wait, "-n", scene.namespace, "--timeout=1s")
    assert "timed out" in impatient.stderr
    await scene.apply(scene.secret())
    assert (await scene.run(*wait, "--timeout=20s")).endswith("condition met\n")
    await becomes(scene, ("Healthy", "Current"))


async def test_a_fault_of_the_network_suspends_a_policy(scene: Scene) -> None:
    await scene.opens("openai", "backup")
    for provider in scene.providers.values():
        await provider.behave(Fault.REFUSE)
    await becomes(scene, ("Suspended", "InProgress"))


async def test_the_action_of_argo_cd_brings_the_primary_back(scene: Scene) -> None:
    await scene.opens("openai", "backup", failover={"failback": "Manual", "blacklistDuration": "0s"})
    assert offered_actions(await scene.look("pswitch", POLICY)) == {"request-failback": {"disabled": True}}
    await scene.providers["openai"].behave(Fault.SERVER_ERROR)
    await scene.serves("backup")
    await scene.providers["openai"].behave(Fault.HEALTHY)
    await scene.becomes("Ready", "True", "FailbackHeld")
    live = await scene.look("pswitch", POLICY)
    assert offered_actions(live) == {"request-failback": {"disabled": False}}
    asked = act("request-failback", live)["metadata"]["annotations"]
    await scene.run("patch", "pswitch", POLICY, "--type=merge", "-p", json.dumps({"metadata": {"annotations": asked}}))
    await scene.serves("openai")


async def test_a_refused_spec_is_degraded_while_the_last_good_one_stays_published(scene: Scene) -> None:
    await scene.opens("openai", "backup", publish={"service": {"name": "llm"}})
    good = await scene.serves("openai")
    bad = [scene.listed("openai"), {**scene.listed("backup"), "baseURL": "http://[::1]:1"}]
    await scene.edit(providers=bad)
    assert "publish.service" in await becomes(scene, ("Degraded", "Failed"))
    assert await scene.serves("openai") == good
    await scene.edit(providers=[scene.listed("openai"), scene.listed("backup")])
    await becomes(scene, ("Healthy", "Current"))


async def test_a_deleted_policy_goes_with_all_that_it_published(scene: Scene) -> None:
    await scene.opens("openai")
    hold = json.dumps({"metadata": {"finalizers": ["example.com/hold"]}})
    await scene.run("patch", "pswitch", POLICY, "--type=merge", "-p", hold)
    await scene.run("delete", "pswitch", POLICY, "--wait=false")
    assert kstatus(await scene.look("pswitch", POLICY))[0] == "Terminating"
    await scene.run("patch", "pswitch", POLICY, "--type=merge", "-p", '{"metadata":{"finalizers":null}}')

    async def gone() -> bool:
        return not await scene.look("pswitch", POLICY) and not await scene.look("configmap", f"{POLICY}-provider")

    await eventually(gone, within=15)


@pytest.mark.usefixtures("crds_installed")
def test_a_policy_that_no_operator_has_seen_yet_is_progressing(kubectl: Kubectl, namespace: str) -> None:
    kubectl.apply(json.dumps(build_policy("new", namespace)))
    new = kubectl.json("get", "pswitch", "new", "-n", namespace)
    assert health(new)[0] == "Progressing"


@pytest.mark.usefixtures("crds_installed")
def test_flux_waits_for_a_policy_that_no_operator_has_seen_yet(kubectl: Kubectl, namespace: str) -> None:
    kubectl.apply(json.dumps(build_policy("new", namespace)))
    new = kubectl.json("get", "pswitch", "new", "-n", namespace)
    assert kstatus(new)[0] == "InProgress"


@pytest.mark.usefixtures("crds_installed")
@pytest.mark.parametrize("name", OVERLAYS)
def test_each_environment_is_accepted_as_it_is(name: str, kubectl: Kubectl, namespace: str) -> None:
    objects = [{**each, "metadata": {**each["metadata"], "namespace": namespace}} for each in environment(name)]
    text = yaml.safe_dump_all(objects)
    applied = kubectl.apply(text, "--server-side", "--field-manager=kustomize-controller")
    stored = kubectl.json("get", "pswitch", "assistant", "-n", namespace)
    assert len(applied.splitlines()) == len(objects)
    assert PolicySpec.model_validate(stored["spec"]) == PolicySpec.model_validate(
        only(meta.POLICY_KIND, objects)["spec"]
    )
