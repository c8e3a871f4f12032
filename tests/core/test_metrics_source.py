"""A signal that a metrics source answers for takes the place of what probes measured."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providerswitch.core.measures import Latency, Measures
from providerswitch.core.metrics_source import (
    Signal,
    SourceValues,
    find_implausible,
    longest_age,
    override,
    plausible,
)

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
MAX_AGE = timedelta(minutes=3)
PROBED = Measures(
    samples=9,
    latency=Latency(p50=0.2, p95=0.4, mean=0.25, first_byte_p95=0.1),
    error_rate=0.1,
    availability=0.9,
    quality=0.8,
    cost=0.5,
)


def merged(measures: Measures = PROBED, *, age: timedelta = timedelta(0), **said: float) -> Measures:
    return override(measures, SourceValues(NOW - age, **said), now=NOW, max_age=MAX_AGE)


def test_one_response_time_stands_for_every_quantile_but_not_for_the_first_byte() -> None:
    assert merged(response_time=1.5) == replace(PROBED, latency=Latency(1.5, 1.5, 1.5, first_byte_p95=0.1))


def test_a_response_time_counts_even_where_probes_measured_none() -> None:
    assert merged(Measures(), response_time=1.5) == Measures(latency=Latency(1.5, 1.5, 1.5))


def test_shares_and_throughput_take_the_place_of_those_of_the_probes_even_zero() -> None:
    expected = replace(PROBED, error_rate=0.0, availability=0.0, requests_per_second=0.0)
    assert merged(error_rate=0.0, availability=0.0, requests_per_second=0.0) == expected


def test_a_signal_that_the_source_does_not_answer_for_stays_with_the_probes() -> None:
    assert merged(availability=0.5) == replace(PROBED, availability=0.5)


def test_without_values_the_probes_stand() -> None:
    assert override(PROBED, None, now=NOW, max_age=MAX_AGE) == PROBED


def test_values_count_for_three_rounds_and_no_longer() -> None:
    oldest = longest_age(timedelta(minutes=1))
    assert merged(age=oldest, error_rate=0.5).error_rate == 0.5
    assert merged(age=oldest + timedelta(milliseconds=1), error_rate=0.5) == PROBED


@pytest.mark.parametrize("percent", [-0.01, 1.01, 37.5, nan, inf, -inf])
def test_what_is_no_share_is_passed_over(percent: float) -> None:
    assert merged(error_rate=percent, availability=percent) == PROBED


@pytest.mark.parametrize("less_than_nothing", [-1.0, nan, inf, -inf])
def test_what_is_no_time_and_no_rate_is_passed_over(less_than_nothing: float) -> None:
    assert merged(response_time=less_than_nothing, requests_per_second=less_than_nothing) == PROBED


def test_a_rounding_error_beyond_the_bounds_is_forgiven() -> None:
    found = merged(error_rate=-1e-17, availability=1.0000000000000002)
    assert (found.error_rate, found.availability) == (0.0, 1.0)


def test_a_percentage_is_told_with_its_provider_and_the_remedy() -> None:
    assert find_implausible(Signal.ERROR_RATE, {"backup": 0.2, "openai": 37.5}) == (
        'errorRate of "openai" is 37.5, which is no share from 0 to 1; divide percentages by 100, or put '
        "clamp(..., 0, 1) around it"
    )


def test_a_negative_time_is_told() -> None:
    found = find_implausible(Signal.RESPONSE_TIME, {"openai": -2.0})
    assert found == 'responseTime of "openai" is -2, which is less than nothing; correct the query'


def test_where_all_values_can_be_nothing_is_told() -> None:
    assert find_implausible(Signal.AVAILABILITY, {"openai": 1.0, "backup": 0.0}) is None
    assert find_implausible(Signal.THROUGHPUT, {"openai": 1e9}) is None


@given(st.sampled_from(Signal), st.floats())
def test_what_is_told_is_what_is_passed_over(signal: Signal, value: float) -> None:
    assert (find_implausible(signal, {"openai": value}) is None) is (plausible(signal, value) is not None)


numbers = st.none() | st.floats()
values = st.builds(SourceValues, st.just(NOW), numbers, numbers, numbers, numbers)


@given(values)
def test_whatever_a_source_says_measures_stay_within_their_bounds(said: SourceValues) -> None:
    found = override(PROBED, said, now=NOW, max_age=MAX_AGE)
    assert found.latency is not None
    assert 0 <= found.latency.p95 < inf
    assert 0 <= (found.error_rate or 0) <= 1
    assert 0 <= (found.availability or 0) <= 1
    assert 0 <= (found.requests_per_second or 0) < inf


@given(values)
def test_saying_it_twice_changes_nothing_more(said: SourceValues) -> None:
    once = override(PROBED, said, now=NOW, max_age=MAX_AGE)
    assert override(once, said, now=NOW, max_age=MAX_AGE) == once
