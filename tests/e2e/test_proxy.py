"""An operator whose only way to the providers is an HTTP proxy; its API server is reached as ever."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme
from tests.support.connect_proxy import tunnelling_by_host
from tests.support.control_plane import ControlPlane
from tests.support.emergencies import LONG, PROMPT, comes, look, operating
from tests.support.fault_server import FaultServer, always, once, serving
from tests.support.kubectl import Kubectl
from tests.support.operator_process import OperatorProcess, operator_kubeconfig
from tests.support.played_streams import LIST
from tests.support.policies import build_policy, build_provider
from tests.support.scene import POLICY, Scene

from providerswitch.api import meta

HOSTS = {"openai": "openai.test", "backup": "backup.example"}
PASSWORD = "tr0ub4dor"
BUSY = b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n"


@dataclass(slots=True)
class Behind:
    """A scene behind a proxy.

    Attributes:
        running: closing it ends the proxy.
        primary: the server of the first provider.
    """

    scene: Scene
    proxy: FaultServer
    running: AsyncExitStack
    primary: FaultServer

    @property
    def place(self) -> str:
        return f"the proxy at 127.0.0.1:{self.proxy.port}"

    async def opens(self) -> None:
        """Apply a policy over both providers, and wait until the first serves."""
        keys = {"auth": {"secretKeyRef": {"name": "llm-keys", "key": "key"}}}
        listed = [build_provider(name, "openai", baseURL=f"https://{HOSTS[name]}/v1", **keys) for name in HOSTS]
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "llm-keys", "annotations": {meta.HOSTS_ANNOTATION: ",".join(HOSTS.values())}},
            "stringData": {"key": "sk-secret-0123456789abcdef"},
        }
        policy = build_policy(POLICY, self.scene.namespace, *listed, healthCheck=PROMPT, failover=LONG)
        await self.scene.apply(secret, policy)
        await self.scene.serves("openai")


def with_proxy(url: str) -> tuple[str, str]:
    """Return a program that is the operator with a proxy in its environment, and nothing in NO_PROXY."""
    source = (
        f"import os, runpy; os.environ.update(HTTPS_PROXY={url!r}, http_proxy={url!r}); "
        "runpy.run_module('providerswitch', run_name='__main__', alter_sys=True)"
    )
    return ("-c", source)


def certified(authority: trustme.CA, host: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(host).configure_cert(context)
    return context


@pytest.fixture
async def behind(installed: ControlPlane, namespace: str, kubectl: Kubectl, tmp_path: Path) -> AsyncIterator[Behind]:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    async with AsyncExitStack() as stack, AsyncExitStack() as running:
        servers = {
            host: await stack.enter_async_context(serving(always(LIST), certified(authority, host)))
            for host in HOSTS.values()
        }
        ports = {f"{host}:443": server.port for host, server in servers.items()}
        proxy = await running.enter_async_context(serving(tunnelling_by_host(ports)))
        flags = ("--namespaces", namespace, "--ca-file", str(tmp_path / "ca.pem"))
        program = with_proxy(f"http://me:{PASSWORD}@127.0.0.1:{proxy.port}")
        process = OperatorProcess(operator_kubeconfig(installed, tmp_path), flags, program=program)
        scene = await stack.enter_async_context(operating(process, namespace, kubectl))
        yield Behind(scene, proxy, running, servers[HOSTS["openai"]])


async def test_providers_behind_a_proxy_are_probed_and_failed_over_and_the_api_server_is_not_proxied(
    behind: Behind,
) -> None:
    await behind.opens()
    behind.primary.script = once(BUSY)
    for connection in behind.primary.connections:
        connection.reset()
    await behind.scene.serves("backup")
    asked = {request.split(b" ")[1].decode() for request in behind.proxy.requests}
    assert asked == {f"{host}:443" for host in HOSTS.values()}
    assert PASSWORD not in behind.scene.operator.text


async def test_a_proxy_that_is_down_freezes_instead_of_blaming_a_provider(behind: Behind) -> None:
    await behind.opens()
    before = await look(behind.scene)
    await behind.running.aclose()
    sight = await comes(behind.scene, lambda seen: seen.condition("Frozen") == ("True", "LocalNetworkFault"))
    assert sight.published == before.published
    told = [each.get("why", "") for each in sight.status["providers"]]
    assert all(behind.place in why for why in told), told
    assert PASSWORD not in behind.scene.operator.text


async def test_a_proxy_that_cannot_be_used_ends_the_operator_with_one_line_that_says_so(
    installed: ControlPlane, tmp_path: Path
) -> None:
    program = with_proxy(f"socks5://me:{PASSWORD}@proxy.example:1080")
    operator = OperatorProcess(operator_kubeconfig(installed, tmp_path), program=program)
    await operator.start()
    assert operator.process
    assert operator.reader
    async with asyncio.timeout(20):
        assert await operator.process.wait() == 1
        await operator.reader
    (line,) = operator.text.splitlines()
    assert "http_proxy is not the URL of a proxy that can be used" in line
    assert PASSWORD not in line
