"""What is published: the choice as a value, and its two readings (environment keys and JSON)."""

import json
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Final

from pydantic import AwareDatetime, Field, ValidationError

from providerswitch.api.fields import Label, Model, ProviderRef
from providerswitch.api.moments import Short
from providerswitch.api.policy import PolicySpec, Protocol
from providerswitch.api.provider import Provider
from providerswitch.api.provider_types import FACTS, OPENAI_VARIABLES
from providerswitch.api.status import LARGEST_NUMBER
from providerswitch.core.memory import Publication

PROVIDER_JSON: Final = "provider.json"
LONGEST_REASON: Final = 1024
"""Characters of a reason that status.history has room for."""


@dataclass(frozen=True, slots=True)
class Owner:
    """The policy that the published objects belong to."""

    namespace: str
    name: str
    uid: str


class Key(typing.Protocol):
    """An API key that cannot be printed by accident."""

    def reveal(self) -> str:
        """Return the key itself."""
        ...


@dataclass(frozen=True, slots=True)
class Choice:
    """One revision of what consumers are told.

    Attributes:
        fallbacks: names of the others that can be chosen, in the user's order.
        tasks: provider of each task that has one.
        shares: percent of the traffic of each provider, under strategy Weighted.
        keys: API keys by provider, for the Secret alone; None where no Secret may be published.
    """

    owner: Owner
    spec: PolicySpec
    provider: Provider
    revision: int
    trigger: str
    why: str
    decided_at: datetime
    previous: str | None = None
    fallbacks: tuple[str, ...] = ()
    tasks: Mapping[str, Provider] = field(default_factory=dict)
    shares: Mapping[str, int] = field(default_factory=dict)
    keys: Mapping[str, Key] | None = field(default=None, repr=False)

    @property
    def base_url(self) -> str:
        """Base URL consumers use, for the protocol of the policy."""
        return base_url(self.spec, self.provider)


def base_url(spec: PolicySpec, provider: Provider) -> str:
    """Return the base URL of a provider under the policy's protocol."""
    facts = FACTS[provider.type]
    if spec.protocol is Protocol.OPENAI:
        return facts.openai_base_url(provider.base_url)
    return facts.native_base_url(provider.base_url)


def protocol_name(spec: PolicySpec, provider: Provider) -> str:
    """Return what LLM_PROTOCOL says."""
    return "openai" if spec.protocol is Protocol.OPENAI else FACTS[provider.type].native_protocol


def environment(choice: Choice) -> dict[str, str]:
    """Return the env-safe keys; one without a value is left out, because SDKs read a blank base URL as an address."""
    keys = {
        **_keys(prefix_of(None), choice, choice.provider, None),
        "LLM_REVISION": str(choice.revision),
        **dict.fromkeys(_sdk_variables(choice), choice.base_url),
    }
    for task, provider in choice.tasks.items():
        keys |= _keys(prefix_of(task), choice, provider, task)
    return {name: value for name, value in keys.items() if value}


def prefix_of(task: str | None) -> str:
    """Return what the variables of a task begin with; None stands for the policy itself."""
    return f"LLM_{task.upper().replace('-', '_')}" if task else "LLM"


def _keys(prefix: str, choice: Choice, provider: Provider, task: str | None) -> dict[str, str | None]:
    """Return what one consumer reads; those of a task bear its name."""
    secret = provider.auth.secret_key_ref if provider.auth else None
    return {
        f"{prefix}_PROVIDER": provider.name,
        f"{prefix}_MODEL": provider.model_for(task),
        f"{prefix}_BASE_URL": base_url(choice.spec, provider),
        f"{prefix}_PROTOCOL": protocol_name(choice.spec, provider),
        f"{prefix}_SECRET_NAME": secret.name if secret else None,
        f"{prefix}_SECRET_KEY": secret.key if secret else None,
    }


def _sdk_variables(choice: Choice) -> tuple[str, ...]:
    if choice.spec.protocol is Protocol.OPENAI:
        return OPENAI_VARIABLES
    return FACTS[choice.provider.type].native_variables


def document(choice: Choice) -> str:
    """Return provider.json: all there is to know, for programs that read files. What a policy has none of is absent."""
    extra = {
        "tasks": {task: _describe(choice, provider.name, task) for task, provider in choice.tasks.items()},
        "weights": dict(choice.shares),
    }
    return json.dumps(
        {
            "active": _describe(choice, choice.provider.name),
            "fallbacks": [_describe(choice, name) for name in choice.fallbacks],
            "primary": choice.spec.primary,
            "previous": choice.previous,
            "revision": choice.revision,
            "trigger": choice.trigger,
            "reason": choice.why,
            "decidedAt": choice.decided_at.isoformat(),
            **{name: value for name, value in extra.items() if value},
        },
        indent=2,
        sort_keys=True,
    )


def _describe(choice: Choice, name: str, task: str | None = None) -> dict[str, str]:
    provider = choice.spec.provider(name)
    if provider is None:
        return {"name": name}
    secret = provider.auth.secret_key_ref if provider.auth else None
    described = {
        "name": name,
        "type": provider.type.value,
        "model": provider.model_for(task),
        "baseURL": base_url(choice.spec, provider),
        "protocol": protocol_name(choice.spec, provider),
        "secretName": secret.name if secret else None,
        "secretKey": secret.key if secret else None,
    }
    return {key: value for key, value in described.items() if value}


class _Active(Model):
    name: ProviderRef


class _Document(Model):
    """What is read back from provider.json: as strict as the status it may end in, because anybody can edit it."""

    active: _Active
    revision: Annotated[int, Field(strict=True, ge=1, le=LARGEST_NUMBER)]
    primary: ProviderRef | None
    previous: ProviderRef | None
    trigger: Short
    reason: str
    decided_at: AwareDatetime
    tasks: dict[Label, _Active] = Field(default={}, max_length=8)


def read_publication(text: str | None) -> Publication | None:
    """Read provider.json back; None for anything this operator did not write."""
    try:
        found = _Document.model_validate_json(text or "")
    except ValidationError:
        return None
    return Publication(
        active=found.active.name,
        revision=found.revision,
        primary=found.primary,
        previous=found.previous,
        trigger=found.trigger,
        why=found.reason[:LONGEST_REASON],
        decided_at=found.decided_at,
        tasks={task: active.name for task, active in found.tasks.items()},
    )
