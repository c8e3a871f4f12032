"""A client for the API server from a kubeconfig."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from providerswitch.kube.client import KubeClient
from providerswitch.kube.login import log_in


@asynccontextmanager
async def connected(kubeconfig: Path) -> AsyncIterator[KubeClient]:
    """Yield a client that is closed at the end."""
    login = await log_in(str(kubeconfig))
    api = login.open()
    try:
        yield KubeClient(api)
    finally:
        await api.close()  # type: ignore[no-untyped-call]  # ships no types
