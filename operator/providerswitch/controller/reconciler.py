"""The reconcile loop: gather, decide, apply. Level-triggered: any wake-up looks at everything again.

At most one reconcile of a policy runs at a time; a wake-up during it runs it once more. Nothing that goes wrong with
one policy concerns another.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from zlib import crc32

from providerswitch.api.errors import ApiServerError, InvariantError
from providerswitch.api.selection import Task
from providerswitch.controller.children import Children
from providerswitch.controller.detours import hold, real_health, settle_detour, tell_drill
from providerswitch.controller.entry import Entry
from providerswitch.controller.evidence import Evidence
from providerswitch.controller.history import History
from providerswitch.controller.metrics import Metrics
from providerswitch.controller.overrides import Overrides
from providerswitch.controller.publisher import Publisher
from providerswitch.controller.registry import Registry
from providerswitch.controller.rehearsing import Rehearsing
from providerswitch.controller.reporter import Reporter
from providerswitch.controller.restoring import restore
from providerswitch.controller.retrying import pause_after
from providerswitch.controller.shadowing import build_shadow, watch_served
from providerswitch.controller.spending import look_at_budget
from providerswitch.controller.turns import Turns
from providerswitch.controller.wanted import find_mistakes, want
from providerswitch.core.case import Case, Decision, Reason, Trigger, next_look
from providerswitch.core.decide import decide
from providerswitch.core.detours import forget_tasks
from providerswitch.core.memory import Rotation, settle_primary, settle_requests
from providerswitch.core.report import Background, Settled
from providerswitch.core.rotation import consult, take_turn
from providerswitch.core.service import watch_providers
from providerswitch.core.situation import Situation, build_case
from providerswitch.kube.secrets import SecretStore
from providerswitch.probes.scheduler import Scheduler

log = logging.getLogger(__name__)

REFUSED_RETRY: Final = timedelta(seconds=10)
"""A publication that was refused is tried again after this long, because not every cause can be watched."""
VALIDATION_PATIENCE: Final = timedelta(seconds=2)
"""A candidate that has not answered its validation probe by then is passed over."""
RECHECK_SECONDS: Final = 1.0
FINISH_SECONDS: Final = 2.0
"""A switch takes milliseconds; one that hangs at the end of the process is finished or undone by the next."""
HOUSEKEEPING_SECONDS: Final = 60.0
"""What only time changes (thresholds, a new day's budget, figures of resilience) is looked at so often."""


@dataclass(frozen=True, slots=True)
class _Made:
    """A decision, and what was seen when it was made."""

    situation: Situation
    case: Case
    decision: Decision


@dataclass(frozen=True, slots=True)
class Parts:
    """What a reconcile works with."""

    registry: Registry
    scheduler: Scheduler
    secrets: SecretStore
    children: Children
    publisher: Publisher
    reporter: Reporter
    history: History
    metrics: Metrics
    evidence: Evidence
    rehearsing: Rehearsing
    overrides: Overrides
    clock: Callable[[], datetime]


class Reconciler:
    """Runs reconciles; `wake` may be called from anywhere in the event loop."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._open = asyncio.Event()
        self._turns = Turns()
        self._leading = True

    @property
    def leading(self) -> bool:
        """Whether it decides and writes, as it does where there is no other replica."""
        return self._leading

    def start(self) -> None:
        """Let reconciles begin: what is published is known now."""
        self._open.set()

    def follow(self, entries: Iterable[Entry]) -> None:
        """Decide and write nothing from now on, only probe: another replica does."""
        self._leading = False
        for entry in entries:
            self.stop(entry)
            self.wake(entry)

    def lead(self, entries: Iterable[Entry]) -> None:
        """Decide and write from now on."""
        self._leading = True
        for entry in entries:
            self.wake(entry)

    def wake(self, entry: Entry) -> None:
        """Ask for a reconcile; repeated calls before it runs are one."""
        if entry.arrived_at is None and entry.newest is not entry.policy:
            entry.arrived_at = self._parts.clock()
        if (left_alone := _left_alone(entry)) > 0:
            self._later(entry, left_alone)
            return
        entry.dirty = True
        if entry.task is None or entry.task.done():
            entry.task = asyncio.create_task(self._drain(entry), name=f"reconcile {entry.key}")

    def stop(self, entry: Entry) -> None:
        """End the work on a policy that is gone."""
        entry.dirty = False
        if entry.timer:
            entry.timer.cancel()
        if entry.task:
            entry.task.cancel()
            entry.task = None

    async def finish(self, entries: Iterable[Entry]) -> bool:
        """Let the reconciles under way finish, for a moment, then end all work: the process is about to stop.

        Tell whether none had to be cut off. No other begins meanwhile.
        """
        self._open.clear()
        known = tuple(entries)
        under_way = [entry.task for entry in known if entry.task and not entry.task.done()]
        if under_way:
            await asyncio.wait(under_way, timeout=FINISH_SECONDS)
        finished = all(task.done() for task in under_way)
        for entry in known:
            self.stop(entry)
        return finished

    async def _drain(self, entry: Entry) -> None:
        await self._open.wait()
        while entry.dirty and self._open.is_set() and _left_alone(entry) <= 0:
            await self._turns.take(entry.key.namespace)
            entry.dirty = False
            await self._guarded(entry)

    async def _guarded(self, entry: Entry) -> None:
        self._parts.metrics.reconciles.inc()
        try:
            await self.reconcile(entry)
        except ApiServerError as error:
            log.warning("reconcile will be retried: %s", error, extra={"policy": str(entry.key)})
            self._retry(entry, "ApiServerError", error.retry_after)
        except InvariantError:
            log.exception("a promise of our own was broken", extra={"policy": str(entry.key)})
            self._retry(entry, "InvariantError")
        except Exception:
            log.exception("reconcile failed", extra={"policy": str(entry.key)})
            self._retry(entry, "Unexpected")
        else:
            entry.retries = 0

    def _retry(self, entry: Entry, error: str, at_least: float = 0.0) -> None:
        self._parts.metrics.errors.labels(error).inc()
        delay = pause_after(entry.retries, at_least)
        entry.retries += 1
        entry.left_alone_until = asyncio.get_running_loop().time() + at_least
        self._later(entry, delay)

    def _later(self, entry: Entry, seconds: float) -> None:
        if entry.timer:
            entry.timer.cancel()
        entry.timer = asyncio.get_running_loop().call_later(seconds, self.wake, entry)

    async def reconcile(self, entry: Entry) -> None:
        """Bring one policy to where it should be.

        Raises:
            ApiServerError: to be retried.
        """
        entry.policy, entry.following = entry.newest, not self._leading
        if entry.policy is None:
            self._rest(entry)
        if entry.following:
            await self._keep_warm(entry)
            return
        if entry.policy is None:
            self._parts.overrides.look(entry.key.namespace)
            await self._parts.reporter.report_unreadable(entry)
            return
        await self._gather(entry)
        self._parts.overrides.judge(entry, lambda: self.situation(entry))
        self._take_turn(entry)
        made = await self._decide_and_publish(entry)
        tasks = await self._serve_tasks(entry)
        await self._parts.publisher.keep(entry, made.case, made.decision)
        held = hold(entry, None, made.situation)
        self._note_load(entry)
        self._look_back(entry, held.case)
        background = self._background(entry, tuple(tasks), made.situation)
        await self._parts.reporter.report(entry, held, made.decision, background)
        self._parts.rehearsing.follow_up(entry, held)
        self._plan_next(entry, (held, *tasks))
        await self._parts.history.record(entry)

    async def _keep_warm(self, entry: Entry) -> None:
        """Probe what a policy wants without anything that is billed: whoever leads asks that."""
        if entry.policy:
            await self._gather(entry)

    def _rest(self, entry: Entry) -> None:
        """Stop asking for a policy that is not served, or no longer."""
        if entry.targets:
            self._parts.registry.rest(entry, self._parts.scheduler)
            self._parts.evidence.forget(entry.key)
            self._parts.metrics.forget(entry.key)

    def _background(self, entry: Entry, tasks: tuple[Settled, ...], seen: Situation) -> Background:
        assert entry.policy is not None
        spec = entry.policy.spec
        return Background(
            tasks=tasks,
            standing=seen.timetable.standing if seen.timetable else None,
            domains={name: target.host for name, target in entry.targets.items()},
            exhausted=entry.exhausted,
            budgeted=spec.health_check.budget is not None,
            source=self._parts.evidence.source_problem(entry),
            config_load=entry.config_load,
            resilient=entry.memory.active is not None,
            shadow=build_shadow(entry, self._parts.children, seen.now),
        )

    def _note_load(self, entry: Entry) -> None:
        """Measure how long a changed spec took to be in force."""
        if entry.arrived_at and entry.policy is entry.newest:
            entry.config_load, entry.arrived_at = self._parts.clock() - entry.arrived_at, None
            self._parts.metrics.config_load_seconds.observe(entry.config_load.total_seconds())

    async def _gather(self, entry: Entry) -> None:
        parts, policy = self._parts, entry.policy
        assert policy is not None
        used = parts.registry.use_secrets(entry)
        secrets = {key: await parts.secrets.read(key) for key in used}
        parts.secrets.retain(parts.registry.secrets_in_use())
        look_at_budget(entry, parts.clock())
        also, copies = parts.overrides.providers(entry.key), parts.children.include_secrets
        frozen = parts.registry.networks.frozen(entry.key.namespace) is not None
        wanted = want(policy.spec, entry.key.namespace, secrets, also, publishes_secrets=copies)
        wanted = parts.rehearsing.attend(entry, wanted, frozen=frozen, ordered=bool(also))
        parts.registry.watch(entry, wanted, parts.scheduler)
        entry.mistakes = find_mistakes(policy.spec, publishes_secrets=copies)
        parts.evidence.subscribe(entry)
        entry.passed_over = {}
        if not entry.restored and not entry.following:
            restore(entry, parts.children, parts.clock())

    def _take_turn(self, entry: Entry) -> None:
        """Let the schedule's rotation go on, where it has one."""
        assert entry.policy is not None
        if not any(each.rotate for each in entry.policy.spec.schedule):
            entry.memory = replace(entry.memory, rotation=Rotation())
        schedule, now = entry.policy.spec.schedule, self._parts.clock()
        timetable = consult(schedule, now) if schedule else None
        if timetable and timetable.entry and timetable.entry.rotate:
            case = build_case(entry.policy.spec, entry.memory, replace(self.situation(entry), overrides={}))
            turn = take_turn(entry.memory.rotation, timetable.entry, case.order, case.may_serve, now)
            entry.memory = replace(entry.memory, rotation=turn)

    async def _decide_and_publish(self, entry: Entry) -> _Made:
        decided_from = self._parts.clock()
        made = await self._settle(entry, None)
        case, decision = made.case, made.decision
        entry.memory = watch_served(entry, entry.memory, case)
        entry.misfits, entry.shares = case.misfits, self._shares(entry, case, decision)
        await self._parts.publisher.enact(entry, case, decision, decided_from)
        assert entry.policy is not None
        entry.memory = settle_requests(entry.memory, case.primary, entry.policy.failback_token)
        entry.memory = settle_detour(entry, Settled(None, case, decision))
        if decision.trigger is Trigger.MANUAL_SWITCH and entry.memory.rotation.provider:
            turn = replace(entry.memory.rotation, provider=entry.memory.active)
            entry.memory = replace(entry.memory, rotation=turn)
        return made

    def _shares(self, entry: Entry, case: Case, decision: Decision) -> Mapping[str, int]:
        """Return the weights to publish: those that stand while somebody was not asked yet, unless one fell out."""
        own = case.outlook.shares if case.outlook else {}
        if own and decision.reason is Reason.OVERRIDDEN and decision.provider:
            return {decision.provider: 100}
        if not own or all(case.health(name).last_probe_at for name in case.order if case.suits(name)):
            return own
        standing = self._parts.publisher.published_shares(entry)
        fell_out = any(case.health(name).last_probe_at and name not in own for name in standing)
        return own if fell_out else standing or own

    async def _serve_tasks(self, entry: Entry) -> list[Settled]:
        """Decide for the tasks after the policy itself, so that a task's candidate that hangs holds up only tasks."""
        assert entry.policy is not None
        tasks, decided_from = entry.policy.spec.tasks, self._parts.clock()
        entry.memory = forget_tasks(entry.memory, {task.name for task in tasks})
        if not tasks or entry.memory.revision == 0:
            return []
        made = {task.name: await self._settle(entry, task) for task in tasks}
        settled = [Settled(name, each.case, each.decision) for name, each in made.items()]
        await self._parts.publisher.enact_tasks(entry, settled, decided_from)
        for each in settled:
            entry.memory = settle_primary(entry.memory, each.task, each.case.primary)
            entry.memory = settle_detour(entry, each)
        return [hold(entry, task, made[task.name].situation) for task in tasks]

    def _look_back(self, entry: Entry, case: Case) -> None:
        """Remember for the next look who exceeds a threshold, and how long each was up and down."""
        memory = replace(entry.memory, degraded=case.degraded)
        now = replace(case, now=self._parts.clock())
        entry.memory = watch_served(entry, watch_providers(memory, now), now)

    def _plan_next(self, entry: Entry, held: Sequence[Settled]) -> None:
        """Look again when something is due, and now and then for what only time changes."""
        now = self._parts.clock()
        looks = [next_look(each.case, each.decision) for each in held]
        looks.append(entry.rehearsal.run.next_look(now) if entry.rehearsal else None)
        due = self._parts.overrides.next_due(entry.key)
        waits = [
            HOUSEKEEPING_SECONDS * _part(entry),
            *(max(0.0, (look - now).total_seconds()) for look in (*looks, due) if look),
        ]
        if entry.publish_problem:
            waits += [REFUSED_RETRY.total_seconds()]
        elif entry.passed_over or any(each.decision.trigger for each in held):
            waits += [RECHECK_SECONDS]
        self._later(entry, min(waits))

    async def _settle(self, entry: Entry, task: Task | None) -> _Made:
        """Decide, check the candidate with a fresh probe, and decide again on what it said, until a choice stands."""
        assert entry.policy is not None
        validated: set[str] = set()
        while True:
            situation = self.situation(entry)
            case = build_case(entry.policy.spec, entry.memory, situation, task)
            decision = tell_drill(entry, case, decide(case))
            if decision.trigger is None or decision.provider is None or decision.provider in validated:
                return _Made(situation, case, decision)
            if decision.reason is Reason.OVERRIDDEN and case.override and case.override.force:
                return _Made(situation, case, decision)
            if await self._validate(entry, case, decision.provider):
                validated.add(decision.provider)
            else:
                entry.passed_over[decision.provider] = "no answer to its validation probe yet"

    async def _validate(self, entry: Entry, case: Case, name: str) -> bool:
        """Tell whether a candidate has answered lately: within its interval, and since the trouble began."""
        assert entry.policy is not None
        spec = entry.policy.spec
        not_before = case.now - spec.health_check.interval
        trouble = case.health(case.active).first_failure_at if case.active else None
        wait = min(spec.health_check.timeout, VALIDATION_PATIENCE).total_seconds()
        fresh = self._parts.scheduler.fresh(entry.targets[name], not_before=max(not_before, trouble or not_before))
        try:
            async with asyncio.timeout(wait):
                return await fresh is not None
        except TimeoutError:
            return False

    def situation(self, entry: Entry) -> Situation:
        """Return what is seen of the world of a policy now."""
        policy, parts, now = entry.policy, self._parts, self._parts.clock()
        assert policy is not None
        errors = {name: problem.message for name, problem in entry.problems.items()}
        return Situation(
            now=now,
            healths=dict(entry.healths),
            config_errors={**errors, **entry.passed_over},
            measures=parts.registry.measuring.measure(entry, parts.evidence.sources, now),
            timetable=consult(policy.spec.schedule, now) if policy.spec.schedule else None,
            failback_token=policy.failback_token,
            frozen=parts.registry.networks.frozen(entry.key.namespace),
            overrides=entry.overrides,
            real=real_health(entry),
        )


def _left_alone(entry: Entry) -> float:
    """Return for how many seconds the API server asked not to be asked anything more for a policy."""
    return entry.left_alone_until - asyncio.get_running_loop().time()


def _part(entry: Entry) -> float:
    """Return 1 to 1.5, other for each policy, so that those that were woken together do not go on in step."""
    return 1 + 0.5 * (crc32(str(entry.key).encode()) % 1000) / 1000
