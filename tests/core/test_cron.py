"""When cron lines come, above all in the nights in which the clocks change."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given
from hypothesis import strategies as st

from providerswitch.core.cron import HORIZON, Calendar, Unreadable, read_calendar

BERLIN = "Europe/Berlin"
GAP = date(2026, 3, 29)
"""In Berlin it is never between 02:00 and 03:00."""
FOLD = date(2026, 10, 25)
"""In Berlin it is twice between 02:00 and 03:00."""
HALF_HOUR_GAP = date(2026, 10, 4)
"""On Lord Howe Island it is never between 02:00 and 02:30."""
HALF_HOUR_FOLD = date(2026, 4, 5)
"""On Lord Howe Island it is twice between 01:30 and 02:00."""
CHANGES = {
    BERLIN: (GAP, FOLD),
    "America/New_York": (date(2026, 3, 8), date(2026, 11, 1)),
    "Australia/Lord_Howe": (HALF_HOUR_GAP, HALF_HOUR_FOLD),
    "America/Santiago": (date(2026, 9, 6), date(2026, 4, 4)),
    "Africa/Cairo": (date(2026, 4, 24), date(2026, 10, 29)),
    "America/Nuuk": (date(2026, 3, 28), date(2026, 10, 24)),
    "Atlantic/Azores": (date(2026, 3, 29), date(2026, 10, 25)),
    "UTC": (GAP, FOLD),
}
"""Clocks that change at night, at midnight, before midnight, by an hour, by half an hour, and never."""


def calendar(line: str, zone: str = BERLIN) -> Calendar:
    read = read_calendar(line, zone)
    assert isinstance(read, Calendar)
    return read


def starts(read: Calendar, since: datetime, until: datetime) -> list[datetime]:
    """Return the starts after one moment and up to another, found forwards."""
    found = []
    moment: datetime | None = since
    while (moment := read.next_start(moment)) and moment <= until:
        found.append(moment)
    return found


def starts_backwards(read: Calendar, since: datetime, until: datetime) -> list[datetime]:
    found = []
    moment = read.newest_start(until)
    while moment and moment > since:
        found.append(moment)
        moment = read.newest_start(moment - timedelta.resolution)
    return found[::-1]


def around(day: date, zone: str) -> tuple[datetime, datetime]:
    """Return the noon before a day and the noon after it."""
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=ZoneInfo(zone))
    return (noon - timedelta(days=1)).astimezone(UTC), (noon + timedelta(days=1)).astimezone(UTC)


def shown(line: str, day: date, zone: str = BERLIN) -> list[str]:
    """Return what the clock on the wall shows, with its offset, when a line comes on a day."""
    found = starts(calendar(line, zone), *around(day, zone))
    local = [moment.astimezone(ZoneInfo(zone)) for moment in found]
    return [f"{moment:%H:%M%z}" for moment in local if moment.date() == day]


NIGHTS = {
    "a start that the clocks skip comes at the first minute after the gap": ("30 2 * * *", BERLIN, GAP, ["03:00+0200"]),
    "several of them are one": ("0,30,59 2 * * *", BERLIN, GAP, ["03:00+0200"]),
    "and one with what comes at the end of the gap": ("30 2,3 * * *", BERLIN, GAP, ["03:00+0200", "03:30+0200"]),
    "a start in the hour that is lived twice comes the first time": ("30 2 * * *", BERLIN, FOLD, ["02:30+0200"]),
    "a line of any minute never comes in the gap": ("*/30 2 * * *", BERLIN, GAP, []),
    "a line of any minute comes twice in the fold": (
        "*/30 2 * * *",
        BERLIN,
        FOLD,
        ["02:00+0200", "02:30+0200", "02:00+0100", "02:30+0100"],
    ),
    "a gap of half an hour": ("15 2 * * *", "Australia/Lord_Howe", HALF_HOUR_GAP, ["02:30+1100"]),
    "a fold of half an hour": ("45 1 * * *", "Australia/Lord_Howe", HALF_HOUR_FOLD, ["01:45+1100"]),
    "any minute in a fold of half an hour": (
        "*/30 1,2 * * *",
        "Australia/Lord_Howe",
        HALF_HOUR_FOLD,
        ["01:00+1100", "01:30+1100", "01:30+1030", "02:00+1030", "02:30+1030"],
    ),
    "a midnight that the clocks skip": ("0 0 * * *", "Africa/Cairo", date(2026, 4, 24), ["01:00+0300"]),
    "an evening of which an hour is lived twice": ("30 23 * * *", "Africa/Cairo", date(2026, 10, 29), ["23:30+0300"]),
    "an evening whose last hour the clocks skip": ("30 22,23 * * *", "America/Nuuk", date(2026, 3, 28), ["22:30-0200"]),
    "and what was skipped comes at midnight": (
        "30 23 * * *",
        "America/Nuuk",
        date(2026, 3, 29),
        ["00:00-0100", "23:30-0100"],
    ),
}


@pytest.mark.parametrize(("line", "zone", "day", "times"), NIGHTS.values(), ids=NIGHTS)
def test_nights_in_which_the_clocks_change(line: str, zone: str, day: date, times: list[str]) -> None:
    assert shown(line, day, zone) == times


def test_any_hour_comes_23_times_a_day_in_spring_and_25_times_in_autumn() -> None:
    assert [len(shown("0 * * * *", day)) for day in (GAP, FOLD)] == [23, 25]


DAYS = {
    "either day counts where neither begins with a star": (
        "0 0 1 11 1",
        ["11-01", "11-02", "11-09", "11-16", "11-23", "11-30"],
    ),
    "both count where one begins with a star": ("0 0 */10 11 1", []),
    "names, ranges, lists and steps": ("0 0 1-7/3,20 NOV *", ["11-01", "11-04", "11-07", "11-20"]),
    "Sunday is 0 and 7": ("0 0 * 11 0,7", ["11-01", "11-08", "11-15", "11-22", "11-29"]),
    "the last day of a month": ("0 0 L * *", ["10-31", "11-30", "12-31"]),
    "the second Friday": ("0 0 * 11 FRI#2", ["11-13"]),
    "the last Friday": ("0 0 * 11 5L", ["11-27"]),
    "a day that most months have": ("0 0 31 * *", ["10-31", "12-31"]),
}


@pytest.mark.parametrize(("line", "days"), DAYS.values(), ids=DAYS)
def test_days_of_lines(line: str, days: list[str]) -> None:
    since, until = datetime(2026, 10, 30, tzinfo=UTC), datetime(2026, 12, 31, tzinfo=UTC)
    assert [f"{moment:%m-%d}" for moment in starts(calendar(line, "UTC"), since, until)] == days


def test_29_february_comes_in_leap_years_as_soon_as_it_is_within_the_horizon() -> None:
    leap = datetime(2028, 2, 29, tzinfo=UTC)
    read = calendar("0 0 29 2 *", "UTC")
    assert read.next_start(leap - HORIZON) == leap
    assert read.next_start(leap - HORIZON - timedelta(days=1)) is None
    assert read.newest_start(leap) == leap
    assert read.newest_start(leap - timedelta.resolution) is None


def test_a_line_that_falls_on_no_day_never_comes() -> None:
    read = calendar("0 0 */40 2 MON#5")
    assert read.next_start(datetime(2026, 1, 1, tzinfo=UTC)) is None
    assert read.newest_start(datetime(2026, 1, 1, tzinfo=UTC)) is None


@pytest.mark.parametrize(
    "line",
    [
        "70 0 * * *",
        "0 24 * * *",
        "0 0 30 2 *",
        "0 0 31 4,6 *",
        "0 0 0 * *",
        "a b c d e",
        "@daily x x x x",
        "*/0 * * * *",
    ],
)
def test_a_line_that_cannot_be_followed_says_so_and_shows_how_to_write_one(line: str) -> None:
    read = read_calendar(line, BERLIN)
    assert isinstance(read, Unreadable)
    assert read.why.startswith(f"the cron line {line!r} cannot be followed (bad ")
    assert '"0 22 * * 1-5"' in read.why


@pytest.mark.parametrize("line", ["0 22 * *", "0 0 22 * * *", "", "30 0 0 22 * * *"])
def test_a_line_has_five_fields(line: str) -> None:
    read = read_calendar(line, BERLIN)
    assert isinstance(read, Unreadable)
    assert "five fields" in read.why


@pytest.mark.parametrize(
    "zone", ["Europe/Bonn", "europe/berlin", "America", "../etc/passwd", "/etc/passwd", "", "x" * 300]
)
def test_a_zone_that_nobody_knows_is_no_zone(zone: str) -> None:
    read = read_calendar("0 22 * * *", zone)
    assert isinstance(read, Unreadable)
    assert read.why == f"the time zone {zone!r} is not known. Use an IANA name, such as Europe/Berlin or UTC."


@given(
    st.one_of(
        st.text(max_size=40), st.lists(st.text("0123456789*/-,#LWSUNMONJAN", min_size=1, max_size=6)).map(" ".join)
    ),
    st.text(max_size=10),
)
def test_any_text_is_read_or_refused_in_one_printable_line(line: str, zone: str) -> None:
    for read in (read_calendar(line, "UTC"), read_calendar("0 0 * * *", zone)):
        assert isinstance(read, Calendar) or read.why.isprintable()


@st.composite
def lines(draw: st.DrawFn) -> str:
    """Draw lines that come often enough to meet the hours in which clocks change."""
    minute = draw(st.sampled_from(["*", "*/7", "*/30", "0", "30", "59", "0,15,45", "10-20", "1-59/13"]))
    hour = draw(st.sampled_from(["*", "*/2", "0", "1", "2", "3", "23", "0-3", "1,2,23", "22-23"]))
    day = draw(st.sampled_from(["* * *", "* * *", "*/2 * *", "1-31 * *", "* * 0-6", "29,4 * 6"]))
    return f"{minute} {hour} {day}"


changes = st.sampled_from([(zone, day) for zone, days in CHANGES.items() for day in days])


@given(lines(), changes)
def test_forwards_and_backwards_find_the_same(line: str, change: tuple[str, date]) -> None:
    zone, day = change
    since, until = around(day, zone)
    assert starts(calendar(line, zone), since, until) == starts_backwards(calendar(line, zone), since, until)


@given(lines(), changes)
def test_what_comes_is_what_a_minute_by_minute_look_at_the_clock_finds(line: str, change: tuple[str, date]) -> None:
    zone, day = change
    since, until = around(day, zone)
    assert starts(calendar(line, zone), since, until) == list(looked_for(line, ZoneInfo(zone), since, until))


def looked_for(line: str, zone: ZoneInfo, since: datetime, until: datetime) -> Iterator[datetime]:
    """Find starts by Debian's rules as they are told: look at the clock each minute, and remember what was seen."""
    read = CronSim(line, datetime(2026, 1, 1, tzinfo=UTC))
    fixed = not any(field.startswith("*") for field in line.split()[:2])
    moment, latest = since, since.astimezone(zone).replace(tzinfo=None)
    while (moment := moment + timedelta(minutes=1)) <= until:
        wall = moment.astimezone(zone).replace(tzinfo=None)
        passed = walls(latest, wall) if fixed else [wall]
        if any(matches(read, each) for each in passed):
            yield moment
        latest = max(latest, wall)


def walls(after: datetime, until: datetime) -> list[datetime]:
    return [after + timedelta(minutes=count) for count in range(1, 1 + (until - after) // timedelta(minutes=1))]


def matches(read: CronSim, wall: datetime) -> bool:
    on_the_day = wall.month in read.months and read.match_day(wall.date())
    return on_the_day and wall.hour in read.hours and wall.minute in read.minutes


@given(lines(), st.sampled_from([(zone, day) for zone in (BERLIN, "America/New_York") for day in CHANGES[zone]]))
def test_where_clocks_change_by_an_hour_at_night_it_is_what_cronsim_finds(line: str, change: tuple[str, date]) -> None:
    zone, day = change
    since, until = around(day, zone)
    theirs = (moment.astimezone(UTC) for moment in CronSim(line, since.astimezone(ZoneInfo(zone))))
    assert starts(calendar(line, zone), since, until) == list(takewhile(lambda moment: moment <= until, theirs))
