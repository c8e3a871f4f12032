"""When a provider counts as degraded, what is said of it, and when it is well again."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.contenders import UNKNOWN, measured

from providerswitch.api.selection import Thresholds
from providerswitch.core.degradation import judge, judge_again
from providerswitch.core.measures import Measures

DEFAULTS = Thresholds()
WITH_QUALITY = Thresholds(quality=0.7)


def verdict(
    measures: Measures, thresholds: Thresholds = DEFAULTS, *, hysteresis: float = 0.1, was_degraded: bool = False
) -> str | None:
    return judge(measures, thresholds, hysteresis=hysteresis, was_degraded=was_degraded)


def test_a_provider_within_every_threshold_is_well() -> None:
    assert verdict(measured(1, quality=0.9), WITH_QUALITY) is None


@pytest.mark.parametrize(
    ("measures", "told"),
    [
        (measured(6.2), "response time p95 6.2 s is over 5 s"),
        (measured(error_rate=0.125), "error rate 12.5 % is over 5 %"),
        (measured(availability=0.9), "availability 90 % is under 95 %"),
        (measured(quality=0.55), "quality 0.55 is under 0.7"),
    ],
)
def test_each_threshold_that_is_exceeded_is_told_with_both_numbers(measures: Measures, told: str) -> None:
    assert verdict(measures, WITH_QUALITY) == told


def test_all_thresholds_that_are_exceeded_are_told() -> None:
    told = verdict(measured(6.2, availability=0.9, error_rate=0.1))
    assert told == "response time p95 6.2 s is over 5 s; error rate 10 % is over 5 %; availability 90 % is under 95 %"


def test_a_value_on_its_threshold_does_not_exceed_it() -> None:
    assert verdict(measured(5, quality=0.7, availability=0.95, error_rate=0.05), WITH_QUALITY) is None


def test_what_is_not_known_exceeds_nothing() -> None:
    assert verdict(UNKNOWN, WITH_QUALITY) is None
    assert verdict(UNKNOWN, WITH_QUALITY, was_degraded=True) is None


def test_without_a_threshold_for_quality_none_is_too_low() -> None:
    assert verdict(measured(quality=0)) is None


def test_a_value_just_over_its_threshold_is_written_so_that_one_sees_it() -> None:
    assert verdict(measured(5.001)) == "response time p95 5.001 s is over 5 s"


def test_a_large_threshold_is_written_in_full() -> None:
    minutes = Thresholds(response_time=timedelta(minutes=20))
    assert verdict(measured(1234.5), minutes) == "response time p95 1234 s is over 1200 s"


ON_THE_WAY_BACK = [
    (measured(4.8), measured(4.4), "response time p95 4.8 s has not come back under 4.5 s"),
    (measured(error_rate=0.048), measured(error_rate=0.044), "error rate 4.8 % has not come back under 4.5 %"),
    (measured(availability=0.952), measured(availability=0.956), "availability 95.2 % has not come back over 95.5 %"),
    (measured(quality=0.71), measured(quality=0.74), "quality 0.71 has not come back over 0.73"),
]


@pytest.mark.parametrize(("nearly", "_", "told"), ON_THE_WAY_BACK)
def test_a_degraded_provider_is_not_well_until_it_keeps_a_distance(nearly: Measures, _: Measures, told: str) -> None:
    assert verdict(nearly, WITH_QUALITY, was_degraded=True) == told
    assert verdict(nearly, WITH_QUALITY) is None


@pytest.mark.parametrize(("_", "safe", "__"), ON_THE_WAY_BACK)
def test_a_degraded_provider_is_well_once_it_keeps_a_distance(_: Measures, safe: Measures, __: str) -> None:
    assert verdict(safe, WITH_QUALITY, was_degraded=True) is None


def test_a_degraded_provider_that_exceeds_a_threshold_still_is_told_the_threshold_itself() -> None:
    assert verdict(measured(5.1), was_degraded=True) == "response time p95 5.1 s is over 5 s"


def test_without_hysteresis_the_threshold_is_all() -> None:
    assert verdict(measured(5), hysteresis=0, was_degraded=True) is None


@pytest.mark.parametrize("hysteresis", [0.5, 1])
def test_however_large_the_hysteresis_a_degraded_provider_can_be_well_again(hysteresis: float) -> None:
    assert verdict(measured(2.5, error_rate=0.02, availability=0.98), hysteresis=hysteresis, was_degraded=True) is None
    assert verdict(measured(2.6), hysteresis=hysteresis, was_degraded=True) is not None


def test_a_threshold_that_allows_no_fault_is_met_by_a_faultless_provider() -> None:
    strict = Thresholds(error_rate=0, availability=1)
    assert verdict(measured(error_rate=0, availability=1), strict, was_degraded=True) is None
    assert verdict(measured(error_rate=0.001), strict) == "error rate 0.1 % is over 0 %"


BEFORE = "response time p95 6.2 s is over 5 s"


@pytest.mark.parametrize("unknown", [UNKNOWN, Measures(samples=3, quality=0.9, cost=1)])
def test_a_judgement_stands_while_too_little_is_known_for_another(unknown: Measures) -> None:
    assert judge_again(BEFORE, unknown, WITH_QUALITY, hysteresis=0.1) == BEFORE
    assert judge_again(None, unknown, WITH_QUALITY, hysteresis=0.1) is None


def test_a_judgement_gives_way_to_the_next() -> None:
    assert judge_again(BEFORE, measured(1), DEFAULTS, hysteresis=0.1) is None
    assert judge_again(BEFORE, measured(4.8), DEFAULTS, hysteresis=0.1) == verdict(measured(4.8), was_degraded=True)
    assert judge_again(None, measured(4.8), DEFAULTS, hysteresis=0.1) is None
    assert judge_again(None, measured(6.2), DEFAULTS, hysteresis=0.1) == BEFORE


def test_failures_alone_are_enough_to_judge_by() -> None:
    failing = Measures(samples=9, error_rate=1)
    assert judge_again(BEFORE, failing, DEFAULTS, hysteresis=0.1) == "error rate 100 % is over 5 %"


shares = st.floats(0, 1)


@given(
    st.builds(measured, st.floats(0, 60), quality=shares, availability=shares, error_rate=shares),
    st.builds(Thresholds, error_rate=shares, availability=shares, quality=shares),
    shares,
)
def test_to_be_well_again_takes_at_least_what_it_takes_to_be_well(
    measures: Measures, thresholds: Thresholds, hysteresis: float
) -> None:
    if verdict(measures, thresholds, hysteresis=hysteresis, was_degraded=True) is None:
        assert verdict(measures, thresholds, hysteresis=hysteresis) is None


@given(st.builds(Thresholds, error_rate=shares, availability=shares, quality=shares), shares)
def test_a_perfect_provider_is_always_well(thresholds: Thresholds, hysteresis: float) -> None:
    perfect = measured(0, quality=1, availability=1, error_rate=0)
    assert verdict(perfect, thresholds, hysteresis=hysteresis, was_degraded=True) is None


@pytest.mark.parametrize(("failures", "degraded"), [(1, False), (2, True), (None, True)])
def test_a_single_failed_probe_is_no_error_rate(failures: int | None, degraded: bool) -> None:  # noqa: FBT001  # a row of a table
    """Of ten probes it is a tenth; what a metrics source says is no count of probes."""
    measures = Measures(samples=10, error_rate=0.1, availability=0.9, failures=failures)
    found = judge(measures, Thresholds(), hysteresis=0.1, was_degraded=False)
    assert (found is not None) is degraded
