"""Builders of policy manifests: the smallest the API server accepts, and what a test adds to it."""

from typing import Any

from providerswitch.api import meta

Manifest = dict[str, Any]


def build_provider(name: str = "openai", provider_type: str | None = None, **fields: Any) -> Manifest:
    """Return an entry of spec.providers.

    Args:
        provider_type: The name by default, so that `build_provider("jina")` is complete.
        fields: More fields, named as in YAML: `baseURL="http://vllm:8000"`.
    """
    return {"name": name, "type": provider_type or name, **fields}


def build_policy(name: str, namespace: str, *providers: Manifest, **spec: Any) -> Manifest:
    """Return a policy that JSON can carry; its primary is the first provider unless `primary` says otherwise.

    Args:
        providers: None stands for one provider, openai.
        spec: More fields of the spec, named as in YAML: `healthCheck={"interval": "1s"}`.
    """
    listed = list(providers) or [build_provider()]
    return {
        "apiVersion": meta.API_VERSION,
        "kind": meta.POLICY_KIND,
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"primary": listed[0]["name"], "providers": listed, **spec},
    }
