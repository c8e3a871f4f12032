"""Turn a decision into published objects.

A new revision where the choice or its content changed, repair where it drifted, nothing otherwise.
"""

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from providerswitch.api.errors import UserError
from providerswitch.api.policy import PolicySpec
from providerswitch.api.provider import Provider
from providerswitch.api.status import Switch, SwitchOutcome
from providerswitch.controller.children import Children, provider_json
from providerswitch.controller.entry import Entry
from providerswitch.controller.keys import find_keys, was_rotated
from providerswitch.controller.metrics import Metrics
from providerswitch.controller.recording import build_switch, detection, repeats
from providerswitch.controller.repairing import Repairs
from providerswitch.controller.restoring import find_publication
from providerswitch.controller.shadowing import overtake, prepare_going_live, switches_of_going_live
from providerswitch.controller.switching import Switching
from providerswitch.core.case import Case, Decision
from providerswitch.core.memory import Publication, commit
from providerswitch.core.report import Problem, Settled
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

    @property
    def repairs(self) -> Repairs:
        """What is known of drift."""
        return Repairs(self.children, self.metrics, self.clock)

    async def enact(self, entry: Entry, case: Case, decision: Decision, decided_from: datetime) -> None:
        """Publish a decision if it is not what is published; switches are recorded in the entry's memory.

        Raises:
            ApiServerError: to be retried; the next attempt goes on with the same revision.
        """
        policy = entry.policy
        assert policy is not None
        entry.refused = entry.publish_problem is not None
        entry.publish_problem = None
        provider = policy.spec.provider(decision.provider) if decision.provider else None
        if provider is None:
            return
        if decision.trigger is None:
            entry.publication = entry.publication or self._current(entry, decision, case)
            return
        if policy.spec.dry_run:
            overtake(entry, self.children)
        publication = self._next(entry, decision, decided_from)
        made = (Settled(None, case, decision),)
        await self._switch(entry, publication, made, decided_from, rehearse=entry.refused)

    async def keep(self, entry: Entry, case: Case, decision: Decision) -> None:
        """Where the policy's own provider stays: publish what else the spec changed, or put right what others did."""
        if decision.trigger is not None or decision.provider is None:
            return
        of_tasks = entry.publish_problem
        await self._keep_current(entry, case, decision, rehearse=entry.refused or of_tasks is not None)

    async def enact_tasks(self, entry: Entry, settled: Sequence[Settled], decided_from: datetime) -> None:
        """Publish what was decided for tasks, all in one revision.

        While what is published of the policy itself cannot be honoured by its spec, the last good stays as it is.

        Raises:
            ApiServerError: to be retried.
        """
        made = tuple(each for each in settled if each.decision.trigger)
        current, memory = entry.publication, entry.memory
        assert entry.policy is not None
        heard = entry.rehearsed_generation if entry.policy.spec.dry_run else memory.last_good_generation
        unheard = memory.active in entry.problems and heard != entry.policy.generation
        unheard = unheard or (current is not None and entry.policy.spec.provider(current.active) is None)
        if not made or current is None or entry.publish_problem or unheard:
            return
        chosen = {each.task or "": each.decision.provider or "" for each in made}
        revision, tasks = memory.revision + 1, {**current.tasks, **chosen}
        publication = replace(current, revision=revision, tasks=tasks)
        await self._switch(entry, publication, made, decided_from, rehearse=entry.refused)

    async def _switch(
        self,
        entry: Entry,
        publication: Publication,
        made: Sequence[Settled],
        decided_from: datetime,
        *,
        rehearse: bool,
    ) -> None:
        if entry.policy and entry.policy.spec.dry_run:
            outcome = await self._shadow(entry, publication)
        elif rehearse and not await self._rehearse(entry, publication):
            return
        else:
            outcome = await self._publish(entry, publication)
        if outcome:
            for each in made:
                self._record(entry, each, publication, decided_from, outcome)

    async def _shadow(self, entry: Entry, publication: Publication) -> SwitchOutcome | None:
        """Do all of a publication but for storing it; None where it would not go through, with the problem noted."""
        assert entry.policy is not None
        bodies = build_objects(self._choice(entry, publication))
        entry.published = {}
        try:
            await self.switching.rehearse_anew(entry.policy.owner, bodies)
        except UserError as error:
            entry.publish_problem = Problem(error.reason, error.message)
            return None
        entry.rehearsed, entry.rehearsed_generation = bodies, entry.policy.generation
        entry.publication = publication
        return "Shadow"

    async def _keep_current(self, entry: Entry, case: Case, decision: Decision, *, rehearse: bool) -> None:
        """Same provider: publish what the spec changed about it, or put right what others changed."""
        if entry.memory.revision == 0:
            return
        assert entry.policy is not None
        if decision.provider in entry.problems or entry.policy.spec.provider(decision.provider or "") is None:
            await self._keep_last_good(entry)
            return
        current = self._current(entry, decision, case)
        bodies = build_objects(self._choice(entry, current))
        if entry.policy.spec.dry_run:
            if rehearse or bodies != entry.rehearsed:
                await self._shadow(entry, current)
            return
        if self._stands(entry, bodies):
            entry.published, entry.publication = bodies, current
            entry.memory = replace(entry.memory, last_good_generation=entry.policy.generation)
            entry.related = self.repairs.related(next(iter(bodies)))
        else:
            await self._mend(entry, current, bodies, rehearse=rehearse)
        self.repairs.note_contest(entry)

    async def _keep_last_good(self, entry: Entry) -> None:
        """What the spec says of the provider cannot be honoured now: only what others changed is put right."""
        assert entry.policy is not None
        if entry.policy.spec.dry_run or not entry.published or self._stands(entry, entry.published):
            return
        bodies, found = entry.published, self.repairs.find(entry, entry.published)
        if not self.repairs.may_repair(entry, found):
            return
        try:
            await self.switching.publish(entry.policy.owner, bodies, bodies)
        except UserError as error:
            entry.publish_problem = Problem(error.reason, error.message)
        else:
            self.repairs.note(entry, found)

    def _current(self, entry: Entry, decision: Decision, case: Case) -> Publication:
        memory = entry.memory
        return entry.publication or Publication(
            active=decision.provider or "",
            revision=memory.revision,
            primary=case.primary,
            trigger="SpecChange",
            why=decision.why,
            decided_at=memory.active_since or case.now,
            tasks=_seated(entry),
        )

    def _stands(self, entry: Entry, bodies: dict[TargetKey, Object]) -> bool:
        assert entry.policy is not None
        unwanted = self.children.of(entry.policy.owner) - bodies.keys()
        return not unwanted and all(not drifted(body, self.children.get(key) or {}) for key, body in bodies.items())

    async def _mend(
        self, entry: Entry, current: Publication, bodies: dict[TargetKey, Object], *, rehearse: bool
    ) -> None:
        assert entry.policy is not None
        published_by_us = entry.memory.last_good_generation == entry.policy.generation and self._weighs_the_same(bodies)
        rotated = was_rotated(bodies, self.children)
        if bodies == entry.published or (not entry.published and published_by_us and not rotated):
            await self._put_right(entry, current, bodies)
            return
        if not entry.published and not rotated and self._was_begun(bodies):
            log.info("a publication that a crash interrupted is finished", extra=_who(entry))
            await self._publish(entry, current)
            return
        began, former = self.clock(), find_publication(entry, self.children)
        updated = replace(
            prepare_going_live(entry, self.children, current),
            revision=entry.memory.revision + 1,
            primary=entry.policy.spec.primary,
            decided_at=began,
        )
        if rehearse and not await self._rehearse(entry, updated):
            return
        if await self._publish(entry, updated) == "Succeeded":
            for switch in switches_of_going_live(entry, former, updated, began, self.clock()):
                self._commit(entry, switch, None)
            entry.memory = replace(entry.memory, revision=updated.revision)

    async def _put_right(self, entry: Entry, current: Publication, bodies: dict[TargetKey, Object]) -> None:
        """Publish again what others changed."""
        found = self.repairs.find(entry, bodies)
        if self.repairs.may_repair(entry, found) and await self._publish(entry, current) == "Succeeded":
            self.repairs.note(entry, found)

    def published_shares(self, entry: Entry) -> dict[str, int]:
        """Return the weights that stand published; none where there are none of ours."""
        assert entry.policy is not None
        known = entry.policy.spec.order()
        for target in self.children.of(entry.policy.owner):
            found = _weights(self.children.get(target) or {})
            if isinstance(found, dict) and all(
                found.get(name) is None or isinstance(found[name], int) for name in known
            ):
                return found if found.keys() <= set(known) else {}
        return {}

    def _weighs_the_same(self, bodies: dict[TargetKey, Object]) -> bool:
        """Tell whether the weights that stand published are those of now: time alone may have moved them meanwhile."""
        first = next(iter(bodies))
        return _weights(self.children.get(first) or {}) == _weights(bodies[first])

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
            tasks=_seated(entry),
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
            fallbacks=tuple(name for name in policy.spec.order() if name not in {provider.name, *entry.misfits}),
            tasks=_chosen_for_tasks(policy.spec, publication),
            shares=entry.shares,
            keys=find_keys(entry, self.children),
        )

    async def try_out(self, entry: Entry, provider: str, why: str) -> str | None:
        """Say what the API server would have against publishing a provider; None where it would take it.

        Raises:
            ApiServerError: no clear answer.
        """
        publication = Publication(
            provider, entry.memory.revision + 1, why=why, decided_at=self.clock(), tasks=_seated(entry)
        )
        try:
            await self.switching.rehearse(build_objects(self._choice(entry, publication)))
        except UserError as error:
            return error.message
        return None

    async def _rehearse(self, entry: Entry, publication: Publication) -> bool:
        """Tell whether a publication would go through; if not, the problem is noted."""
        try:
            await self.switching.rehearse(build_objects(self._choice(entry, publication)))
        except UserError as error:
            entry.publish_problem = Problem(error.reason, error.message)
            return False
        return True

    async def _publish(self, entry: Entry, publication: Publication) -> SwitchOutcome | None:
        """Publish; return "Succeeded", or "RolledBack" with the problem noted, or None where nothing was touched."""
        assert entry.policy is not None
        bodies = build_objects(self._choice(entry, publication))
        try:
            await self.switching.publish(entry.policy.owner, bodies, entry.published, entry.adopted)
        except UserError as error:
            entry.publish_problem = Problem(error.reason, error.message)
            return "RolledBack" if error.reason == "PublishRefused" else None
        self.repairs.note_adoptions(entry)
        entry.related = self.repairs.related(next(iter(bodies)))
        entry.published, entry.publication = bodies, publication
        entry.memory = replace(entry.memory, last_good_generation=entry.policy.generation)
        return "Succeeded"

    def _record(
        self, entry: Entry, made: Settled, publication: Publication, decided_from: datetime, outcome: SwitchOutcome
    ) -> None:
        task = made.task
        detected = detection(made.case, decided_from)
        switch = build_switch(
            made.decision,
            publication,
            former=entry.memory.seat(task).active,
            decided_at=decided_from,
            now=self.clock(),
            detected=detected,
            outcome=outcome,
            task=task,
        )
        if not repeats(entry, switch):
            self._commit(entry, switch, detected)

    def _commit(self, entry: Entry, switch: Switch, detected: timedelta | None) -> None:
        drill = entry.memory.drill
        if drill and drill.made(switch.from_provider, switch.to):
            self.metrics.count_rehearsed(entry.key, switch)
        else:
            self.metrics.count_switch(entry.key, switch, detected)
        entry.memory = commit(entry.memory, switch)
        entry.unannounced.append(switch)


def _seated(entry: Entry) -> dict[str, str]:
    """Return the providers of the tasks that the spec has and that have one."""
    assert entry.policy is not None
    active = {task.name: entry.memory.seat(task.name).active for task in entry.policy.spec.tasks}
    return {task: name for task, name in active.items() if name and entry.policy.spec.provider(name)}


def _chosen_for_tasks(spec: PolicySpec, publication: Publication) -> dict[str, Provider]:
    chosen = {task.name: spec.provider(publication.tasks.get(task.name, "")) for task in spec.tasks}
    return {task: provider for task, provider in chosen.items() if provider}


def _weights(config_map: Object) -> object:
    try:
        document = json.loads(provider_json(config_map) or "{}")
    except (ValueError, RecursionError):
        return None
    return document.get("weights") if isinstance(document, dict) else None


def _who(entry: Entry) -> dict[str, str]:
    return {"namespace": entry.key.namespace, "policy": entry.key.name}
