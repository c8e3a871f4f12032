"""Proves an installation in a cluster whose nodes run Pods: install the chart, lose a provider, lose the leader.

    python hack/kind/smoke.py --kubeconfig build/kind/kubeconfig --image providerswitch:dev

The image must be one the nodes can start (kind: `hack/kind/cluster.py load IMAGE`). It refuses a cluster that has
providerswitch already, takes away what it made unless --keep is given, and ends with code 0 if everything held.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import scenery
from tool import HACK

from helm import MissingHelmError, require_helm

T = TypeVar("T")
CHART: Final = HACK.parent / "charts" / "providerswitch"
RELEASE: Final = "providerswitch"
SYSTEM: Final = "providerswitch-system"
CRD: Final = "providerswitchpolicies.providerswitch.dev"
CRDS: Final = (CRD, "providerswitchoverrides.providerswitch.dev", "providerswitchdrills.providerswitch.dev")
POLL_SECONDS: Final = 0.2
COMMAND_SECONDS: Final = 300


class SmokeError(RuntimeError):
    """Something did not hold, or a command failed."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where it happens.

    Attributes:
        image: name:tag of the operator's image.
        domain: what names of Services end in, as Pods resolve them.
    """

    kubeconfig: Path
    image: str
    domain: str = "svc"
    kubectl: Path = Path(sys.executable).parent / "kubectl"

    def run(self, *arguments: str, stdin: str | None = None) -> str:
        """Run kubectl and return what it printed.

        Raises:
            SmokeError: It failed.
        """
        return _run([str(self.kubectl), *arguments], self.kubeconfig, stdin)

    def helm(self, *arguments: str) -> str:
        """Run helm and return what it printed.

        Raises:
            SmokeError: It failed.
        """
        return _run([str(require_helm()), *arguments, "--namespace", SYSTEM], self.kubeconfig)

    def look(self, kind: str, name: str, namespace: str = scenery.NAMESPACE) -> dict[str, Any]:
        """Return an object; an empty one if there is none."""
        text = self.run("get", kind, name, "-n", namespace, "--ignore-not-found", "-o", "json")
        return dict(json.loads(text)) if text else {}


def _run(command: list[str], kubeconfig: Path, stdin: str | None = None) -> str:
    done = subprocess.run(
        command,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=COMMAND_SECONDS,
        env={**os.environ, "KUBECONFIG": str(kubeconfig)},
    )
    if done.returncode:
        raise SmokeError(f"{Path(command[0]).name} {' '.join(command[1:4])}: {done.stderr.strip() or done.stdout}")
    return done.stdout


def within(seconds: float, what: str, ask: Callable[[], T]) -> T:
    """Ask until the answer is true; say how long it took, and return the answer.

    Raises:
        SmokeError: It never was.
    """
    began = time.monotonic()
    while not (answer := ask()):
        if time.monotonic() - began > seconds:
            raise SmokeError(f"not within {seconds:.0f} s: {what}")
        time.sleep(POLL_SECONDS)
    print(f"  {time.monotonic() - began:5.1f} s  {what}", flush=True)
    return answer


def published(cluster: Cluster) -> str:
    """Return the provider that consumers are sent to; nothing is published yet: an empty text."""
    return str(cluster.look("configmap", f"{scenery.POLICY}-provider").get("data", {}).get("LLM_PROVIDER", ""))


def leader(cluster: Cluster) -> str:
    """Return the Pod that holds the Lease; nobody: an empty text."""
    holder = cluster.look("lease", RELEASE, SYSTEM).get("spec", {}).get("holderIdentity") or ""
    pods = json.loads(cluster.run("get", "pods", "-n", SYSTEM, "-o", "json"))["items"]
    return next((name for name in (pod["metadata"]["name"] for pod in pods) if holder.startswith(name)), "")


def install(cluster: Cluster) -> None:
    """Install the chart into a namespace of the restricted profile, and wait until it works."""
    if cluster.run("get", "crd", CRD, "--ignore-not-found", "-o", "name"):
        raise SmokeError("providerswitch is installed in this cluster: uninstall it and its CRD first")
    repository, _, tag = cluster.image.rpartition(":")
    cluster.run("apply", "-f", "-", stdin=scenery.listed([scenery.namespace(SYSTEM)]))
    image = ("--set", f"image.repository={repository},image.tag={tag}")
    cluster.helm("install", RELEASE, str(CHART), *image, "--wait", "--timeout=4m")
    print("installed", flush=True)


def supply(cluster: Cluster) -> None:
    """Start the two providers and apply the policy."""
    cluster.run("apply", "-f", "-", stdin=scenery.listed([scenery.namespace(scenery.NAMESPACE)]))
    cluster.run("apply", "-f", "-", stdin=scenery.listed(scenery.providers(cluster.image)))
    for name in (scenery.PRIMARY, scenery.BACKUP):
        cluster.run("rollout", "status", f"deployment/{name}", "-n", scenery.NAMESPACE, "--timeout=120s")
    cluster.run("apply", "-f", "-", stdin=scenery.listed(scenery.policy(cluster.domain)))
    within(30, "the primary is published", lambda: published(cluster) == scenery.PRIMARY)
    cluster.run("wait", "pswitch", scenery.POLICY, "-n", scenery.NAMESPACE, "--for=condition=Ready", "--timeout=30s")


def scale(cluster: Cluster, name: str, replicas: int) -> None:
    """Take a provider away, or bring it back."""
    cluster.run("scale", f"deployment/{name}", f"--replicas={replicas}", "-n", scenery.NAMESPACE)


def fail_over(cluster: Cluster) -> None:
    """Lose the primary, then the leader; the primary comes back under the next leader."""
    scale(cluster, scenery.PRIMARY, 0)
    within(60, "the primary is gone, the backup is published", lambda: published(cluster) == scenery.BACKUP)
    lost = within(30, "a Pod leads", lambda: leader(cluster))
    cluster.run("delete", "pod", lost, "-n", SYSTEM, "--wait=false")
    within(60, "another Pod leads", lambda: leader(cluster) not in {"", lost})
    scale(cluster, scenery.PRIMARY, 1)
    within(90, "the primary is back and published again", lambda: published(cluster) == scenery.PRIMARY)
    history = cluster.look("pswitch", scenery.POLICY)["status"]["history"]
    print("  history:", ", ".join(entry["trigger"] for entry in reversed(history)), flush=True)


def uninstall(cluster: Cluster) -> None:
    """Uninstall the chart: policies and what they published stay."""
    cluster.helm("uninstall", RELEASE, "--wait")
    if published(cluster) != scenery.PRIMARY or not cluster.look("pswitch", scenery.POLICY):
        raise SmokeError("the policy or its ConfigMap went with the chart")
    print("uninstalled; the policy and its ConfigMap stayed", flush=True)


def explain(cluster: Cluster) -> None:
    """Print what helps to understand a failure."""
    for command in (
        ("get", "pods,deployments,leases,events", "-n", SYSTEM),
        ("get", "pods,deployments,pswitch,configmaps,events", "-n", scenery.NAMESPACE),
        ("describe", "pswitch", "-n", scenery.NAMESPACE),
        ("logs", "-n", SYSTEM, "-l", "app.kubernetes.io/name=providerswitch", "--tail=40", "--prefix"),
    ):
        try:
            print(f"--- kubectl {' '.join(command)}\n{cluster.run(*command)}", file=sys.stderr)
        except SmokeError as error:
            print(error, file=sys.stderr)


def clean(cluster: Cluster) -> None:
    """Take away everything, policies too."""
    for command in (
        ("delete", "namespace", scenery.NAMESPACE, SYSTEM, "--ignore-not-found"),
        ("delete", "crd", *CRDS, "--ignore-not-found"),
        ("delete", "clusterrole,clusterrolebinding", "-l", "app.kubernetes.io/name=providerswitch"),
    ):
        try:
            cluster.run(*command)
        except SmokeError as error:
            print(error, file=sys.stderr)


def play(cluster: Cluster) -> None:
    """Play the whole story.

    Raises:
        SmokeError: Something did not hold.
    """
    install(cluster)
    supply(cluster)
    fail_over(cluster)
    uninstall(cluster)


def parse_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Prove an installation in a cluster that runs Pods.")
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument("--image", required=True, help="name:tag of the operator's image, as the nodes know it")
    parser.add_argument("--keep", action="store_true", help="leave everything there, to look around")
    return parser.parse_args()


def main() -> int:
    """Play, and clean up."""
    options = parse_options()
    cluster = Cluster(options.kubeconfig, options.image)
    try:
        play(cluster)
    except (SmokeError, MissingHelmError) as error:
        print(f"smoke: {error}", file=sys.stderr)
        explain(cluster)
        return 1
    finally:
        if not options.keep:
            clean(cluster)
    return 0


if __name__ == "__main__":
    sys.exit(main())
