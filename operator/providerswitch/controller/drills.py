"""Run the ProviderSwitchDrills: when it is time, on the policy that they are for, and tell what came of it.

Only the replica that leads runs any. A drill that runs by its status, but not in this process, was cut off: whoever led
before is gone, and the policy goes back by itself to who served before.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from providerswitch.api.drill import DrillSpec, DrillState, Fault
from providerswitch.api.errors import ApiServerError
from providerswitch.controller.drill_dry_run import rehearse
from providerswitch.controller.drill_objects import Drill, DrillObjects
from providerswitch.controller.drill_reports import DrillReports
from providerswitch.controller.entry import Entry, Rehearsal
from providerswitch.controller.rehearsing import Rehearsing
from providerswitch.controller.turns import Turns
from providerswitch.controller.wanted import cadence_of
from providerswitch.core.drill_rules import EARLY, GRACE, Field, drilled_provider, plan, refuse
from providerswitch.core.drill_status import (
    OVER,
    await_run,
    find_mistake,
    is_missed,
    tell_over,
    tell_pending,
    tell_running,
)
from providerswitch.core.rehearsal import Verdict, abort, begin, conclude_dry
from providerswitch.kube.objects import CONFLICT, NOT_FOUND, ObjectKey
from providerswitch.kube.watch import Listener

log = logging.getLogger(__name__)

RETRY_SECONDS: Final = 1.0
SLOW_ON_PAPER: Final = (
    "whether a provider is too slow is judged by what was measured over selection.window, which a dry run has not; "
    "play Degradation without dryRun"
)
LONGEST_WAIT: Final = timedelta(days=1)
"""A timer of the event loop does not follow a wall clock that is set; so the time is looked at now and then."""


@dataclass(slots=True)
class Drills:
    """Judges every drill whenever something about it changes.

    Attributes:
        find: returns the policy of a name, as it stands.
        field_of: returns what a drill has to know of a policy; None before it was looked at.
        keep_finished: how long a drill without schedule is kept once it is over.
        try_out: has the API server say what it has against publishing a provider.
        lost: reason of a run that another process began; None while this replica does not lead.
    """

    find: Callable[[ObjectKey], Entry | None]
    field_of: Callable[[Entry], Field | None]
    rehearsing: Rehearsing
    reports: DrillReports
    clock: Callable[[], datetime]
    keep_finished: timedelta = timedelta(days=1)
    try_out: Callable[[Entry, str, str], Awaitable[str | None]] | None = None
    lost: str | None = None
    objects: DrillObjects = field(init=False)
    _running: dict[ObjectKey, Drill] = field(default_factory=dict)
    _turns: Turns = field(default_factory=Turns)

    def __post_init__(self) -> None:
        self.objects = DrillObjects(self._on_change, self.clock)
        self.rehearsing.over = self._on_over

    def listener(self, namespace: str | None = None) -> Listener:
        """Return what a watch of drills has to feed."""
        return self.objects.listener(namespace)

    def lead(self, lost: str) -> None:
        """Run drills from now on; those that a former leader ran are over for this reason."""
        self.lost = lost
        for drill in self.objects:
            drill.met_at = self.clock()
            self.wake(drill)

    def follow(self) -> None:
        """Run none from now on: whoever leads sees from the status what to undo."""
        self.lost = None
        for key in tuple(self._running):
            entry = self.find(key)
            if entry:
                self.rehearsing.drop(entry)
        self._running.clear()
        for drill in self.objects:
            _stop(drill)

    def forget(self, policy: ObjectKey) -> None:
        """A policy is gone."""
        drill, entry = self._running.pop(policy, None), self.find(policy)
        if drill:
            run = entry.rehearsal.run if entry and entry.rehearsal else None
            why = "the policy was deleted during the drill"
            drill.verdict = abort(run, "PolicyDeleted", why) if run else _cut_off("PolicyDeleted", why)
            self.wake(drill)

    def _on_change(self, drill: Drill) -> None:
        running = drill.policy is not None and self._running.get(drill.policy) is drill
        if drill.gone:
            _stop(drill)
            self._interrupt(drill, "DrillDeleted", "the drill was deleted")
            return
        if running and drill.status.observed_generation != drill.generation:
            self._interrupt(drill, "DrillEdited", "the drill was edited while it ran; make another one")
        self.wake(drill)

    def _interrupt(self, drill: Drill, reason: str, message: str) -> None:
        key = next((each for each, running in self._running.items() if running is drill), None)
        entry = self.find(key) if key else None
        if entry and entry.rehearsal:
            self.rehearsing.end(entry, abort(entry.rehearsal.run, reason, message))
        elif key and drill.gone:  # it was about to begin
            del self._running[key]

    def _on_over(self, rehearsal: Rehearsal, verdict: Verdict) -> None:
        for key, drill in tuple(self._running.items()):
            if drill.uid == rehearsal.run.record.uid:
                del self._running[key]
                drill.verdict = verdict
                self.wake(drill)

    def wake(self, drill: Drill) -> None:
        """Ask for a look at a drill; repeated calls before it are one."""
        if self.lost is None or (drill.gone and drill.verdict is None):
            return
        drill.dirty = True
        if drill.task is None or drill.task.done():
            drill.task = asyncio.create_task(self._work(drill), name=f"drill {drill.key}")

    async def _work(self, drill: Drill) -> None:
        while drill.dirty:
            await self._turns.take(drill.key.namespace)
            drill.dirty = False
            try:
                await self._judge(drill)
            except ApiServerError as error:
                if error.status not in {CONFLICT, NOT_FOUND}:  # else the watch will tell what is new
                    log.warning("a drill will be looked at again: %s", error, extra={"drill": str(drill.key)})
                    self._later(drill, timedelta(seconds=max(RETRY_SECONDS, error.retry_after)))
            except Exception:
                log.exception("a drill could not be judged", extra={"drill": str(drill.key)})
                self.reports.metrics.errors.labels("Unexpected").inc()

    def _later(self, drill: Drill, wait: timedelta) -> None:
        if drill.timer:
            drill.timer.cancel()
        seconds = max(0.0, min(wait, LONGEST_WAIT).total_seconds())
        drill.timer = asyncio.get_running_loop().call_later(seconds, self.wake, drill)

    async def _judge(self, drill: Drill) -> None:
        """Do what is due.

        Raises:
            ApiServerError: to be tried again; with status 409 where the drill has changed meanwhile.
        """
        spec = drill.spec
        if drill.verdict:
            await self._conclude(drill, drill.verdict)
        elif spec is None or drill in self._running.values():
            return
        elif drill.status.state is DrillState.RUNNING:
            assert self.lost is not None
            await self._conclude(drill, _cut_off(self.lost, "it was cut off: another process goes on since"))
        elif spec.schedule:
            await self._follow_schedule(drill, spec)
        elif drill.status.state in OVER:
            self.reports.show(drill, self._entry_of(drill))
            await self._clear_away(drill)
        else:
            await self._start(drill, spec)

    async def _follow_schedule(self, drill: Drill, spec: DrillSpec) -> None:
        self.reports.show(drill, self._entry_of(drill))
        now, due = self.clock(), drill.status.next_run_at
        mistake = find_mistake(spec)
        if mistake:
            if drill.status.observed_generation != drill.generation:
                await self._conclude(drill, Verdict(DrillState.REFUSED, "ScheduleInvalid", mistake), ran=False)
            return
        known = drill.status.observed_generation == drill.generation
        if not known or (due and is_missed(due, now)):
            await self.reports.write(drill, await_run(spec, drill.status, drill.generation, now))
            due = drill.status.next_run_at
        if due is None:
            return
        if now >= due:
            await self._start(drill, spec)
        else:
            self._later(drill, due - now)

    async def _clear_away(self, drill: Drill) -> None:
        over = min(drill.status.finished_at or self.clock(), self.clock())
        if self.clock() < over + self.keep_finished:
            self._later(drill, over + self.keep_finished - self.clock())
        else:
            await self.reports.remove(drill)

    async def _start(self, drill: Drill, spec: DrillSpec) -> None:
        assert drill.policy is not None
        entry = self.find(drill.policy)
        found = self.field_of(entry) if entry else None
        if found and drill.policy in self._running:  # which may be about to begin
            found = replace(found, drilled=True)
        refusal = refuse(found, spec, exists=entry is not None)
        if refusal and refusal.reason in EARLY and self.clock() < drill.met_at + GRACE:
            await self._wait(drill, refusal)
        elif refusal:
            await self._conclude(drill, refusal, ran=False)
        elif entry and found and spec.dry_run:
            await self._conclude(drill, await self._play_on_paper(drill, spec, entry, found), ran=False)
        elif entry and found:
            await self._run(drill, spec, entry, found)

    async def _play_on_paper(self, drill: Drill, spec: DrillSpec, entry: Entry, found: Field) -> Verdict:
        """Find out what would happen, and have the publication tried by a server-side dry run."""
        assert entry.policy is not None
        if spec.fault is Fault.DEGRADATION:
            return Verdict(DrillState.REFUSED, "DryRunImpossible", SLOW_ON_PAPER)
        run = plan(found, drill.key.name, drill.uid, spec, self.clock())
        check = entry.policy.spec.health_check
        run = begin(run, drill.key.name, spec.fault, run.limit, self.clock())
        assert run.begun
        provider, cadence = run.record.provider, cadence_of(check, billed=False)
        paper = rehearse(found.case, provider, run.begun, cadence, entry.rules)
        run = replace(run, first_bad_at=paper.first_bad_at, detected_at=paper.decided_at)
        chosen = paper.decision.provider if paper.decision else None
        if chosen is None or self.try_out is None or paper.decided_at is None:
            return conclude_dry(run, None)
        asked = self.clock()
        refusal = await self.try_out(entry, chosen, paper.decision.why if paper.decision else "")
        run = replace(run, published_at=paper.decided_at + (self.clock() - asked), went_to=chosen)
        return conclude_dry(run, refusal)

    async def _wait(self, drill: Drill, why: Verdict) -> None:
        if drill.status.reason != why.reason:
            await self.reports.write(drill, tell_pending(drill.status, drill.generation, why))
        self._later(drill, timedelta(seconds=RETRY_SECONDS))

    async def _run(self, drill: Drill, spec: DrillSpec, entry: Entry, found: Field) -> None:
        provider = drilled_provider(found, spec)
        self._running[entry.key] = drill
        try:
            running = tell_running(drill.status, drill.generation, provider, self.clock())
            await self.reports.write(drill, running)
        except ApiServerError:
            self._running.pop(entry.key, None)
            raise
        # The policy may have changed while the API server was asked.
        current = self.find(entry.key)
        again = self.field_of(current) if current else None
        refusal = (
            refuse(again, spec, exists=current is not None)
            if self._running.get(entry.key) is drill
            else drill.verdict or _cut_off("DrillEdited", "it changed")
        )
        if refusal or again is None or current is None:
            self._running.pop(entry.key, None)
            await self._conclude(drill, refusal or _cut_off("PolicyDeleted", "the policy was deleted"))
            return
        self.rehearsing.start(current, again, drill.key.name, drill.uid, spec)
        await self.reports.tell_start(drill, current, provider)

    async def _conclude(self, drill: Drill, verdict: Verdict, *, ran: bool = True) -> None:
        drill.verdict = verdict
        if not drill.gone and drill.spec:
            now = self.clock()
            try:
                status = tell_over(drill.spec, drill.status, drill.generation, verdict, now, ran=ran)
                await self.reports.write(drill, status)
            except ApiServerError as error:
                if error.status != NOT_FOUND:
                    raise
        drill.verdict = None
        await self.reports.tell_end(drill, verdict, self._entry_of(drill))
        self.wake(drill)

    def _entry_of(self, drill: Drill) -> Entry | None:
        return self.find(drill.policy) if drill.policy else None


def _cut_off(reason: str, message: str) -> Verdict:
    return Verdict(DrillState.ABORTED, reason, message)


def _stop(drill: Drill) -> None:
    drill.dirty = False
    if drill.timer:
        drill.timer.cancel()
    if drill.task:
        drill.task.cancel()
        drill.task = None
