"""Tell the world: Events first, then status, log and metrics, all from the same decision.

The Event of a switch goes out before the status that commits it: after a crash in between, the next process commits
again and the Event, having the same name, is not repeated.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from providerswitch.api.errors import ApiServerError
from providerswitch.api.status import Condition, ConditionType, PolicyStatus, Switch
from providerswitch.controller.detours import real_health
from providerswitch.controller.entry import Entry
from providerswitch.controller.metrics import Metrics
from providerswitch.core.case import Decision
from providerswitch.core.event_room import EventRoom
from providerswitch.core.narrate import PolicyEvent, condition, tell_changes, tell_switch
from providerswitch.core.news import MEASURED_REASONS, is_worth_writing, without_numbers
from providerswitch.core.report import LIMIT_EXCEEDED, Background, Problem, Settled, build_status
from providerswitch.core.verdict import Verdict, as_condition
from providerswitch.kube.client import KubeClient, Object
from providerswitch.kube.events import Regarding, tell
from providerswitch.kube.objects import NOT_FOUND, POLICIES, apply_status

log = logging.getLogger(__name__)

UNKNOWN_FIELD: Final = "field not declared in schema"
"""What server-side apply answers, with HTTP 500, to a field that the CustomResourceDefinition has not."""
OLD_CRD: Final = "the CustomResourceDefinition is older than the operator. Apply crds/ of this release"


@dataclass(frozen=True, slots=True)
class Reporter:
    """Writes Events, status, log lines and metrics.

    Attributes:
        name: of this process, in Events.
    """

    client: KubeClient
    metrics: Metrics
    clock: Callable[[], datetime]
    name: str

    async def report(self, entry: Entry, held: Settled, made: Decision, background: Background) -> None:
        """Report the state that holds, and log the decision that was `made` to get there.

        Raises:
            ApiServerError: the status could not be written.
        """
        assert entry.policy is not None
        status = build_status(
            held.case,
            held.decision,
            entry.memory,
            problems=problems_of(entry),
            generation=entry.looked_at if entry.spec_problem else entry.policy.generation,
            before=entry.status,
            background=background,
        )
        self._log(entry, held.decision, made, status)
        await self._announce(entry, status)
        self._measure(entry, status)
        if entry.status.held is None and not status.shadow:
            self._count_hold(entry, held.decision)
        await self._write(entry, status)

    def _count_hold(self, entry: Entry, decision: Decision) -> None:
        if decision.held:
            self.metrics.held.labels(entry.key.namespace, entry.key.name, decision.held.trigger).inc()

    async def report_unreadable(self, entry: Entry) -> None:
        """Report a policy of which no version could be read."""
        problem = entry.spec_problem
        if problem is None:
            return
        former = condition(entry.status, ConditionType.READY)
        verdict = Verdict("False", problem.reason, problem.message)
        ready = as_condition(ConditionType.READY, verdict, entry.status.conditions, self.clock(), entry.looked_at)
        if problem.reason != LIMIT_EXCEEDED:  # nobody limits how many of those there are
            self.metrics.ready.labels(entry.key.namespace, entry.key.name).set(0)
            self.metrics.show_conditions(entry.key, [ready])
        told = former is not None and _says(former) == _says(ready)
        if not told:
            log.warning("the policy cannot be honoured: %s", problem.message, extra={"policy": str(entry.key)})
            await self._post(entry, PolicyEvent("Warning", problem.reason, problem.message, problem.message))
        if not told or entry.status.observed_generation != entry.looked_at:
            seen = {"conditions": [ready], "observed_generation": entry.looked_at}
            await self._write(entry, entry.status.model_copy(update=seen))

    async def _announce(self, entry: Entry, status: PolicyStatus) -> None:
        told = [*(_tell_switch(entry, switch) for switch in entry.unannounced), *entry.news]
        entry.unannounced.clear()
        entry.news.clear()
        for event in (*tell_changes(entry.status, status), *told):
            await self._post(entry, event)

    async def _post(self, entry: Entry, event: PolicyEvent) -> None:
        """An Event that cannot be written must not hold up the work."""
        about, now = entry.policy.regarding if entry.policy else Regarding(entry.key, entry.uid, ""), self.clock()
        room = (entry.event_room or EventRoom(0, now)).take(now)
        if room is None:
            log.debug("an Event is left out, there were too many", extra={"policy": str(entry.key)})
            return
        entry.event_room = room
        await tell(self.client, event, about, now, self.name)

    async def _write(self, entry: Entry, status: PolicyStatus) -> None:
        """What was told once is not told again because the status could not be written."""
        now, rendered = self.clock(), render(status)
        if entry.written is None:
            entry.written, entry.written_at = render(entry.status), now
        entry.status = status
        if is_worth_writing(entry.written, rendered, written=entry.written_at or now, now=now):
            await self._store(entry, rendered)
            entry.written, entry.written_at = rendered, now

    async def _store(self, entry: Entry, rendered: Object) -> None:
        try:
            await apply_status(self.client, POLICIES, entry.key, entry.uid, rendered)
        except ApiServerError as error:
            if UNKNOWN_FIELD in error.detail:
                raise explain_old_crd(error) from error
            if error.status != NOT_FOUND:  # it was deleted while its status was on the way
                raise

    def _log(self, entry: Entry, settled: Decision, made: Decision, status: PolicyStatus) -> None:
        """One line for each switch, and for each change of what holds otherwise; none for another try of the same."""
        decision = made if made.trigger else settled
        mode = "" if status.shadow is None else "Shadow: would switch" if made.trigger else "Shadow: would stay"
        line = f"{mode[:6]} {status.active_provider} {settled.reason} {told_apart(settled)}"
        enacted = made.trigger is not None and made.provider == status.active_provider
        if line == entry.last_log and not enacted:
            return
        entry.last_log = line
        log.info(
            mode or "decision",
            extra={
                "namespace": entry.key.namespace,
                "policy": entry.key.name,
                "active": status.active_provider,
                "revision": status.revision,
                "decision": decision.reason.value,
                "rule": decision.rule,
                "trigger": decision.trigger.value if decision.trigger else None,
                "why": decision.why,
                "rejected": {each.provider: each.why for each in decision.rejected},
            },
        )

    def _measure(self, entry: Entry, status: PolicyStatus) -> None:
        key = entry.key
        shadow = status.shadow
        if shadow:
            self.metrics.show_active(key, shadow.published_provider, None)
        else:
            self.metrics.show_active(key, status.active_provider, status.active_since)
        self.metrics.shadow.labels(key.namespace, key.name).set(shadow is not None)
        self.metrics.show_drill(key, running=entry.rehearsal is not None)
        real = {name: health.state for name, health in real_health(entry).items()}
        self.metrics.show_states(key, {each.name: real.get(each.name, each.state) for each in status.providers})
        self.metrics.show_conditions(key, status.conditions)
        self.metrics.count_service(key, status.resilience.observed if status.resilience else None)
        self.metrics.figures.show(key, status)
        ready = condition(status, ConditionType.READY)
        self.metrics.ready.labels(key.namespace, key.name).set(ready is not None and ready.status == "True")
        if entry.policy:
            self.metrics.show_budget(key, entry.policy.spec.health_check.budget)


def _tell_switch(entry: Entry, switch: Switch) -> PolicyEvent:
    """The Event of a switch is also about the object that consumers read."""
    told = tell_switch(switch)
    return told if switch.outcome == "Shadow" else replace(told, related=entry.related)


def explain_old_crd(error: ApiServerError) -> ApiServerError:
    """Return the refusal of a status whose fields the CustomResourceDefinition does not know, with what to do."""
    return ApiServerError(error.what, error.status, f"{OLD_CRD} ({error.detail})", error.retry_after)


def _says(ready: Condition) -> str:
    """Return what makes a problem worth telling again; how many others there are does not."""
    return without_numbers(ready.message) if ready.reason == LIMIT_EXCEEDED else ready.message


def told_apart(decision: Decision) -> str:
    """Return what makes a decision worth another line in the log; measured values alone do not."""
    return "" if decision.reason in MEASURED_REASONS else without_numbers(decision.why)


def problems_of(entry: Entry) -> list[Problem]:
    """Return everything the user has to mend, worst first."""
    found = (entry.spec_problem, entry.publish_problem, *_of_providers(entry), *entry.mistakes)
    return [problem for problem in found if problem]


def _of_providers(entry: Entry) -> list[Problem]:
    """A provider that only an override asked for, and could not have, is none of the policy's problems."""
    chosen = entry.policy.spec.everyone() if entry.policy else ()
    concerned = {*chosen, entry.memory.active, *(order.provider for order in entry.overrides.values())}
    return [problem for name, problem in entry.problems.items() if name in concerned]


def render(status: PolicyStatus) -> Object:
    """Return a status as the API stores it."""
    return status.model_dump(mode="json", by_alias=True, exclude_none=True)
