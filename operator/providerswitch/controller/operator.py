"""The running operator: its long-lived tasks, and what happens when one of them ends."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import kopf

from providerswitch.api.health_check import QualityChecks
from providerswitch.controller.children import SELECTOR, Children, policy_of
from providerswitch.controller.evidence import Evidence
from providerswitch.controller.handlers import build_kopf_registry, build_kopf_settings
from providerswitch.controller.metrics import Metrics
from providerswitch.controller.reconciler import Reconciler
from providerswitch.controller.registry import Registry
from providerswitch.controller.sweeping import sweep_forever
from providerswitch.core.outcome import Outcome
from providerswitch.kube.client import KubeClient, Object
from providerswitch.kube.login import Login
from providerswitch.kube.objects import SECRETS, ObjectKey, key_of
from providerswitch.kube.secrets import SecretStore
from providerswitch.kube.watch import Listener, Watched, watch_forever
from providerswitch.probes.golden_answer import Asked
from providerswitch.probes.scheduler import Scheduler
from providerswitch.probes.status_page import PageStatus
from providerswitch.probes.target import ProbeTarget
from providerswitch.publish.metadata import drifted
from providerswitch.publish.targets import RESOURCES, TargetKey

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Operator:
    """The parts of the operator, and the wires between them. `main.py` makes it.

    Attributes:
        ready: what is published is known, and policies are being watched.
    """

    client: KubeClient
    login: Login
    namespaces: tuple[str, ...]
    metrics: Metrics
    registry: Registry
    reconciler: Reconciler
    children: Children
    secrets: SecretStore
    scheduler: Scheduler
    evidence: Evidence
    clock: Callable[[], datetime]
    ready: bool = False
    _watching: list[asyncio.Task[None]] = field(default_factory=list)

    @property
    def alive(self) -> bool:
        """Whether every watch and every probe still runs.

        A task that is cancelled from within ends silently, task group or not.
        """
        asking = self.scheduler.alive and self.evidence.alive
        return asking and not any(task.done() for task in self._watching)

    async def run(self, take_signals: Callable[[], None]) -> None:
        """Work until cancelled; what is under way then gets a moment to finish.

        `take_signals` is called once kopf has taken the signals for itself. Told by one of them to stop, it would wait
        5 s for every task that is not its own, probes and open connections included, before it cancels them.

        Raises:
            ExceptionGroup: a task ended that must not end; the process should exit and be restarted.
        """
        known = [asyncio.Event() for _ in self._watches(None)]
        try:
            async with asyncio.TaskGroup() as tasks:
                self._watching = [
                    tasks.create_task(watch_forever(self.client, watched, listener))
                    for watched, listener in self._watches(known)
                ]
                self._watching.append(
                    tasks.create_task(
                        sweep_forever(self.client, self.namespaces, self.registry, self.forget, self._tidy)
                    )
                )
                await asyncio.gather(*(event.wait() for event in known))
                self.reconciler.start()
                self.ready = True
                await self._follow_policies(take_signals)
                for task in self._watching:
                    task.cancel()
        finally:
            self.ready = False
            await self.evidence.aclose()
            await self.scheduler.aclose()

    async def _follow_policies(self, take_signals: Callable[[], None]) -> None:
        started = asyncio.Event()
        kopf_task = asyncio.create_task(self._run_kopf(started))
        taking = asyncio.create_task(_after(started, take_signals))
        try:
            await asyncio.wait([kopf_task])
        finally:
            self.ready = False
            await self.reconciler.finish(self.registry)
            for task in (taking, kopf_task):
                task.cancel()
            await asyncio.wait([taking, kopf_task])
        await kopf_task

    def _watches(self, known: list[asyncio.Event] | None) -> list[tuple[Watched, Listener]]:
        """Return what is watched besides the policies; each event is set once the first list is in."""
        scopes: tuple[str | None, ...] = self.namespaces or (None,)
        wanted = [
            *((Watched(resource.collection(scope), SELECTOR), self.children.listener(kind, scope))
              for kind, resource in RESOURCES.items() for scope in scopes),
            *((Watched(SECRETS.collection(scope), metadata_only=True), self.secrets.listener(scope))
              for scope in scopes),
        ]  # fmt: skip
        if known is None:
            return wanted
        return [
            (watched, _announcing(listener, event)) for (watched, listener), event in zip(wanted, known, strict=True)
        ]

    def _run_kopf(self, started: asyncio.Event) -> Coroutine[Any, Any, None]:
        return kopf.operator(
            registry=build_kopf_registry(self.login, self.on_policy),
            settings=build_kopf_settings(),
            standalone=True,
            clusterwide=not self.namespaces,
            namespaces=self.namespaces,
            ready_flag=started,
        )

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
        if self.registry.put(dict(obj)):
            entry = self.registry.get(key)
            assert entry is not None
            self.reconciler.wake(entry)
        self.metrics.policies.set(len(self.registry))

    def forget(self, key: ObjectKey) -> None:
        """End all work for a policy that is gone."""
        self.evidence.forget(key)
        entry = self.registry.remove(key, self.scheduler)
        if entry:
            self.reconciler.stop(entry)
        self.metrics.forget(key)
        self.metrics.policies.set(len(self.registry))
        self.metrics.frozen.set(self.registry.network.frozen is not None)
        self.metrics.targets.set(self.scheduler.targets)

    def _tidy(self) -> None:
        self.metrics.keep_hosts(self.registry.hosts())

    def on_outcome(self, target: ProbeTarget, outcome: Outcome) -> None:
        """Take in a probe's outcome."""
        self.metrics.count_probe(target, outcome)
        self.registry.hear(target, outcome, self.scheduler)
        self.metrics.frozen.set(self.registry.network.frozen is not None)
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
        if entry and self._differs(entry.published, target):
            self.reconciler.wake(entry)

    def _differs(self, published: dict[TargetKey, Object], target: TargetKey) -> bool:
        body = published.get(target)
        return body is None or drifted(body, self.children.get(target) or {})


async def _after(event: asyncio.Event, call: Callable[[], None]) -> None:
    await event.wait()
    call()


def _announcing(listener: Listener, known: asyncio.Event) -> Listener:
    def replaced(objects: list[Object]) -> None:
        listener.replaced(objects)
        known.set()

    return Listener(replaced, listener.changed, listener.deleted)
