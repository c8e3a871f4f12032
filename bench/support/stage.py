"""The scene of a benchmark: a control plane of its own, the CRDs, and the operator's rights."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from providerswitch.api import meta
from providerswitch.api.errors import ApiServerError
from providerswitch.demo.api_server import connected
from providerswitch.demo.cluster import ClusterKind, open_cluster
from providerswitch.demo.identities import service_account_kubeconfig
from providerswitch.demo.installation import SYSTEM_NAMESPACE, installed
from providerswitch.demo.kubectl import Kubectl
from providerswitch.kube.client import KubeClient, Object
from providerswitch.kube.objects import CONFLICT, POLICIES, SECRETS, Resource

Manifest = dict[str, Any]

SECRET: Final = "llm-keys"
HOST: Final = "127.0.0.1"
CREATED_AT_ONCE: Final = 16


@dataclass(frozen=True, slots=True)
class Stage:
    """Where a benchmark plays.

    Attributes:
        client: the administrator's.
        kubeconfig: of the operator's ServiceAccount; the floor runs with it too.
        folder: for logs; removed at the end.
    """

    kubectl: Kubectl
    client: KubeClient
    kubeconfig: Path
    folder: Path

    async def create_namespace(self, name: str) -> None:
        """Create a namespace with a Secret in it, whose keys may go to loopback addresses."""
        await self.kubectl("create", "namespace", name)
        await self.create(SECRETS, [build_secret(name)])

    async def create(self, resource: Resource, manifests: Iterable[Manifest]) -> None:
        """Create objects, some at a time."""
        turns = asyncio.Semaphore(CREATED_AT_ONCE)

        async def one(manifest: Manifest) -> None:
            async with turns:
                await self._create(resource, manifest)

        async with asyncio.TaskGroup() as tasks:
            for manifest in manifests:
                tasks.create_task(one(manifest))

    async def _create(self, resource: Resource, manifest: Manifest) -> None:
        path = resource.collection(manifest["metadata"]["namespace"])
        try:
            await self.client.request("POST", path, what=f"create {resource.kind}", body=manifest)
        except ApiServerError as error:
            if error.status != CONFLICT:
                raise

    async def list(self, resource: Resource, namespace: str) -> list[Object]:
        """Return all objects of a kind in a namespace."""
        answer = await self.client.request("GET", resource.collection(namespace), what=f"list {resource.plural}")
        found: list[Object] = answer["items"]
        return found


@asynccontextmanager
async def open_stage() -> AsyncIterator[Stage]:
    """Bring everything up while the context is open.

    Raises:
        DemoError: it could not be set up; the text says why and what to do.
    """
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="providerswitch-bench-")))
        cluster = await stack.enter_async_context(open_cluster(ClusterKind.LOCAL, folder))
        account = await stack.enter_async_context(installed(cluster))
        client = await stack.enter_async_context(connected(cluster.kubectl.kubeconfig))
        kubeconfig = await service_account_kubeconfig(cluster.kubectl, account, SYSTEM_NAMESPACE)
        yield Stage(cluster.kubectl, client, kubeconfig, folder)


def build_secret(namespace: str) -> Manifest:
    """Return the Secret that all policies of a namespace take their keys from."""
    annotations = {meta.HOSTS_ANNOTATION: HOST}
    metadata = {"name": SECRET, "namespace": namespace, "annotations": annotations}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"key": "sk-bench"}}


def build_provider(name: str, kind: str, base_url: str, model: str) -> Manifest:
    """Return an entry of spec.providers; another model makes it another probe target."""
    auth = {"secretKeyRef": {"name": SECRET, "key": "key"}}
    return {"name": name, "type": kind, "model": model, "baseURL": base_url, "auth": auth}


def build_policy(namespace: str, name: str, providers: list[Manifest]) -> Manifest:
    """Return a policy with all defaults; its first provider is the primary."""
    return {
        "apiVersion": POLICIES.api_version,
        "kind": POLICIES.kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"primary": providers[0]["name"], "providers": providers},
    }
