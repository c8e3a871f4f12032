"""Each strategy: who comes first, why, with which share of the traffic, and until when."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from tests.core.contenders import contender, field
from tests.core.moments import NOON, at

from providerswitch.api.selection import Selection, Strategy
from providerswitch.core.strategies.field import Contender, Ranking
from providerswitch.core.strategies.registry import RANKERS, rank

S = Strategy
MINUTE = timedelta(minutes=1)


def ranked(
    strategy: Strategy,
    *contenders: Contender,
    active: str | None = None,
    now: datetime = NOON,
    leaves_degraded: bool = False,
    selection: Selection | None = None,
) -> Ranking:
    return rank(
        field(*contenders, active=active, now=now, selection=selection), strategy, leaves_degraded=leaves_degraded
    )


def plain(*names: str) -> list[Contender]:
    return [contender(name) for name in names]


def test_every_strategy_of_the_api_is_in_the_table() -> None:
    assert set(RANKERS) == set(Strategy)


# What all have in common


@pytest.mark.parametrize("strategy", S)
def test_those_that_may_not_serve_come_last(strategy: Strategy) -> None:
    found = ranked(strategy, contender("a", 0.9, may_serve=False, cost=0, weight=500), *plain("b", "c"))
    assert found.names[2] == "a"


@pytest.mark.parametrize("strategy", S)
def test_the_degraded_come_after_the_others_where_they_are_left(strategy: Strategy) -> None:
    degraded = contender("a", 0.9, degraded=True, cost=0, weight=500)
    down = contender("b", 0.9, may_serve=False, cost=0, weight=500)
    assert ranked(strategy, degraded, down, *plain("c"), leaves_degraded=True).names == ("c", "a", "b")


@pytest.mark.parametrize("strategy", [S.PRIORITY, S.PERFORMANCE, S.COST, S.WEIGHTED])
def test_the_degraded_rank_among_the_others_where_they_are_not_left(strategy: Strategy) -> None:
    degraded = contender("a", 0.9, degraded=True, cost=0, weight=500)
    assert ranked(strategy, degraded, *plain("b")).names == ("a", "b")


@pytest.mark.parametrize("strategy", S)
def test_where_all_are_degraded_the_strategy_decides_among_them_and_says_so(strategy: Strategy) -> None:
    found = ranked(strategy, contender("a", degraded=True), contender("b", may_serve=False), leaves_degraded=True)
    assert (found.names, found.why.partition("; ")[2]) == (("a", "b"), "all that may serve are degraded")


@pytest.mark.parametrize("strategy", S)
def test_where_none_may_serve_that_is_said(strategy: Strategy) -> None:
    found = ranked(strategy, contender("a", may_serve=False), contender("b", may_serve=False))
    assert (set(found.names), found.why, found.shares, found.turns_at) == (
        {"a", "b"},
        "no provider may serve",
        {},
        None,
    )


@pytest.mark.parametrize("strategy", S)
def test_nobody_is_ranked_where_there_is_nobody(strategy: Strategy) -> None:
    assert ranked(strategy) == Ranking((), "no provider may serve")


@pytest.mark.parametrize("strategy", S)
def test_an_active_provider_that_is_no_contender_changes_nothing(strategy: Strategy) -> None:
    assert ranked(strategy, *plain("a", "b"), active="gone") == ranked(strategy, *plain("a", "b"))


# Priority


def test_priority_is_the_order_of_the_user() -> None:
    found = ranked(S.PRIORITY, contender("a", 0.1), contender("b", 0.9), active="b")
    assert found == Ranking(("a", "b"), "the primary")


def test_under_priority_a_backup_is_the_first_in_order_of_those_left() -> None:
    found = ranked(S.PRIORITY, contender("a", may_serve=False), *plain("b", "c"))
    assert found == Ranking(("b", "c", "a"), "the first in order")


# Performance


def test_performance_is_the_best_score() -> None:
    found = ranked(S.PERFORMANCE, contender("a", 0.5), contender("b", 0.71), contender("c", 0.82))
    assert found == Ranking(("c", "b", "a"), 'best score (0.82; "b" 0.71)')


def test_equal_scores_keep_the_order_of_the_user() -> None:
    assert ranked(S.PERFORMANCE, contender("a", 0.5), contender("b", 0.5)).names == ("a", "b")


def test_scores_that_differ_little_are_told_with_more_digits() -> None:
    assert ranked(S.PERFORMANCE, contender("a", 0.5012), contender("b", 0.5)).why == 'best score (0.5012; "b" 0.5000)'


def test_unknown_scores_come_last_in_the_order_of_the_user() -> None:
    found = ranked(S.PERFORMANCE, *plain("a", "b"), contender("c", 0))
    assert found == Ranking(("c", "a", "b"), "best score (0.00)")


def test_without_any_score_the_order_of_the_user_holds() -> None:
    assert ranked(S.PERFORMANCE, *plain("a", "b")) == Ranking(("a", "b"), "the first in order, as no score is known")


@pytest.mark.parametrize("rival", [0.7, 0.75, 0.8])
def test_the_active_provider_stays_while_none_is_clearly_better(rival: float) -> None:
    found = ranked(S.PERFORMANCE, contender("a", 0.6), contender("b", rival), contender("c", 0.7), active="c")
    assert found.names[0] == "c"


def test_what_is_better_but_not_clearly_is_told() -> None:
    found = ranked(S.PERFORMANCE, contender("a", 0.6), contender("b", 0.75), contender("c", 0.7), active="c")
    assert found == Ranking(("c", "b", "a"), 'score 0.70; "b" has 0.75, not more than 0.1 above it')


def test_the_active_provider_is_left_for_one_that_is_clearly_better() -> None:
    assert ranked(S.PERFORMANCE, contender("a", 0.7), contender("b", 0.801), active="a").names == ("b", "a")


def test_without_hysteresis_any_better_score_takes_over() -> None:
    selection = Selection(hysteresis=0)
    better = ranked(S.PERFORMANCE, contender("a", 0.7), contender("b", 0.701), active="a", selection=selection)
    equal = ranked(S.PERFORMANCE, contender("a", 0.7), contender("b", 0.7), active="b", selection=selection)
    assert (better.names[0], equal.names[0]) == ("b", "b")


def test_an_active_provider_of_unknown_score_stays() -> None:
    found = ranked(S.PERFORMANCE, contender("a", 0.9), contender("b"), active="b")
    assert found == Ranking(("b", "a"), "its score is not known yet")


def test_a_better_one_that_may_not_serve_is_held_against_nobody() -> None:
    best = contender("best", 0.9, may_serve=False)
    found = ranked(S.PERFORMANCE, best, contender("b", 0.55), contender("c", 0.5), active="c")
    assert found.names == ("c", "b", "best")


def test_a_degraded_active_provider_is_left_without_a_clearly_better_score() -> None:
    degraded = contender("a", 0.6, degraded=True)
    found = ranked(S.PERFORMANCE, degraded, contender("b", 0.5), active="a", leaves_degraded=True)
    assert found.names == ("b", "a")


# Cost


def test_cost_is_the_cheapest_and_what_is_not_known_is_last() -> None:
    found = ranked(S.COST, contender("a", 1), contender("b", cost=0.6), contender("c", cost=0.3))
    assert found == Ranking(("c", "b", "a"), 'the cheapest (0.30 per million tokens; "b" 0.60)')


def test_what_is_free_is_the_cheapest() -> None:
    found = ranked(S.COST, contender("a", cost=0.001), contender("b", cost=0))
    assert found == Ranking(("b", "a"), 'the cheapest (0.00 per million tokens; "a" 0.001)')


def test_the_cheapest_serves_even_where_the_active_one_costs_hardly_more() -> None:
    assert ranked(S.COST, contender("a", cost=0.31), contender("b", cost=0.3), active="a").names == ("b", "a")


def test_at_the_same_price_the_better_score_is_first_and_at_the_same_score_the_order() -> None:
    found = ranked(S.COST, contender("a", 0.5, cost=1), contender("b", 0.5, cost=1), contender("c", 0.9, cost=1))
    assert found == Ranking(
        ("c", "a", "b"), 'as cheap as "a" (1.00 per million tokens), and before it by score or order'
    )


def test_at_the_same_price_the_active_one_stays_while_none_is_clearly_better() -> None:
    free = [contender("a", 0.59, cost=0), contender("b", 0.5, cost=0)]
    assert ranked(S.COST, *free, active="b").names == ("b", "a")
    assert ranked(S.COST, contender("a", 0.61, cost=0), free[1], active="b").names == ("a", "b")


def test_without_any_price_the_score_decides() -> None:
    assert ranked(S.COST, contender("a", 0.5), contender("b", 0.9)) == Ranking(("b", "a"), "no price is known")


def test_the_only_known_price_is_told_alone() -> None:
    assert ranked(S.COST, contender("a"), contender("b", cost=1)).why == "the cheapest (1.00 per million tokens)"


# Weighted


def weighed(*weights: int) -> list[Contender]:
    return [contender(name, weight=weight) for name, weight in zip("abcdefgh", weights, strict=False)]


def shares(*contenders: Contender, now: datetime = NOON, leaves_degraded: bool = False) -> Sequence[int]:
    return tuple(ranked(S.WEIGHTED, *contenders, now=now, leaves_degraded=leaves_degraded).shares.values())


@pytest.mark.parametrize(
    ("weights", "percents"),
    [
        ((100,), (100,)),
        ((100, 100), (50, 50)),
        ((70, 20, 10), (70, 20, 10)),
        ((3, 1), (75, 25)),
        ((1, 1, 1), (34, 33, 33)),
        ((1, 1, 1, 1, 1, 1), (17, 17, 17, 17, 16, 16)),
        ((2, 1), (67, 33)),
        ((1000, 1), (100, 0)),
        ((0, 5), (0, 100)),
        ((0, 0), (50, 50)),
        ((0, 0, 0), (34, 33, 33)),
    ],
)
def test_weights_are_brought_to_whole_percents(weights: tuple[int, ...], percents: tuple[int, ...]) -> None:
    assert shares(*weighed(*weights)) == percents


def test_the_largest_share_is_first_and_equal_ones_keep_the_order_of_the_user() -> None:
    found = ranked(S.WEIGHTED, *weighed(20, 60, 20))
    assert (found.names, found.why, found.turns_at) == (("b", "a", "c"), "the largest share of traffic (60 %)", None)


def test_those_that_may_not_serve_have_no_share_and_the_others_take_it() -> None:
    found = ranked(S.WEIGHTED, contender("a", weight=50, may_serve=False), *weighed(0, 30, 20)[1:])
    assert found.shares == {"b": 60, "c": 40}


def test_the_degraded_have_no_share_where_they_are_left() -> None:
    both = [contender("a", degraded=True), contender("b")]
    assert (shares(*both), shares(*both, leaves_degraded=True)) == ((50, 50), (100,))


def test_the_active_provider_stays_before_one_with_an_equal_share() -> None:
    assert ranked(S.WEIGHTED, *weighed(50, 50), active="b").names == ("b", "a")


def test_what_rounding_gave_to_another_moves_nobody() -> None:
    found = ranked(S.WEIGHTED, *weighed(1, 1, 1), active="c")
    assert (found.names, found.shares) == (("c", "a", "b"), {"a": 34, "b": 33, "c": 33})


def test_the_active_provider_does_not_stay_before_a_larger_share() -> None:
    assert ranked(S.WEIGHTED, *weighed(51, 49), active="b").names == ("a", "b")


RAMP = [(0, 9), (4.99, 9), (5, 20), (9.99, 20), (10, 33), (14.99, 33), (15, 50), (1000, 50)]
"""Minutes since the return, and the share beside one of equal weight: 10, 25, 50, 100 to 100."""


@pytest.mark.parametrize(("minutes", "percent"), RAMP)
def test_a_provider_that_comes_back_is_eased_in(minutes: float, percent: int) -> None:
    assert shares(contender("a", back_since=NOON), contender("b"), now=NOON + minutes * MINUTE)[0] == percent


@pytest.mark.parametrize(("minutes", "step"), [(0, 5), (4.99, 5), (5, 10), (10, 15), (15, None)])
def test_the_next_step_of_the_ramp_is_told(minutes: float, step: float | None) -> None:
    found = ranked(S.WEIGHTED, contender("a", back_since=NOON), contender("b"), now=NOON + minutes * MINUTE)
    assert found.turns_at == (None if step is None else NOON + step * MINUTE)


def test_the_next_step_is_the_earliest_of_all_that_came_back() -> None:
    back = [contender("a", back_since=at(0)), contender("b", back_since=at(-60)), contender("c")]
    assert ranked(S.WEIGHTED, *back, now=at(10)).turns_at == at(240)


def test_the_pace_of_the_ramp_is_that_of_the_policy() -> None:
    quick = Selection(ramp_interval=timedelta(seconds=10))
    found = ranked(S.WEIGHTED, contender("a", back_since=NOON), contender("b"), now=at(15), selection=quick)
    assert (found.shares["a"], found.turns_at) == (20, at(20))


def test_one_that_comes_back_alone_gets_everything_at_once() -> None:
    found = ranked(S.WEIGHTED, contender("a", back_since=NOON), contender("b", may_serve=False))
    assert (found.shares, found.turns_at) == ({"a": 100}, None)


def test_those_that_come_back_together_share_as_ever() -> None:
    assert shares(contender("a", back_since=NOON), contender("b", back_since=NOON, weight=300)) == (25, 75)


def test_a_return_that_lies_ahead_by_a_clock_put_back_is_the_first_step() -> None:
    assert shares(contender("a", back_since=at(5)), contender("b"), now=NOON)[0] == 9


@pytest.mark.parametrize("strategy", set(S) - {S.WEIGHTED})
def test_other_strategies_share_no_traffic(strategy: Strategy) -> None:
    assert ranked(strategy, *plain("a", "b")).shares == {}


# RoundRobin

DAILY = [*plain("a", "b", "c")]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def day(number: int) -> datetime:
    """Return noon of a day, counted from 1970-01-01."""
    return EPOCH + timedelta(days=number, hours=12)


@pytest.mark.parametrize(("number", "names"), [(0, "abc"), (1, "bca"), (2, "cab"), (3, "abc"), (20_000, "cab")])
def test_each_in_turn_comes_first_for_one_period(number: int, names: str) -> None:
    found = ranked(S.ROUND_ROBIN, *DAILY, now=day(number))
    assert found == Ranking(tuple(names), "its turn", turns_at=day(number) + timedelta(hours=12))


def test_a_turn_ends_where_the_next_begins() -> None:
    midnight = day(3) + timedelta(hours=12)
    last = ranked(S.ROUND_ROBIN, *DAILY, now=midnight - timedelta.resolution)
    first = ranked(S.ROUND_ROBIN, *DAILY, now=midnight)
    assert (last.names[0], last.turns_at) == ("a", midnight)
    assert (first.names[0], first.turns_at) == ("b", midnight + timedelta(days=1))


def test_turns_are_as_long_as_the_policy_says() -> None:
    hourly = Selection(rotation_period=timedelta(hours=1))
    found = ranked(S.ROUND_ROBIN, *DAILY, now=EPOCH + timedelta(hours=4, minutes=1), selection=hourly)
    assert (found.names[0], found.turns_at) == ("b", EPOCH + timedelta(hours=5))


def test_whoever_is_active_the_turn_decides() -> None:
    assert ranked(S.ROUND_ROBIN, *DAILY, now=day(1), active="c").names[0] == "b"


@pytest.mark.parametrize(("number", "first"), [(0, "a"), (1, "c"), (2, "c"), (3, "a")])
def test_who_may_not_serve_is_skipped_and_the_turns_of_the_others_stay(number: int, first: str) -> None:
    found = ranked(S.ROUND_ROBIN, DAILY[0], contender("b", may_serve=False), DAILY[2], now=day(number))
    assert (found.names[0], found.names[-1]) == (first, "b")


def test_whose_turn_it_would_be_is_told() -> None:
    found = ranked(S.ROUND_ROBIN, DAILY[0], contender("b", may_serve=False), DAILY[2], now=day(1))
    assert found.why == 'the next in order after "b"'


def test_where_only_one_may_serve_no_turn_changes_anything() -> None:
    found = ranked(S.ROUND_ROBIN, DAILY[0], contender("b", may_serve=False), now=day(1))
    assert (found.names, found.turns_at) == (("a", "b"), None)
