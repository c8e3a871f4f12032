"""State that changes under the operator: an etcd that is restored, a CRD that goes and comes, a namespace that ends."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
import yaml
from tests.support.control_plane import ControlPlane
from tests.support.crds import CRD_NAME
from tests.support.eventually import eventually
from tests.support.kubectl import Kubectl
from tests.support.operator_process import OperatorProcess, install, operator_kubeconfig
from tests.support.repository import ROOT
from tests.support.scene import POLICY, Scene

from providerswitch.demo.fakes import Fault

NAME = f"{POLICY}-provider"


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    """A control plane of its own: its state is turned back, and its CRDs go."""
    with ControlPlane() as made:
        yield made


@pytest.fixture
async def scene(plane: ControlPlane, tmp_path: Path) -> AsyncIterator[Scene]:
    kubectl = Kubectl(plane.kubeconfig)
    install(kubectl)
    namespace = f"test-{tmp_path.name[-20:].replace('_', '-').strip('-')}"
    kubectl.ok("create", "namespace", namespace)
    operator = OperatorProcess(operator_kubeconfig(plane, tmp_path), ("--allow-probe-cidr", "127.0.0.0/8"))
    made = Scene(namespace, kubectl, operator)
    async with made.stack:
        await operator.start()
        made.stack.push_async_callback(operator.stop)
        await operator.ready()
        yield made
        await asyncio.to_thread(kubectl, "delete", "pswitch", "--all", "-A", "--timeout=10s")


async def is_ready(scene: Scene) -> int:
    async with httpx.AsyncClient(trust_env=False) as client:
        return (await client.get(f"http://127.0.0.1:{scene.operator.port}/readyz")).status_code


def goes_on(scene: Scene) -> bool:
    """Tell whether the process is still the first one."""
    assert scene.operator.process
    return scene.operator.process.returncode is None


async def data(scene: Scene) -> dict[str, str]:
    return dict((await scene.look("configmap", NAME)).get("data", {}))


async def test_after_a_restore_from_an_older_backup_consumers_get_the_choice_of_now(
    plane: ControlPlane, scene: Scene, tmp_path: Path
) -> None:
    await scene.opens("openai", "backup", failover={"blacklistDuration": "1h"})
    await asyncio.to_thread(plane.back_up, tmp_path / "etcd")
    await scene.providers["openai"].behave(Fault.SERVER_ERROR)
    await scene.serves("backup", within=30)
    await scene.run("annotate", "configmap", NAME, "team=a")

    await asyncio.to_thread(plane.restore, tmp_path / "etcd")

    assert (await scene.serves("backup", within=30))["LLM_REVISION"] == "2"
    assert (await scene.status())["revision"] == 2
    await scene.run("patch", "configmap", NAME, "--type=merge", "-p", '{"data":{"LLM_MODEL":"theirs"}}')

    async def put_right() -> bool:
        return (await data(scene))["LLM_MODEL"] == "model-of-backup"

    await eventually(put_right, within=15)
    await scene.providers["openai"].behave(Fault.HEALTHY)
    await scene.edit(primary="backup")
    await scene.becomes("Ready", "True", "PrimaryHealthy")
    assert goes_on(scene)


async def garbage_is_collected(scene: Scene) -> None:
    """Wait until the collector knows of policies: it looks for new kinds every 30 s, and misses what goes before."""
    await scene.apply(scene.policy("canary"))

    async def lives() -> bool:
        return bool(await scene.look("configmap", "canary-provider"))

    async def is_gone() -> bool:
        return not await lives()

    await eventually(lives, within=20)
    await scene.run("delete", "pswitch", "canary")
    await eventually(is_gone, within=90)


async def test_a_crd_that_is_deleted_and_comes_back_is_served_again_without_a_restart(scene: Scene) -> None:
    await scene.opens("openai", "backup")
    await garbage_is_collected(scene)
    policy = scene.policy()
    await scene.run("delete", "crd", CRD_NAME)

    async def collected() -> bool:
        return not await scene.look("configmap", NAME)

    await eventually(collected, within=30)
    await eventually(lambda: f"The CustomResourceDefinition {CRD_NAME} is not installed" in scene.operator.text, 20)
    assert await is_ready(scene) == 503
    assert await scene.operator.metric("providerswitch_policies") == 0
    assert await scene.operator.metric("providerswitch_targets") == 0

    await scene.run("apply", "-f", str(ROOT / "crds"))
    await scene.run("wait", "--for=condition=Established", "--timeout=30s", "crd", CRD_NAME)
    await scene.apply(policy)
    await scene.serves("openai")
    assert await is_ready(scene) == 200
    assert goes_on(scene)


async def test_a_crd_that_gets_another_field_is_served_on(scene: Scene) -> None:
    await scene.opens("openai", "backup")
    (path,) = [path for path in (ROOT / "crds").iterdir() if "polic" in path.name]
    crd = yaml.safe_load(path.read_text())
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    schema["properties"]["spec"]["properties"]["ofTheFuture"] = {"type": "string"}
    await scene.run("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=json.dumps(crd))

    async def taken() -> bool:
        await scene.edit(ofTheFuture="x")
        return (await scene.look("pswitch", POLICY))["spec"].get("ofTheFuture") == "x"

    await eventually(taken, within=15)
    await scene.edit(primary="backup")
    await scene.serves("backup")
    assert goes_on(scene)


async def test_a_namespace_that_is_deleted_takes_its_policies_with_it(scene: Scene) -> None:
    await scene.opens("openai", "backup")
    await scene.run("delete", "namespace", scene.namespace, "--timeout=60s")

    async def nothing_is_probed() -> bool:
        return await scene.operator.metric("providerswitch_targets") == 0

    await eventually(nothing_is_probed, within=10)
    told = [json.loads(line) for line in scene.operator.text.splitlines() if '"ERROR"' in line]
    assert [line["message"] for line in told] == []
    assert goes_on(scene)
