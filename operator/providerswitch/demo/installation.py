"""Installs what the demo needs into the cluster, and takes it away again."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import yaml

from providerswitch.api import meta
from providerswitch.demo.cluster import REPOSITORY, Cluster
from providerswitch.demo.kubectl import Kubectl
from providerswitch.demo.processes import DemoError

Manifest = dict[str, Any]

NAMESPACE: Final = "providerswitch-demo"
SYSTEM_NAMESPACE: Final = "providerswitch-system"
RUN_LOCALLY: Final = frozenset({"Deployment", "Service", "PodDisruptionBudget", "NetworkPolicy"})
"""Kinds of the install manifest that run the operator in the cluster; the demo runs it as a process instead."""
DELETE_TIMEOUT: Final = "60s"
CRD: Final = f"{meta.POLICY_PLURAL}.{meta.GROUP}"


@asynccontextmanager
async def installed(cluster: Cluster) -> AsyncIterator[str]:
    """Install CRDs, RBAC and namespaces while the context is open; yield the operator's ServiceAccount.

    Raises:
        DemoError: the cluster already has an operator, or refuses something.
    """
    kubectl = cluster.kubectl
    await _refuse_a_second_operator(kubectl)
    had_crd = await kubectl("get", "crd", CRD, "--ignore-not-found", "-o", "name")
    manifests = [*([] if had_crd else _crds()), *_permissions()]
    try:
        await kubectl.apply(*manifests)
        await kubectl.apply(_namespace(NAMESPACE))
        await kubectl("wait", "--for=condition=Established", f"crd/{CRD}", "--timeout=30s")
        await kubectl("config", "set-context", "--current", f"--namespace={NAMESPACE}")
        yield next(entry["metadata"]["name"] for entry in manifests if entry["kind"] == "ServiceAccount")
    finally:
        if not cluster.throwaway:
            await _remove(kubectl, manifests)


async def _refuse_a_second_operator(kubectl: Kubectl) -> None:
    found = await kubectl("get", "deployments", "-n", SYSTEM_NAMESPACE, "--ignore-not-found", "-o", "name")
    if found:
        raise DemoError(
            f"the operator already runs in this cluster ({SYSTEM_NAMESPACE}): a second one would work against it. "
            "Run the demo with --cluster local."
        )


def _crds() -> list[Manifest]:
    return [yaml.safe_load(path.read_text()) for path in sorted((REPOSITORY / "crds").glob("*.yaml"))]


def _permissions() -> list[Manifest]:
    """Return everything of manifests/install.yaml but what runs in the cluster, namespace first."""
    path = REPOSITORY / "manifests" / "install.yaml"
    entries = [entry for entry in yaml.safe_load_all(path.read_text()) if entry]
    own = [entry for entry in entries if entry["kind"] not in {*RUN_LOCALLY, "CustomResourceDefinition", "Namespace"}]
    return [_namespace(SYSTEM_NAMESPACE), *own]


def _namespace(name: str) -> Manifest:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


async def _remove(kubectl: Kubectl, manifests: list[Manifest]) -> None:
    for entry in [_namespace(NAMESPACE), *reversed(manifests)]:
        name = f"{entry['kind']}/{entry['metadata']['name']}"
        namespace = entry["metadata"].get("namespace", "default")
        await kubectl("delete", name, "-n", namespace, "--ignore-not-found", f"--timeout={DELETE_TIMEOUT}")
