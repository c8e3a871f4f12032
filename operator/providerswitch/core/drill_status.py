"""What a drill says of itself, and when it runs next. Pure."""

from datetime import datetime, timedelta
from typing import Final, Literal

from providerswitch.api.drill import RUNS_KEPT, DrillRun, DrillSpec, DrillState, DrillStatus
from providerswitch.api.status import Condition
from providerswitch.core.cron import Calendar, Unreadable, read_calendar
from providerswitch.core.rehearsal import Verdict
from providerswitch.core.verdict import Verdict as Said
from providerswitch.core.verdict import as_condition
from providerswitch.core.wording import shorten

LATEST: Final = timedelta(minutes=5)
"""A run that could not begin so long after its time is left out."""
LONGEST_MESSAGE: Final = 1024
OVER: Final = frozenset({DrillState.PASSED, DrillState.FAILED, DrillState.ABORTED, DrillState.REFUSED})
"""States of a run that is over."""
TELLS: Final = frozenset({DrillState.PASSED, DrillState.FAILED})
"""States that say something of the policy."""


def find_mistake(spec: DrillSpec) -> str | None:
    """Say what is wrong with the schedule, and what to do; None where it can be followed."""
    calendar = read_calendar(spec.schedule, spec.time_zone) if spec.schedule else None
    return f"spec.schedule: {calendar.why}" if isinstance(calendar, Unreadable) else None


def next_run(spec: DrillSpec, now: datetime) -> datetime | None:
    """Return when the schedule comes next; None for none, one that rests, and one that nobody can follow."""
    if spec.schedule is None or spec.suspend:
        return None
    calendar = read_calendar(spec.schedule, spec.time_zone)
    return calendar.next_start(now) if isinstance(calendar, Calendar) else None


def is_missed(due: datetime, now: datetime) -> bool:
    """Tell whether a run is too late to begin."""
    return now - due > LATEST


def await_run(spec: DrillSpec, status: DrillStatus, generation: int, now: datetime) -> DrillStatus:
    """Return the status of a drill that waits for its next run; what the last one found stays to be read."""
    rests = ("Suspended", "spec.suspend is true; nothing is run")
    waits = ("WaitsForSchedule", "it runs when the schedule says so")
    reason, message = rests if spec.suspend else waits
    told: dict[str, object] = {"observed_generation": generation, "next_run_at": next_run(spec, now)}
    if status.state not in OVER:
        told |= {"state": DrillState.SCHEDULED, "reason": reason, "message": message}
    return status.model_copy(update=told)


def tell_pending(status: DrillStatus, generation: int, why: Verdict) -> DrillStatus:
    """Return the status of a drill that waits a moment for its policy."""
    told = {"observed_generation": generation, "state": DrillState.PENDING, "reason": why.reason}
    return status.model_copy(update={**told, "message": shorten(why.message, LONGEST_MESSAGE)})


def tell_running(status: DrillStatus, generation: int, provider: str, now: datetime) -> DrillStatus:
    """Return the status of a drill that runs."""
    told = {
        "observed_generation": generation,
        "state": DrillState.RUNNING,
        "reason": "Running",
        "message": f'"{provider}" seems to fail to this policy; what follows is measured',
        "started_at": now,
        "finished_at": None,
        "result": None,
    }
    return status.model_copy(update=told)


def tell_over(
    spec: DrillSpec, status: DrillStatus, generation: int, verdict: Verdict, now: datetime, *, ran: bool = True
) -> DrillStatus:
    """Return the status once a run is over; `ran` tells whether it had begun."""
    message = shorten(verdict.message, LONGEST_MESSAGE)
    started = (status.started_at if ran else None) or now
    run = DrillRun(
        started_at=started,
        finished_at=now,
        state=verdict.state,
        reason=verdict.reason,
        message=message,
        result=verdict.result,
    )
    return DrillStatus(
        observed_generation=generation,
        state=verdict.state,
        reason=verdict.reason,
        message=message,
        started_at=started,
        finished_at=now,
        next_run_at=next_run(spec, now),
        result=verdict.result,
        runs=[run, *(status.runs or ())][:RUNS_KEPT],
        conditions=[_finished(status, verdict, generation, now)],
    )


def _finished(status: DrillStatus, verdict: Verdict, generation: int, now: datetime) -> Condition:
    said: Literal["True", "False"] = "True" if verdict.state in TELLS else "False"
    told = Said(said, verdict.reason, shorten(verdict.message, LONGEST_MESSAGE))
    return as_condition("Finished", told, status.conditions, now, generation)
