"""Runs the operator as in a cluster: its own ServiceAccount, its own rights, and a port for its health."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import httpx

from providerswitch.demo.identities import service_account_kubeconfig
from providerswitch.demo.installation import SYSTEM_NAMESPACE
from providerswitch.demo.kubectl import Kubectl
from providerswitch.demo.processes import Child, DemoError, python_module, running

LOOPBACK: Final = "127.0.0.0/8"
"""Probes of loopback addresses are refused unless the administrator allows them, in the demo as anywhere."""
OPERATOR_LOG: Final = "operator.log"
READY_SECONDS: Final = 30.0
POLL_SECONDS: Final = 0.05


@asynccontextmanager
async def operator(kubectl: Kubectl, account: str) -> AsyncIterator[str]:
    """Run the operator while the context is open; yield the address of its metrics, once it is ready.

    Raises:
        DemoError: it ended, or was not ready in time; the text holds the end of its log.
    """
    kubeconfig = await service_account_kubeconfig(kubectl, account, SYSTEM_NAMESPACE)
    address = f"127.0.0.1:{_free_port()}"
    command = python_module("providerswitch", "run", "--allow-probe-cidr", LOOPBACK, "--listen", address)
    log = kubeconfig.parent / OPERATOR_LOG
    async with running("operator", command, log, env={"KUBECONFIG": str(kubeconfig)}) as child:
        await _wait_until_ready(child, f"http://{address}/readyz")
        yield f"http://{address}/metrics"


async def _wait_until_ready(child: Child, url: str) -> None:
    try:
        async with asyncio.timeout(READY_SECONDS), httpx.AsyncClient(trust_env=False) as client:
            while not await _is_ok(client, url):
                child.check()
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError as error:
        raise DemoError(f"the operator was not ready within {READY_SECONDS:g} s:\n{child.tail()}") from error


async def _is_ok(client: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await client.get(url)).is_success
    except httpx.TransportError:
        return False


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
