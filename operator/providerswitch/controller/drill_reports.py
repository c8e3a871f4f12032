"""Tell of drills: status, Events, log and metrics."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from providerswitch.api.drill import DrillState, DrillStatus
from providerswitch.controller.drill_objects import Drill
from providerswitch.controller.entry import Entry
from providerswitch.controller.metrics import Metrics
from providerswitch.core.drill_status import TELLS
from providerswitch.core.event_room import EventRoom
from providerswitch.core.narrate import PolicyEvent
from providerswitch.core.rehearsal import Verdict
from providerswitch.kube.client import KubeClient
from providerswitch.kube.events import tell
from providerswitch.kube.objects import DRILLS, apply_status, delete

log = logging.getLogger(__name__)

REASONS: Final = {
    DrillState.PASSED: "DrillPassed",
    DrillState.FAILED: "DrillFailed",
    DrillState.ABORTED: "DrillAborted",
    DrillState.REFUSED: "DrillRefused",
}


@dataclass(frozen=True, slots=True)
class DrillReports:
    """Writes what is to be known of drills.

    Attributes:
        name: of this process, in Events.
    """

    client: KubeClient
    metrics: Metrics
    clock: Callable[[], datetime]
    name: str

    async def write(self, drill: Drill, status: DrillStatus) -> None:
        """Store a status over what is known of the drill.

        Raises:
            ApiServerError: it could not be stored; with status 409 where the drill is a newer one.
        """
        if status == drill.status:
            return
        rendered = status.model_dump(mode="json", by_alias=True, exclude_none=True)
        stored = await apply_status(self.client, DRILLS, drill.key, drill.uid, rendered, version=drill.version)
        drill.status, drill.version = status, stored["metadata"]["resourceVersion"]

    async def remove(self, drill: Drill) -> None:
        """Delete a drill that is over.

        Raises:
            ApiServerError: to be tried again.
        """
        await delete(self.client, DRILLS, drill.key, drill.uid)

    async def tell_start(self, drill: Drill, entry: Entry, provider: str) -> None:
        """Tell that a run begins."""
        fault = drill.spec.fault if drill.spec else ""
        note = f'{fault} of "{provider}" is played to policy "{entry.key.name}".'
        log.info("drill begins", extra={**_who(drill), "provider": provider, "fault": str(fault)})
        await self._post(drill, PolicyEvent("Normal", "DrillStarted", note, _identity(drill)), entry)

    async def tell_end(self, drill: Drill, verdict: Verdict, entry: Entry | None) -> None:
        """Tell that a run is over, or was refused."""
        if drill.policy:
            self.metrics.drills.labels(verdict.state).inc()
        self.show(drill, entry)
        log.info("drill is over", extra={**_who(drill), "state": str(verdict.state), "reason": verdict.reason})
        kind = "Normal" if verdict.state is DrillState.PASSED else "Warning"
        note = f"{verdict.reason}: {verdict.message}."
        event = PolicyEvent("Normal" if kind == "Normal" else "Warning", REASONS[verdict.state], note, _identity(drill))
        await self._post(drill, event, entry)

    def show(self, drill: Drill, entry: Entry | None) -> None:
        """Show the result of the last run that says something of the policy; one that is not there has no series."""
        said, at = drill.status.state, drill.status.finished_at
        if entry and at and said in TELLS:
            self.metrics.show_last_drill(entry.key, str(said), at)

    async def _post(self, drill: Drill, event: PolicyEvent, entry: Entry | None) -> None:
        """Tell it of the drill, and of the policy; an Event that cannot be written holds nothing up.

        The policy has room for all its drills together, beside that for what befalls it.
        """
        now = self.clock()
        if not drill.gone and (room := (drill.event_room or EventRoom(0, now)).take(now)):
            drill.event_room = room
            await tell(self.client, event, drill.regarding, now, self.name)
        if entry and entry.policy and (room := (entry.room_for_drills or EventRoom(0, now)).take(now)):
            entry.room_for_drills = room
            await tell(self.client, event, entry.policy.regarding, now, self.name)


def _identity(drill: Drill) -> str:
    started = drill.status.started_at
    return f"{drill.uid}/{started.isoformat() if started else drill.generation}"


def _who(drill: Drill) -> dict[str, str]:
    policy = drill.policy
    return {"namespace": drill.key.namespace, "drill": drill.key.name, "policy": policy.name if policy else ""}
