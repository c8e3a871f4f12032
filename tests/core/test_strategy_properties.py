"""What holds for every field and every strategy."""

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

from hypothesis import assume, given
from hypothesis import strategies as st
from tests.core.contenders import field, measured, scored, worth
from tests.core.moments import NOON, at

from providerswitch.api.selection import Selection, Strategy
from providerswitch.core.measures import Latency, Measures
from providerswitch.core.strategies.field import Contender, Field
from providerswitch.core.strategies.registry import rank

NAMES = "abcdef"
shares = st.integers(0, 100).map(lambda percent: percent / 100)
seconds = st.integers(1, 20_000).map(lambda millis: millis / 1000)
prices = st.integers(0, 1_000).map(lambda cents: cents / 100)
recently = st.integers(-2_000, 100).map(at)
measures = st.builds(measured, seconds, quality=st.none() | shares, cost=st.none() | prices, availability=shares)
strategies = st.sampled_from(Strategy)
prices_known = (st.none() | prices).map(lambda price: Measures(cost=price))
SELECTIONS = [
    Selection(hysteresis=hysteresis, ramp_interval=timedelta(seconds=interval))
    for hysteresis, interval in [(0.1, 300), (0, 30), (0.5, 600), (1, 7)]
]


def contenders(totals: st.SearchStrategy[float | None]) -> st.SearchStrategy[tuple[Contender, ...]]:
    one = st.builds(
        Contender,
        st.sampled_from(NAMES),
        st.booleans(),
        st.booleans(),
        prices_known,
        totals.map(worth),
        st.sampled_from([0, 1, 2, 3, 100, 1000]),
        st.none() | recently,
    )
    return st.lists(one, min_size=1, unique_by=lambda each: each.name).map(tuple)


fields = st.builds(
    Field,
    st.just(NOON),
    contenders(st.none() | shares),
    st.none() | st.sampled_from(NAMES),
    st.sampled_from(SELECTIONS),
)


def find(some: Field, name: str) -> Contender:
    return next(each for each in some.contenders if each.name == name)


@given(fields, strategies, st.booleans())
def test_every_contender_is_ranked_once(some: Field, strategy: Strategy, leaves: bool) -> None:  # noqa: FBT001  # drawn
    ranking = rank(some, strategy, leaves_degraded=leaves)
    assert sorted(ranking.names) == sorted(each.name for each in some.contenders)
    assert ranking.why


@given(fields, strategies, st.booleans())
def test_nobody_comes_before_one_that_is_fitter(some: Field, strategy: Strategy, leaves: bool) -> None:  # noqa: FBT001  # drawn
    names = rank(some, strategy, leaves_degraded=leaves).names
    fitness = [
        (not find(some, name).may_serve, leaves and find(some, name).may_serve and find(some, name).degraded)
        for name in names
    ]
    assert fitness == sorted(fitness)


@given(fields, st.booleans())
def test_shares_are_percentages_of_all_traffic(some: Field, leaves: bool) -> None:  # noqa: FBT001  # drawn
    ranking = rank(some, Strategy.WEIGHTED, leaves_degraded=leaves)
    assert sum(ranking.shares.values()) == (100 if any(each.may_serve for each in some.contenders) else 0)
    assert all(share >= 0 and find(some, name).may_serve for name, share in ranking.shares.items())


@given(fields)
def test_a_larger_weight_never_gets_a_smaller_share_nor_a_place_behind(some: Field) -> None:
    steady = replace(some, contenders=tuple(replace(each, back_since=None) for each in some.contenders))
    ranking = rank(steady, Strategy.WEIGHTED, leaves_degraded=False)
    in_order = [(find(steady, name).weight, ranking.shares[name]) for name in ranking.names if name in ranking.shares]
    for (weight, share), (next_weight, next_share) in pairwise(in_order):
        assert weight >= next_weight
        assert share >= next_share if weight > next_weight else abs(share - next_share) <= 1


@given(fields, strategies)
def test_a_ranking_holds_until_it_says_that_it_turns(some: Field, strategy: Strategy) -> None:
    assume(any(each.may_serve for each in some.contenders))
    now = rank(some, strategy, leaves_degraded=False)
    end: datetime = now.turns_at or NOON + timedelta(days=365)
    assert end > some.now
    last = rank(replace(some, now=end - timedelta.resolution), strategy, leaves_degraded=False)
    assert (last.names[0], last.shares, last.turns_at) == (now.names[0], now.shares, now.turns_at)


@given(contenders(st.floats(0, 1)).flatmap(lambda some: st.tuples(st.just(some), st.permutations(some))))
def test_the_order_of_the_user_decides_nothing_under_performance_where_scores_differ(
    orders: tuple[tuple[Contender, ...], list[Contender]],
) -> None:
    assume(len({each.score for each in orders[0]}) == len(orders[0]))
    first, second = (rank(field(*order), Strategy.PERFORMANCE, leaves_degraded=True) for order in orders)
    assert first.names == second.names


@given(fields, strategies)
def test_a_choice_that_was_made_is_made_again(some: Field, strategy: Strategy) -> None:
    first = rank(some, strategy, leaves_degraded=True).names[0]
    assert rank(replace(some, active=first), strategy, leaves_degraded=True).names[0] == first


@st.composite
def improvements(draw: st.DrawFn) -> tuple[list[tuple[str, Measures]], str, Measures]:
    """Return providers, the name of one, and what it measures after one of its values got better."""
    providers = [(name, draw(measures)) for name in NAMES[: draw(st.integers(2, len(NAMES)))]]
    name, old = draw(st.sampled_from(providers))
    assert old.latency
    part = draw(st.sampled_from([0, 0.1, 0.5, 0.9]))
    better = [replace(old, latency=Latency(old.latency.p50, old.latency.p95 * part, old.latency.mean))]
    better += [replace(old, availability=1 - (1 - (old.availability or 0)) * part)]
    better += [replace(old, quality=1 - (1 - old.quality) * part)] if old.quality is not None else []
    better += [replace(old, cost=old.cost * part)] if old.cost is not None else []
    return providers, name, draw(st.sampled_from(better))


@given(improvements(), st.sampled_from([Strategy.PERFORMANCE, Strategy.COST]))
def test_a_provider_that_gets_better_never_loses_a_place(
    improvement: tuple[list[tuple[str, Measures]], str, Measures], strategy: Strategy
) -> None:
    providers, name, better = improvement
    after = [(each, better if each == name else old) for each, old in providers]
    before_rank = rank(scored(providers), strategy, leaves_degraded=False).names.index(name)
    assert rank(scored(after), strategy, leaves_degraded=False).names.index(name) <= before_rank


@given(improvements(), st.sampled_from([Strategy.PERFORMANCE, Strategy.COST]))
def test_an_active_provider_that_gets_better_stays(
    improvement: tuple[list[tuple[str, Measures]], str, Measures], strategy: Strategy
) -> None:
    providers, name, better = improvement
    assume(rank(scored(providers, active=name), strategy, leaves_degraded=False).names[0] == name)
    after = [(each, better if each == name else old) for each, old in providers]
    assert rank(scored(after, active=name), strategy, leaves_degraded=False).names[0] == name
