"""What is known of each provider in numbers: from probes, golden prompts and metrics sources, for all policies."""

import copy
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from providerswitch.api.health_check import QualityChecks
from providerswitch.controller.entry import Entry
from providerswitch.controller.evidence import Sources
from providerswitch.core import quality
from providerswitch.core.measures import Measures
from providerswitch.core.metrics_source import longest_age, override
from providerswitch.core.outcome import Outcome
from providerswitch.core.quality import Tally
from providerswitch.core.window import Window, blend_cost
from providerswitch.probes.target import ProbeTarget


class Measuring:
    """The windows of all probe targets, and the verdicts on their answers."""

    def __init__(self) -> None:
        self._windows: dict[ProbeTarget, Window] = {}
        self._tallies: dict[ProbeTarget, dict[str, Tally]] = {}

    def hear(self, target: ProbeTarget, outcome: Outcome) -> None:
        """Take in an outcome."""
        self._windows.setdefault(target, Window()).add(outcome)

    def hear_answer(self, target: ProbeTarget, checks: QualityChecks, *, passed: bool) -> None:
        """Take in the verdict on an answer to a golden prompt."""
        tallies = self._tallies.setdefault(target, {})
        written = checks.model_dump_json()
        tallies[written] = quality.add(tallies.get(written, Tally()), passed)

    def _recall(self, entry: Entry) -> None:
        """Take over the verdicts that a status tells of: else a restart would bring nonsense back.

        They are those of the present prompts only if the spec is the same as when they were told.
        """
        assert entry.policy is not None
        spec, entry.recalled = entry.policy.spec, True
        if spec.quality_checks is None or entry.status.observed_generation != entry.policy.generation:
            return
        for told in entry.status.providers:
            target, provider = entry.targets.get(told.name), spec.provider(told.name)
            if target and provider and told.quality is not None and told.quality_confidence:
                tally = quality.recall(told.quality, told.quality_confidence, provider.quality)
                self._tallies.setdefault(target.real, {}).setdefault(spec.quality_checks.model_dump_json(), tally)

    def copy(self, known: ProbeTarget, other: ProbeTarget) -> None:
        """Let what is measured of a target be the beginning of another's."""
        if known in self._windows and other not in self._windows:
            self._windows[other] = copy.deepcopy(self._windows[known])

    def forget_verdicts(self, targets: Iterable[ProbeTarget]) -> None:
        """Forget what golden prompts said: another replica has asked them since."""
        for target in targets:
            self._tallies.pop(target.real, None)

    def forget(self, target: ProbeTarget) -> None:
        """Forget a target that is no longer probed."""
        self._windows.pop(target, None)
        self._tallies.pop(target, None)

    def measure(self, entry: Entry, sources: Sources, now: datetime) -> dict[str, Measures]:
        """Return the measures of each provider that a policy has probed."""
        assert entry.policy is not None
        if not entry.recalled:
            self._recall(entry)
        source = entry.policy.spec.selection.metrics_source
        values = sources.values(source.prometheus) if source else {}
        max_age = longest_age(source.prometheus.interval) if source else timedelta(0)
        return {
            name: override(self._of(entry, name, target, now), values.get(name), now=now, max_age=max_age)
            for name, target in entry.targets.items()
        }

    def _of(self, entry: Entry, name: str, target: ProbeTarget, now: datetime) -> Measures:
        assert entry.policy is not None
        spec = entry.policy.spec
        provider = spec.provider(name)
        assert provider is not None
        measured = self._windows.get(target, Window()).measure(
            now=now,
            span=spec.selection.window,
            min_samples=spec.selection.min_samples,
            deepest=entry.rules.deepest,
        )
        found, confidence = quality.estimate(self._tally(target.real, spec.quality_checks), provider.quality)
        return replace(measured, quality=found, quality_confidence=confidence, cost=blend_cost(provider.cost))

    def _tally(self, target: ProbeTarget, checks: QualityChecks | None) -> Tally:
        if checks is None:
            return Tally()
        return self._tallies.get(target, {}).get(checks.model_dump_json(), Tally())
