"""How long a choice stays, how many switches an hour may bring, and how long a relapsed provider is out."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.moments import NOON, RULES, WELL, after, at, outcome

from providerswitch.api.health import HealthClass
from providerswitch.core.flapping import HOUR, FlapRules, blacklist_for, count_relapses, find_hold
from providerswitch.core.health import ProviderHealth

MINUTE = timedelta(minutes=1)
FIVE = timedelta(minutes=5)


def held(seconds: float, *recent: float, since: float = 0, cap: int = 3) -> str | None:
    """Return what holds a switch at a second after noon, and until when."""
    moments = [at(each) for each in recent]
    hold = find_hold(FlapRules(MINUTE, cap), now=at(seconds), active_since=at(since), recent=moments)
    return f"{hold.by} {(hold.until - NOON).total_seconds():.0f}" if hold else None


def test_a_choice_stays_for_its_dwell_and_not_longer() -> None:
    assert held(59.9) == "minDwell 60"
    assert held(60) is None


def test_after_so_many_switches_within_an_hour_the_next_waits_for_the_oldest_of_them_to_be_an_hour_old() -> None:
    assert held(1000, 800, 500, 100, since=800) == "maxSwitchesPerHour 3700"
    assert held(3700, 800, 500, 100, since=800) is None
    assert held(1000, 800, 500, since=800) is None


def test_beyond_the_cap_it_waits_until_there_is_room_again() -> None:
    """Failovers are never held back, so that there may have been more than the cap allows."""
    assert held(1000, 900, 800, 500, 100, since=900) == "maxSwitchesPerHour 4100"


def test_of_two_limits_the_longer_wait_is_told() -> None:
    assert held(1000, 990, 500, 100, since=990) == "maxSwitchesPerHour 3700"
    assert held(3690, 3680, 500, 100, since=3680) == "minDwell 3740"


def test_a_first_choice_has_nothing_to_wait_for() -> None:
    assert find_hold(FlapRules(HOUR, 1), now=NOON, active_since=None, recent=[]) is None


@pytest.mark.parametrize("ahead", [61, 3600, 10 * 365 * 86_400])
def test_a_choice_made_in_the_future_by_a_clock_that_was_wrong_holds_nothing_back(ahead: float) -> None:
    assert held(0, since=ahead) is None
    assert held(0, ahead, ahead, ahead, since=-100) is None


def test_a_clock_that_is_a_little_ahead_does_not_end_the_dwell() -> None:
    assert held(0, since=60) == "minDwell 120"


@pytest.mark.parametrize(("relapse", "minutes"), [(1, 5), (2, 10), (3, 20), (4, 40), (5, 80), (6, 80), (500, 80)])
def test_each_relapse_doubles_the_time_out_up_to_sixteen_times(relapse: int, minutes: int) -> None:
    assert blacklist_for(relapse, FIVE) == timedelta(minutes=minutes)


@pytest.mark.parametrize(("passed", "left"), [(0, 3), (49, 3), (50, 2), (100, 1), (150, 0), (10_000, 0)])
def test_one_relapse_is_forgotten_for_each_ten_blacklist_times(passed: int, left: int) -> None:
    assert count_relapses(3, last=NOON, now=NOON + passed * MINUTE, blacklist=FIVE) == left


def test_without_a_blacklist_time_there_are_no_relapses() -> None:
    assert count_relapses(3, last=NOON, now=NOON, blacklist=timedelta(0)) == 0
    assert blacklist_for(3, timedelta(0)) == timedelta(0)


def relapse(health: ProviderHealth, seconds: float) -> ProviderHealth:
    """Let a provider go down at a second after noon, and come back when its blacklist time is over."""
    down = after(health, *(outcome(HealthClass.SERVER_ERROR, seconds + step) for step in (-2, -1, 0)))
    assert down.blacklisted_until is not None
    over = (down.blacklisted_until - NOON).total_seconds()
    return after(down, *(outcome(HealthClass.HEALTHY, over + step) for step in range(5)))


def test_a_provider_that_flaps_is_out_longer_each_time_and_one_that_is_good_for_long_starts_anew() -> None:
    once = relapse(WELL, 0)
    twice = relapse(once, 400)
    assert [once.ejections, twice.ejections] == [1, 2]
    assert (twice.back_since or NOON) - (twice.ejected_at or NOON) == timedelta(seconds=604)
    later = relapse(twice, 400 + 2 * 10 * RULES.blacklist_duration.total_seconds())
    assert later.ejections == 1


@given(st.lists(st.floats(0, 20_000), max_size=20), st.floats(0, 20_000), st.integers(1, 12))
def test_a_hold_is_over_when_it_says_so(recent: list[float], now: float, cap: int) -> None:
    moments = [at(each) for each in recent if each <= now]
    rules = FlapRules(MINUTE, cap)
    hold = find_hold(rules, now=at(now), active_since=max(moments, default=None), recent=moments)
    if hold:
        assert hold.until > at(now)
        last = max(moments)
        assert find_hold(rules, now=hold.until, active_since=last, recent=moments) is None
