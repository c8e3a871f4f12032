"""A scene for end-to-end tests: a namespace on a real API server, fake providers on real sockets, an operator process.

`Scene` offers the few things a user does (apply, edit, look) in a form that does not block the event loop, because the
fake providers live in it.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.support.control_plane import ControlPlane
from tests.support.eventually import eventually
from tests.support.kubectl import Kubectl
from tests.support.operator_process import OperatorProcess, install, operator_kubeconfig
from tests.support.policies import AT_ONCE

from providerswitch.api import meta
from providerswitch.demo.fakes import FakeProvider

QUICK = {
    "interval": "1s",
    "fastInterval": "200ms",
    "timeout": "1s",
    "failureThreshold": 3,
    "recoveryThreshold": 2,
}
"""Probing fast enough for a test to watch."""
POLICY = "assistant"


def key_of(name: str) -> str:
    """Return the API key of a fake provider; no two are alike, so that leaks can be told apart."""
    return f"sk-secret-of-{name}-0123456789abcdef"


@dataclass(slots=True)
class Scene:
    """Where a test takes place."""

    namespace: str
    kubectl: Kubectl
    operator: OperatorProcess
    providers: dict[str, FakeProvider] = field(default_factory=dict)
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def run(self, *args: str, stdin: str | None = None) -> str:
        """Run kubectl in the namespace; return what it printed."""
        return await asyncio.to_thread(self.kubectl.ok, *args, "-n", self.namespace, stdin=stdin)

    async def look(self, kind: str, name: str) -> dict[str, Any]:
        """Return an object as it is now; an empty one if there is none."""
        text = await self.run("get", kind, name, "-o", "json", "--ignore-not-found")
        return dict(json.loads(text)) if text else {}

    async def apply(self, *objects: Mapping[str, Any]) -> None:
        """Apply objects as a user would."""
        listed = {"apiVersion": "v1", "kind": "List", "items": [*objects]}
        await self.run("apply", "-f", "-", stdin=json.dumps(listed))

    async def edit(self, **spec: Any) -> None:
        """Change fields of the policy's spec, as `kubectl edit` does."""
        await self.run("patch", "pswitch", POLICY, "--type=merge", "-p", json.dumps({"spec": spec}))

    async def provider(self, name: str, kind: str = "openai") -> FakeProvider:
        """Start a fake provider."""
        made = await self.stack.enter_async_context(FakeProvider(kind, key=key_of(name), name=name))
        self.providers[name] = made
        return made

    def secret(self, **changes: str) -> dict[str, Any]:
        """Return the Secret that holds the keys of all providers and allows their hosts."""
        hosts = ",".join(provider.host for provider in self.providers.values())
        keys = {name: key_of(name) for name in self.providers}
        annotations = {meta.HOSTS_ANNOTATION: hosts}
        metadata = {"name": "llm-keys", "namespace": self.namespace, "annotations": annotations}
        return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {**keys, **changes}}

    def policy(self, name: str = POLICY, **spec: Any) -> dict[str, Any]:
        """Return a policy over all providers, in the order in which they were started."""
        providers = [self.listed(each) for each in self.providers]
        failover = {**AT_ONCE, **spec.pop("failover", {"blacklistDuration": "2s"})}
        common = {"healthCheck": QUICK, "failover": failover}
        return {
            "apiVersion": meta.API_VERSION,
            "kind": meta.POLICY_KIND,
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": {"primary": next(iter(self.providers)), "providers": providers, **common, **spec},
        }

    def listed(self, name: str) -> dict[str, Any]:
        """Return a provider's entry in the spec."""
        provider = self.providers[name]
        auth = {"secretKeyRef": {"name": "llm-keys", "key": name}}
        return {
            "name": name,
            "type": provider.kind,
            "model": f"model-of-{name}",
            "baseURL": provider.base_url,
            "auth": auth,
        }

    async def opens(self, *names: str, **spec: Any) -> None:
        """Start OpenAI-like providers and a policy over them, and wait until the first serves."""
        for name in names:
            await self.provider(name)
        await self.apply(self.secret(), self.policy(**spec))
        await self.serves(names[0])

    async def status(self, name: str = POLICY) -> dict[str, Any]:
        """Return the policy's status."""
        return dict((await self.look("pswitch", name)).get("status", {}))

    async def condition(self, kind: str, name: str = POLICY) -> dict[str, Any]:
        """Return a condition of the policy."""
        found = (each for each in (await self.status(name)).get("conditions", []) if each["type"] == kind)
        return dict(next(found, {}))

    async def becomes(self, kind: str, status: str, reason: str, within: float = 15) -> dict[str, Any]:
        """Wait for a condition and return it."""

        async def there() -> dict[str, Any] | None:
            found = await self.condition(kind)
            return found if (found.get("status"), found.get("reason")) == (status, reason) else None

        try:
            found: dict[str, Any] | None = await eventually(there, within=within)
        except AssertionError as error:
            raise AssertionError(f"{kind} is {await self.condition(kind)}, not {status} {reason}") from error
        assert found
        return found

    async def serves(self, provider: str, within: float = 20) -> dict[str, str]:
        """Wait until consumers are sent to a provider and the status says so; return the ConfigMap's data."""

        async def told() -> dict[str, str] | None:
            data: dict[str, str] = (await self.look("configmap", f"{POLICY}-provider")).get("data", {})
            active = (await self.status()).get("activeProvider")
            return data if data.get("LLM_PROVIDER") == active == provider else None

        try:
            data = await eventually(told, within=within)
        except AssertionError as error:
            raise AssertionError(f"{provider} does not serve: {await self.status()}\n{self.operator.text}") from error
        assert data
        return data

    async def provider_status(self, name: str) -> dict[str, Any]:
        """Return what the status says about a provider."""
        found = (each for each in (await self.status()).get("providers", []) if each["name"] == name)
        return dict(next(found, {}))

    async def events(self) -> list[tuple[str, str]]:
        """Return reason and note of the policy's Events."""
        listed = json.loads(await self.run("get", "events.events.k8s.io", "-o", "json"))["items"]
        return [(event["reason"], event["note"]) for event in listed]

    async def told(self, reason: str, within: float = 10) -> str:
        """Wait for an Event and return its note."""

        async def there() -> str | None:
            return next((note for found, note in await self.events() if found == reason), None)

        return str(await eventually(there, within=within))


@pytest.fixture(scope="session")
def installed(control_plane: ControlPlane) -> ControlPlane:
    """A control plane with the CRDs and the operator's rights."""
    install(Kubectl(control_plane.kubeconfig))
    return control_plane


@pytest.fixture
async def scene(installed: ControlPlane, namespace: str, kubectl: Kubectl, tmp_path: Path) -> AsyncIterator[Scene]:
    """A namespace with an operator of its own that may probe loopback."""
    flags = ("--namespaces", namespace, "--allow-probe-cidr", "127.0.0.0/8")
    operator = OperatorProcess(operator_kubeconfig(installed, tmp_path), flags)
    await operator.start()
    made = Scene(namespace, kubectl, operator)
    async with made.stack:
        await operator.ready()
        yield made
        await asyncio.to_thread(kubectl, "delete", "pswitch", "--all", "-n", namespace, "--timeout=10s")
        await made.operator.stop()  # a test may have replaced the first
