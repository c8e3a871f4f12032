"""How good a provider is, in one number: the formula, its edges, and what it promises."""

import doctest
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.contenders import ONLY_AVAILABILITY, UNKNOWN, measured

from providerswitch.api.selection import ScoreWeights
from providerswitch.core import score
from providerswitch.core.measures import Latency, Measures
from providerswitch.core.score import Score, score_all

EQUAL_WEIGHTS = ScoreWeights(latency=1, accuracy=1, cost=1, availability=1)
NO_WEIGHTS = ScoreWeights(latency=0, accuracy=0, cost=0, availability=0)


def parts(name: str, weights: ScoreWeights = EQUAL_WEIGHTS, /, **providers: Measures) -> Score:
    found = score_all(providers, weights)[name]
    assert found is not None
    return found


def test_the_example_of_the_documentation_is_right() -> None:
    assert doctest.testmod(score) == doctest.TestResults(failed=0, attempted=3)


def test_the_parts_are_those_of_the_formula() -> None:
    providers = {"a": measured(0.8, quality=0.9, cost=2), "b": measured(0.4, quality=0.8, cost=0.5, availability=0.9)}
    assert parts("a", **providers) == Score(pytest.approx((0.5 + 0.9 + 0.25 + 1) / 4), 0.5, 0.9, 0.25, 1)
    assert parts("b", **providers) == Score(pytest.approx((1 + 0.8 + 1 + 0.9) / 4), 1, 0.8, 1, 0.9)


def test_only_the_proportions_of_weights_matter() -> None:
    providers = {"a": measured(0.8, quality=0.9, cost=2), "b": measured(0.4, quality=0.8, cost=0.5)}
    small = ScoreWeights(latency=0.4, accuracy=0.3, cost=0.2, availability=0.1)
    large = ScoreWeights(latency=40, accuracy=30, cost=20, availability=10)
    assert parts("a", small, **providers).total == pytest.approx(parts("a", large, **providers).total)


def test_weights_that_are_all_zero_count_as_equal_ones() -> None:
    providers = {"a": measured(0.8, quality=0.9, cost=2), "b": measured(0.4)}
    assert score_all(providers, NO_WEIGHTS) == score_all(providers, EQUAL_WEIGHTS)


def test_a_weight_of_zero_leaves_its_part_out() -> None:
    providers = {"a": measured(0.8, quality=0.1, cost=2, availability=0.9), "b": measured(0.4)}
    assert parts("a", ONLY_AVAILABILITY, **providers).total == 0.9


@pytest.mark.parametrize(
    "known",
    [
        pytest.param(UNKNOWN, id="nothing"),
        pytest.param(measured(availability=None), id="no availability"),
        pytest.param(Measures(availability=1), id="no response time"),
    ],
)
def test_a_provider_of_which_too_little_is_known_has_no_score(known: Measures) -> None:
    assert score_all({"a": known, "b": measured()}, EQUAL_WEIGHTS)["a"] is None


def test_a_provider_that_is_not_known_takes_nothing_from_the_others() -> None:
    assert parts("b", a=UNKNOWN, b=measured(2)) == parts("b", b=measured(2))


def test_a_single_provider_is_the_quickest_and_the_cheapest() -> None:
    assert parts("a", a=measured(7, quality=1, cost=30)) == Score(1, 1, 1, 1, 1)


def test_no_provider_has_no_score() -> None:
    assert score_all({}, EQUAL_WEIGHTS) == {}


def test_equal_providers_have_equal_scores() -> None:
    same = measured(2, quality=0.5, cost=4)
    assert parts("a", a=same, b=same) == parts("b", a=same, b=same)


def test_unknown_quality_and_price_count_as_the_middle() -> None:
    found = parts("a", a=measured(), b=measured(quality=1, cost=2))
    assert (found.accuracy, found.cost) == (0.5, 0.5)


def test_the_worst_quality_is_not_an_unknown_one() -> None:
    assert parts("a", a=measured(quality=0), b=measured(quality=1)).accuracy == 0


def test_all_that_is_free_is_as_cheap_as_can_be() -> None:
    assert parts("a", a=measured(cost=0), b=measured(cost=0)).cost == 1


def test_beside_a_free_one_the_dearest_gets_nothing_and_the_others_something() -> None:
    providers = {"free": measured(cost=0), "middle": measured(cost=1), "dear": measured(cost=4)}
    assert [parts(name, **providers).cost for name in providers] == [1, 0.75, 0]


def test_no_time_at_all_is_as_quick_as_a_millisecond() -> None:
    providers = {"a": measured(0), "b": measured(0.001), "c": measured(0.002)}
    assert [parts(name, **providers).latency for name in providers] == [1, 1, 0.5]


shares = st.integers(0, 100).map(lambda percent: percent / 100)
seconds = st.integers(0, 20_000).map(lambda millis: millis / 1000)
prices = st.integers(0, 10_000).map(lambda cents: cents / 100)
weight = st.sampled_from([0, 0.1, 0.3, 1, 7, 100])
weightings = st.builds(ScoreWeights, latency=weight, accuracy=weight, cost=weight, availability=weight)
known = st.builds(
    measured,
    seconds,
    quality=st.none() | shares,
    cost=st.none() | prices,
    availability=shares,
)
providers = st.dictionaries(st.sampled_from("abcdef"), known | st.just(UNKNOWN), min_size=1)


@st.composite
def improvements(draw: st.DrawFn) -> tuple[dict[str, Measures], str, Measures]:
    """Return providers, the name of one, and what it measures after one of its values got better."""
    before = draw(providers | st.just({"a": measured(), "b": measured()}))
    name = draw(st.sampled_from(sorted(before)))
    old = draw(known)
    assert old.latency is not None
    assert old.availability is not None
    better = {
        "latency": st.floats(0, 1).map(lambda part: replace(old, latency=_scaled(old.latency, part))),
        "quality": st.floats(old.quality or 0, 1).map(lambda quality: replace(old, quality=quality)),
        "cost": st.floats(0, old.cost or 0).map(lambda cost: replace(old, cost=cost)),
        "availability": st.floats(old.availability, 1).map(lambda share: replace(old, availability=share)),
    }
    possible = [each for each in better if getattr(old, each) is not None]
    after = draw(st.sampled_from(possible).flatmap(better.__getitem__))
    return before | {name: old}, name, after


def _scaled(latency: Latency | None, part: float) -> Latency:
    assert latency is not None
    return Latency(latency.p50 * part, latency.p95 * part, latency.mean * part)


@given(improvements(), weightings)
def test_a_provider_that_gets_better_in_one_value_never_loses_a_place(
    improvement: tuple[dict[str, Measures], str, Measures], weights: ScoreWeights
) -> None:
    before, name, better = improvement
    was, now = score_all(before, weights), score_all(before | {name: better}, weights)
    old, new = was[name], now[name]
    assert old is not None
    assert new is not None
    for other in set(before) - {name}:
        rival, rival_now = was[other], now[other]
        if rival and rival_now:
            assert new.total - rival_now.total >= old.total - rival.total - 1e-12


@given(providers, weightings)
def test_totals_and_parts_lie_between_0_and_1(measures: dict[str, Measures], weights: ScoreWeights) -> None:
    for each in score_all(measures, weights).values():
        if each:
            assert all(0 <= part <= 1 for part in (each.total, each.latency, each.accuracy, each.cost))


@given(providers.flatmap(lambda some: st.tuples(st.just(some), st.permutations(list(some)))), weightings)
def test_the_order_of_providers_changes_no_score(
    case: tuple[dict[str, Measures], list[str]], weights: ScoreWeights
) -> None:
    measures, order = case
    assert score_all({name: measures[name] for name in order}, weights) == score_all(measures, weights)
