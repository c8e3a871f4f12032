"""When the next probe comes, for every way a probe can end; in seconds from the start of the first probe."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providerswitch.api.health import ALIVE, TRIPS_AT_ONCE, TRIPS_WHEN_CONFIRMED, HealthClass
from providerswitch.core.outcome import Outcome, Tier
from providerswitch.probes.cadence import NextProbe, Streak, follow, plan_next, start_spread
from providerswitch.probes.target import Cadence

START = datetime(2026, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
DEFAULT = Cadence(30 * SECOND, SECOND, 10 * SECOND, failure_threshold=3)
BILLED = replace(DEFAULT, generation_interval=600 * SECOND)

LIMITED = HealthClass.RATE_LIMITED
SETTLED = TRIPS_AT_ONCE | {HealthClass.UNKNOWN, HealthClass.CONFIG_INVALID}
COUNTED = frozenset(HealthClass) - ALIVE - SETTLED - TRIPS_WHEN_CONFIRMED - {LIMITED}
"""Classes of which as many as failureThreshold are needed."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How the provider treats a probe: what it answers, and after how long."""

    health_class: HealthClass
    after: float = 0.0
    retry_after: timedelta | None = None


HANG = Ending(HealthClass.TIMEOUT, after=float("inf"))
WELL = Ending(HealthClass.HEALTHY)
DOWN = Ending(HealthClass.SERVER_ERROR)


@dataclass(frozen=True, slots=True)
class Course:
    """What came of a row of probes."""

    outcomes: tuple[Outcome, ...]
    streak: Streak
    plan: NextProbe

    @property
    def starts(self) -> list[float]:
        return [seconds(outcome.started_at) for outcome in self.outcomes]

    @property
    def ends(self) -> list[float]:
        return [seconds(outcome.ended_at) for outcome in self.outcomes]

    @property
    def tiers(self) -> str:
        """L for a liveness probe, G for a billed one; the next one too."""
        return "".join(tier.value[0].upper() for tier in (*(each.tier for each in self.outcomes), self.plan.tier))


def seconds(at: datetime) -> float:
    return (at - START).total_seconds()


def run(endings: Iterable[Ending], cadence: Cadence = DEFAULT) -> Course:
    """Play probe after probe, each at the time and with the deadline that the one before led to."""
    plan, streak, outcomes = NextProbe(START, Tier.LIVENESS, cadence.timeout), Streak(), []
    for ending in endings:
        late = ending.after > plan.deadline.total_seconds()
        ended = plan.at + (plan.deadline if late else timedelta(seconds=ending.after))
        found = HealthClass.TIMEOUT if late else ending.health_class
        outcomes.append(Outcome(found, "played", plan.at, ended, ending.retry_after, plan.tier))
        streak = follow(streak, outcomes[-1])
        plan = plan_next(cadence, streak, outcomes[-1])
    return Course(tuple(outcomes), streak, plan)


@pytest.mark.parametrize("health_class", sorted(ALIVE))
def test_a_provider_that_is_alive_is_asked_once_an_interval_counted_from_the_start(health_class: HealthClass) -> None:
    assert run([Ending(health_class, after=4)] * 3).starts == [0, 30, 60]
    assert run([Ending(health_class)]).plan == NextProbe(START + 30 * SECOND, Tier.LIVENESS, 10 * SECOND)


@pytest.mark.parametrize("health_class", sorted(COUNTED))
def test_the_third_failure_is_known_two_fast_intervals_after_the_first(health_class: HealthClass) -> None:
    course = run([Ending(health_class)] * 3)
    assert course.ends == [0, 1, 2]
    assert seconds(course.plan.at) == 32


def test_the_third_failure_of_a_provider_that_hangs_is_known_two_seconds_after_the_first() -> None:
    course = run([HANG] * 3)
    assert course.ends == [10, 11, 12]
    assert course.plan == NextProbe(START + 41 * SECOND, Tier.LIVENESS, 10 * SECOND)


def test_a_confirming_probe_gets_a_second_even_where_the_fast_interval_is_shorter() -> None:
    impatient = replace(DEFAULT, fast_interval=SECOND / 10)
    assert run([HANG] * 3, impatient).ends == [10, 11, 12]


def test_a_confirming_probe_gets_the_whole_fast_interval_where_that_is_longer() -> None:
    patient = replace(DEFAULT, fast_interval=3 * SECOND)
    assert run([HANG] * 3, patient).ends == [10, 13, 16]


def test_a_confirming_probe_never_gets_more_than_the_timeout() -> None:
    short = replace(DEFAULT, timeout=SECOND / 2)
    assert run([HANG], short).plan == NextProbe(START + SECOND, Tier.LIVENESS, SECOND / 2)
    assert run([HANG] * 3, short).ends == [0.5, 1.5, 2.5]


def test_of_a_provider_that_never_answered_well_only_silence_shortens_the_deadline() -> None:
    assert run([DOWN]).plan.deadline == 10 * SECOND
    assert run([DOWN, HANG]).plan.deadline == SECOND
    assert run([HANG, DOWN]).plan.deadline == 10 * SECOND


def test_any_failure_of_a_provider_that_was_well_shortens_it() -> None:
    assert run([answering(0.2)]).plan.deadline == 10 * SECOND
    assert run([answering(0.2), DOWN]).plan.deadline == SECOND
    assert run([answering(0.2), DOWN, HANG]).plan.deadline == SECOND
    assert run([answering(0.2), DOWN, DOWN, DOWN]).plan.deadline == 10 * SECOND


def test_a_late_answer_to_a_confirming_probe_does_not_count_but_one_in_time_ends_the_doubt() -> None:
    assert run([HANG, Ending(HealthClass.HEALTHY, after=2)]).outcomes[-1].health_class is HealthClass.TIMEOUT
    course = run([HANG, Ending(HealthClass.HEALTHY, after=0.5)])
    assert course.streak.failures == 0
    assert course.plan == NextProbe(START + 40 * SECOND, Tier.LIVENESS, 10 * SECOND)


def test_a_confirming_probe_gets_four_times_as_long_as_good_answers_usually_take() -> None:
    assert run([answering(0.2), HANG]).plan.deadline == SECOND
    assert run([answering(1.5), HANG]).plan.deadline == 6 * SECOND
    assert run([answering(4), HANG]).plan.deadline == 10 * SECOND
    assert run([answering(1.5), HANG, HANG]).plan.deadline == 6 * SECOND


def test_a_slow_answer_is_remembered_for_a_while_and_a_failed_one_is_not() -> None:
    assert run([answering(2), answering(0.1), HANG]).plan.deadline == 7.2 * SECOND
    assert run([answering(2)] + [answering(0.1)] * 30 + [HANG]).plan.deadline == SECOND
    assert run([Ending(HealthClass.SERVER_ERROR, after=2), HANG]).plan.deadline == SECOND


def answering(after: float) -> Ending:
    return Ending(HealthClass.HEALTHY, after)


def test_a_slow_failure_does_not_put_off_the_next_probe_by_more_than_its_own_length() -> None:
    assert run([Ending(HealthClass.SERVER_ERROR, after=5)] * 3).starts == [0, 5, 10]


def test_one_failure_that_passes_leaves_no_trace() -> None:
    assert run([WELL, DOWN, WELL, DOWN, DOWN, WELL]).starts == [0, 30, 31, 61, 62, 63]


def test_a_provider_that_is_down_is_asked_at_the_ordinary_interval_until_it_is_well() -> None:
    assert run([DOWN] * 5 + [WELL] * 2).starts == [0, 1, 2, 32, 62, 92, 122]


@pytest.mark.parametrize("threshold", [1, 2, 5, 10])
def test_as_many_probes_follow_quickly_as_the_threshold_asks_for(threshold: int) -> None:
    course = run([DOWN] * (threshold + 1), replace(DEFAULT, failure_threshold=threshold))
    assert course.starts == [*range(threshold), threshold - 1 + 30]


@pytest.mark.parametrize("health_class", sorted(SETTLED))
def test_what_a_second_answer_would_not_change_is_not_asked_again_quickly(health_class: HealthClass) -> None:
    assert run([Ending(health_class)] * 3).starts == [0, 30, 60]


@pytest.mark.parametrize("health_class", sorted(TRIPS_WHEN_CONFIRMED))
def test_a_rejected_key_is_confirmed_quickly_and_then_asked_about_five_times_more_rarely(
    health_class: HealthClass,
) -> None:
    assert run([Ending(health_class)] * 4).starts == [0, 1, 151, 301]


def test_a_key_that_is_accepted_again_brings_back_the_ordinary_interval() -> None:
    rejected = Ending(HealthClass.AUTH_INVALID)
    assert run([rejected, rejected, WELL, WELL, rejected]).starts == [0, 1, 151, 181, 211]
    assert seconds(run([rejected, rejected, WELL, rejected]).plan.at) == 182


@pytest.mark.parametrize(
    ("asked", "waited"),
    [
        (timedelta(seconds=7), 7),
        (timedelta(seconds=100), 100),
        (timedelta(hours=1), 3600),
        (timedelta(days=365), 3600),
        (timedelta(0), 1),
        (timedelta(seconds=-5), 1),
    ],
)
def test_retry_after_is_honoured_between_a_second_and_an_hour(asked: timedelta | None, waited: float) -> None:
    course = run([Ending(LIMITED, after=2, retry_after=asked)])
    assert seconds(course.plan.at) == pytest.approx(2 + waited)


def test_one_that_does_not_say_how_long_is_asked_often_enough_to_be_left_within_an_interval() -> None:
    course = run([Ending(LIMITED)] * 4)
    assert course.starts == [0, 10, 20, 50]
    assert seconds(course.plan.at) == 80


def test_a_rate_limit_within_a_row_of_failures_is_still_honoured() -> None:
    limit = Ending(LIMITED, retry_after=100 * SECOND)
    assert run([DOWN, limit, DOWN]).starts == [0, 1, 101]


def test_what_other_classes_say_about_retrying_does_not_slow_them_down() -> None:
    assert seconds(run([Ending(HealthClass.OVERLOADED, retry_after=100 * SECOND)]).plan.at) == 1


def test_billed_probes_are_made_only_where_they_are_asked_for() -> None:
    assert run([WELL] * 4).tiers == "LLLLL"


def test_a_billed_probe_comes_second_and_then_at_its_own_interval() -> None:
    assert run([WELL] * 43, BILLED).tiers == "L" + "G" + "L" * 19 + "G" + "L" * 19 + "G" + "LL"


def test_a_billed_probe_that_fails_is_repeated_until_one_is_well() -> None:
    assert run([WELL, DOWN, DOWN, DOWN, DOWN, WELL, WELL], BILLED).tiers == "LGGGGGLL"


def test_only_a_billed_probe_disproves_the_failure_of_another() -> None:
    failing = follow(Streak(), outcome(HealthClass.SERVER_ERROR, Tier.GENERATION))
    still = follow(failing, outcome(HealthClass.HEALTHY, Tier.LIVENESS))
    assert (still.failures, still.failing_tier) == (1, Tier.GENERATION)
    assert follow(still, outcome(HealthClass.HEALTHY, Tier.GENERATION)) == Streak(generated_at=START, usual=SECOND)


def test_a_failed_liveness_probe_does_not_end_the_doubt_about_generation() -> None:
    failing = follow(Streak(), outcome(HealthClass.SERVER_ERROR, Tier.GENERATION))
    assert follow(failing, outcome(HealthClass.TIMEOUT, Tier.LIVENESS)).failing_tier is Tier.GENERATION


def test_switching_billed_probes_off_ends_them_even_while_one_fails() -> None:
    failing = follow(Streak(), outcome(HealthClass.SERVER_ERROR, Tier.GENERATION))
    plan = plan_next(DEFAULT, failing, outcome(HealthClass.SERVER_ERROR, Tier.GENERATION))
    assert plan.tier is Tier.LIVENESS


def outcome(health_class: HealthClass, tier: Tier) -> Outcome:
    return Outcome(health_class, "played", START, START + SECOND, tier=tier)


ENDINGS = st.builds(
    Ending,
    st.sampled_from(HealthClass),
    st.floats(0, 20),
    st.none() | st.timedeltas(timedelta(days=-1), timedelta(days=400)),
)
CADENCES: st.SearchStrategy[Cadence] = st.builds(
    Cadence,
    st.timedeltas(SECOND, timedelta(days=1)),
    st.timedeltas(SECOND / 10, SECOND * 30),
    st.timedeltas(SECOND / 10, SECOND * 120),
    st.integers(1, 100),
    st.none() | st.timedeltas(10 * SECOND, timedelta(days=1)),
)


@given(st.lists(ENDINGS, max_size=12), CADENCES)
def test_probes_never_overlap_never_come_faster_than_allowed_and_never_stop(
    endings: list[Ending], cadence: Cadence
) -> None:
    course = run(endings, cadence)
    following = [*(each.started_at for each in course.outcomes[1:]), course.plan.at]
    rarest = max(cadence.interval * 5, timedelta(hours=1), cadence.timeout)
    for each, at in zip(course.outcomes, following, strict=bool(endings)):
        assert at >= each.ended_at
        assert at - each.started_at >= min(cadence.interval, cadence.fast_interval, SECOND)
        assert at - each.ended_at <= rarest
    assert timedelta(0) < course.plan.deadline <= cadence.timeout


@pytest.mark.parametrize(
    ("targets", "interval", "spread"),
    [(0, 30, 0.0), (1, 30, 0.005), (200, 30, 1.0), (4000, 30, 20.0), (100_000, 30, 30.0), (4000, 5, 5.0)],
)
def test_the_start_is_spread_over_two_hundred_probes_a_second_within_one_interval(
    targets: int, interval: int, spread: float
) -> None:
    assert start_spread(targets, interval * SECOND).total_seconds() == pytest.approx(spread)
