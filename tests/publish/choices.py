"""Choices as the controller makes them."""

from datetime import UTC, datetime
from typing import Any

from tests.support.policies import build_policy, build_provider

from providerswitch.api.policy import PolicySpec
from providerswitch.publish.choice import Choice, Owner

NOON = datetime(2026, 11, 2, 12, 0, 0, 123456, tzinfo=UTC)
OWNER = Owner("team-a", "assistant", "uid-1")
AUTH = {"secretKeyRef": {"name": "llm-keys", "key": "openai"}}


def build_spec(*providers: dict[str, Any], **spec: Any) -> PolicySpec:
    """Return a spec; its primary is the first provider."""
    return PolicySpec.model_validate(build_policy(OWNER.name, OWNER.namespace, *providers, **spec)["spec"])


def choose(spec: PolicySpec, name: str | None = None, **fields: Any) -> Choice:
    """Return the choice of a provider, the primary by default."""
    provider = spec.provider(name or spec.primary)
    assert provider is not None
    known = {"owner": OWNER, "revision": 7, "trigger": "Failover", "why": "jina is down: Timeout", "decided_at": NOON}
    return Choice(spec=spec, provider=provider, **{**known, **fields})


def choose_one(provider_type: str = "openai", protocol: str = "openai", **fields: Any) -> Choice:
    """Return the choice of a policy with one provider."""
    return choose(build_spec(build_provider("mine", provider_type, **fields), protocol=protocol))
