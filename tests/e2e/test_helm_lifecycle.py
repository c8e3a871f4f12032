"""A real helm on a real API server: install, upgrade, roll back, uninstall, install again; policies outlive it all."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.control_plane import ControlPlane
from tests.support.crds import CRD_NAME
from tests.support.eventually import eventually_sync
from tests.support.helm import CHART, Helm
from tests.support.kubectl import Kubectl
from tests.support.operator_process import OperatorProcess, operator_kubeconfig
from tests.support.repository import ROOT
from tests.support.scene import POLICY, Scene

RELEASE = "providerswitch"
SYSTEM = "providerswitch-system"
LOOPBACK = {"probes": {"allowCIDRs": ["127.0.0.0/8"]}}
"""The fake providers listen there."""
COLUMN = {"name": "Dry", "type": "boolean", "jsonPath": ".spec.dryRun"}
"""A printer column that the CRD of this checkout does not have."""


@dataclass(slots=True)
class Cluster:
    """A cluster with a helm for it, and a namespace of a team."""

    plane: ControlPlane
    kubectl: Kubectl
    helm: Helm
    team: str

    def install(self, *args: str, chart: Path = CHART, **values: Any) -> str:
        """Install the chart as a new release."""
        return self.helm.ok("install", RELEASE, str(chart), *IN_SYSTEM, *args, values={**LOOPBACK, **values})

    def upgrade(self, chart: Path, **values: Any) -> str:
        """Upgrade the release to another chart."""
        return self.helm.ok("upgrade", RELEASE, str(chart), *IN_SYSTEM, values={**LOOPBACK, **values})

    def uninstall(self) -> str:
        """Uninstall the release."""
        return self.helm.ok("uninstall", RELEASE, "-n", SYSTEM)

    def crd(self) -> dict[str, Any]:
        """Return the CRD, or an empty object where there is none."""
        text = self.kubectl.ok("get", "crd", CRD_NAME, "-o", "json", "--ignore-not-found")
        return dict(json.loads(text)) if text else {}

    def columns(self) -> list[str]:
        """Return the names of the CRD's printer columns."""
        return [column["name"] for column in self.crd()["spec"]["versions"][0]["additionalPrinterColumns"]]

    def deployed(self) -> OperatorProcess:
        """Return an operator as the Deployment asks for it, with its account and arguments; no kubelet runs it here."""
        deployment = self.kubectl.json("get", "deployment", RELEASE, "-n", SYSTEM)
        run, listen, *flags = deployment["spec"]["template"]["spec"]["containers"][0]["args"]
        assert (run, listen) == ("run", "--listen=0.0.0.0:8080")
        return OperatorProcess(operator_kubeconfig(self.plane, self.helm.home), flags)


IN_SYSTEM = ("-n", SYSTEM, "--create-namespace")


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    """A control plane of the module's own, because what is tested belongs to the whole cluster."""
    with ControlPlane() as made:
        yield made


@pytest.fixture
def cluster(plane: ControlPlane, namespace: str, tmp_path: Path) -> Iterator[Cluster]:
    """A cluster without a trace of us, but for the namespace of a team."""
    made = Cluster(plane, Kubectl(plane.kubeconfig), Helm(tmp_path, plane.kubeconfig), namespace)
    yield made
    made.helm.ok("uninstall", RELEASE, "-n", SYSTEM, "--ignore-not-found")
    made.kubectl.ok("delete", "crd", CRD_NAME, "--ignore-not-found", "--timeout=30s")


@pytest.fixture
def kubectl(plane: ControlPlane) -> Kubectl:
    """In place of the one for the session's control plane, so that the team's namespace is on this one."""
    return Kubectl(plane.kubeconfig)


@pytest.fixture
async def scene(cluster: Cluster) -> AsyncIterator[Scene]:
    """The team's namespace on that cluster; the operator is started by whoever installs it."""
    made = Scene(cluster.team, cluster.kubectl, OperatorProcess(cluster.plane.kubeconfig))
    async with made.stack:
        yield made


@pytest.fixture
def next_chart(tmp_path: Path) -> Path:
    """The chart of a next version, whose CRD has one more printer column."""
    chart = tmp_path / "next" / "providerswitch"
    shutil.copytree(CHART, chart)
    about = yaml.safe_load((chart / "Chart.yaml").read_text())
    (chart / "Chart.yaml").write_text(yaml.safe_dump({**about, "version": "9.9.9"}))
    template = chart / "templates" / "crd-providerswitchpolicies.yaml"
    before, after = template.read_text().split("    additionalPrinterColumns:\n")
    template.write_text(f"{before}    additionalPrinterColumns:\n    - {json.dumps(COLUMN)}\n{after}")
    return chart


async def start(cluster: Cluster, scene: Scene) -> None:
    """Start the operator that is installed, and wait until it serves."""
    scene.operator = cluster.deployed()
    await scene.operator.start()
    await scene.operator.ready()


async def seen(scene: Scene) -> dict[str, Any]:
    """Return what must live through whatever is done to the operator."""
    policy = await scene.look("pswitch", POLICY)
    published = await scene.look("configmap", f"{POLICY}-provider")
    status = policy["status"]
    return {
        "policy": (policy["metadata"]["uid"], policy["metadata"]["generation"]),
        "choice": (status["activeProvider"], status["activeSince"], status["revision"], status["history"]),
        "published": (published["metadata"]["uid"], published["data"]),
    }


async def test_policies_and_what_they_publish_live_through_uninstall_and_reinstall(
    cluster: Cluster, scene: Scene
) -> None:
    await asyncio.to_thread(cluster.install)
    await start(cluster, scene)
    await scene.opens("alpha", "beta")
    await scene.edit(primary="beta")
    await scene.serves("beta")
    await scene.operator.stop()
    before = await seen(scene)

    told = await asyncio.to_thread(cluster.uninstall)

    assert CRD_NAME in told
    assert await scene.run("get", "deployment", "-n", SYSTEM, "-o", "name") == ""
    assert await seen(scene) == before

    await asyncio.to_thread(cluster.install)
    await start(cluster, scene)
    await scene.serves("beta")
    assert await seen(scene) == before
    await scene.edit(primary="alpha")
    await scene.serves("alpha")
    await scene.operator.stop()


def test_an_upgrade_brings_the_new_crd_and_a_rollback_the_old_one(cluster: Cluster, next_chart: Path) -> None:
    cluster.install()
    cluster.kubectl.ok("wait", "--for=condition=Established", f"crd/{CRD_NAME}", "--timeout=30s")
    quickstart = str(ROOT / "manifests" / "examples" / "quickstart.yaml")
    eventually_sync(lambda: cluster.kubectl("apply", "-n", cluster.team, "-f", quickstart).returncode == 0)
    uid = cluster.kubectl.json("get", "pswitch", "assistant", "-n", cluster.team)["metadata"]["uid"]
    assert COLUMN["name"] not in cluster.columns()

    cluster.upgrade(next_chart)
    assert COLUMN["name"] in cluster.columns()
    assert cluster.crd()["metadata"]["labels"]["helm.sh/chart"] == "providerswitch-9.9.9"

    cluster.helm.ok("rollback", RELEASE, "1", "-n", SYSTEM)
    assert COLUMN["name"] not in cluster.columns()
    assert cluster.kubectl.json("get", "pswitch", "assistant", "-n", cluster.team)["metadata"]["uid"] == uid


def test_without_keep_an_uninstall_takes_the_crd_and_all_policies(cluster: Cluster) -> None:
    cluster.install(crds={"keep": False})
    assert cluster.crd()
    cluster.uninstall()
    assert eventually_sync(lambda: not cluster.crd())


def test_switching_the_crds_off_in_an_upgrade_leaves_them(cluster: Cluster) -> None:
    cluster.install()
    cluster.upgrade(CHART, crds={"install": False})
    assert cluster.crd()["metadata"].get("deletionTimestamp") is None
    assert "customresourcedefinition" not in cluster.helm.ok("get", "manifest", RELEASE, "-n", SYSTEM).lower()


def test_an_upgrade_with_the_same_chart_changes_no_object(cluster: Cluster) -> None:
    assert "\nNOTES:\nproviderswitch " in cluster.install()
    before = generations(cluster)
    cluster.upgrade(CHART)
    assert generations(cluster) == before


def generations(cluster: Cluster) -> dict[str, Any]:
    """Return the generation of each object that has one."""
    items = cluster.kubectl.json("get", "deployment,poddisruptionbudget,crd", "-n", SYSTEM)["items"]
    found = {each["metadata"]["name"]: each["metadata"]["generation"] for each in items}
    assert {CRD_NAME, RELEASE} <= set(found)
    return found


def test_what_kubectl_installed_is_refused_until_its_ownership_is_taken(cluster: Cluster) -> None:
    manifest = str(ROOT / "manifests" / "install.yaml")
    cluster.kubectl.ok("apply", "--server-side", "-f", manifest)
    quickstart = str(ROOT / "manifests" / "examples" / "quickstart.yaml")
    eventually_sync(lambda: cluster.kubectl("apply", "-n", cluster.team, "-f", quickstart).returncode == 0)

    refused = cluster.helm("install", RELEASE, str(CHART), "-n", SYSTEM)
    assert refused.returncode != 0
    assert "cannot be imported into the current release: invalid ownership metadata" in refused.stderr

    cluster.install("--take-ownership", "--force-conflicts")

    assert cluster.kubectl.json("get", "pswitch", "-n", cluster.team)["items"]
    for each in ("deployment/providerswitch", f"crd/{CRD_NAME}", "clusterrole/providerswitch"):
        metadata = cluster.kubectl.json("get", each, "-n", SYSTEM)["metadata"]
        assert metadata["annotations"]["meta.helm.sh/release-name"] == RELEASE, each
    cluster.uninstall()
    assert cluster.kubectl.json("get", "pswitch", "-n", cluster.team)["items"]
    assert cluster.kubectl.ok("get", "deployment", "-n", SYSTEM, "-o", "name") == ""


def test_a_crd_of_kubectls_is_taken_by_two_labels_and_annotations(cluster: Cluster) -> None:
    cluster.kubectl.ok("apply", "--server-side", "-f", str(ROOT / "crds"))
    name = f"crd/{CRD_NAME}"
    cluster.kubectl.ok("label", name, "app.kubernetes.io/managed-by=Helm")
    release = (f"meta.helm.sh/release-name={RELEASE}", f"meta.helm.sh/release-namespace={SYSTEM}")
    cluster.kubectl.ok("annotate", name, *release)

    cluster.install("--force-conflicts")

    assert cluster.crd()["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


async def test_for_one_namespace_it_serves_that_and_needs_nothing_of_the_clusters(
    cluster: Cluster, scene: Scene
) -> None:
    await asyncio.to_thread(
        cluster.install, watch={"namespaces": [cluster.team]}, rbac={"aggregateToDefaultRoles": False}
    )
    assert await scene.run("get", "clusterrole,clusterrolebinding", "-l", "app.kubernetes.io/name=providerswitch") == ""
    await start(cluster, scene)
    await scene.opens("alpha", "beta")
    await scene.edit(primary="beta")
    await scene.serves("beta")
    await scene.operator.stop()
