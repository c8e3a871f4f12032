"""The ExternalName Service: a cluster name that follows the active provider's host.

It is a CNAME and no more: TLS certificates and Host headers stay those of the provider, and resolvers cache it.
"""

from urllib.parse import urlsplit

from providerswitch.kube.client import Object
from providerswitch.kube.objects import SERVICES
from providerswitch.publish.choice import Choice
from providerswitch.publish.metadata import build_metadata


def build_service(choice: Choice) -> Object | None:
    """Return the Service of a choice, or None when the policy asks for none."""
    service = choice.spec.publish.service
    if service is None:
        return None
    return {
        "apiVersion": SERVICES.api_version,
        "kind": SERVICES.kind,
        "metadata": build_metadata(service.name, choice),
        "spec": {"type": "ExternalName", "externalName": urlsplit(choice.base_url).hostname},
    }
