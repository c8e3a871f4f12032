"""The reconcile loop: gather, decide, apply. Level-triggered: any wake-up looks at everything again.

At most one reconcile of a policy runs at a time; a wake-up during it runs it once more. Nothing that goes wrong with
one policy concerns another.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from providerswitch.api.errors import ApiServerError, InvariantError
from providerswitch.controller.children import Children
from providerswitch.controller.entry import Entry
from providerswitch.controller.metrics import Metrics
from providerswitch.controller.publisher import Publisher
from providerswitch.controller.registry import Registry
from providerswitch.controller.reporter import Reporter
from providerswitch.controller.restoring import restore
from providerswitch.controller.wanted import want
from providerswitch.core.decide import Case, Decision, decide
from providerswitch.core.memory import settle_requests
from providerswitch.kube.secrets import SecretStore
from providerswitch.probes.scheduler import Scheduler

log = logging.getLogger(__name__)

RETRY_SECONDS: Final = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
REFUSED_RETRY: Final = timedelta(seconds=10)
"""A publication that was refused is tried again after this long, because not every cause can be watched."""
VALIDATION_PATIENCE: Final = timedelta(seconds=2)
"""A candidate that has not answered its validation probe by then is passed over."""
RECHECK_SECONDS: Final = 1.0
FINISH_SECONDS: Final = 2.0
"""A switch takes milliseconds; one that hangs at the end of the process is finished or undone by the next."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a reconcile works with."""

    registry: Registry
    scheduler: Scheduler
    secrets: SecretStore
    children: Children
    publisher: Publisher
    reporter: Reporter
    metrics: Metrics
    clock: Callable[[], datetime]


class Reconciler:
    """Runs reconciles; `wake` may be called from anywhere in the event loop."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._open = asyncio.Event()

    def start(self) -> None:
        """Let reconciles begin: what is published is known now."""
        self._open.set()

    def wake(self, entry: Entry) -> None:
        """Ask for a reconcile; repeated calls before it runs are one."""
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

    async def finish(self, entries: Iterable[Entry]) -> None:
        """Let the reconciles under way finish, for a moment, then end all work: the process is about to stop."""
        known = tuple(entries)
        under_way = [entry.task for entry in known if entry.task and not entry.task.done()]
        if under_way:
            await asyncio.wait(under_way, timeout=FINISH_SECONDS)
        for entry in known:
            self.stop(entry)

    async def _drain(self, entry: Entry) -> None:
        await self._open.wait()
        while entry.dirty:
            entry.dirty = False
            await self._guarded(entry)

    async def _guarded(self, entry: Entry) -> None:
        self._parts.metrics.reconciles.inc()
        try:
            await self.reconcile(entry)
        except ApiServerError as error:
            log.warning("reconcile will be retried: %s", error, extra={"policy": str(entry.key)})
            self._retry(entry, "ApiServerError")
        except InvariantError:
            log.exception("a promise of our own was broken", extra={"policy": str(entry.key)})
            self._retry(entry, "InvariantError")
        except Exception:
            log.exception("reconcile failed", extra={"policy": str(entry.key)})
            self._retry(entry, "Unexpected")
        else:
            entry.retries = 0

    def _retry(self, entry: Entry, error: str) -> None:
        self._parts.metrics.errors.labels(error).inc()
        delay = RETRY_SECONDS[min(entry.retries, len(RETRY_SECONDS) - 1)]
        entry.retries += 1
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
        entry.policy = entry.newest
        if entry.policy is None:
            await self._parts.reporter.report_unreadable(entry)
            return
        await self._gather(entry)
        decided_from = self._parts.clock()
        case, decision = await self._settle(entry)
        await self._parts.publisher.enact(entry, case, decision, decided_from)
        self._remember_requests(entry, case)
        await self._report(entry, case, decision)
        if entry.publish_problem:
            self._later(entry, REFUSED_RETRY.total_seconds())

    async def _report(self, entry: Entry, case: Case, made: Decision) -> None:
        """Report what holds now that the decision has been enacted; the decision itself is for the log."""
        memory = entry.memory
        settled = replace(case, active=memory.active, acted_primary=memory.acted_primary)
        await self._parts.reporter.report(entry, settled, decide(settled), made)

    async def _gather(self, entry: Entry) -> None:
        parts, policy = self._parts, entry.policy
        assert policy is not None
        used = parts.registry.use_secrets(entry)
        secrets = {key: await parts.secrets.read(key) for key in used}
        parts.secrets.retain(parts.registry.secrets_in_use())
        parts.registry.watch(entry, want(policy.spec, entry.key.namespace, secrets), parts.scheduler)
        if not entry.restored:
            restore(entry, parts.children, parts.clock())

    async def _settle(self, entry: Entry) -> tuple[Case, Decision]:
        """Decide, check the candidate with a fresh probe, and decide again on what it said, until a choice stands."""
        validated: set[str] = set()
        passed_over: dict[str, str] = {}
        while True:
            case = self._case(entry, passed_over)
            decision = decide(case)
            if decision.trigger is None or decision.provider is None or decision.provider in validated:
                break
            if await self._validate(entry, case, decision.provider):
                validated.add(decision.provider)
            else:
                passed_over[decision.provider] = "no answer to its validation probe yet"
        if passed_over:
            self._later(entry, RECHECK_SECONDS)
        return case, decision

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

    def _case(self, entry: Entry, passed_over: Mapping[str, str]) -> Case:
        policy, memory = entry.policy, entry.memory
        assert policy is not None
        errors = {name: problem.message for name, problem in entry.problems.items()}
        return Case(
            now=self._parts.clock(),
            order=policy.spec.order(),
            healths=dict(entry.healths),
            config_errors={**errors, **passed_over},
            mode=policy.spec.failover.mode,
            failback=policy.spec.failover.failback,
            active=memory.active,
            acted_primary=memory.acted_primary,
            failback_requested=policy.failback_token not in {None, memory.handled_failback},
            frozen=self._parts.registry.network.frozen,
            deepest=entry.rules.deepest,
        )

    def _remember_requests(self, entry: Entry, case: Case) -> None:
        assert entry.policy is not None
        entry.memory = settle_requests(entry.memory, case.primary, entry.policy.failback_token)
