"""From spec, memory and what is seen to the case to decide: one for the policy, one for each task. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from providerswitch.api.policy import PolicySpec
from providerswitch.api.selection import Task
from providerswitch.core.case import Case
from providerswitch.core.choosing import Prospects, look_out
from providerswitch.core.flapping import FlapRules
from providerswitch.core.freeze import Frozen
from providerswitch.core.health import ProviderHealth
from providerswitch.core.measures import Measures
from providerswitch.core.memory import Memory
from providerswitch.core.outcome import Tier
from providerswitch.core.override import Override, in_force
from providerswitch.core.rotation import Timetable
from providerswitch.core.tasks import misfits_of, order_of, selection_of


@dataclass(frozen=True, slots=True)
class Situation:
    """What is seen of the world at a moment.

    Attributes:
        healths: of each provider of the spec.
        config_errors: providers whose configuration cannot be honoured, and those passed over for the moment.
        measures: of each provider that was probed.
        timetable: what the schedule says; None where there is none.
        failback_token: value of the failback annotation.
        real: health of a provider that only seems to fail, in a drill.
        overrides: the newest accepted one of each task, and of the policy itself (None).
    """

    now: datetime
    healths: Mapping[str, ProviderHealth]
    config_errors: Mapping[str, str] = field(default_factory=dict)
    measures: Mapping[str, Measures] = field(default_factory=dict)
    timetable: Timetable | None = None
    failback_token: str | None = None
    frozen: Frozen | None = None
    overrides: Mapping[str | None, Override] = field(default_factory=dict)
    real: Mapping[str, ProviderHealth] = field(default_factory=dict)


def build_case(spec: PolicySpec, memory: Memory, situation: Situation, task: Task | None = None) -> Case:
    """Return what there is to decide for a task, or for the policy itself."""
    named = task.name if task else None
    seat, override = memory.seat(named), in_force(situation.overrides, named, situation.now)
    entry = situation.timetable.entry if situation.timetable and task is None else None
    scheduled = entry.primary if entry else None
    besides = (scheduled, override.provider if override else None)
    asked = task is None and situation.failback_token not in {None, memory.handled_failback}
    case = Case(
        now=situation.now,
        order=order_of(spec, task, *besides),
        healths=situation.healths,
        config_errors=situation.config_errors,
        misfits=misfits_of(spec, task, *besides),
        mode=spec.failover.mode,
        failback=spec.failover.failback,
        active=seat.active,
        active_since=seat.active_since,
        arrived_by=seat.arrived_by,
        acted_primary=seat.acted_primary,
        failback_requested=asked,
        frozen=situation.frozen,
        deepest=Tier.GENERATION if spec.health_check.generation else Tier.LIVENESS,
        recovery_threshold=spec.health_check.recovery_threshold,
        flap_rules=FlapRules(spec.failover.min_dwell, spec.failover.max_switches_per_hour),
        recent_switches=memory.recent,
        override=override,
        detour=memory.detours.get(named),
        real=situation.real,
    )
    return replace(case, outlook=look_out(_undone(case), _prospects(spec, memory, situation, task)))


def _undone(case: Case) -> Case:
    """After an override or a drill candidates are compared as if it had not been: its provider has no advantage."""
    detour = case.detour
    return case if detour is None or case.override else replace(case, active=detour.origin)


def _prospects(spec: PolicySpec, memory: Memory, situation: Situation, task: Task | None) -> Prospects:
    """The schedule is the policy's own; tasks go by their strategies alone."""
    timetable = situation.timetable if task is None else None
    return Prospects(
        selection=selection_of(spec, task),
        measures=situation.measures,
        weights={provider.name: provider.weight for provider in spec.providers},
        were_degraded=memory.degraded,
        entry=timetable.entry if timetable else None,
        turn=memory.rotation.provider,
        changes_at=timetable.changes_at if timetable else None,
    )
