import doctest
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providerswitch.api.status import Reliability, Resilience, Switch, SwitchCounts
from providerswitch.core import resilience
from providerswitch.core.resilience import (
    MeanMillis,
    Track,
    build_resilience,
    fault_tolerance,
    look,
    mean_millis,
    redundancy,
    restore,
    success_rate,
    tell,
)

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
Look = tuple[float, bool | None]


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def watch(*looks: Look, track: Track | None = None) -> Track:
    """Return the track after looks at (seconds after noon, state)."""
    for seconds, up in looks:
        track = look(track or Track(), now=at(seconds), up=up)
    assert track
    return track


def figures(track: Track, now: float) -> tuple[int, int, int]:
    told = tell(track, now=at(now))
    return told.observed_seconds, told.down_seconds, told.failures


def switch(outcome: str, took: int, detected: int | None = None) -> Switch:
    return Switch.model_validate(
        {
            "time": NOON,
            "to": "google",
            "revision": 2,
            "trigger": "Failover",
            "reason": "openai is down",
            "detect_millis": detected,
            "switch_millis": took,
            "outcome": outcome,
        }
    )


def test_the_example_of_the_documentation_is_right() -> None:
    assert doctest.testmod(resilience).failed == 0


def test_nothing_is_told_of_what_was_never_looked_at() -> None:
    assert tell(Track(), now=NOON) == Reliability()


def test_service_without_a_failure_has_an_availability_and_no_mean_times() -> None:
    told = tell(watch((0, True)), now=at(600))
    assert told == Reliability(observed_seconds=600, availability=1.0)


def test_time_counts_by_the_state_that_was_found_before_it() -> None:
    assert figures(watch((0, True), (100, False), (130, True)), 200) == (200, 30, 1)


def test_an_outage_under_way_counts_with_what_it_took_so_far() -> None:
    told = tell(watch((0, True), (90, False)), now=at(100))
    assert (told.mtbf_seconds, told.mttr_seconds, told.availability) == (90, 10.0, 0.9)


def test_an_outage_counts_from_the_first_failed_probe_though_it_still_looked_like_service() -> None:
    suspect = watch((0, True), (97, True), (98, True), (99, True))
    down = look(suspect, now=at(100), up=False, since=at(97))
    assert figures(down, 100) == (100, 3, 1)
    assert down.down_since == at(97)


def test_an_outage_never_reaches_back_before_the_last_return_to_service() -> None:
    back = watch((0, True), (50, False), (60, True))
    assert figures(look(back, now=at(70), up=False, since=at(10)), 70) == (70, 20, 2)


def test_an_outage_never_begins_in_the_future() -> None:
    assert figures(look(watch((0, True)), now=at(10), up=False, since=at(99)), 10) == (10, 0, 1)


def test_an_outage_never_reaches_back_into_time_that_nobody_watched() -> None:
    unseen = watch((0, True), (10, None))
    assert figures(look(unseen, now=at(50), up=False, since=at(5)), 60) == (20, 10, 1)


def test_what_is_down_at_the_first_look_has_failed_once() -> None:
    assert figures(watch((0, False)), 10) == (10, 10, 1)


def test_time_in_which_the_state_is_not_known_counts_neither_way() -> None:
    assert figures(watch((0, None), (50, True), (60, None), (500, True)), 510) == (20, 0, 0)


def test_an_outage_that_goes_on_after_a_time_unknown_is_no_second_failure() -> None:
    assert figures(watch((0, True), (10, False), (20, None), (30, False)), 40) == (30, 20, 1)


def test_a_clock_that_steps_back_changes_nothing() -> None:
    track = watch((0, True), (10, False))
    assert look(track, now=at(9), up=True) == track
    assert figures(track, 5) == (10, 0, 1)


def test_a_restart_keeps_what_was_told_and_observes_nothing_meanwhile() -> None:
    told = tell(watch((0, True), (90, False)), now=at(100))
    again = watch((5000, True), track=restore(told))
    assert figures(again, 5100) == (200, 10, 1)


def test_an_outage_that_outlasts_a_restart_is_no_second_failure() -> None:
    track = restore(Reliability(observed_seconds=100, down_seconds=10, failures=1), down_since=at(90))
    assert figures(watch((5000, False), track=track), 5010) == (110, 20, 1)


def test_an_outage_that_ended_during_a_restart_is_over() -> None:
    track = restore(Reliability(observed_seconds=100, down_seconds=10, failures=1), down_since=at(90))
    assert figures(watch((5000, True), (5010, False), track=track), 5010) == (110, 10, 2)


@pytest.mark.parametrize(
    "edited",
    [
        Reliability(observed_seconds=-5, down_seconds=-7, failures=-1),
        Reliability(observed_seconds=10, down_seconds=99, failures=1),
        Reliability(observed_seconds=10**18, down_seconds=10**18, failures=1),
    ],
)
def test_a_status_that_somebody_edited_makes_no_impossible_figures(edited: Reliability) -> None:
    told = tell(watch((0, True), track=restore(edited)), now=at(10))
    assert 0 <= told.down_seconds <= told.observed_seconds
    assert told.failures >= 0
    assert told.availability is not None
    assert 0 <= told.availability <= 1


DOMAINS = {"openai": "us", "azure": "us", "google": "eu", "mistral": "eu"}


@pytest.mark.parametrize(
    ("active", "fit", "expected"),
    [
        ("openai", ["openai"], 0),
        ("openai", ["openai", "azure"], 0),
        ("openai", ["openai", "azure", "google"], 1),
        ("openai", ["openai", "google", "mistral"], 2),
        ("openai", ["google", "jina"], 2),
        ("jina", ["jina", "openai"], 1),
        (None, ["google"], 0),
    ],
)
def test_redundancy_counts_who_can_stand_in_when_the_domain_of_the_active_one_fails(
    active: str | None, fit: list[str], expected: int
) -> None:
    assert redundancy(active, fit, DOMAINS) == expected


@pytest.mark.parametrize(
    ("fit", "expected"),
    [([], 0), (["openai"], 0), (["openai", "azure"], 0), (["openai", "google", "mistral"], 1), (["azure", "jina"], 1)],
)
def test_fault_tolerance_counts_the_domains_that_may_fail_at_once(fit: list[str], expected: int) -> None:
    assert fault_tolerance(fit, DOMAINS) == expected


def test_mean_times_of_switches_are_told_apart_by_their_outcome() -> None:
    history = [switch("Succeeded", 40, 2000), switch("Succeeded", 20), switch("RolledBack", 90, 1000)]
    assert mean_millis(history) == MeanMillis(detect=1500, switch=30, rollback=90)


def test_a_switch_that_a_restart_interrupted_does_not_count_in_the_mean() -> None:
    assert mean_millis([switch("Succeeded", 40), switch("Resumed", 60_000)]).switch == 40


def test_no_switches_have_no_mean_times() -> None:
    assert mean_millis([]) == MeanMillis(None, None, None)


def test_the_success_rate_is_a_share_of_the_tried_switches() -> None:
    assert success_rate(SwitchCounts(total=4, succeeded=3, rolled_back=1)) == 0.75
    assert success_rate(SwitchCounts(total=2, rolled_back=2)) == 0.0
    assert success_rate(SwitchCounts()) is None


def test_the_figures_of_a_policy_stand_together() -> None:
    built = build_resilience(
        active="openai",
        fit=["openai", "google", "mistral"],
        domains=DOMAINS,
        observed=watch((0, True), (90, False)),
        history=[switch("Succeeded", 40, 2000), switch("RolledBack", 90)],
        config_load=timedelta(milliseconds=7),
        now=at(100),
    )
    assert built == Resilience(
        redundancy=2,
        fault_tolerance=1,
        observed=Reliability(
            observed_seconds=100, down_seconds=10, failures=1, mtbf_seconds=90, mttr_seconds=10.0, availability=0.9
        ),
        detect_millis=2000,
        switch_millis=40,
        rollback_millis=90,
        config_load_millis=7,
    )


STATES = st.sampled_from([True, False, None])
LOOKS = st.lists(st.tuples(st.integers(0, 10_000), STATES), min_size=1, max_size=20)
"""In any order, so that some of them step back in time."""


@given(LOOKS, st.integers(0, 12_000), st.lists(st.integers(0, 10_000) | st.none(), min_size=20, max_size=20))
def test_any_looks_give_possible_figures(looks: list[Look], now: int, began: list[int | None]) -> None:
    track = Track()
    for (seconds, up), since in zip(looks, began, strict=False):
        track = look(track, now=at(seconds), up=up, since=None if since is None else at(since))
    assert timedelta(0) <= track.down <= track.observed <= timedelta(seconds=10_000)
    told = tell(track, now=at(now))
    assert told.availability is None or 0 <= told.availability <= 1
    if told.failures:
        assert told.mtbf_seconds is not None
        assert told.mttr_seconds is not None
        assert abs(told.mtbf_seconds * told.failures + told.down_seconds - told.observed_seconds) <= told.failures
        assert told.mttr_seconds * told.failures == pytest.approx(told.down_seconds, abs=1)


@given(LOOKS, st.integers(0, 10_000))
def test_a_look_that_finds_the_same_state_changes_no_figure(looks: list[Look], extra: int) -> None:
    plain = sorted(looks, key=lambda entry: entry[0])
    found = [up for seconds, up in plain if seconds <= extra]
    with_extra = sorted([*plain, *([(extra, found[-1])] if found else [])], key=lambda entry: entry[0])
    assert tell(watch(*with_extra), now=at(10_000)) == tell(watch(*plain), now=at(10_000))


@given(LOOKS)
def test_what_is_observed_is_the_time_between_looks_that_found_a_state(looks: list[Look]) -> None:
    ordered = [*sorted(looks, key=lambda entry: entry[0]), (10_000, None)]
    known = [(later[0] - earlier[0], earlier[1]) for earlier, later in pairwise(ordered) if earlier[1] is not None]
    observed, down, _ = figures(watch(*ordered), 10_000)
    assert observed == sum(seconds for seconds, _ in known)
    assert down == sum(seconds for seconds, up in known if not up)


@given(LOOKS, st.integers(0, 10_000))
def test_a_restart_loses_no_figure(looks: list[Look], later: int) -> None:
    told = tell(watch(*looks), now=at(10_000))
    restored = restore(told, down_since=watch(*looks).down_since)
    assert tell(restored, now=at(20_000)) == told
    for up in (True, False):
        observed, *_ = figures(watch((20_000, up), track=restored), 20_000 + later)
        assert observed == told.observed_seconds + later


@given(st.sets(st.sampled_from([*DOMAINS, "jina"])), st.sampled_from([*DOMAINS, "jina"]))
def test_one_more_that_may_serve_never_makes_a_policy_less_safe(fit: set[str], more: str) -> None:
    assert fault_tolerance(fit | {more}, DOMAINS) >= fault_tolerance(fit, DOMAINS)
    assert redundancy("openai", fit | {more}, DOMAINS) >= redundancy("openai", fit, DOMAINS)
    assert (redundancy("openai", fit, DOMAINS) > 0) is bool({"google", "mistral", "jina"} & fit)
