"""What is asked besides the health probes, for all policies: golden prompts, status pages, metrics sources."""

from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass
from typing import Protocol

from providerswitch.api.health_check import QualityChecks
from providerswitch.api.selection import PrometheusSource
from providerswitch.controller.entry import Entry
from providerswitch.core.metrics_source import SourceValues
from providerswitch.kube.objects import ObjectKey
from providerswitch.probes.target import ProbeTarget


class Quality(Protocol):
    """Golden prompts."""

    @property
    def alive(self) -> bool:
        """Whether everything that is wanted is asked."""

    def subscribe(self, subscriber: Hashable, wanted: Mapping[ProbeTarget, QualityChecks]) -> None:
        """Ask exactly these targets for a subscriber."""

    async def aclose(self) -> None:
        """Stop asking."""


class Pages(Protocol):
    """Public status pages."""

    @property
    def alive(self) -> bool:
        """Whether every page that is wanted is asked."""

    def subscribe(self, subscriber: Hashable, wanted: frozenset[str]) -> None:
        """Ask exactly these pages for a subscriber."""

    async def aclose(self) -> None:
        """Stop asking."""


class Sources(Protocol):
    """Metrics sources."""

    @property
    def alive(self) -> bool:
        """Whether every source that is wanted is asked."""

    def subscribe(self, subscriber: Hashable, source: PrometheusSource | None) -> None:
        """Ask exactly this source for a subscriber."""

    def values(self, source: PrometheusSource) -> Mapping[str, SourceValues]:
        """Return what a source says of each provider."""

    def problem(self, source: PrometheusSource, providers: Collection[str]) -> str | None:
        """Say what is wrong with a source for a policy with these providers, and what to do."""

    async def aclose(self) -> None:
        """Stop asking."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that is asked besides the probes."""

    quality: Quality
    pages: Pages
    sources: Sources

    @property
    def alive(self) -> bool:
        """Whether everything that is wanted is asked."""
        return self.quality.alive and self.pages.alive and self.sources.alive

    def subscribe(self, entry: Entry) -> None:
        """Ask what a policy wants asked; golden prompts only while its budget has room."""
        assert entry.policy is not None
        spec = entry.policy.spec
        readable = not any(mistake.reason == "QualityChecksInvalid" for mistake in entry.mistakes)
        checks = spec.quality_checks if entry.may_bill and readable else None
        well = [target.real for name, target in entry.targets.items() if name not in entry.problems]
        self.quality.subscribe(entry.key, dict.fromkeys(well, checks) if checks else {})
        self.pages.subscribe(entry.key, frozenset(each.status_page for each in spec.providers if each.status_page))
        source = spec.selection.metrics_source
        self.sources.subscribe(entry.key, source.prometheus if source else None)

    def source_problem(self, entry: Entry) -> str | None:
        """Say what is wrong with the metrics source of a policy; None where nothing is."""
        assert entry.policy is not None
        source = entry.policy.spec.selection.metrics_source
        return self.sources.problem(source.prometheus, tuple(entry.targets)) if source else None

    def forget(self, key: ObjectKey) -> None:
        """Stop asking for a policy that is gone."""
        self.quality.subscribe(key, {})
        self.pages.subscribe(key, frozenset())
        self.sources.subscribe(key, None)

    async def aclose(self) -> None:
        """Stop asking."""
        await self.quality.aclose()
        await self.pages.aclose()
        await self.sources.aclose()
