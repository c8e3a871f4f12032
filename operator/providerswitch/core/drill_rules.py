"""May a drill begin, and must a running one end? Pure. A drill never touches a policy that has troubles of its own."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from providerswitch.api.drill import DrillSpec, DrillState, Fault
from providerswitch.api.policy import Mode, PolicySpec
from providerswitch.api.status import Condition, ConditionType, HealthState
from providerswitch.core.case import Case, Reason
from providerswitch.core.decide import decide
from providerswitch.core.drill_record import DrillRecord
from providerswitch.core.health import ProviderHealth
from providerswitch.core.memory import Memory
from providerswitch.core.override import Override
from providerswitch.core.rehearsal import Run, Verdict, allowance, patience_of
from providerswitch.core.wording import rejection

GRACE: Final = timedelta(seconds=5)
"""Drill and policy may be applied together; so long the drill waits for its policy."""
EARLY: Final = frozenset({"PolicyNotFound", "PolicyNotReady"})
"""Refusals that may pass by themselves right after the beginning."""


@dataclass(frozen=True, slots=True)
class Field:
    """The policy that a drill is for, as it stands.

    Attributes:
        tasks: the case of each task.
        conditions: as last reported.
    """

    spec: PolicySpec
    generation: int
    token: str | None
    case: Case
    memory: Memory
    overrides: Mapping[str | None, Override]
    conditions: Mapping[str, Condition]
    drilled: bool
    tasks: Mapping[str, Case]


def refuse(field: Field | None, drill: DrillSpec, *, exists: bool = True) -> Verdict | None:
    """Return why a drill may not begin, and what to do; None where it may.

    `exists` tells whether there is a policy at all where it was not looked at yet.
    """
    if field is None or field.memory.active is None:
        return _refusal(*_absent(drill, exists=exists))
    checks = (
        _other_work(field, drill),
        _unknown_provider(field, drill),
        _unstable(field, drilled_provider(field, drill)),
    )
    found = next((each for each in checks if each), None)
    return _refusal(*found) if found else _no_backup(field, drill)


def drilled_provider(field: Field, drill: DrillSpec) -> str:
    """Return the provider that is to fail."""
    return drill.provider or field.memory.active or ""


def _refusal(reason: str, message: str) -> Verdict:
    return Verdict(DrillState.REFUSED, reason, message)


def _absent(drill: DrillSpec, *, exists: bool) -> tuple[str, str]:
    name = drill.policy_ref.name
    if not exists:
        return "PolicyNotFound", f'there is no ProviderSwitchPolicy "{name}" in this namespace; correct spec.policyRef'
    return "PolicyNotReady", f'policy "{name}" has published nothing yet; run the drill once it is Ready'


def _other_work(field: Field, drill: DrillSpec) -> tuple[str, str] | None:
    policy = drill.policy_ref.name
    if field.drilled:
        return "DrillRunning", f'another drill runs on policy "{policy}"; run this one when it is over'
    if field.overrides or field.memory.detours:
        return "Overridden", f'an override holds policy "{policy}"; run the drill when it is over'
    if field.spec.dry_run and not drill.dry_run:
        return "Shadow", f'policy "{policy}" publishes nothing (spec.dryRun); set dryRun of the drill too'
    if field.spec.failover.mode is Mode.MANUAL:
        return "ManualMode", f'failover.mode of policy "{policy}" is Manual, so nothing would be switched'
    return None


def _unknown_provider(field: Field, drill: DrillSpec) -> tuple[str, str] | None:
    name, listed = drilled_provider(field, drill), tuple(field.case.healths)
    if name in listed:
        return None
    return "ProviderNotFound", f'the policy does not probe a provider "{name}"; it probes {", ".join(listed)}'


def _unstable(field: Field, provider: str) -> tuple[str, str] | None:
    """Say what troubles the policy really; a drill on top of it would hide it."""
    case, conditions = field.case, field.conditions
    ready, over = conditions.get(ConditionType.READY), conditions.get(ConditionType.FAILED_OVER)
    troubles = (
        f"it is not Ready: {ready.message}" if ready and ready.status != "True" else "",
        f"it has failed over: {over.message}" if over and over.status == "True" and not _rests(over) else "",
        f"its network is at fault: {case.frozen.why}" if case.frozen else "",
        _working_badly(case, case.active or ""),
        _working_badly(case, provider),
    )
    trouble = next((each for each in troubles if each), None)
    return ("NotStable", f"the policy has troubles of its own; {trouble}") if trouble else None


def _rests(condition: Condition) -> bool:
    return condition.reason == Reason.FAILBACK_HELD


def _working_badly(case: Case, name: str) -> str:
    if name in case.degraded:
        return f'"{name}" is degraded: {case.degraded[name]}'
    refusal = rejection(case, name)
    return f'"{name}" may not serve: {refusal.why}' if refusal else ""


def _no_backup(field: Field, drill: DrillSpec) -> Verdict | None:
    """Whoever would be left has to have somebody to go to, in each task too; asked of the rules themselves."""
    name = drilled_provider(field, drill)
    for task, case in ((None, field.case), *field.tasks.items()):
        if case.active == name and not _has_backup(case, name, drill.fault):
            return _nobody(name, task)
    return None


def _has_backup(case: Case, name: str, fault: Fault) -> bool:
    if fault is Fault.DEGRADATION:
        return any(other != name and rejection(case, other) is None for other in case.order)
    after = decide(suppose(case, name, ProviderHealth(HealthState.DOWN)))
    return after.trigger is not None and after.provider not in {None, name}


def suppose(case: Case, name: str, health: ProviderHealth) -> Case:
    """Return the case if a provider were in this health, which is one that may not serve: it is then preferred last."""
    outlook = case.outlook
    if outlook:
        outlook = replace(outlook, names=(*(other for other in outlook.names if other != name), name))
    return replace(case, healths={**case.healths, name: health}, outlook=outlook)


def _nobody(name: str, task: str | None) -> Verdict:
    what = f' task "{task}"' if task else ""
    message = (
        f'nobody may take over{what} from "{name}" by the rules, so nothing was played; add a backup that is healthy'
    )
    return Verdict(DrillState.FAILED, "NoBackup", message)


def plan(field: Field, name: str, uid: str, drill: DrillSpec, now: datetime) -> Run:
    """Return the run of a drill that may begin."""
    provider, memory = drilled_provider(field, drill), field.memory
    tasks = tuple(task for task, seat in memory.seats.items() if seat.active == provider)
    return Run(
        record=DrillRecord(name, uid, provider, drill.fault, memory.active, now, tasks),
        generation=field.generation,
        token=field.token,
        serves=provider == memory.active,
        revision=memory.revision,
        duration=drill.duration,
        allowed=allowance(field.spec, drill.fault, drill.duration),
        limit=field.spec.selection.thresholds.response_time,
        patience=patience_of(field.spec),
        objectives=drill.objectives,
    )


@dataclass(frozen=True, slots=True)
class Watched:
    """What may end a run before its time.

    Attributes:
        known: the drilled provider is probed as it was when the run began.
        real: what the drilled provider's own probes say.
        serving: health of each other provider that consumers use meanwhile, tasks included.
    """

    generation: int
    token: str | None
    known: bool
    overridden: bool
    frozen: bool
    real: ProviderHealth
    serving: Mapping[str, ProviderHealth]


def interrupt(run: Run, watched: Watched) -> tuple[str, str] | None:
    """Return reason and sentence of what ends a run at once; None where it goes on."""
    name, real, lost = run.record.provider, watched.real, _lost(run, watched.serving)
    edited = (watched.generation, watched.token) != (run.generation, run.token)
    causes = (
        (edited, "PolicyEdited", "the policy was edited during the drill; run it again"),
        (not watched.known, "PolicyEdited", f'address or key of "{name}" changed during the drill; run it again'),
        (watched.overridden, "Overridden", "an override was made during the drill, and it goes first"),
        (watched.frozen, "RealFailure", "the cluster's own network is really at fault"),
        (not real.may_stay, "RealFailure", f'"{name}" really fails: {real.why}'),
        (lost is not None, "RealFailure", lost or ""),
    )
    return next(((reason, message) for holds, reason, message in causes if holds), None)


def _lost(run: Run, serving: Mapping[str, ProviderHealth]) -> str | None:
    """Say who serves and really fails: his consumers may need the drilled provider."""
    for name, health in serving.items():
        if not health.may_stay:
            role = "which had taken over" if name == run.went_to else "which serves meanwhile"
            return f'"{name}", {role}, really fails: {health.why}'
    return None
