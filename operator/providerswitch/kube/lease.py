"""The Lease that names the replica that writes: how it is read and built, and when it may be taken.

Whether it has run out is judged by how long ago this process saw it change, never by the times written in it: those
are of another machine's clock.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from providerswitch.api.errors import ApiServerError
from providerswitch.kube.client import UNREADABLE, KubeClient, Object
from providerswitch.kube.objects import ObjectKey, Resource, fetch, path_of

POD_NAMESPACE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
LEASES: Final = Resource("Lease", "coordination.k8s.io/v1", "leases")


@dataclass(frozen=True, slots=True)
class Record:
    """What a Lease says.

    Attributes:
        holder: identity of the replica that holds it; "" when it was given back.
        seconds: how long it holds without being renewed.
        transitions: how often it went from one holder to another.
        acquired: when the holder took it, as written.
        version: resource version; "" for one that is not stored yet.
    """

    holder: str
    seconds: float
    transitions: int = 0
    acquired: str | None = None
    version: str = ""


@dataclass(frozen=True, slots=True)
class Sighting:
    """A Lease as last seen.

    Attributes:
        at: when this version was first seen, seconds of the local clock.
    """

    record: Record
    at: float

    def free_in(self, now: float) -> float:
        """Return the seconds until it may be taken, unless it is renewed before."""
        return max(0.0, self.at + self.record.seconds - now) if self.record.holder else 0.0


def see(former: Sighting | None, record: Record, now: float) -> Sighting:
    """Return the sighting of a record; one that did not change was seen when it was seen first."""
    unchanged = former is not None and former.record.version == record.version
    return former if former and unchanged else Sighting(record, now)


def read_record(lease: object, otherwise: float) -> Record:
    """Return what a Lease says; somebody may have emptied it, then it holds for `otherwise` seconds.

    Raises:
        ApiServerError: it is no Lease; what answered may be a proxy.
    """
    try:
        return _record(lease, otherwise)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise ApiServerError("read the Lease", None, UNREADABLE) from error


def _record(lease: Any, otherwise: float) -> Record:
    spec = lease.get("spec") or {}
    return Record(
        holder=spec.get("holderIdentity") or "",
        seconds=float(spec.get("leaseDurationSeconds") or otherwise),
        transitions=spec.get("leaseTransitions") or 0,
        acquired=spec.get("acquireTime"),
        version=lease["metadata"]["resourceVersion"],
    )


def build_lease(key: ObjectKey, record: Record, renewed: datetime) -> Object:
    """Return the object to store; with a version, it replaces that version and no other."""
    metadata = {"name": key.name, "namespace": key.namespace}
    at = micro_time(renewed)
    spec = {
        "holderIdentity": record.holder,
        "leaseDurationSeconds": max(1, round(record.seconds)),
        "leaseTransitions": record.transitions,
        "acquireTime": record.acquired or at,
        "renewTime": at,
    }
    return {
        "apiVersion": LEASES.api_version,
        "kind": LEASES.kind,
        "metadata": {**metadata, "resourceVersion": record.version} if record.version else metadata,
        "spec": spec,
    }


def namespace_of_the_pod(path: Path = POD_NAMESPACE) -> str | None:
    """Return the namespace of the Pod that this is; None outside of one."""
    try:
        return path.read_text().strip() or None
    except OSError:
        return None


def micro_time(moment: datetime) -> str:
    """Return a moment as Kubernetes writes a MicroTime."""
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


async def read_lease(client: KubeClient, key: ObjectKey, otherwise: float) -> Record | None:
    """Read the Lease; None when there is none.

    Raises:
        ApiServerError: it could not be read.
    """
    lease = await fetch(client, LEASES, key)
    return read_record(lease, otherwise) if lease else None


async def store_lease(client: KubeClient, key: ObjectKey, record: Record, renewed: datetime) -> Record:
    """Create the Lease, or replace the version that the record names; return it as stored.

    Raises:
        ApiServerError: 409 when somebody else was faster, 404 when it is gone.
    """
    what = f'store Lease "{key}"'
    body = build_lease(key, record, renewed)
    if record.version:
        stored = await client.request("PUT", path_of(LEASES, key), what=what, body=body)
    else:
        stored = await client.request("POST", LEASES.collection(key.namespace), what=what, body=body)
    return read_record(stored, record.seconds)
