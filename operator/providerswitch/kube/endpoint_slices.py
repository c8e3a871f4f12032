"""The EndpointSlice of a Service without selector: it has one endpoint, this Pod."""

import ipaddress
from typing import Final

from providerswitch.api import meta
from providerswitch.api.errors import ApiServerError
from providerswitch.kube.client import KubeClient, Object
from providerswitch.kube.objects import NOT_FOUND, SERVICES, ObjectKey, Resource, apply, fetch

ENDPOINT_SLICES: Final = Resource("EndpointSlice", "discovery.k8s.io/v1", "endpointslices")


def build_slice(service: Object, address: str, port: int, port_name: str) -> Object:
    """Return the slice of a Service; it has the same name, and goes with it.

    Raises:
        ValueError: `address` is no IP address.
    """
    metadata = service["metadata"]
    owner = {"apiVersion": "v1", "kind": "Service", "name": metadata["name"], "uid": metadata["uid"]}
    labels = {
        "kubernetes.io/service-name": metadata["name"],
        "endpointslice.kubernetes.io/managed-by": meta.GROUP,
        meta.MANAGED_BY_LABEL: meta.FIELD_MANAGER,
    }
    return {
        "apiVersion": ENDPOINT_SLICES.api_version,
        "kind": ENDPOINT_SLICES.kind,
        "metadata": {
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "labels": labels,
            "ownerReferences": [owner],
        },
        "addressType": f"IPv{ipaddress.ip_address(address).version}",
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
        "ports": [{"name": port_name, "port": port, "protocol": "TCP"}],
    }


async def point_service_here(client: KubeClient, service: ObjectKey, address: str, port: int, port_name: str) -> None:
    """Make a Pod the one endpoint of a Service.

    Raises:
        ApiServerError: refused or unreachable, or there is no such Service (status 404).
    """
    found = await fetch(client, SERVICES, service)
    if found is None:
        raise ApiServerError(f'read Service "{service}"', NOT_FOUND, "there is no such Service")
    await apply(client, ENDPOINT_SLICES, build_slice(found, address, port, port_name))
