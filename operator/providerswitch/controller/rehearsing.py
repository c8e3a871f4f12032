"""The drill of one policy beside its reconciles: begin it, look on, and put everything back."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from providerswitch.api.drill import DrillSpec, Fault
from providerswitch.controller.entry import Entry, Rehearsal
from providerswitch.controller.wanted import Wanted
from providerswitch.core.case import Case
from providerswitch.core.detours import undo_drill
from providerswitch.core.drill import too_slow
from providerswitch.core.drill_rules import Field, Watched, interrupt, plan
from providerswitch.core.rehearsal import Run, Seen, Verdict, abort, assess, begin
from providerswitch.core.report import Settled


@dataclass(slots=True)
class Rehearsing:
    """Takes a run through the reconciles of its policy.

    A run is written into the policy's status before its fault is played, so that whoever finds it there after a crash
    knows what to undo.

    Attributes:
        over: gets the verdict on each run that ended.
        wake: asks for a reconcile.
    """

    clock: Callable[[], datetime]
    wake: Callable[[Entry], None]
    over: Callable[[Rehearsal, Verdict], None] = lambda _rehearsal, _verdict: None

    def start(self, entry: Entry, field: Field, name: str, uid: str, spec: DrillSpec) -> Rehearsal:
        """Note a run; its fault is played once the status tells of it."""
        run = plan(field, name, uid, spec, self.clock())
        entry.rehearsal = Rehearsal(run, entry.healths[run.record.provider])
        entry.memory = replace(entry.memory, drill=run.record)
        self.wake(entry)
        return entry.rehearsal

    def attend(self, entry: Entry, wanted: Wanted, *, frozen: bool, ordered: bool = False) -> Wanted:
        """Return what is to be probed, the drilled provider with its fault; a run that must not go on is ended.

        `ordered` tells that an override waits to be judged, which is to be done by what is real.
        """
        rehearsal = entry.rehearsal
        if rehearsal is None:
            return wanted
        watched = replace(_watch(entry, rehearsal, wanted, frozen=frozen), overridden=ordered or bool(entry.overrides))
        found = interrupt(rehearsal.run, watched)
        if found:
            self.end(entry, abort(rehearsal.run, *found))
            return wanted
        name, fault = rehearsal.run.record.provider, rehearsal.run.begun
        if fault is None:
            return wanted
        return replace(wanted, targets={**wanted.targets, name: replace(wanted.targets[name], drill=fault)})

    def follow_up(self, entry: Entry, held: Settled) -> None:
        """Take in what a reconcile came to, once it is reported."""
        rehearsal = entry.rehearsal
        if rehearsal is None:
            return
        if rehearsal.run.begun is None and _is_written(entry, rehearsal.run):
            rehearsal.run = self._begin(entry, rehearsal.run)
            self.wake(entry)
            return
        after = assess(rehearsal.run, _look(entry, rehearsal.run, held.case, held, self.clock()))
        if isinstance(after, Verdict):
            self.end(entry, after)
            return
        if after.asked_back and not rehearsal.run.asked_back:
            entry.memory = undo_drill(entry.memory)
            self.wake(entry)
        rehearsal.run = after

    def _begin(self, entry: Entry, run: Run) -> Run:
        assert entry.policy is not None
        spec, record = entry.policy.spec, run.record
        slow = too_slow(run.limit, spec.health_check.timeout)
        return begin(run, record.name, record.fault, slow, self.clock())

    def end(self, entry: Entry, verdict: Verdict) -> None:
        """Forget what was played, and go back to who served before."""
        rehearsal, entry.rehearsal = entry.rehearsal, None
        if rehearsal is None:
            return
        name = rehearsal.run.record.provider
        if name in entry.healths and rehearsal.run.begun:
            entry.healths[name] = rehearsal.real
        entry.memory = undo_drill(entry.memory)
        self.over(rehearsal, verdict)
        self.wake(entry)

    def drop(self, entry: Entry) -> None:
        """Forget what was played; whoever leads now goes back by what the status says."""
        rehearsal, entry.rehearsal = entry.rehearsal, None
        if rehearsal and rehearsal.run.record.provider in entry.healths and rehearsal.run.begun:
            entry.healths[rehearsal.run.record.provider] = rehearsal.real

    def show(self, entry: Entry, provider: str, revision: int) -> None:
        """Take note of what a watch of the published objects shows, as a consumer sees it."""
        rehearsal = entry.rehearsal
        if rehearsal is None or rehearsal.run.begun is None or rehearsal.run.seen_at:
            return
        run = rehearsal.run
        if run.serves and revision > run.revision and provider != run.record.provider:
            rehearsal.run = replace(run, seen_at=self.clock())


def _watch(entry: Entry, rehearsal: Rehearsal, wanted: Wanted, *, frozen: bool) -> Watched:
    assert entry.policy is not None
    name = rehearsal.run.record.provider
    probed, target = entry.targets.get(name), wanted.targets.get(name)
    return Watched(
        generation=entry.policy.generation,
        token=entry.policy.failback_token,
        known=target is not None and name not in wanted.problems and probed is not None and probed.real == target,
        overridden=False,
        frozen=frozen,
        real=rehearsal.real if rehearsal.run.begun else entry.healths[name],
        serving={each: entry.healths[each] for each in _others_serving(entry, rehearsal.run) if each in entry.healths},
    )


def _others_serving(entry: Entry, run: Run) -> list[str]:
    """Return who took over, and whoever else consumers use now; the drilled provider is looked at by itself."""
    seats = [run.went_to, entry.memory.active, *(seat.active for seat in entry.memory.seats.values())]
    return [name for name in dict.fromkeys(seats) if name and name != run.record.provider]


def _minds(run: Run, case: Case) -> bool:
    """Tell whether it matters that a provider works badly; played failures alone make a bad error rate."""
    leaves = case.outlook is not None and case.outlook.leaves_degraded
    return leaves or run.record.fault is Fault.DEGRADATION


def _is_written(entry: Entry, run: Run) -> bool:
    told = (entry.written or {}).get("drill") or {}
    return told.get("uid") == run.record.uid


def _look(entry: Entry, run: Run, case: Case, held: Settled, now: datetime) -> Seen:
    name = run.record.provider
    return Seen(
        now=now,
        active=entry.memory.active,
        health=entry.healths.get(name) or case.health(name),
        degraded=name in case.degraded and _minds(run, case),
        decision=held.decision,
        switches=entry.memory.history,
        returning=None in entry.memory.detours,
    )
