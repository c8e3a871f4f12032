"""What a hint leads to: a probe that would have come anyway, sooner. It is never believed."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from providerswitch.api.policy import PolicySpec
from providerswitch.api.status import HealthState
from providerswitch.controller.entry import Entry
from providerswitch.controller.registry import Registry
from providerswitch.core.hints import Answer, Hint, accept, pass_over, refuse
from providerswitch.kube.objects import ObjectKey
from providerswitch.probes.scheduler import Scheduler


@dataclass(frozen=True, slots=True)
class FollowUp:
    """Follows hints up.

    Attributes:
        count: is called for each hint that led to a probe.
    """

    registry: Registry
    scheduler: Scheduler
    clock: Callable[[], datetime]
    count: Callable[[], None]

    def __call__(self, hint: Hint) -> Answer:
        """Have the provider probed that somebody says fails, and return what to answer."""
        entry = self.registry.get(ObjectKey(hint.namespace, hint.policy))
        if entry is None:
            return refuse(404, f'There is no policy "{hint.policy}" in namespace "{hint.namespace}" that is served.')
        if entry.policy is None:
            return pass_over("the policy is not served; its condition Ready says why")
        if unknown := _unknown(hint, entry.policy.spec):
            return refuse(404, f'The policy "{hint.policy}" has no {unknown}.')
        name = hint.provider or entry.memory.seat(hint.task).active
        return self._look_at(entry, name) if name else pass_over("no provider is active yet")

    def _look_at(self, entry: Entry, name: str) -> Answer:
        target, health = entry.targets.get(name), entry.healths.get(name)
        if target is None:
            return pass_over(f"{name} is not probed: it is neither the primary nor a backup")
        if health and health.state is HealthState.DOWN:
            return pass_over(f"{name} is known to be down")
        planned = self.scheduler.hint(target)
        if planned is None:
            return pass_over(f"{name} asked to be left alone for a while")
        if planned.new:
            self.count()
        return accept(name, round((planned.at - self.clock()) / timedelta(milliseconds=1)))


def _unknown(hint: Hint, spec: PolicySpec) -> str | None:
    """Return what the policy does not have of that which the hint names."""
    if hint.provider and hint.provider not in {each.name for each in spec.providers}:
        return f'provider "{hint.provider}"'
    if hint.task and hint.task not in {each.name for each in spec.tasks}:
        return f'task "{hint.task}"'
    return None
