"""A tug of war: a burst of repairs at once, then one in a while, until calm has come."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from tests.core.moments import NOON

from providerswitch.core.contest import BURST, REFILL, Contest

FRESH = Contest(0, NOON)


def test_a_burst_is_put_right_at_once_and_the_next_has_to_wait() -> None:
    contest = FRESH
    for _ in range(BURST):
        taken = contest.take(NOON)
        assert taken
        contest = taken
    assert contest.take(NOON) is None
    assert contest.take(NOON + REFILL) is not None


def test_a_contest_stays_hot_until_half_of_the_burst_is_free_again() -> None:
    hot = Contest(BURST, NOON, hot=True)
    assert hot.look(NOON + REFILL * 4).hot
    assert not hot.look(NOON + REFILL * 5).hot


def test_a_clock_that_goes_back_gives_nothing_away() -> None:
    assert Contest(BURST, NOON).take(NOON - timedelta(days=1)) is None


@given(st.lists(st.floats(0, 30), max_size=200))
def test_however_often_it_is_asked_no_more_is_granted_than_the_burst_and_what_time_gives(waits: list[float]) -> None:
    contest, now, granted = FRESH, NOON, 0
    for wait in waits:
        now += timedelta(seconds=wait)
        taken = contest.take(now)
        granted += taken is not None
        contest = taken or contest
    assert granted <= BURST + (now - NOON) / REFILL + 1
