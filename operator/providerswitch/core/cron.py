"""When a cron line comes: its starts in a time zone, across daylight-saving changes.

The rules are those of Debian's cron (its manual page, cron(8), "Daylight saving time and other time changes"), which
cronsim follows too. A line whose minute and hour fields both begin with a digit comes at fixed times: a start that the
clocks skip comes at the first minute after the gap, and one in an hour that is lived twice comes once, the first time.
Any other line (`*/10 2 * * *`) comes whenever the clock on the wall shows it: never in the gap, twice in the fold.

cronsim reads the lines and says which days they fall on. The times of a day are placed in the zone here, because its
own iteration loses starts where clocks shift by half an hour, answers with moments before its beginning when that is
inside a fold, and needs a step for each minute of a line that comes all the time.

Everything is a function of its arguments; the caches only save time, so that a decision may ask at any moment.
"""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

HORIZON: Final = timedelta(days=366)
"""How far starts are looked for, forward and back. A start further away, such as the next 29 February, is as none."""
MINUTE: Final = timedelta(minutes=1)
ONE_DAY: Final = timedelta(days=1)
FIELDS: Final = 5
ANY_DAY: Final = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A cron line or time zone that nobody can follow: what is wrong, and what to do, for the user."""

    why: str


@dataclass(frozen=True, slots=True)
class _Day:
    """The starts of one day on the wall calendar.

    Attributes:
        midnight: when it begins, UTC.
        starts: after midnight, ascending; beyond 24 h where the clocks skip the day's end.
        pause: the longest between two of them.
    """

    midnight: datetime
    starts: tuple[timedelta, ...]
    pause: timedelta

    def newest(self, moment: datetime) -> datetime | None:
        """Return the last start not later than a moment."""
        passed = bisect_right(self.starts, moment - self.midnight)
        return self.midnight + self.starts[passed - 1] if passed else None

    def next(self, moment: datetime) -> datetime | None:
        """Return the first start later than a moment."""
        passed = bisect_right(self.starts, moment - self.midnight)
        return self.midnight + self.starts[passed] if passed < len(self.starts) else None


@dataclass(frozen=True, slots=True, eq=False)
class Calendar:
    """A cron line in a time zone.

    Attributes:
        line: what cronsim read.
        times: of every day it falls on, after midnight on the wall clock, ascending.
        pause: the longest between two of them.
        at_fixed_times: whether Debian's rules for fixed times hold.
    """

    line: CronSim
    zone: ZoneInfo
    times: tuple[timedelta, ...]
    pause: timedelta
    at_fixed_times: bool

    def newest_start(self, moment: datetime) -> datetime | None:
        """Return the last start not later than a moment, UTC."""
        today = moment.astimezone(self.zone).date()
        return _day(self, today).newest(moment) or _last_before(self, today)

    def next_start(self, moment: datetime) -> datetime | None:
        """Return the first start later than a moment, UTC."""
        today = moment.astimezone(self.zone).date()
        return _day(self, today).next(moment) or _first_after(self, today)

    def unbroken_until(self, start: datetime, duration: timedelta) -> datetime | None:
        """Return when a window that began at a start ends, taking those that begin before or at its end for one.

        None: not within the horizon.
        """
        return _chain(self, self.furthest_start(start, duration), duration)

    def furthest_start(self, moment: datetime, duration: timedelta) -> datetime:
        """Return the last start of the day that is surely reached from the newest start at a moment."""
        newest = self.newest_start(moment)
        assert newest is not None, "asked only from a start on"
        day = _day(self, newest.astimezone(self.zone).date())
        # What the clocks push past midnight belongs to the day before, so it may come before all starts of its date.
        leads_on = day.pause <= duration and day.newest(newest) is not None
        return day.midnight + day.starts[-1] if leads_on else newest


@lru_cache(maxsize=1024)
def read_calendar(line: str, zone: str) -> Calendar | Unreadable:
    """Read a cron line of five fields and an IANA time zone."""
    try:
        known = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return Unreadable(f"the time zone {zone!a} is not known. Use an IANA name, such as Europe/Berlin or UTC.")
    if len(line.split()) != FIELDS:
        return _unreadable(line, "it does not have five fields")
    try:
        read = CronSim(line, ANY_DAY)
    except CronSimError as refused:
        return _unreadable(line, str(refused).lower())
    times = tuple(
        timedelta(hours=hour, minutes=minute) for hour in sorted(read.hours) for minute in sorted(read.minutes)
    )
    return Calendar(read, known, times, _longest_pause(times), _is_at_fixed_times(line))


def _unreadable(line: str, why: str) -> Unreadable:
    return Unreadable(
        f"the cron line {line!a} cannot be followed ({why}). Write minute, hour, day of month, month and day of week, "
        'such as "0 22 * * 1-5".'
    )


def _is_at_fixed_times(line: str) -> bool:
    minute, hour, *_ = line.split()
    return not minute.startswith("*") and not hour.startswith("*")


def _longest_pause(times: tuple[timedelta, ...]) -> timedelta:
    return max((later - earlier for earlier, later in pairwise(times)), default=timedelta())


@lru_cache(maxsize=8192)
def _day(calendar: Calendar, day: date) -> _Day:
    midnight = _instant(day, calendar.zone)
    if not _falls_on(calendar, day):
        return _Day(midnight, (), timedelta())
    if _instant(day + ONE_DAY, calendar.zone) - midnight == ONE_DAY:
        return _Day(midnight, calendar.times, calendar.pause)
    starts = tuple(sorted({start - midnight for start in _starts_of_a_changing_day(calendar, day)}))
    return _Day(midnight, starts, _longest_pause(starts))


def _instant(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _falls_on(calendar: Calendar, day: date) -> bool:
    return day.month in calendar.line.months and calendar.line.match_day(day)


def _starts_of_a_changing_day(calendar: Calendar, day: date) -> Iterator[datetime]:
    for each in calendar.times:
        wall = datetime.combine(day, time(), calendar.zone) + each
        moments = [wall.replace(fold=fold).astimezone(UTC) for fold in (0, 1)]
        shown = [moment for moment in moments if _is_shown(wall, moment)]
        if calendar.at_fixed_times:
            yield shown[0] if shown else _first_after_the_gap(wall)
        else:
            yield from shown


def _is_shown(wall: datetime, moment: datetime) -> bool:
    return moment.astimezone(wall.tzinfo).replace(tzinfo=None) == wall.replace(tzinfo=None)


def _first_after_the_gap(wall: datetime) -> datetime:
    while not _is_shown(wall, moment := wall.astimezone(UTC)):
        wall += MINUTE
    return moment


@lru_cache(maxsize=2048)
def _last_before(calendar: Calendar, day: date) -> datetime | None:
    found = (_day(calendar, each) for each in _days(day, -1) if _falls_on(calendar, each))
    return next((each.midnight + each.starts[-1] for each in found if each.starts), None)


@lru_cache(maxsize=2048)
def _first_after(calendar: Calendar, day: date) -> datetime | None:
    found = (_day(calendar, each) for each in _days(day, 1) if _falls_on(calendar, each))
    return next((each.midnight + each.starts[0] for each in found if each.starts), None)


def _days(day: date, step: int) -> Iterator[date]:
    """Yield the days after or before a day, up to the horizon."""
    return (day + timedelta(days=step * count) for count in range(1, HORIZON.days + 1))


@lru_cache(maxsize=2048)
def _chain(calendar: Calendar, start: datetime, duration: timedelta) -> datetime | None:
    """Follow windows from one to the next that begins before or at its end, a whole day at a time where that goes."""
    end = start + duration
    while end - start <= HORIZON:
        further = calendar.furthest_start(end, duration) + duration
        if further <= end:
            return end
        end = further
    return None
