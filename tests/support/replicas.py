"""Several operators that share a Lease, as replicas of a Deployment do, each behind a proxy of its own."""

import asyncio
import json
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.support.api_proxy import ApiProxy
from tests.support.eventually import eventually
from tests.support.operator_process import OperatorProcess
from tests.support.scene import Scene

LEASE = "providerswitch"
WRITES = ("POST", "PUT", "PATCH", "DELETE")
RIGHTS = [{"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["create"]},
          {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "resourceNames": [LEASE],
           "verbs": ["get", "watch", "update"]}]  # fmt: skip


def rights(namespace: str) -> list[dict[str, Any]]:
    """Return what lets the operator's account share a Lease in a namespace."""
    rbac, metadata = "rbac.authorization.k8s.io", {"name": LEASE, "namespace": namespace}
    account = {"kind": "ServiceAccount", "name": "providerswitch", "namespace": "providerswitch-system"}
    return [
        {"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": metadata, "rules": RIGHTS},
        {"apiVersion": f"{rbac}/v1", "kind": "RoleBinding", "metadata": metadata, "subjects": [account],
         "roleRef": {"apiGroup": rbac, "kind": "Role", "name": LEASE}},
    ]  # fmt: skip


@dataclass(slots=True)
class Replica:
    """One operator and what it asked of the API server.

    Attributes:
        written: method and path of each write that reached the proxy, but for those of the Lease and reviews.
        reachable: while not set, the API server takes requests and never answers.
    """

    operator: OperatorProcess
    proxy: ApiProxy
    written: list[tuple[str, str]] = field(default_factory=list)
    reachable: asyncio.Event = field(default_factory=asyncio.Event)

    async def note(self, moment: str, method: str, path: str) -> None:
        """Keep a write, and hold everything back while the API server cannot be reached."""
        await self.reachable.wait()
        own = "/leases" in path or "selfsubjectaccessreviews" in path
        if moment == "before" and method in WRITES and not own:
            self.written.append((method, path))

    async def leads(self) -> bool:
        """Tell whether it says that it leads."""
        return await self.operator.metric("providerswitch_leader") == 1

    def send(self, number: signal.Signals) -> None:
        """Send its process a signal."""
        assert self.operator.process
        self.operator.process.send_signal(number)


@dataclass(slots=True)
class Replicas:
    """A scene with several operators; `scene.operator` is the one that was started first."""

    scene: Scene
    start: Callable[[], Awaitable[Replica]]
    running: list[Replica] = field(default_factory=list)
    started: list[Replica] = field(default_factory=list)

    async def add(self) -> Replica:
        """Start one more."""
        replica = await self.start()
        self.running.append(replica)
        self.started.append(replica)
        return replica

    async def lease(self) -> dict[str, Any]:
        """Return the spec of the Lease."""
        return dict((await self.scene.look("lease", LEASE)).get("spec", {}))

    async def acquired(self) -> datetime:
        """Return when the present holder took the Lease."""
        return datetime.fromisoformat((await self.lease())["acquireTime"])

    async def leader(self, within: float = 15) -> Replica:
        """Wait until exactly one leads, and return it."""

        async def one() -> Replica | None:
            leading = [each for each in self.running if await each.leads()]
            return leading[0] if len(leading) == 1 else None

        found = await eventually(one, within=within)
        assert found
        return found

    async def pair(self) -> tuple[Replica, Replica]:
        """Return who leads, and who does not."""
        first = await self.leader()
        (second,) = (each for each in self.running if each is not first)
        return first, second

    async def end(self, replica: Replica, number: signal.Signals) -> int:
        """End one, and return its exit code."""
        self.running.remove(replica)
        return await replica.operator.stop(number)

    async def kill(self, replica: Replica) -> None:
        """End one without any warning."""
        await self.end(replica, signal.SIGKILL)

    async def stop(self) -> None:
        """End all."""
        for each in self.running:
            each.send(signal.SIGCONT)
            each.reachable.set()
        await asyncio.gather(*(each.operator.stop(signal.SIGKILL) for each in self.running))
        await asyncio.gather(*(each.proxy.stop() for each in self.started))

    async def edit_lease(self, patch: dict[str, Any]) -> None:
        """Change the Lease as a person could."""
        await self.scene.run("patch", "lease", LEASE, "--type=merge", "-p", json.dumps(patch))
