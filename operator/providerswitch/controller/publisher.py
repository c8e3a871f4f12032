"""Turn a decision into published objects.

A new revision where the choice or its content changed, repair where it drifted, nothing otherwise.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from providerswitch.api.errors import UserError
from providerswitch.api.status import Rejection, Switch
from providerswitch.controller.children import Children
from providerswitch.controller.entry import Entry
from providerswitch.controller.metrics import Metrics
from providerswitch.controller.switching import Switching
from providerswitch.core.decide import Case, Decision
from providerswitch.core.memory import Publication, commit
from providerswitch.core.report import Problem
from providerswitch.kube.client import Object
from providerswitch.publish.choice import Choice
from providerswitch.publish.metadata import drifted
from providerswitch.publish.targets import TargetKey, build_objects

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Publisher:
    """Enacts decisions."""

    switching: Switching
    children: Children
    metrics: Metrics
    clock: Callable[[], datetime]

    async def enact(self, entry: Entry, case: Case, decision: Decision, decided_from: datetime) -> None:
        """Publish a decision if it is not what is published; switches are recorded in the entry's memory.

        Raises:
            ApiServerError: to be retried; the next attempt goes on with the same revision.
        """
        policy = entry.policy
        assert policy is not None
        refused_before = entry.publish_problem is not None
        entry.publish_problem = None
        provider = policy.spec.provider(decision.provider) if decision.provider else None
        if provider is None:
            return
        if decision.trigger is None:
            await self._keep_current(entry, case, decision, rehearse=refused_before)
            return
        publication = self._next(entry, decision, decided_from)
        detected = _detection(case, decided_from)
        if refused_before and not await self._rehearse(entry, publication):
            return
        outcome = await self._publish(entry, publication)
        self._record(entry, decision, publication, detected=detected, outcome=outcome)

    async def _keep_current(self, entry: Entry, case: Case, decision: Decision, *, rehearse: bool) -> None:
        """Same provider: publish what the spec changed about it, or put right what others changed."""
        if entry.memory.revision == 0:
            return
        if decision.provider in entry.problems:
            await self._keep_last_good(entry)
            return
        current = self._current(entry, decision, case)
        bodies = build_objects(self._choice(entry, current))
        if self._stands(entry, bodies):
            entry.published, entry.publication = bodies, current
        else:
            await self._mend(entry, current, bodies, rehearse=rehearse)

    async def _keep_last_good(self, entry: Entry) -> None:
        """What the spec says of the provider cannot be honoured now: only what others changed is put right."""
        assert entry.policy is not None
        if not entry.published or self._stands(entry, entry.published):
            return
        self._count_drift(entry)
        try:
            await self.switching.publish(entry.policy.owner, entry.published, entry.published)
        except UserError as error:
            entry.publish_problem = Problem(error.reason, error.message)

    def _count_drift(self, entry: Entry) -> None:
        log.info("published objects were changed by somebody else and are put right", extra=_who(entry))
        self.metrics.drift.labels(entry.key.namespace, entry.key.name).inc()

    def _current(self, entry: Entry, decision: Decision, case: Case) -> Publication:
        memory = entry.memory
        return entry.publication or Publication(
            active=decision.provider or "",
            revision=memory.revision,
            primary=case.primary,
            trigger="SpecChange",
            why=decision.why,
            decided_at=memory.active_since or case.now,
        )

    def _stands(self, entry: Entry, bodies: dict[TargetKey, Object]) -> bool:
        assert entry.policy is not None
        unwanted = self.children.of(entry.policy.owner) - bodies.keys()
        return not unwanted and all(not drifted(body, self.children.get(key) or {}) for key, body in bodies.items())

    async def _mend(
        self, entry: Entry, current: Publication, bodies: dict[TargetKey, Object], *, rehearse: bool
    ) -> None:
        assert entry.policy is not None
        published_by_us = entry.memory.last_good_generation == entry.policy.generation
        if bodies == entry.published or (not entry.published and published_by_us):
            self._count_drift(entry)
            await self._publish(entry, current)
            return
        if not entry.published and self._was_begun(bodies):
            log.info("a publication that a crash interrupted is finished", extra=_who(entry))
            await self._publish(entry, current)
            return
        updated = replace(
            current, revision=entry.memory.revision + 1, primary=entry.policy.spec.primary, decided_at=self.clock()
        )
        if rehearse and not await self._rehearse(entry, updated):
            return
        if await self._publish(entry, updated) == "Succeeded":
            entry.memory = replace(entry.memory, revision=updated.revision)

    def _was_begun(self, bodies: dict[TargetKey, Object]) -> bool:
        """Tell whether the first of the objects stands already: the others were to follow."""
        first = next(iter(bodies))
        return not drifted(bodies[first], self.children.get(first) or {})

    def _next(self, entry: Entry, decision: Decision, now: datetime) -> Publication:
        """Return the publication of a switch; one that was left half-way keeps its revision."""
        assert entry.policy is not None
        assert decision.provider is not None
        return Publication(
            active=decision.provider,
            revision=entry.memory.revision + 1,
            primary=entry.policy.spec.primary,
            previous=entry.memory.active,
            trigger=decision.trigger or "",
            why=decision.why,
            decided_at=now,
        )

    def _choice(self, entry: Entry, publication: Publication) -> Choice:
        policy = entry.policy
        assert policy is not None
        provider = policy.spec.provider(publication.active)
        assert provider is not None
        return Choice(
            owner=policy.owner,
            spec=policy.spec,
            provider=provider,
            revision=publication.revision,
            trigger=publication.trigger,
            why=publication.why,
            decided_at=publication.decided_at or self.clock(),
            previous=publication.previous,
            fallbacks=tuple(name for name in policy.spec.order() if name != provider.name),
        )

    async def _rehearse(self, entry: Entry, publication: Publication) -> bool:
        """Tell whether a publication would go through; if not, the problem is noted."""
        try:
            await self.switching.rehearse(build_objects(self._choice(entry, publication)))
        except UserError as error:
            entry.publish_problem = Problem(error.reason, error.message)
            return False
        return True

    async def _publish(self, entry: Entry, publication: Publication) -> str:
        """Publish; return "Succeeded", or "RolledBack" with the problem noted, or "" where nothing was touched."""
        assert entry.policy is not None
        bodies = build_objects(self._choice(entry, publication))
        try:
            await self.switching.publish(entry.policy.owner, bodies, entry.published)
        except UserError as error:
            entry.publish_problem = Problem(error.reason, error.message)
            return "RolledBack" if error.reason == "PublishRefused" else ""
        entry.published, entry.publication = bodies, publication
        entry.memory = replace(entry.memory, last_good_generation=entry.policy.generation)
        return "Succeeded"

    def _record(
        self, entry: Entry, decision: Decision, publication: Publication, *, detected: timedelta | None, outcome: str
    ) -> None:
        if not outcome:
            return
        now = self.clock()
        switch = build_switch(decision, publication, now=now, detected=detected, outcome=outcome)
        if _repeats(entry, switch):
            return
        self.metrics.count_switch(entry.key, switch, detected)
        entry.memory = commit(entry.memory, switch)
        entry.unannounced.append(switch)


def _repeats(entry: Entry, switch: Switch) -> bool:
    """Tell whether a switch was undone like the last one: tried again for hours, it would drive out all history."""
    return switch.outcome == "RolledBack" and any(
        (last.outcome, last.revision, last.to) == (switch.outcome, switch.revision, switch.to)
        for last in entry.memory.history[:1]
    )


def _detection(case: Case, decided: datetime) -> timedelta | None:
    """Return how long it took from the first failed probe of the active provider to the decision to leave it."""
    health = case.health(case.active) if case.active else None
    if health is None or health.may_stay or health.first_failure_at is None:
        return None
    return max(timedelta(0), decided - health.first_failure_at)


def build_switch(
    decision: Decision, publication: Publication, *, now: datetime, detected: timedelta | None, outcome: str
) -> Switch:
    """Return the history entry of a switch."""
    took = now - (publication.decided_at or now)
    return Switch(
        time=now,
        from_provider=publication.previous,
        to=publication.active,
        revision=publication.revision,
        trigger=publication.trigger,
        reason=decision.why[:1024],
        detect_millis=round(detected.total_seconds() * 1000) if detected is not None else None,
        switch_millis=round(took.total_seconds() * 1000),
        outcome="Succeeded" if outcome == "Succeeded" else "RolledBack",
        rejected=[Rejection(provider=each.provider, why=each.why[:512]) for each in decision.rejected] or None,
    )


def _who(entry: Entry) -> dict[str, str]:
    return {"namespace": entry.key.namespace, "policy": entry.key.name}
