"""The cluster the demo runs on: a local control plane, a kind cluster, or the current context."""

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from providerswitch.demo.kubectl import Kubectl, find_kubectl
from providerswitch.demo.processes import PACKAGE_ROOT, DemoError, running

REPOSITORY: Final = PACKAGE_ROOT.parent
CONTROL_PLANE: Final = REPOSITORY / "hack" / "envtest" / "control_plane.py"
KIND_CLUSTER: Final = "providerswitch-demo"


class ClusterKind(StrEnum):
    """Where to run."""

    LOCAL = "local"
    KIND = "kind"
    CURRENT = "current"


@asynccontextmanager
async def _local(folder: Path) -> AsyncIterator[Path]:
    """Run the local control plane."""
    kubeconfig = folder / "kubeconfig"
    command: list[str | Path] = [sys.executable, CONTROL_PLANE, "--kubeconfig", kubeconfig, "--with-parent"]
    async with running("control plane", command, folder / "control-plane.log", piped=True) as child:
        async for line in child.lines():
            if line == "ready":
                yield kubeconfig
                return
        await child.process.wait()
        child.check()


@asynccontextmanager
async def _kind(folder: Path) -> AsyncIterator[Path]:
    """Make a kind cluster, and delete it at the end."""
    if shutil.which("kind") is None:
        raise DemoError("kind is not installed: see https://kind.sigs.k8s.io, or run with --cluster local")
    kubeconfig = folder / "kubeconfig"
    await _run("kind", "create", "cluster", "--name", KIND_CLUSTER, "--wait", "120s", "--kubeconfig", str(kubeconfig))
    try:
        yield kubeconfig
    finally:
        await _run("kind", "delete", "cluster", "--name", KIND_CLUSTER, "--kubeconfig", str(kubeconfig))


@asynccontextmanager
async def _current(folder: Path) -> AsyncIterator[Path]:
    """Copy the current context, so that the demo changes nobody's kubeconfig."""
    kubeconfig = folder / "kubeconfig"
    kubeconfig.touch(mode=0o600)
    kubeconfig.write_text(await _run(find_kubectl(), "config", "view", "--raw", "--minify", "--flatten"))
    yield kubeconfig


async def _run(*command: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    output, errors = await process.communicate()
    if process.returncode:
        raise DemoError(f"{Path(command[0]).name} {' '.join(command[1:3])}: {errors.decode(errors='replace').strip()}")
    return output.decode()


Opener = Callable[[Path], AbstractAsyncContextManager[Path]]
OPENERS: Final[Mapping[ClusterKind, Opener]] = {
    ClusterKind.LOCAL: _local,
    ClusterKind.KIND: _kind,
    ClusterKind.CURRENT: _current,
}


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster with an administrator's kubectl.

    Attributes:
        throwaway: it goes when the demo ends, so nothing in it needs to be taken away.
    """

    kubectl: Kubectl
    throwaway: bool


@asynccontextmanager
async def open_cluster(kind: ClusterKind, folder: Path) -> AsyncIterator[Cluster]:
    """Open a cluster; its files go into `folder`.

    Raises:
        DemoError: there is no such cluster to be had; the text says what to do.
    """
    async with OPENERS[kind](folder) as kubeconfig:
        yield Cluster(Kubectl(kubeconfig), throwaway=kind is not ClusterKind.CURRENT)
