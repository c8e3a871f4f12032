"""The ConfigMap that consumers mount or read."""

from providerswitch.api.policy import PolicySpec
from providerswitch.kube.client import Object
from providerswitch.kube.objects import CONFIG_MAPS
from providerswitch.publish.choice import PROVIDER_JSON, Choice, Owner, document, environment
from providerswitch.publish.metadata import build_metadata


def config_map_name(spec: PolicySpec, owner: Owner) -> str:
    """Return the name from the spec, or `<policy>-provider`."""
    return spec.publish.config_map.name or f"{owner.name}-provider"


def build_config_map(choice: Choice) -> Object:
    """Return the ConfigMap of a choice. It holds no key material: only where to find the key."""
    return {
        "apiVersion": CONFIG_MAPS.api_version,
        "kind": CONFIG_MAPS.kind,
        "metadata": build_metadata(config_map_name(choice.spec, choice.owner), choice),
        "data": {**environment(choice), PROVIDER_JSON: document(choice)},
    }
