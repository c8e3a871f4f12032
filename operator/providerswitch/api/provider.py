"""One provider of a policy: what it is, where its key lies, what it can do and what it costs."""

from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from providerswitch.api.fields import HEADER_NAME, Label, Model, ObjectName, SecretKeyName, Share, Text, Url
from providerswitch.api.provider_types import FACTS, Capability, ProviderTypeName, host_of, purpose_of

RESERVED_HEADERS = frozenset({"authorization", "x-api-key", "api-key", "x-goog-api-key", "host", "cookie"})
"""Headers a policy may not set: they carry credentials or steer routing."""


class SecretKeyRef(Model):
    """One key of a Secret in the policy's own namespace."""

    name: ObjectName
    """Name of the Secret, in the policy's own namespace."""
    key: SecretKeyName
    """Key in the Secret's data that holds the API key."""


class Auth(Model):
    """Where a provider's API key is kept."""

    secret_key_ref: SecretKeyRef
    """The Secret key that holds the API key. It is sent only to the type's official hosts, or to hosts that the
    Secret's annotation providerswitch.dev/hosts lists."""


HeaderName = Annotated[str, StringConstraints(min_length=1, max_length=63, pattern=HEADER_NAME)]


class Cost(Model):
    """What a provider charges, in US dollars or any other one currency of all providers."""

    input_per_million_tokens: float = Field(default=0.0, ge=0, le=1_000_000)
    """Price of a million tokens that are sent."""
    output_per_million_tokens: float = Field(default=0.0, ge=0, le=1_000_000)
    """Price of a million tokens that are answered."""


class Embedding(Model):
    """The vectors a provider makes. Vectors of two spaces cannot be compared, whatever their length."""

    space: Text
    """Name of the embedding space, such as text-embedding-3-small."""
    dimensions: int | None = Field(default=None, ge=1, le=100_000)
    """Length of a vector."""


Capabilities = Annotated[list[Capability], Field(max_length=8)]


class Provider(Model):
    """One LLM provider the team may use."""

    name: Label
    """Name that primary, backups and the status refer to."""
    type: ProviderTypeName
    """What kind of API it is; decides how it is probed and how its errors are read."""
    model: Text | None = None
    """Model published as LLM_MODEL, and asked by generation probes."""
    models: dict[Label, Text] = Field(default={}, max_length=16)
    """Models of tasks, by the task's name. Default: model."""
    base_url: Url | None = Field(default=None, alias="baseURL")
    """Native base URL of the API. Default: the type's own; required for types that have none."""
    auth: Auth | None = None
    """The API key. Left out: only liveness is checked, and an answer 401 counts as alive."""
    headers: dict[HeaderName, Text] = Field(default={}, max_length=16)
    """Extra headers for probes; not for secrets."""
    failure_domain: Text | None = None
    """Providers that share a failure domain fail together and do not disprove a fault of our own network.
    Default: the host and port of the base URL."""

    cost: Cost | None = None
    """What it charges. Left out: unknown, which is in the middle of a score and last under strategy Cost."""
    quality: Share | None = None
    """How good its answers are, from 0 to 1. Quality checks start from it. Left out: unknown, 0.5 in a score."""
    weight: int = Field(default=100, ge=0, le=1000)
    """Its part of the traffic under strategy Weighted, relative to the others. 0 only serves when no other can."""
    capabilities: Capabilities | None = None
    """What it can do: chat, completions, embeddings, rerank, vision, tools, json, audio. Default: the type's own."""
    context_window: int | None = Field(default=None, ge=1, le=100_000_000)
    """Tokens that fit into one request."""
    region: Text | None = None
    """Where it works on requests, in your own words, such as eu."""
    embedding: Embedding | None = None
    """The vectors it makes. Left out: the space is named after the model."""
    status_page: Url | None = Field(default=None, alias="statusPage")
    """Its public status page (Statuspage or compatible), such as https://status.openai.com. Trouble told there makes
    the provider be probed at once; it never switches by itself. Left out: not asked."""

    @model_validator(mode="after")
    def _has_an_address(self) -> Self:
        url = FACTS[self.type].native_base_url(self.base_url)
        if not url:
            raise ValueError(f'type {self.type} has no default address; set baseURL of provider "{self.name}"')
        if not host_of(url):
            raise ValueError(
                f'baseURL of provider "{self.name}" has no host and port that can be called; write it like'
                " https://api.openai.com/v1, other scripts in punycode"
            )
        return self

    @model_validator(mode="after")
    def _sets_no_reserved_header(self) -> Self:
        reserved = sorted(name for name in self.headers if name.lower() in RESERVED_HEADERS)
        if reserved:
            raise ValueError(f'headers of provider "{self.name}" may not set {", ".join(reserved)}; use auth')
        return self

    def model_for(self, task: str | None) -> str | None:
        """Return the model for a task; None asks for the policy's own, and may be the answer."""
        return self.models.get(task, self.model) if task else self.model

    def abilities_with(self, model: str | None) -> frozenset[Capability] | None:
        """Return what it can do with a model; None where nobody knows, and everything is believed."""
        if self.capabilities is not None:
            return frozenset(self.capabilities)
        return purpose_of(model) or FACTS[self.type].capabilities
