"""What users see of a played cluster: conditions, published documents, history, Events. And a restart of the operator.

Ours are the paths and shapes of users: nothing here looks into the operator.
"""

import json
from datetime import UTC, datetime
from typing import Any

from tests.controller.played_cluster import CONFIG_MAP, NAMESPACE, POLICY, PUBLISHED_SECRET, Cluster, played, policy
from tests.support.virtual_time import EPOCH

from providerswitch.kube.client import Object


def condition(cluster: Cluster, kind: str) -> dict[str, Any]:
    """Return a condition of the policy; an empty one where there is none."""
    found = (each for each in cluster.status.get("conditions", []) if each["type"] == kind)
    return dict(next(found, {}))


def provider(cluster: Cluster, name: str) -> dict[str, Any]:
    """Return what the status says of a provider."""
    return dict(next(each for each in cluster.status["providers"] if each["name"] == name))


def task(cluster: Cluster, name: str) -> dict[str, Any]:
    """Return what the status says of a task."""
    return dict(next(each for each in cluster.status["tasks"] if each["name"] == name))


def keys(cluster: Cluster) -> dict[str, str]:
    """Return the environment keys that are published."""
    data: dict[str, str] = cluster.api.objects[CONFIG_MAP]["data"]
    return {name: value for name, value in data.items() if name != "provider.json"}


def document(cluster: Cluster) -> dict[str, Any]:
    """Return provider.json."""
    return dict(json.loads(cluster.api.objects[CONFIG_MAP]["data"]["provider.json"]))


def switches(cluster: Cluster) -> list[tuple[str | None, str, str]]:
    """Return from, to and trigger of each switch in the history, oldest first."""
    history = reversed(cluster.status["history"])
    return [(each.get("from"), each["to"], each["trigger"]) for each in history]


def notes(cluster: Cluster, reason: str) -> list[str]:
    """Return the notes of all Events of a reason, oldest first."""
    events = (obj for path, obj in cluster.api.objects.items() if "/events/" in path)
    return [event["note"] for event in events if event["reason"] == reason]


def counted(cluster: Cluster, name: str, **labels: str) -> float:
    """Return a metric of the policy; 0 where it has no value yet."""
    return cluster.value(f"providerswitch_{name}", namespace=NAMESPACE, policy=POLICY, **labels) or 0


def of(*providers: Object, generation: int = 1, **spec: Any) -> Object:
    """Return a policy over providers as `played` makes them; the first is the primary, unless the spec says so."""
    names = [each["name"] for each in providers]
    spec = {"primary": names[0], **spec}
    return policy(*names, generation=generation, providers=list(providers), **spec)


def plain(*names: str, **fields: Any) -> tuple[Object, ...]:
    """Return providers that differ in nothing but their names."""
    return tuple(played(name, **fields) for name in names)


def since_epoch(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> float:
    """Return the loop's time at a moment, UTC; asyncio's timers stop in virtual time beyond about 97 days."""
    return (datetime(year, month, day, hour, minute, tzinfo=UTC) - EPOCH).total_seconds()


async def restart(cluster: Cluster, obj: Object) -> Cluster:
    """End the operator and start the next, which finds the stored status and the published objects."""
    await cluster.stop()
    secrets_too = cluster.publishes_secrets
    successor = Cluster(api=cluster.api, providers=cluster.providers, publishes_secrets=secrets_too)
    for kind, path in (("ConfigMap", CONFIG_MAP), *((("Secret", PUBLISHED_SECRET),) if secrets_too else ())):
        if path in successor.api.objects:
            successor.show(kind, path)
    successor.put({**obj, "status": cluster.status})
    successor.show_overrides()
    successor.start()
    return successor
