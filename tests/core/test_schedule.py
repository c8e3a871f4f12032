"""Which entry of a schedule is in force, and what changes next."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providerswitch.api.selection import ScheduleEntry, Strategy
from providerswitch.core.cron import HORIZON
from providerswitch.core.schedule import Standing, find_mistake, last_turn, next_turn, stand

BERLIN = "Europe/Berlin"
MINUTE = timedelta(minutes=1)


def entry(name: str, cron: str, hours: float = 8, zone: str = "UTC") -> ScheduleEntry:
    return ScheduleEntry(name=name, cron=cron, duration=timedelta(hours=hours), time_zone=zone, strategy=Strategy.COST)


def rota(cron: str, zone: str = "UTC") -> ScheduleEntry:
    return ScheduleEntry(name="rota", cron=cron, rotate=True, time_zone=zone)


def at(text: str, zone: str = "UTC") -> datetime:
    """Return a moment, such as 11-24 22:00, of 2026 where no year is written."""
    return datetime.fromisoformat(text if text[:2] == "20" else f"2026-{text}").replace(tzinfo=ZoneInfo(zone))


def active(entries: Sequence[ScheduleEntry], now: datetime) -> str | None:
    found = stand(entries, now).active
    return found.name if found else None


def change(entries: Sequence[ScheduleEntry], now: datetime) -> tuple[datetime | None, str | None]:
    standing = stand(entries, now)
    return standing.next_change_at, standing.next_change


NIGHTS = entry("nights", "0 22 * * *", 8)
LUNCH = entry("lunch", "0 12 * * *", 1)


def test_an_entry_is_in_force_from_its_start_until_its_duration_has_passed() -> None:
    moments = ("11-24 21:59:59", "11-24 22:00", "11-25 05:59:59", "11-25 06:00")
    assert [active([NIGHTS], at(moment)) for moment in moments] == [None, "nights", "nights", None]


def test_a_standing_tells_since_when_and_until_when() -> None:
    assert stand([NIGHTS], at("11-25 01:30")) == Standing(NIGHTS, at("11-24 22:00"), at("11-25 06:00"), '"nights" ends')


def test_before_an_entry_the_standing_tells_when_it_begins() -> None:
    assert stand([NIGHTS], at("11-24 21:30")) == Standing(None, None, at("11-24 22:00"), '"nights" begins')


def test_nothing_is_in_force_and_nothing_changes_without_entries() -> None:
    assert stand([], at("11-24 12:00")) == Standing()


def test_a_standing_may_be_asked_for_in_any_time_zone_and_answers_in_utc() -> None:
    found = stand([NIGHTS], at("11-25 02:30", BERLIN))
    assert found == stand([NIGHTS], at("11-25 01:30"))
    assert found.since is not None
    assert found.since.tzinfo is UTC


WEEKENDS = entry("weekends", "0 0 * * 6", 48)
"""2026-11-28 is a Saturday."""

OVERLAPS = {
    "the first in the list wins": (
        [LUNCH, WEEKENDS],
        "11-28 12:30",
        "lunch",
        "11-28 13:00",
        '"lunch" ends, "weekends" goes on',
    ),
    "whichever began later": ([WEEKENDS, LUNCH], "11-28 12:30", "weekends", "11-30 00:00", '"weekends" ends'),
    "a start under one that wins changes nothing": (
        [WEEKENDS, LUNCH],
        "11-28 11:00",
        "weekends",
        "11-30 00:00",
        '"weekends" ends',
    ),
    "a start over one that is in force does": (
        [LUNCH, WEEKENDS],
        "11-28 11:00",
        "weekends",
        "11-28 12:00",
        '"lunch" begins',
    ),
    "one ends as the next begins": (
        [entry("morning", "0 8 * * *", 4), LUNCH],
        "11-24 09:00",
        "morning",
        "11-24 12:00",
        '"morning" ends, "lunch" begins',
    ),
    "the first of those that begin together": (
        [LUNCH, entry("noon", "0 12 * * *", 2)],
        "11-24 09:00",
        None,
        "11-24 12:00",
        '"lunch" begins',
    ),
    "a window that ends under one that wins changes nothing": (
        [entry("day", "0 6 * * *", 12), NIGHTS],
        "11-24 13:00",
        "day",
        "11-24 18:00",
        '"day" ends',
    ),
}


@pytest.mark.parametrize(("entries", "now", "name", "moment", "sentence"), OVERLAPS.values(), ids=OVERLAPS)
def test_overlaps(entries: list[ScheduleEntry], now: str, name: str | None, moment: str, sentence: str) -> None:
    assert active(entries, at(now)) == name
    assert change(entries, at(now)) == (at(moment), sentence)


def test_windows_of_one_entry_that_touch_are_one() -> None:
    hours = entry("hours", "0 8-17 * * *", 1)
    assert stand([hours], at("11-24 10:15")) == Standing(hours, at("11-24 10:00"), at("11-24 18:00"), '"hours" ends')


def test_windows_longer_than_the_period_never_end() -> None:
    days = entry("days", "0 0 * * *", 30)
    assert stand([days], at("11-24 10:00")) == Standing(days, at("11-24 00:00"))


def test_a_window_within_another_of_the_same_entry_prolongs_it() -> None:
    entries = [entry("twice", "0 8,10 * * *", 3)]
    assert stand(entries, at("11-24 10:30")).since == at("11-24 10:00")
    assert change(entries, at("11-24 08:30")) == (at("11-24 13:00"), '"twice" ends')


@pytest.mark.parametrize("hours", [1 / 60, 2, 168])
def test_an_entry_of_every_minute_never_ends(hours: float) -> None:
    always = entry("always", "* * * * *", hours, BERLIN)
    assert stand([always], at("11-24 10:00:30")) == Standing(always, at("11-24 10:00"))


def test_an_entry_of_every_minute_on_working_days_ends_with_the_last_of_them() -> None:
    workdays = entry("workdays", "* * * * 1-5", 1 / 60, BERLIN)
    assert change([workdays], at("11-23 10:00")) == (at("11-28 00:00", BERLIN), '"workdays" ends')


def test_an_entry_that_never_comes_neither_begins_nor_ends() -> None:
    assert stand([entry("never", "0 0 */40 2 MON#5")], at("11-24 10:00")) == Standing()


def test_an_entry_of_29_february_is_announced_within_the_horizon_only() -> None:
    leap = entry("leap", "0 0 29 2 *", 24)
    begins = at("2028-02-29 00:00")
    assert change([leap], begins - HORIZON) == (begins, '"leap" begins')
    assert change([leap], begins - HORIZON - timedelta(days=1)) == (None, None)
    assert active([leap], begins + timedelta(hours=23)) == "leap"


def nights(hours: float = 8) -> list[ScheduleEntry]:
    return [entry("nights", "0 22 * * *", hours, BERLIN)]


def test_eight_hours_are_eight_hours_in_the_night_that_lacks_one() -> None:
    assert stand(nights(), at("03-29 04:00", BERLIN)).next_change_at == at("03-29 07:00", BERLIN)


def test_eight_hours_are_eight_hours_in_the_night_that_has_one_more() -> None:
    assert stand(nights(), at("10-25 04:00", BERLIN)).next_change_at == at("10-25 05:00", BERLIN)


def test_a_week_across_a_change_is_seven_times_24_hours() -> None:
    week = [entry("week", "0 12 28 3 *", 168, BERLIN)]
    assert stand(week, at("03-30 12:00", BERLIN)).next_change_at == at("04-04 13:00", BERLIN)


def test_an_entry_whose_start_the_clocks_skip_begins_after_the_gap() -> None:
    early = [entry("early", "30 2 * * *", 1, BERLIN)]
    assert stand(early, at("03-29 00:00")) == Standing(None, None, at("03-29 01:00"), '"early" begins')
    assert active(early, at("03-29 01:59")) == "early"
    assert active(early, at("03-29 02:00")) is None


def test_an_entry_whose_start_is_lived_twice_begins_once() -> None:
    early = [entry("early", "30 2 * * *", 0.5, BERLIN)]
    first, second = at("10-25 00:30"), at("10-25 01:30")
    assert active(early, first) == "early"
    assert active(early, second) is None
    assert change(early, second) == (at("10-26 01:30"), '"early" begins')


def test_half_an_hour_that_is_lived_twice_begins_once() -> None:
    early = [entry("early", "45 1 * * *", 0.25, "Australia/Lord_Howe")]
    first = at("04-05 01:45", "Australia/Lord_Howe").astimezone(UTC)
    assert stand(early, first).since == first
    assert active(early, first + timedelta(minutes=30)) is None


def test_what_the_clocks_push_past_midnight_does_not_last_until_the_next_evening() -> None:
    evenings = [entry("evenings", "30 20-23 28,29 3 *", 1, "America/Nuuk")]
    midnight = at("03-29 00:00", "America/Nuuk").astimezone(UTC)
    assert stand(evenings, midnight).since == midnight
    assert change(evenings, midnight) == (midnight + timedelta(hours=1), '"evenings" ends')


MISTAKES = {
    "cron": (entry("nights", "0 25 * * *"), "the cron line '0 25 * * *' cannot be followed (bad hour). Write minute, "),
    "time zone": (
        entry("nights", "0 22 * * *", zone="Europe/Bonn"),
        "the time zone 'Europe/Bonn' is not known. Use an IANA name, such as Europe/Berlin or UTC.",
    ),
}


@pytest.mark.parametrize(("mistaken", "sentence"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_told_with_its_place_and_a_remedy(mistaken: ScheduleEntry, sentence: str) -> None:
    found = find_mistake(mistaken)
    assert found is not None
    assert found.startswith(f'spec.schedule "nights": {sentence}')


@pytest.mark.parametrize(("mistaken", "sentence"), MISTAKES.values(), ids=MISTAKES)
def test_an_entry_with_a_mistake_is_as_if_it_were_not_there(mistaken: ScheduleEntry, sentence: str) -> None:
    now = at("11-24 12:30")
    assert stand([mistaken, LUNCH], now) == stand([LUNCH], now)
    assert last_turn(mistaken, now) is None
    assert next_turn(mistaken, now) is None


def test_an_entry_without_a_mistake_has_none() -> None:
    assert find_mistake(NIGHTS) is None


def test_an_entry_that_rotates_has_turns_and_no_windows() -> None:
    mondays = rota("0 6 * * 1", BERLIN)
    now = at("11-25 12:00")
    assert stand([mondays, LUNCH], now) == stand([LUNCH], now)
    assert last_turn(mondays, now) == at("11-23 06:00", BERLIN)
    assert next_turn(mondays, now) == at("11-30 06:00", BERLIN)


def test_a_turn_is_taken_at_its_very_moment() -> None:
    hourly, now = rota("0 * * * *"), at("11-25 12:00")
    assert last_turn(hourly, now) == now
    assert next_turn(hourly, now) == now + timedelta(hours=1)
    assert last_turn(hourly, now - timedelta.resolution) == now - timedelta(hours=1)


def test_a_turn_in_the_hour_that_is_lived_twice_is_taken_once() -> None:
    daily = rota("30 2 * * *", BERLIN)
    first, second = at("10-25 00:30"), at("10-25 01:30")
    assert last_turn(daily, second) == first
    assert next_turn(daily, first) == second + timedelta(days=1)


durations = st.sampled_from([timedelta(minutes=minutes) for minutes in (1, 5, 7, 30, 45, 60, 61, 120, 1440, 2000)])
crons = st.builds(
    "{} {} * * {}".format,
    st.sampled_from(["0", "*", "30", "*/7", "0,45", "10-20"]),
    st.sampled_from(["*", "2", "*/3", "0,23", "1-3", "20-23", "12"]),
    st.sampled_from(["*", "0", "6,0", "1-5"]),
)
zones = st.sampled_from([BERLIN, "Australia/Lord_Howe", "America/Nuuk", "UTC"])
schedules = st.lists(
    st.builds(
        lambda cron, duration, zone: ScheduleEntry(
            name="e", cron=cron, duration=duration, time_zone=zone, strategy=Strategy.COST
        ),
        crons,
        durations,
        zones,
    ),
    max_size=4,
).map(lambda entries: [each.model_copy(update={"name": f"e{place}"}) for place, each in enumerate(entries)])
moments = st.builds(
    lambda day, seconds: day + timedelta(seconds=seconds),
    st.sampled_from([at("03-28 00:00"), at("10-24 00:00"), at("04-04 00:00"), at("10-03 00:00")]),
    st.integers(0, 2 * 86_400),
)


@given(schedules, moments)
def test_nothing_changes_before_the_next_change_and_then_it_does(entries: list[ScheduleEntry], now: datetime) -> None:
    standing = stand(entries, now)
    limit = now + timedelta(days=1)
    until = min(standing.next_change_at or limit, limit)
    name = standing.active.name if standing.active else None
    assert {active(entries, moment) for moment in between(now, until)} == {name}
    if standing.next_change_at:
        assert standing.next_change_at > now
        assert active(entries, standing.next_change_at) != name


def between(now: datetime, until: datetime) -> list[datetime]:
    """Return moments from now to just before an end, one in each of at most 200 equal parts of whole minutes."""
    step = max(MINUTE, (until - now) // 200 // MINUTE * MINUTE)
    inner = [now + count * step for count in range((until - now) // step + 1)]
    return [moment for moment in (*inner, until - timedelta.resolution) if now <= moment < until]


@given(schedules, moments)
def test_the_active_entry_is_the_first_that_is_in_force_alone(entries: list[ScheduleEntry], now: datetime) -> None:
    alone = (each.name for each in entries if stand([each], now).active)
    assert active(entries, now) == next(alone, None)


@given(schedules, moments)
def test_a_window_began_no_longer_ago_than_it_lasts(entries: list[ScheduleEntry], now: datetime) -> None:
    standing = stand(entries, now)
    if standing.active and standing.since and standing.active.duration:
        assert standing.since <= now < standing.since + standing.active.duration
        assert last_turn(standing.active, now) == standing.since
