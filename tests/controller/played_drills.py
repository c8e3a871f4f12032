"""Drills in a played cluster: they are made, edited and deleted as users do, and watched as the operator does."""

import asyncio
import copy
import re
from typing import Any

from tests.controller.played_cluster import CONFIG_MAP, NAMESPACE, POLICY, STATUS, Cluster, PlayedApi, policy

from providerswitch.api import meta
from providerswitch.kube.client import Object

DRILLS = f"/apis/{meta.API_VERSION}/namespaces/{NAMESPACE}/{meta.DRILL_PLURAL}"
QUICK: Object = {
    "healthCheck": {"interval": "10s", "fastInterval": "100ms", "timeout": "2s", "recoveryThreshold": 2},
    "failover": {"blacklistDuration": "20s", "minDwell": "0s"},
}


def drill(name: str = "monday", generation: int = 1, **spec: Any) -> Object:
    """Return a drill as the API server stores it: a minute's outage of whoever serves."""
    spec = {"policyRef": {"name": POLICY}, "fault": "Outage", "duration": "1m", **spec}
    metadata = {"name": name, "namespace": NAMESPACE, "uid": f"uid-of-{name}", "generation": generation}
    return {"apiVersion": meta.API_VERSION, "kind": meta.DRILL_KIND, "metadata": metadata, "spec": spec}


class Stage:
    """A cluster whose drills and published objects are watched."""

    def __init__(self, api: PlayedApi | None = None) -> None:
        self.cluster = Cluster(api or PlayedApi())
        self.cluster.api.told = self._tell
        self.policy: Object = {}
        self.drills = self.cluster.operator.drills.listener()

    def _tell(self, path: str, obj: Object) -> None:
        """Play the watches, a moment later."""
        loop = asyncio.get_running_loop()
        if path == CONFIG_MAP:
            loop.call_later(0.002, self.cluster.show, "ConfigMap", path)
        elif path.startswith(DRILLS) and path.endswith("/status"):
            merged = {**self.cluster.api.objects[path.removesuffix("/status")], "status": obj["status"]}
            merged["metadata"] = {**merged["metadata"], "resourceVersion": obj["metadata"]["resourceVersion"]}
            loop.call_later(0.002, self.drills.changed, merged)

    async def killed(self) -> "Stage":
        """Kill the operator, and start another one with what the API server knows."""
        stored = self.cluster.api.objects
        self.cluster.api.told = lambda _path, _obj: None
        self.cluster.api.trouble = lambda _method, _path: 503
        await self.cluster.stop()
        self.cluster.operator.drills.follow()
        fresh = PlayedApi()
        fresh.objects, fresh.version = stored, self.cluster.api.version
        another = Stage(fresh)
        another.cluster.providers = self.cluster.providers
        another.begins(self.policy)
        return another

    def begins(self, shown: Object) -> None:
        """Let the operator see what there is, and go to work."""
        self.policy = shown
        known = self.cluster.api.objects
        published = [known[CONFIG_MAP]] if CONFIG_MAP in known else []
        self.cluster.operator.children.listener("ConfigMap").replaced(copy.deepcopy(published))
        status = known.get(STATUS, {}).get("status", {})
        self.cluster.put({**shown, "status": status})
        self.drills.replaced([self._whole(path) for path in known if re.fullmatch(rf"{DRILLS}/[^/]+", path)])
        self.cluster.start()
        self.cluster.operator.drills.lead("OperatorRestarted")

    def _whole(self, path: str) -> Object:
        return {**self.cluster.api.objects[path], "status": self.said(path.rpartition("/")[2])}

    def edit(self, **spec: Any) -> None:
        """Edit the policy."""
        metadata = {**self.policy["metadata"], "generation": self.policy["metadata"]["generation"] + 1}
        self.policy = {**self.policy, "metadata": metadata, "spec": {**self.policy["spec"], **spec}}
        self.cluster.put(self.policy)

    def order(self, provider: str, seconds: float = 600) -> None:
        """Have a person make an override."""
        self.cluster.override("maria", provider, f"{seconds:g}s")

    def make(self, obj: Object) -> None:
        """Make or edit a drill."""
        path = f"{DRILLS}/{obj['metadata']['name']}"
        stored = self.cluster.api.store(path, obj)
        status = self.cluster.api.objects.get(f"{path}/status", {}).get("status", {})
        self.drills.changed({**stored, "status": status})

    def delete(self, name: str = "monday") -> None:
        """Delete a drill."""
        obj = self.cluster.api.objects.pop(f"{DRILLS}/{name}")
        self.cluster.api.objects.pop(f"{DRILLS}/{name}/status", None)
        self.drills.deleted(obj)

    def said(self, name: str = "monday") -> Any:
        """Return the status of a drill."""
        return self.cluster.api.objects.get(f"{DRILLS}/{name}/status", {}).get("status", {})

    async def opens(self, *names: str, **spec: Any) -> None:
        """Let a policy publish its first choice, and settle."""
        self.begins(policy(*names, **{**QUICK, **spec}))
        await asyncio.sleep(30)

    def is_clean(self) -> bool:
        """Tell whether nothing is left of a drill."""
        entry = self.cluster.entry()
        assert entry
        status = self.cluster.status
        healthy = all(each["state"] == "Healthy" for each in status["providers"])
        played = [target for target in entry.targets.values() if target.drill]
        blacklisted = [each for each in status["providers"] if "blacklistedUntil" in each or "ejections" in each]
        return not ("drill" in status or entry.rehearsal or played or blacklisted or entry.memory.detours) and healthy
