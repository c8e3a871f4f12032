"""The manifests the demo applies: two policies, their keys, and the consumer's rights."""

from collections.abc import Mapping
from typing import Any, Final

from providerswitch.api import meta
from providerswitch.demo.fakes import FakeProvider
from providerswitch.demo.installation import NAMESPACE
from providerswitch.demo.watching import CONSUMER

Manifest = dict[str, Any]

SECRET: Final = "llm-keys"  # noqa: S105  # a name
ASSISTANT: Final = "assistant"
SEARCH: Final = "search"
POLICIES: Final = {ASSISTANT: ("openai", "anthropic", "google"), SEARCH: ("jina", "jina-standby")}
MODELS: Final = {
    "openai": "gpt-4o-mini",
    "anthropic": "claude-haiku-4-5",
    "google": "gemini-2.5-flash",
    "jina": "jina-embeddings-v3",
    "jina-standby": "jina-embeddings-v3",
}
"""The two for search are of one model: a switch between embedding spaces would make stored vectors useless."""

BLACKLIST_SECONDS: Final = 5
RECOVERY_THRESHOLD: Final = 2
PACE: Final = {
    "healthCheck": {
        "interval": "2s",
        "timeout": "1s",
        "fastInterval": "300ms",
        "failureThreshold": 3,
        "recoveryThreshold": RECOVERY_THRESHOLD,
    },
    "failover": {"blacklistDuration": f"{BLACKLIST_SECONDS}s", "minDwell": "0s"},
}
PACE_NOTE: Final = (
    "probes every 2s (default 30s), re-probes after a failure every 300ms (1s), recovery after 2 good probes (5) and "
    "5s of blacklist (300s), no dwell before the return (60s)"
)
"""The demo is a quicker policy than the default one, and says so."""


def make_fakes(keys: Mapping[str, str]) -> dict[str, FakeProvider]:
    """Return the four providers the policies name, not yet started."""
    return {name: FakeProvider(name.partition("-")[0], key=key, name=name) for name, key in keys.items()}


def build_policy(name: str, fakes: Mapping[str, FakeProvider]) -> Manifest:
    """Return one policy; its first provider is the primary."""
    names = POLICIES[name]
    providers = [_provider(provider, fakes[provider]) for provider in names]
    return {
        "apiVersion": meta.API_VERSION,
        "kind": meta.POLICY_KIND,
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"primary": names[0], "providers": providers, **PACE},
    }


def _provider(name: str, fake: FakeProvider) -> Manifest:
    reference = {"secretKeyRef": {"name": SECRET, "key": name}}
    return {"name": name, "type": fake.kind, "model": MODELS[name], "baseURL": fake.base_url, "auth": reference}


def build_secret(fakes: Mapping[str, FakeProvider]) -> Manifest:
    """Return the Secret with the keys; its owner consents to their use at the fakes' addresses."""
    hosts = ",".join(fake.host for fake in fakes.values())
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": SECRET, "namespace": NAMESPACE, "annotations": {meta.HOSTS_ANNOTATION: hosts}},
        "stringData": {name: fake.key for name, fake in fakes.items()},
    }


def build_consumer_access() -> tuple[Manifest, ...]:
    """Return the consumer's ServiceAccount and its rights: follow ConfigMaps, read the one Secret."""
    named = {"name": CONSUMER, "namespace": NAMESPACE}
    rules = [
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": [""], "resources": ["secrets"], "resourceNames": [SECRET], "verbs": ["get"]},
    ]
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": CONSUMER}
    subjects = [{"kind": "ServiceAccount", **named}]
    return (
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": named},
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": named, "rules": rules},
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": named,
            "roleRef": role,
            "subjects": subjects,
        },
    )
