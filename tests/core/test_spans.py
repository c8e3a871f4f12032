import doctest
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providerswitch.core import spans
from providerswitch.core.spans import tell_distance, tell_moment, tell_span

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


def test_the_examples_are_right() -> None:
    assert doctest.testmod(spans).failed == 0


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "now"),
        (0.9, "now"),
        (-1, "1 s ago"),
        (-119, "119 s ago"),
        (-120, "2 min ago"),
        (90 * 60, "in 90 min"),
        (47 * 3600, "in 47 h"),
        (-48 * 3600, "2 d ago"),
    ],
)
def test_a_distance_is_told_in_the_largest_unit_that_says_enough(seconds: float, expected: str) -> None:
    assert tell_distance(NOON + timedelta(seconds=seconds), NOON) == expected


def test_a_moment_is_told_in_utc_whatever_zone_it_was_written_in() -> None:
    there = datetime(2026, 11, 2, 14, 57, tzinfo=timezone(timedelta(hours=3)))
    assert tell_moment(there, NOON) == "11:57:00 UTC (3 min ago)"


def test_a_moment_of_another_day_has_its_date() -> None:
    assert tell_moment(NOON - timedelta(hours=13), NOON) == "2026-11-01 23:00:00 UTC (13 h ago)"


def test_a_moment_without_a_time_zone_is_taken_for_utc() -> None:
    assert tell_moment(datetime(2026, 11, 2, 12, 3), NOON) == "12:03:00 UTC (in 3 min)"  # noqa: DTZ001  # on purpose


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0 s"),
        (2.05, "2.05 s"),
        (60, "1 min"),
        (123, "2 min 3 s"),
        (43_020, "11 h 57 min"),
        (86_400, "1 d"),
        (90_061, "1 d 1 h"),
    ],
)
def test_a_length_of_time_is_told_in_its_two_largest_units(seconds: float, expected: str) -> None:
    assert tell_span(timedelta(seconds=seconds)) == expected


@given(st.datetimes(timezones=st.just(UTC)), st.datetimes(timezones=st.just(UTC)))
def test_any_two_moments_can_be_told(one: datetime, other: datetime) -> None:
    told = tell_distance(one, other)
    assert told == "now" or told.endswith(" ago") is (one < other)
