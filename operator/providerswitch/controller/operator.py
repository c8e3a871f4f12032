"""The running operator: its long-lived tasks, and what happens when one of them ends."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from providerswitch.api.health_check import QualityChecks
from providerswitch.controller.children import SELECTOR, Children, policy_of, provider_json
from providerswitch.controller.drills import Drills
from providerswitch.controller.entry import Entry
from providerswitch.controller.evidence import Evidence
from providerswitch.controller.handlers import build_kopf_registry, follow_policies, run_kopf
from providerswitch.controller.hints.endpoint import HintEndpoint
from providerswitch.controller.history import Revisions
from providerswitch.controller.metrics import Metrics
from providerswitch.controller.overrides import Overrides
from providerswitch.controller.reconciler import Reconciler
from providerswitch.controller.registry import Registry
from providerswitch.controller.returning import watch_return
from providerswitch.controller.startup import wait_until_served
from providerswitch.controller.stocktaking import take_stock
from providerswitch.controller.sweeping import sweep_forever
from providerswitch.controller.term import Term
from providerswitch.core.outcome import Outcome
from providerswitch.kube.client import KubeClient, Object
from providerswitch.kube.election import Election
from providerswitch.kube.login import Login
from providerswitch.kube.objects import CONTROLLER_REVISIONS, DRILLS, OVERRIDES, SECRETS, ObjectKey, key_of
from providerswitch.kube.secrets import SecretStore
from providerswitch.kube.watch import Listener, Watched, watch_forever
from providerswitch.probes.golden_answer import Asked
from providerswitch.probes.scheduler import Scheduler
from providerswitch.probes.status_page import PageStatus
from providerswitch.probes.target import ProbeTarget
from providerswitch.publish.choice import read_publication
from providerswitch.publish.metadata import drifted
from providerswitch.publish.targets import TargetKey

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Operator:
    """The parts of the operator, and the wires between them. `main.py` makes it.

    Attributes:
        election: decides whether this replica leads; None where there is no other.
        hints: takes hints of consumers; None where none are taken.
        ready: what is published is known, and policies are being watched.
        look_soon: asks for a comparison of the policies that are served with those that exist.
    """

    client: KubeClient
    login: Login
    namespaces: tuple[str, ...]
    metrics: Metrics
    registry: Registry
    reconciler: Reconciler
    children: Children
    secrets: SecretStore
    revisions: Revisions
    scheduler: Scheduler
    evidence: Evidence
    overrides: Overrides
    clock: Callable[[], datetime]
    drills: Drills
    election: Election | None = None
    hints: HintEndpoint | None = None
    ready: bool = False
    look_soon: asyncio.Event = field(default_factory=asyncio.Event)
    _undone: asyncio.Event = field(default_factory=asyncio.Event)
    _watching: list[asyncio.Task[None]] = field(default_factory=list)
    _standing: asyncio.Task[None] | None = None

    @property
    def alive(self) -> bool:
        """Whether every watch and every probe still runs.

        A task that is cancelled from within ends silently, task group or not.
        """
        asking = self.scheduler.alive and self.evidence.alive
        stands = self._standing is None or not self._standing.done()
        return asking and stands and not any(task.done() for task in self._watching)

    async def run(self, take_signals: Callable[[], None]) -> None:
        """Work until cancelled; what is under way then gets a moment to finish.

        `take_signals` is called once kopf has taken the signals for itself. Told by one of them to stop, it would wait
        5 s for every task that is not its own, probes and open connections included, before it cancels them.

        Raises:
            ExceptionGroup: a task ended that must not end; the process should exit and be restarted.
        """
        known = [asyncio.Event() for _ in self._watches(None)]
        self.children.on_undone = self._undone.set
        try:
            async with asyncio.TaskGroup() as tasks:
                self._watching = [
                    tasks.create_task(watch_forever(self.client, watched, listener))
                    for watched, listener in self._watches(known)
                ]
                self._watching.append(
                    tasks.create_task(
                        sweep_forever(
                            self.client, self.namespaces, self.registry, self.forget, self._tidy, self.look_soon
                        )
                    )
                )
                self._watching.append(
                    tasks.create_task(watch_return(self.client, self.namespaces, self._anyone_waits, self._on_return))
                )
                await asyncio.gather(*(event.wait() for event in known))
                await self._take_stock()
                self._stand_for_election(tasks)
                if self.hints:
                    self._watching.append(tasks.create_task(self.hints.keep()))
                self.reconciler.start()
                self.ready = True
                await self._follow_policies(take_signals)
                for task in self._watching:
                    task.cancel()
        finally:
            self.ready = False
            self.overrides.follow()
            await self.evidence.aclose()
            await self.scheduler.aclose()

    def _stand_for_election(self, tasks: asyncio.TaskGroup) -> None:
        if self.election is None:
            self.metrics.leader.set(1)
            self.drills.lead("OperatorRestarted")
            self.overrides.lead()
            return
        term = self.build_term()
        term.end()
        self._standing = tasks.create_task(self.election.run(term.begin, term.end))

    def build_term(self) -> Term:
        """Return what happens when this replica begins to lead, and when it no longer does."""
        return Term(
            self.client,
            self.namespaces,
            self.registry,
            self.reconciler,
            self.children,
            self.overrides,
            self.drills,
            self.metrics,
            self.on_policy,
            self.look_soon,
            self.hints.begin if self.hints else lambda: None,
        )

    async def _step_down(self, *, at_once: bool) -> None:
        """Let another replica go on, at once or when the Lease has run out."""
        if self.election and not at_once:
            self.election.let_run_out()
        if self._standing:
            self._standing.cancel()
            await asyncio.wait([self._standing])

    async def _take_stock(self) -> None:
        """Take in all policies before the first is served; which of them have a place depends on all of them."""
        policies = await take_stock(self.client, self.namespaces)
        self.registry.allot(policies)
        for policy in policies:
            self.on_policy("", policy)
            await asyncio.sleep(0)

    async def _follow_policies(self, take_signals: Callable[[], None]) -> None:
        kopf_task = asyncio.create_task(follow_policies(self._run_kopf, take_signals, self._recover))
        try:
            await asyncio.wait([kopf_task])
        finally:
            self.ready = False
            finished = await self.reconciler.finish(self.registry)
            await self._step_down(at_once=finished)
            kopf_task.cancel()
            await asyncio.wait([kopf_task])
        await kopf_task

    async def _recover(self) -> None:
        """Return when policies are served again; until then nobody can tell what is wanted."""
        self.ready = False
        await wait_until_served(self.client, self.login.server, self.namespaces, self._forget_all)
        await self._take_stock()
        self.look_soon.set()
        self.ready = True

    def _forget_all(self) -> None:
        for entry in self.registry:
            self.forget(entry.key)

    def _watches(self, known: list[asyncio.Event] | None) -> list[tuple[Watched, Listener]]:
        """Return what is watched besides the policies; each event is set once the first list is in."""
        scopes: tuple[str | None, ...] = self.namespaces or (None,)
        wanted = [
            *((Watched(resource.collection(scope), SELECTOR), self.children.listener(kind, scope))
              for kind, resource in self.children.resources.items() for scope in scopes),
            *((Watched(SECRETS.collection(scope), metadata_only=True), self.secrets.listener(scope))
              for scope in scopes),
            *((Watched(CONTROLLER_REVISIONS.collection(scope), SELECTOR, metadata_only=True),
               self.revisions.listener(scope)) for scope in scopes),
            *((Watched(OVERRIDES.collection(scope), optional=True), self.overrides.listener(scope))
              for scope in scopes),
            *((Watched(DRILLS.collection(scope), optional=True), self.drills.listener(scope)) for scope in scopes),
        ]  # fmt: skip
        if known is None:
            return wanted
        return [
            (watched, _announcing(listener, event, self._undone))
            for (watched, listener), event in zip(wanted, known, strict=True)
        ]

    def _run_kopf(self, started: asyncio.Event) -> Coroutine[Any, Any, None]:
        return run_kopf(build_kopf_registry(self.login, self.on_policy), self.namespaces, started, self._undone)

    def on_policy(self, kind: str, obj: Object) -> None:
        """Take in a policy event. A lost or repeated one costs a look, never a wrong choice."""
        key = key_of(obj)
        former = self.registry.get(key)
        if kind == "DELETED":
            if former and former.uid == obj["metadata"]["uid"]:
                self.forget(key)
            return
        if former and former.uid != obj["metadata"]["uid"]:
            self.forget(key)
        elif former and not kind:
            self._look_again(former, obj)
        if self.registry.put(dict(obj)):
            entry = self.registry.get(key)
            assert entry is not None
            self.reconciler.wake(entry)
        self._count_policies()

    def _look_again(self, entry: Entry, obj: Object) -> None:
        """Policies are listed anew: what happened meanwhile was not told, and a backup may have been restored."""
        self.look_soon.set()
        status = dict(obj.get("status") or {})
        if entry.written is not None and entry.written != status:
            entry.written = status
            self.reconciler.wake(entry)

    def _anyone_waits(self) -> bool:
        return any(entry.retries for entry in self.registry)

    def _on_return(self) -> None:
        """The API server is back: go on with what it did not take."""
        self.registry.wake_all(entry for entry in self.registry if entry.retries)

    def forget(self, key: ObjectKey) -> None:
        """End all work for a policy that is gone."""
        self.evidence.forget(key)
        self.drills.forget(key)
        entry = self.registry.remove(key, self.scheduler)
        self.overrides.look(key.namespace)
        if entry:
            self.reconciler.stop(entry)
        self.metrics.forget(key)
        self._count_policies()
        self.metrics.frozen.set(self.registry.networks.any_frozen)
        self.metrics.targets.set(self.scheduler.targets)

    def _count_policies(self) -> None:
        self.metrics.policies.set(len(self.registry))
        self.metrics.show_over_limit(self.registry.over_limit)

    def _tidy(self) -> None:
        self.metrics.keep_hosts(self.registry.hosts())

    def on_outcome(self, target: ProbeTarget, outcome: Outcome) -> None:
        """Take in a probe's outcome."""
        self.metrics.count_probe(target, outcome)
        self.registry.hear(target, outcome, self.scheduler)
        self.metrics.frozen.set(self.registry.networks.any_frozen)
        self.metrics.targets.set(self.scheduler.targets)

    def on_answer(self, target: ProbeTarget, checks: QualityChecks, asked: Asked) -> None:
        """Take in the answer to a golden prompt."""
        self.metrics.count_answer(target, asked)
        self.registry.hear_answer(target, checks, asked, self.clock())

    def on_page(self, url: str, page: PageStatus) -> None:
        """Take in trouble that a status page tells of."""
        said = {"host": urlsplit(url).hostname, "says": page.indicator}
        log.info("a status page tells of trouble; its providers are probed now", extra=said)
        self.metrics.hints.labels("statuspage").inc()
        self.registry.hear_page(url, self.scheduler)

    def on_child(self, target: TargetKey, obj: Object) -> None:
        """Take in a change of a published object: somebody else's is put right at once."""
        policy = policy_of(obj)
        entry = self.registry.get(ObjectKey(target.key.namespace, policy)) if policy else None
        ours = entry is not None and target in entry.published
        if entry and entry.rehearsal and ours and (published := read_publication(provider_json(obj))):
            self.drills.rehearsing.show(entry, published.active, published.revision)
        if entry and self._differs(entry.published, target):
            self.reconciler.wake(entry)

    def _differs(self, published: dict[TargetKey, Object], target: TargetKey) -> bool:
        body = published.get(target)
        return body is None or drifted(body, self.children.get(target) or {})


def _announcing(listener: Listener, known: asyncio.Event, undone: asyncio.Event) -> Listener:
    def replaced(objects: list[Object]) -> None:
        listener.replaced(objects)
        known.set()

    def listed(version: str, went_back: bool) -> None:  # noqa: FBT001  # as the listener is called
        listener.listed(version, went_back)
        if went_back:
            undone.set()

    return Listener(replaced, listener.changed, listener.deleted, listed, known.set)
