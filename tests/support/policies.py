"""Builders of policy manifests: the smallest the API server accepts, and what a test adds to it."""

from typing import Any, Final

from providerswitch.api import meta

Manifest = dict[str, Any]
AT_ONCE: Final[Manifest] = {"minDwell": "0s"}
"""A spec.failover under which a better provider is not made to wait for the default minute."""


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


def build_prompt_policy(name: str, namespace: str, *providers: Manifest, **spec: Any) -> Manifest:
    """Return a policy that changes for a better provider at once, unless its `failover` has a minDwell of its own."""
    failover = {**AT_ONCE, **spec.pop("failover", {})}
    return build_policy(name, namespace, *providers, failover=failover, **spec)
