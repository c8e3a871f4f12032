"""An operator that takes hints over TLS, and consumers with tokens of a real API server."""

import asyncio
import json
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import trustme
from tests.chart.rendering import render
from tests.support.kubectl import Kubectl
from tests.support.operator_process import free_port

AUDIENCE = "providerswitch.dev"
SERVICE = "providerswitch-system/providerswitch-hints"
HINTER = "providerswitch-hinter"


def grant(kubectl: Kubectl) -> None:
    """Give the operator of manifests/install.yaml what the chart gives it to take hints, and the Service for them."""
    kubectl.apply(_granted())


def revoke(kubectl: Kubectl) -> None:
    """Take it away again: other tests count what the operator may do."""
    deleted = kubectl("delete", "-f", "-", "--ignore-not-found", stdin=_granted())
    assert deleted.returncode == 0, deleted.stderr


def _granted() -> str:
    rendered = render(hints={"enabled": True, "tls": {"secretName": "unused"}})
    wanted = [each for each in rendered.objects if "hint" in each["metadata"]["name"]]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": wanted})


@dataclass(slots=True)
class Endpoint:
    """Where one operator takes hints."""

    folder: Path
    port: int = field(default_factory=free_port)
    authority: trustme.CA = field(default_factory=trustme.CA)

    def flags(self) -> Sequence[str]:
        """Return the flags of the operator; its certificate is made now."""
        made = self.authority.issue_cert("127.0.0.1")
        certificate, key = self.folder / f"{self.port}.crt", self.folder / f"{self.port}.key"
        made.cert_chain_pems[0].write_to_path(certificate)
        made.private_key_pem.write_to_path(key)
        address = f"127.0.0.1:{self.port}"
        return ("--hints-listen", address, "--hints-cert", str(certificate), "--hints-key", str(key))

    def client(self) -> httpx.AsyncClient:
        """Return a client that trusts the certificate."""
        context = ssl.create_default_context()
        self.authority.configure_trust(context)
        url = f"https://127.0.0.1:{self.port}"
        return httpx.AsyncClient(trust_env=False, verify=context, base_url=url, timeout=30)

    async def hint(self, token: str | None, namespace: str, policy: str = "assistant", **fields: Any) -> httpx.Response:
        """Give a hint."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        body = {"namespace": namespace, "policy": policy, **fields}
        async with self.client() as client:
            return await client.post("/v1/hints", json=body, headers=headers)


async def make_account(kubectl: Kubectl, namespace: str, name: str, hinter_in: Sequence[str] = ()) -> None:
    """Make a ServiceAccount that may give hints about the policies of some namespaces."""
    await asyncio.to_thread(kubectl.ok, "create", "serviceaccount", name, "-n", namespace)
    for place in hinter_in:
        subject = f"--serviceaccount={namespace}:{name}"
        binding = ("create", "rolebinding", f"{name}-of-{namespace}", f"--clusterrole={HINTER}", subject, "-n", place)
        await asyncio.to_thread(kubectl.ok, *binding)


async def issue_token(kubectl: Kubectl, namespace: str, name: str, *options: str) -> str:
    """Return a token of an account; for our audience, unless `options` name another."""
    wanted = options or (f"--audience={AUDIENCE}",)
    return (await asyncio.to_thread(kubectl.ok, "create", "token", name, "-n", namespace, *wanted)).strip()
