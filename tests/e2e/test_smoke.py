"""The smoke test's story, on a control plane whose kubelet is played: Pods are called ready and never run.

The providers and the operator run as processes instead, so what is proven is the script: its commands, what it waits
for, and that it notices when something does not hold. That Pods work is proven by the script itself, in a cluster.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.support.control_plane import ControlPlane
from tests.support.kubectl import Kubectl
from tests.support.operator_process import free_port
from tests.support.played_names import PlayedNames
from tests.support.repository import ROOT

sys.path.append(str(ROOT / "hack" / "kind"))
import scenery
import smoke

DOMAIN = "test"
ADDRESSES = {scenery.PRIMARY: "127.0.0.2", scenery.BACKUP: "127.0.0.3"}
READY = {"status": {"phase": "Running", "conditions": [{"type": kind, "status": "True"} for kind in ("Ready",)]}}


@dataclass(slots=True)
class PlayedKubelet(threading.Thread):
    """Calls Pods ready, runs a provider for each that is wanted, and lets one of the operator's Pods hold the Lease.

    Attributes:
        runs_backups: False is a cluster in which the backup never comes up.
    """

    kubectl: Kubectl
    runs_backups: bool = True
    over: threading.Event = field(default_factory=threading.Event)
    providers: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        threading.Thread.__init__(self)

    def __hash__(self) -> int:
        return id(self)

    def run(self) -> None:
        while not self.over.wait(0.2):
            with suppress(AssertionError):  # an object that is being deleted
                self.look()
        for provider in self.providers.values():
            provider.kill()
            provider.wait()

    def look(self) -> None:
        pods = [pod for space in (smoke.SYSTEM, scenery.NAMESPACE) for pod in self.listed("pods", space)]
        for pod in pods:
            if "phase" not in pod["status"] or pod["status"]["phase"] == "Pending":
                where = (pod["metadata"]["name"], "-n", pod["metadata"]["namespace"])
                self.kubectl.ok("patch", "pod", *where, "--subresource=status", "--type=merge", "-p", json.dumps(READY))
        self.lead([pod["metadata"]["name"] for pod in pods if pod["metadata"]["namespace"] == smoke.SYSTEM])
        for deployment in self.listed("deployments", scenery.NAMESPACE):
            self.serve(deployment["metadata"]["name"], wanted=deployment["spec"]["replicas"] > 0)

    def listed(self, kind: str, namespace: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.kubectl.json("get", kind, "-n", namespace)["items"]
        return found

    def lead(self, pods: list[str]) -> None:
        leases = self.listed("leases", smoke.SYSTEM)
        holder = leases[0]["spec"]["holderIdentity"].partition("_")[0] if leases else ""
        if pods and holder not in pods:
            metadata = {"name": smoke.RELEASE, "namespace": smoke.SYSTEM}
            lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata}
            self.kubectl.apply(json.dumps({**lease, "spec": {"holderIdentity": f"{pods[0]}_0123abcd"}}))

    def serve(self, name: str, *, wanted: bool) -> None:
        if wanted and name not in self.providers and (self.runs_backups or name == scenery.PRIMARY):
            command = [sys.executable, str(scenery.PROVIDER), "--host", ADDRESSES[name]]
            environment = {**os.environ, "PROVIDER_KEY": f"key-of-{name}"}
            self.providers[name] = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
        elif not wanted and name in self.providers:
            provider = self.providers.pop(name)
            provider.kill()
            provider.wait()


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    """A control plane of its own, in which no operator is installed."""
    with ControlPlane() as made:
        yield made


@pytest.fixture
def cluster(plane: ControlPlane, tmp_path: Path) -> Iterator[smoke.Cluster]:
    """The cluster as the script sees it, with an operator outside that knows its names."""
    names = PlayedNames(tmp_path / "names")
    for name, address in ADDRESSES.items():
        names.set(f"{name}.{scenery.NAMESPACE}.{DOMAIN}", address)
    listen = f"127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "providerswitch", "run", "--listen", listen, "--allow-probe-cidr", "127.0.0.0/8"]
    path = os.pathsep.join([str(names.folder), str(ROOT / "operator")])
    environment = {"PATH": os.defpath, "KUBECONFIG": str(plane.kubeconfig), "PYTHONPATH": path}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as operator:
        made = smoke.Cluster(plane.kubeconfig, "registry.example.com/providerswitch:dev", DOMAIN)
        yield made
        operator.kill()
        smoke.clean(made)


@pytest.fixture
def kubelet(plane: ControlPlane) -> Iterator[PlayedKubelet]:
    made = PlayedKubelet(Kubectl(plane.kubeconfig))
    made.start()
    yield made
    made.over.set()
    made.join()


def test_the_whole_story_holds_and_leaves_nothing(
    cluster: smoke.Cluster, kubelet: PlayedKubelet, capsys: pytest.CaptureFixture[str]
) -> None:
    smoke.play(cluster)

    told = capsys.readouterr().out
    assert "the primary is gone, the backup is published" in told
    assert "history: Initial, Failover, Failback" in told
    assert "the policy and its ConfigMap stayed" in told
    smoke.clean(cluster)
    assert cluster.run("get", "crd,clusterrole,clusterrolebinding,namespace", "-o", "name").count("providerswitch") == 0


def test_a_failover_that_does_not_come_is_noticed(
    cluster: smoke.Cluster, kubelet: PlayedKubelet, monkeypatch: pytest.MonkeyPatch
) -> None:
    kubelet.runs_backups = False
    smoke.install(cluster)
    smoke.supply(cluster)
    smoke.scale(cluster, scenery.PRIMARY, 0)
    with pytest.raises(smoke.SmokeError, match="not within 5 s: the backup is published"):
        smoke.within(5, "the backup is published", lambda: smoke.published(cluster) == scenery.BACKUP)


def test_a_cluster_in_which_it_is_installed_is_refused(cluster: smoke.Cluster) -> None:
    cluster.run("apply", "--server-side", "-f", str(ROOT / "crds"))
    with pytest.raises(smoke.SmokeError, match="uninstall it and its CRD first"):
        smoke.install(cluster)
