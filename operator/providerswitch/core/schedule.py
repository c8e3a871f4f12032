"""Which entry of a policy's schedule is in force, and when that changes next.

An entry is in force from each of its starts for its duration, in elapsed time: 8 h are 8 h in every night of the year.
Windows of one entry that overlap or touch are one. Where several entries are in force, the first in the list wins.
Entries that rotate have no windows but turns; entries that cannot be followed are as if they were not there, and
`find_mistake` tells the user. When starts come is the matter of `core.cron`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from providerswitch.api.selection import ScheduleEntry
from providerswitch.core.cron import Calendar, read_calendar


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a schedule stands at a moment.

    Attributes:
        active: the entry that wins; None where none is in force.
        since: its newest start, UTC.
        next_change_at: when another entry wins, or none, UTC; None where that is further away than `core.cron.HORIZON`.
        next_change: what happens then, such as `"nights" ends, "lunch" begins`.
    """

    active: ScheduleEntry | None = None
    since: datetime | None = None
    next_change_at: datetime | None = None
    next_change: str | None = None


@dataclass(frozen=True, slots=True)
class _Windows:
    entry: ScheduleEntry
    calendar: Calendar
    duration: timedelta

    def since(self, moment: datetime) -> datetime | None:
        """Return the newest start of what is in force at a moment; None where nothing is."""
        start = self.calendar.newest_start(moment)
        return start if start is not None and moment < start + self.duration else None


def find_mistake(entry: ScheduleEntry) -> str | None:
    """Say what is wrong with an entry's cron line or time zone, where, and what to do; None: it can be followed."""
    calendar = read_calendar(entry.cron, entry.time_zone)
    return None if isinstance(calendar, Calendar) else f'spec.schedule "{entry.name}": {calendar.why}'


def stand(entries: Sequence[ScheduleEntry], now: datetime) -> Standing:
    """Find the entry in force and the next change, in list order of `spec.schedule`; entries that rotate don't count.

    Cheap enough for every decision: what is looked up is kept for each entry and day.
    """
    plan = _plan(entries)
    active = _winner(plan, now)
    moment = _next_change(plan, active, now.astimezone(UTC))
    return Standing(
        active.entry if active else None,
        active.since(now) if active else None,
        moment,
        None if moment is None else _describe(active, _winner(plan, moment), moment),
    )


def last_turn(entry: ScheduleEntry, now: datetime) -> datetime | None:
    """Return the entry's last start not later than now, UTC.

    None: it never came within `core.cron.HORIZON`, or cannot be followed.
    """
    calendar = read_calendar(entry.cron, entry.time_zone)
    return calendar.newest_start(now) if isinstance(calendar, Calendar) else None


def next_turn(entry: ScheduleEntry, now: datetime) -> datetime | None:
    """Return the entry's first start later than now, UTC; None as for `last_turn`."""
    calendar = read_calendar(entry.cron, entry.time_zone)
    return calendar.next_start(now) if isinstance(calendar, Calendar) else None


def _plan(entries: Sequence[ScheduleEntry]) -> list[_Windows]:
    read = ((entry, read_calendar(entry.cron, entry.time_zone), entry.duration) for entry in entries)
    return [
        _Windows(entry, calendar, duration)
        for entry, calendar, duration in read
        if isinstance(calendar, Calendar) and duration is not None
    ]


def _winner(plan: Sequence[_Windows], moment: datetime) -> _Windows | None:
    return next((each for each in plan if each.since(moment)), None)


def _next_change(plan: Sequence[_Windows], active: _Windows | None, now: datetime) -> datetime | None:
    """Only a start of an entry further up in the list, or the end of the active one, changes what wins."""
    above = plan if active is None else plan[: plan.index(active)]
    moments = [each.calendar.next_start(now) for each in above]
    if active and (since := active.since(now)):
        moments.append(active.calendar.unbroken_until(since, active.duration))
    return min((moment for moment in moments if moment is not None), default=None)


def _describe(before: _Windows | None, after: _Windows | None, moment: datetime) -> str:
    """Say who leaves and who comes; one that goes on underneath neither ends nor begins."""
    changes = []
    if before and not before.since(moment):
        changes.append(f'"{before.entry.name}" ends')
    if after:
        verb = "goes on" if after.since(moment - timedelta.resolution) else "begins"
        changes.append(f'"{after.entry.name}" {verb}')
    return ", ".join(changes)
