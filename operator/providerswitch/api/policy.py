"""The spec of a ProviderSwitchPolicy: what a user writes.

Docstrings under the fields are what `kubectl explain` shows. A field stands here only when it does something.
"""

import re
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from providerswitch.api.durations import Duration
from providerswitch.api.fields import (
    DNS_SUBDOMAIN,
    HEADER_NAME,
    Label,
    Model,
    ObjectName,
    Path,
    SecretKeyName,
    Text,
    Url,
    duration_field,
)
from providerswitch.api.provider_types import FACTS, ProviderTypeName, host_of

SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
RESERVED_HEADERS = frozenset({"authorization", "x-api-key", "api-key", "x-goog-api-key", "host", "cookie"})
"""Headers a policy may not set: they carry credentials or steer routing."""


class Protocol(StrEnum):
    """Which wire protocol consumers speak."""

    OPENAI = "openai"
    NATIVE = "native"


class Mode(StrEnum):
    """Who decides: the operator or a person."""

    AUTOMATIC = "Automatic"
    MANUAL = "Manual"


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


class Provider(Model):
    """One LLM provider the team may use."""

    name: Label
    """Name that primary, backups and the status refer to."""
    type: ProviderTypeName
    """What kind of API it is; decides how it is probed and how its errors are read."""
    model: Text | None = None
    """Model published as LLM_MODEL, and asked by generation probes."""
    base_url: Url | None = Field(default=None, alias="baseURL")
    """Native base URL of the API. Default: the type's own; required for types that have none."""
    auth: Auth | None = None
    """The API key. Left out: only liveness is checked, and an answer 401 counts as alive."""
    headers: dict[HeaderName, Text] = Field(default={}, max_length=16)
    """Extra headers for probes; not for secrets."""
    failure_domain: Text | None = None
    """Providers that share a failure domain fail together and do not disprove a fault of our own network.
    Default: the host and port of the base URL."""

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


class Generation(Model):
    """Billed probes: ask for one token now and then."""

    interval: Duration = duration_field("10m", 10 * SECOND, DAY)
    """Time between two billed probes of a provider."""


class HealthCheck(Model):
    """How providers are probed, and how many answers make a change."""

    interval: Duration = duration_field("30s", SECOND, DAY)
    """Time between two probes of a provider that works, or that is known to be down."""
    timeout: Duration = duration_field("10s", timedelta(milliseconds=100), 120 * SECOND)
    """Hard deadline of a probe, from name look-up to the last byte."""
    fast_interval: Duration = duration_field("1s", timedelta(milliseconds=100), DAY)
    """Time between two probes after a first failure, until the provider is either well or down."""
    failure_threshold: int = Field(default=3, ge=1, le=100)
    """Consecutive failed probes that take a provider out of the choice."""
    recovery_threshold: int = Field(default=5, ge=1, le=100)
    """Consecutive good probes that bring a provider back, once its blacklist time is over."""
    path: Path | None = None
    """Path that providers of type http are asked; default "/"."""
    generation: Generation | None = None
    """Billed probes. Left out: only unbilled checks are made, which cannot see an outage of generation alone."""


class Failover(Model):
    """What happens when the active provider fails, and when the primary is back."""

    mode: Mode = Mode.AUTOMATIC
    """Automatic switches when the active provider is down. Manual only reports it; edit primary to switch."""
    blacklist_duration: Duration = duration_field("300s", timedelta(0), DAY)
    """How long a provider that went down is not chosen, however well it answers."""
    failback: Mode = Mode.AUTOMATIC
    """Automatic returns to the preferred provider when it has recovered. Manual stays until primary is edited, the
    annotation providerswitch.dev/failback-requested-at changes, or the active provider fails."""


class PublishedConfigMap(Model):
    """The ConfigMap that consumers read."""

    name: ObjectName | None = None
    """Name of the ConfigMap; default: the policy's name followed by "-provider"."""


class PublishedService(Model):
    """An ExternalName Service that points at the active provider's host."""

    name: Label
    """Name of the Service."""


class Publish(Model):
    """Where the choice is published."""

    config_map: PublishedConfigMap = PublishedConfigMap()
    """The ConfigMap that consumers read; always written."""
    service: PublishedService | None = None
    """Also keep an ExternalName Service pointing at the active provider's host. TLS names and HTTP Host headers stay
    the provider's, and DNS caches delay it: prefer the ConfigMap for external providers."""


ProviderRef = Annotated[str, StringConstraints(min_length=1, max_length=63)]


class PolicySpec(Model):
    """The providers a team may use and the rules for choosing between them."""

    protocol: Protocol = Protocol.OPENAI
    """Wire protocol consumers speak. openai: each type is published through its OpenAI-compatible endpoint, so an
    OpenAI SDK that takes base URL, key and model from what is published survives a failover. native: each type's own
    API."""
    primary: ProviderRef
    """The preferred provider. Editing it switches."""
    backups: list[ProviderRef] | None = Field(default=None, max_length=32)
    """Providers to fall back to, best first. Default: all others, in the order of the list. The primary is
    skipped here; name it too, so that it stays a backup when another one becomes the primary."""
    providers: list[Provider] = Field(min_length=1, max_length=32)
    """The providers this policy may use."""
    health_check: HealthCheck = HealthCheck()
    """How providers are probed."""
    failover: Failover = Failover()
    """What happens when the active provider fails."""
    publish: Publish = Publish()
    """Where the choice is published."""

    @model_validator(mode="after")
    def _names_are_unique_and_known(self) -> Self:
        names = [provider.name for provider in self.providers]
        if len(set(names)) != len(names):
            raise ValueError("providers: each name may stand only once")
        for field, value in (("primary", self.primary), *(("backups", name) for name in self.backups or ())):
            if value not in names:
                raise ValueError(f'{field}: "{value}" is not the name of a listed provider')
        return self

    @model_validator(mode="after")
    def _service_can_point_at_each_host(self) -> Self:
        """Told before a failover is rolled back because of it: the API server refuses such an ExternalName."""
        for provider in self.providers if self.publish.service else ():
            host = host_of(FACTS[provider.type].native_base_url(provider.base_url))
            if not re.fullmatch(DNS_SUBDOMAIN, host.removesuffix(".")):
                raise ValueError(
                    f'publish.service: no ExternalName can point at "{host}", the host of provider "{provider.name}";'
                    " give it a DNS name (other scripts in punycode), or leave out publish.service"
                )
        return self

    def provider(self, name: str) -> Provider | None:
        """Return the provider of that name, or None."""
        return next((provider for provider in self.providers if provider.name == name), None)

    def order(self) -> tuple[str, ...]:
        """Return the names that may be chosen, best first, each once."""
        rest = self.backups if self.backups is not None else [provider.name for provider in self.providers]
        return tuple(dict.fromkeys((self.primary, *rest)))
