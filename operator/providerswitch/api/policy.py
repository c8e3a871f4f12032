"""The spec of a ProviderSwitchPolicy: what a user writes.

Docstrings under the fields are what `kubectl explain` shows. A field stands here only when it does something.
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator

from providerswitch.api.durations import Duration
from providerswitch.api.fields import DAY, DNS_SUBDOMAIN, Label, Model, ObjectName, ProviderRef, duration_field
from providerswitch.api.health_check import HealthCheck, QualityChecks
from providerswitch.api.provider import Provider
from providerswitch.api.provider_types import FACTS, host_of
from providerswitch.api.selection import ScheduleEntry, Selection, Task


class Protocol(StrEnum):
    """Which wire protocol consumers speak."""

    OPENAI = "openai"
    NATIVE = "native"


class Mode(StrEnum):
    """Who decides: the operator or a person."""

    AUTOMATIC = "Automatic"
    MANUAL = "Manual"


class Failover(Model):
    """What happens when the active provider fails, and when the primary is back."""

    mode: Mode = Mode.AUTOMATIC
    """Automatic switches when the active provider is down. Manual only reports it; edit primary to switch."""
    blacklist_duration: Duration = duration_field("300s", timedelta(0), DAY)
    """How long a provider that went down is not chosen, however well it answers."""
    failback: Mode = Mode.AUTOMATIC
    """Automatic returns to the preferred provider when it has recovered. Manual stays until primary is edited, the
    annotation providerswitch.dev/failback-requested-at changes, or the active provider fails."""
    min_dwell: Duration = duration_field("60s", timedelta(0), DAY)
    """How long a choice stays at least before it is changed for a better one. A failing provider is left at once."""
    max_switches_per_hour: int = Field(default=12, ge=1, le=50)
    """After this many switches within an hour, only a failing provider and a person still cause one."""


class PublishedConfigMap(Model):
    """The ConfigMap that consumers read."""

    name: ObjectName | None = None
    """Name of the ConfigMap; default: the policy's name followed by "-provider"."""


class PublishedService(Model):
    """An ExternalName Service that points at the active provider's host."""

    name: Label
    """Name of the Service."""


class PublishedSecret(Model):
    """A Secret with the active provider's address and API key in one object."""

    name: ObjectName
    """Name of the Secret. It may not be one that a provider's auth refers to."""


class Publish(Model):
    """Where the choice is published."""

    config_map: PublishedConfigMap = PublishedConfigMap()
    """The ConfigMap that consumers read; always written."""
    service: PublishedService | None = None
    """Also keep an ExternalName Service pointing at the active provider's host. TLS names and HTTP Host headers stay
    the provider's, and DNS caches delay it: prefer the ConfigMap for external providers."""
    secret: PublishedSecret | None = None
    """Also keep a Secret with the ConfigMap's variables and the active provider's API key (LLM_API_KEY, OPENAI_API_KEY
    and so on), always of one provider. Needs the administrator's consent (rbac.publishSecrets), and that of each
    Secret with keys: its annotation providerswitch.dev/publish set to "true"."""


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
    selection: Selection = Selection()
    """How the best of the providers that may serve is found."""
    schedule: list[ScheduleEntry] = Field(default=[], max_length=16)
    """Other rules for times of the day or week. The first entry that is in force wins; health wins over all."""
    tasks: list[Task] = Field(default=[], max_length=8)
    """Uses of the models that have their own active provider."""
    quality_checks: QualityChecks | None = None
    """Golden prompts that measure how good the answers are. Billed; left out: none are asked."""
    publish: Publish = Publish()
    """Where the choice is published."""
    revision_history_limit: int = Field(default=10, ge=0, le=50)
    """How many earlier configurations are kept as ControllerRevisions to return to, besides the present and the last
    good one."""
    dry_run: bool = False
    """Shadow mode: everything is decided, recorded and explained, and nothing is published. What is published already
    stays as it is."""

    @model_validator(mode="after")
    def _names_are_unique_and_known(self) -> Self:
        names = [provider.name for provider in self.providers]
        if len(set(names)) != len(names):
            raise ValueError("providers: each name may stand only once")
        for field, value in self._references():
            if value not in names:
                raise ValueError(f'{field}: "{value}" is not the name of a listed provider')
        return self

    def _references(self) -> Iterator[tuple[str, str]]:
        yield "primary", self.primary
        yield from (("backups", name) for name in self.backups or ())
        yield from ((f'schedule "{entry.name}"', entry.primary) for entry in self.schedule if entry.primary)
        yield from ((f'tasks "{task.name}"', task.primary) for task in self.tasks if task.primary)

    @model_validator(mode="after")
    def _named_entries_stand_once(self) -> Self:
        for field, named in (("schedule", self.schedule), ("tasks", self.tasks)):
            names = [entry.name for entry in named]
            if len(set(names)) != len(names):
                raise ValueError(f"{field}: each name may stand only once")
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

    @model_validator(mode="after")
    def _published_secret_is_no_source(self) -> Self:
        name = self.publish.secret.name if self.publish.secret else None
        if name in {provider.auth.secret_key_ref.name for provider in self.providers if provider.auth}:
            raise ValueError(f'publish.secret.name: "{name}" holds the key of a provider; choose another name')
        return self

    def provider(self, name: str) -> Provider | None:
        """Return the provider of that name, or None."""
        return next((provider for provider in self.providers if provider.name == name), None)

    def order(self) -> tuple[str, ...]:
        """Return the names that may be chosen, best first, each once."""
        rest = self.backups if self.backups is not None else [provider.name for provider in self.providers]
        return tuple(dict.fromkeys((self.primary, *rest)))

    def everyone(self) -> tuple[str, ...]:
        """Return all that may ever serve: the order, and those that only a task or the schedule prefers."""
        by_tasks = [task.primary for task in self.tasks if task.primary]
        by_schedule = [entry.primary for entry in self.schedule if entry.primary]
        return tuple(dict.fromkeys((*self.order(), *by_tasks, *by_schedule)))
