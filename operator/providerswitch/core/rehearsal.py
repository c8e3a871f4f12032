"""A drill from its first probe to the way back: what is measured, and when it is over. Pure.

The fault is played to the probes; what follows (health, decision, publication, recovery) is the real thing. A run looks
on and writes down when each of it happened.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from providerswitch.api.drill import DrillResult, DrillState, Fault, ObjectiveResult, Objectives
from providerswitch.api.policy import PolicySpec
from providerswitch.api.status import HealthState, Switch
from providerswitch.core.case import Decision, Reason
from providerswitch.core.drill import PlayedFault, is_bad
from providerswitch.core.drill_record import DrillRecord
from providerswitch.core.flapping import blacklist_for
from providerswitch.core.health import ProviderHealth
from providerswitch.core.outcome import Outcome

MILLISECOND: Final = timedelta(milliseconds=1)
FIRST_OUTCOME: Final = timedelta(seconds=5)
"""Beyond a probe's timeout; whoever did not notice a fault so long after its end does not notice it."""
SLOWEST_PACE: Final = 5
"""A provider that refuses a key is asked so many times more rarely, see probes/cadence.py."""
SLACK: Final = timedelta(minutes=2)
"""For what is looked at once a minute, and for an API server in trouble."""
EJECTIONS: Final = {Fault.FLAPPING: 4}
"""Times that a fault takes its provider out of service; once where it is not named."""
STUCK: Final = frozenset({Reason.NO_HEALTHY_PROVIDER, Reason.LAST_RESORT})


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a run ended."""

    state: DrillState
    reason: str
    message: str
    result: DrillResult | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """A run that is under way.

    Attributes:
        generation: of the policy's spec.
        token: value of the policy's failback annotation.
        serves: whether the drilled provider served when the run began; of another one only detection can be measured.
        revision: published when the run began.
        limit: response time that is still good.
        begun: the fault is played; None until the status of the policy tells of the run.
        deadline: of the whole, from its beginning.
        first_bad_at: end of the first probe that showed the fault.
        detected_at: when it was decided to leave the provider.
        published_at: when that was published and verified.
        seen_at: when a watch of what is published showed it.
        returned_at: when the provider served again.
        asked_back: the rules would not go back by themselves, so the way back was asked for.
    """

    record: DrillRecord
    generation: int
    token: str | None
    serves: bool
    revision: int
    duration: timedelta
    allowed: timedelta
    limit: timedelta
    patience: timedelta
    objectives: Objectives
    begun: PlayedFault | None = None
    first_bad_at: datetime | None = None
    detected_at: datetime | None = None
    published_at: datetime | None = None
    seen_at: datetime | None = None
    returned_at: datetime | None = None
    went_to: str | None = None
    asked_back: bool = False

    @property
    def deadline(self) -> datetime:
        """When it is given up."""
        return self.record.started_at + self.allowed

    def next_look(self, now: datetime) -> datetime | None:
        """Return when time alone changes something."""
        noticed = self.begun.ends + self.patience if self.begun and self.detected_at is None else None
        moments = (self.begun.ends if self.begun else None, noticed, self.deadline)
        return min((moment for moment in moments if moment and moment > now), default=None)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look finds.

    Attributes:
        active: who serves.
        health: of the drilled provider, as it seems.
        degraded: whether the drilled provider exceeds a threshold, as it seems.
        decision: what holds now.
        switches: newest first.
        returning: the way back was asked for, and is not made yet.
    """

    now: datetime
    active: str | None
    health: ProviderHealth
    degraded: bool
    decision: Decision
    switches: tuple[Switch, ...]
    returning: bool = False


def begin(run: Run, name: str, fault: Fault, slow: timedelta, now: datetime) -> Run:
    """Return the run once its fault is played."""
    uid = f"{run.record.uid}/{run.record.started_at.isoformat()}"
    return replace(run, begun=PlayedFault(uid, name, fault, now, now + run.duration, slow))


def notice(run: Run, outcome: Outcome) -> Run:
    """Return the run after one more outcome of the drilled target."""
    if run.first_bad_at or run.begun is None:
        return run
    bad = is_bad(run.begun.fault, outcome.health_class, outcome.took, run.limit)
    return replace(run, first_bad_at=outcome.ended_at) if bad else run


def allowance(spec: PolicySpec, fault: Fault, duration: timedelta) -> timedelta:
    """Return how long a run may take by the policy's own numbers."""
    check, failover = spec.health_check, spec.failover
    probe = check.interval + check.timeout
    out = blacklist_for(EJECTIONS.get(fault, 1), failover.blacklist_duration)
    minds = fault is Fault.DEGRADATION or spec.selection.leaves_degraded
    forgetting = spec.selection.window if minds else timedelta(0)
    return duration + out + forgetting + failover.min_dwell + probe * (check.recovery_threshold + SLOWEST_PACE) + SLACK


def patience_of(spec: PolicySpec) -> timedelta:
    """Return how long after its end a fault may still be noticed."""
    return spec.health_check.interval + spec.health_check.timeout + FIRST_OUTCOME


def assess(run: Run, seen: Seen) -> Run | Verdict:
    """Return the run after one more look, or how it ended."""
    if seen.now >= run.deadline:
        return _fail(run, "DeadlineExceeded", _late(run))
    if run.begun is None:
        return run
    after = _follow_failover(run, seen) if run.serves else _follow_detection(run, seen)
    if isinstance(after, Verdict) or run.begun.ends > seen.now:
        return after
    if after.detected_at is None:
        missed = seen.now >= run.begun.ends + run.patience
        return _fail(after, "NotDetected", _undetected(after)) if missed else after
    return _follow_recovery(after, run.begun, seen)


def _follow_failover(run: Run, seen: Seen) -> Run | Verdict:
    if run.detected_at:
        return run
    switch = _first_away(run, seen)
    if switch is None:
        return _stuck(run, seen)
    if switch.outcome == "RolledBack":
        return _fail(run, "PublishRefused", f"the failover could not be published: {switch.reason}")
    decided = switch.time - switch.switch_millis * MILLISECOND
    return replace(run, detected_at=decided, published_at=switch.time, went_to=switch.to)


def _first_away(run: Run, seen: Seen) -> Switch | None:
    own = (each for each in reversed(seen.switches) if each.task is None and each.time >= run.record.started_at)
    return next((each for each in own if each.from_provider == run.record.provider), None)


def _stuck(run: Run, seen: Seen) -> Run | Verdict:
    """Nobody takes over: going on would only tell consumers of trouble."""
    if seen.decision.reason not in STUCK or seen.active != run.record.provider:
        return run
    return _fail(run, "NoBackup", f"nobody could take over: {seen.decision.why}")


def _follow_detection(run: Run, seen: Seen) -> Run:
    if run.detected_at or (seen.health.may_stay and not seen.degraded):
        return run
    return replace(run, detected_at=seen.now if seen.degraded else seen.health.since or seen.now)


def _follow_recovery(run: Run, fault: PlayedFault, seen: Seen) -> Run | Verdict:
    probed = seen.health.last_probe_at
    well = seen.health.state is HealthState.HEALTHY and probed is not None and probed >= fault.ends
    if not run.serves:
        return _conclude(run) if well and not seen.degraded else run
    if seen.active == run.record.origin and well:
        back = next((each.time for each in seen.switches if each.task is None and each.to == seen.active), seen.now)
        return _conclude(replace(run, returned_at=max(back, fault.ends)))
    if run.asked_back and not seen.returning:
        return _conclude(run)
    rests = seen.decision.trigger is None and seen.decision.held is None
    return replace(run, asked_back=True) if well and not seen.degraded and rests else run


def _conclude(run: Run) -> Verdict:
    result = measure(run)
    missed = [each for each in result.objectives or () if not each.met]
    if missed:
        told = ", ".join(_told(each) for each in missed)
        return Verdict(DrillState.FAILED, "ObjectiveMissed", f"not quick enough: {told}", result)
    return Verdict(DrillState.PASSED, "Passed", _story(run, result), result)


def conclude_dry(run: Run, refusal: str | None) -> Verdict:
    """Return the verdict on a run on paper; `refusal` is what the API server has against its publication."""
    run = replace(run, objectives=run.objectives.model_copy(update={"failover": None, "failback": None}))
    if run.detected_at is None:
        return _fail(run, "NotDetected", _undetected(run))
    if refusal:
        return _fail(run, "PublishRefused", refusal)
    verdict = _conclude(run)
    if verdict.state is not DrillState.PASSED:
        return verdict
    name, after = run.record.provider, f"{measure(run).detect_millis} ms after the first failed probe"
    told = f'"{run.went_to}" would take over from "{name}" {after}' if run.serves else f'"{name}" would be down {after}'
    return replace(verdict, message=f"dry run: {told}; nothing was touched")


def _told(missed: ObjectiveResult) -> str:
    took = "did not happen" if missed.measured_millis is None else f"took {missed.measured_millis} ms"
    return f"{missed.name} {took}, {missed.limit_millis} ms were demanded"


def _story(run: Run, result: DrillResult) -> str:
    name = run.record.provider
    if not run.serves:
        return f'"{name}" was found failing after {result.detect_millis} ms; it did not serve, so nothing was switched'
    back = f'"{name}" serves again' if run.returned_at else "the rules chose another provider afterwards"
    return f'"{run.went_to}" took over from "{name}" {result.detect_millis} ms after the first failed probe; {back}'


def _late(run: Run) -> str:
    done = "the failover did not come" if run.detected_at is None else f'"{run.record.provider}" did not come back'
    return f"{done} within {_seconds(run.allowed)}, which is more than the policy's own times add up to"


def _undetected(run: Run) -> str:
    fault, name = run.record.fault, run.record.provider
    hint = {
        Fault.RATE_LIMIT: "a limit that is shorter than healthCheck.interval is waited out; make duration longer",
        Fault.DEGRADATION: "see selection.thresholds and selection.switchOnDegradation, or make duration longer",
    }.get(fault, "make duration longer, or probe more often")
    return f'the fault lasted {_seconds(run.duration)}, and "{name}" was not left: {hint}'


def _seconds(span: timedelta) -> str:
    return f"{span.total_seconds():g} s"


def _fail(run: Run, reason: str, message: str) -> Verdict:
    return Verdict(DrillState.FAILED, reason, message, measure(run))


def abort(run: Run, reason: str, message: str) -> Verdict:
    """Return the verdict on a run that something else ended."""
    return Verdict(DrillState.ABORTED, reason, message, measure(run))


def measure(run: Run) -> DrillResult:
    """Return what was measured so far."""
    ends = run.begun.ends if run.begun else None
    spans = {
        "detection": _millis(run.first_bad_at, run.detected_at),
        "publish": _millis(run.detected_at, run.published_at),
        "failover": _millis(run.first_bad_at, run.seen_at),
        "failback": _millis(ends, run.returned_at),
    }
    return DrillResult(
        provider=run.record.provider,
        fault=run.record.fault,
        failed_over_to=run.went_to,
        detect_millis=spans["detection"],
        publish_millis=spans["publish"],
        consumer_visible_millis=spans["failover"],
        failback_millis=spans["failback"],
        objectives=_judge(run.objectives, spans) or None,
    )


def _millis(start: datetime | None, end: datetime | None) -> int | None:
    return None if start is None or end is None else max(0, round((end - start) / MILLISECOND))


def _judge(objectives: Objectives, spans: dict[str, int | None]) -> list[ObjectiveResult]:
    limits: dict[str, timedelta | None] = {name: getattr(objectives, name) for name in spans}
    return [_compare(name, limit, spans[name]) for name, limit in limits.items() if limit is not None]


def _compare(name: str, limit: timedelta, measured: int | None) -> ObjectiveResult:
    allowed = round(limit / MILLISECOND)
    met = measured is not None and measured <= allowed
    return ObjectiveResult(name=name, limit_millis=allowed, measured_millis=measured, met=met)
