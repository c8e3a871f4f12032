"""From what a simulated policy knows to the case that is decided: the one place that follows the core's interface."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from providerswitch.api.policy import PolicySpec
from providerswitch.core.case import Case
from providerswitch.core.freeze import Frozen
from providerswitch.core.health import HealthRules, ProviderHealth
from providerswitch.core.measures import Measures
from providerswitch.core.memory import Memory
from providerswitch.core.outcome import Outcome
from providerswitch.core.situation import Situation, build_case
from providerswitch.core.window import Window, blend_cost


@dataclass(slots=True)
class _Record:
    """The window of a provider.

    Attributes:
        last: the newest outcome.
        alike_since: end of the first of the latest outcomes that were all alike.
    """

    window: Window = field(default_factory=Window)
    last: Outcome | None = None
    alike_since: datetime | None = None

    def add(self, outcome: Outcome) -> None:
        """Take in one more outcome."""
        self.window.add(outcome)
        if self.last is None or _kind(self.last) != _kind(outcome):
            self.alike_since = outcome.ended_at
        self.last = outcome


@dataclass(slots=True)
class Choosing:
    """What a policy's decisions rest on.

    Attributes:
        weighs: whether measured values have a part in the choice; if not, none are kept.
    """

    spec: PolicySpec
    rules: HealthRules
    weighs: bool
    _records: dict[str, _Record] = field(default_factory=dict)

    def hear(self, name: str, outcome: Outcome) -> None:
        """Take in an outcome."""
        if self.weighs:
            self._records.setdefault(name, _Record()).add(outcome)

    def hear_row(self, name: str, last: Outcome, count: int, pace: timedelta) -> None:
        """Take in a row of outcomes that were all alike; those that have left the window already are left out."""
        if not self.weighs:
            return
        seen = self.spec.selection.window // pace + 1
        for behind in range(min(count, seen) - 1, -1, -1):
            shift = behind * pace
            self.hear(name, replace(last, started_at=last.started_at - shift, ended_at=last.ended_at - shift))

    def is_settled(self, now: datetime) -> bool:
        """Tell whether more outcomes like the last ones would leave all measured values as they are."""
        if not self.weighs:
            return True
        since = [record.alike_since for record in self._records.values()]
        return len(since) == len(self.spec.order()) and all(
            each and now - each > self.spec.selection.window for each in since
        )

    def look(
        self,
        now: datetime,
        healths: Mapping[str, ProviderHealth],
        frozen: Frozen | None,
        passed_over: Mapping[str, str],
    ) -> Situation:
        """Return what is seen; `passed_over` are candidates that did not stand up to their validation."""
        return Situation(
            now=now,
            healths=dict(healths),
            config_errors=dict(passed_over),
            measures={name: self._measure(name, now) for name in self._records},
            frozen=frozen,
        )

    def case(self, memory: Memory, seen: Situation) -> Case:
        """Return what there is to decide."""
        return build_case(self.spec, memory, seen)

    def _measure(self, name: str, now: datetime) -> Measures:
        selection, provider = self.spec.selection, self.spec.provider(name)
        assert provider is not None
        found = self._records[name].window.measure(
            now=now, span=selection.window, min_samples=selection.min_samples, deepest=self.rules.deepest
        )
        return replace(found, quality=provider.quality, cost=blend_cost(provider.cost))


def _kind(outcome: Outcome) -> tuple[object, ...]:
    return (outcome.health_class, outcome.tier, outcome.took)
