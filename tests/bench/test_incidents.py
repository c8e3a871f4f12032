"""Incidents are drawn in the shape that the page tells of."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random
from statistics import median

import pytest
from tests.bench.shared import figures, incidents

from providerswitch.simulate.weather import Trouble, Weather

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
YEARS = 25
END = BEGIN + timedelta(days=365 * YEARS)
NAMES = ("first", "second", "third")


def draw(climate: incidents.Climate, seed: int = 1) -> dict[str, list[Trouble]]:
    return dict(incidents.Forecast(climate, Random(seed), BEGIN, END).draw(NAMES))


def lost(troubles: list[Trouble]) -> float:
    """Return the share of a provider's requests that fail, our own network apart."""
    weather = Weather([trouble for trouble in troubles if not trouble.ours])
    edges = [BEGIN, *weather.edges]
    seconds = 0.0
    for start, end in pairwise(edges):
        trouble = weather.met(start)
        seconds += (end - start).total_seconds() * (trouble.share if trouble else 0)
    return seconds / (END - BEGIN).total_seconds()


def test_each_provider_serves_the_share_of_requests_that_was_asked_for() -> None:
    shares = [lost(troubles) for troubles in draw(incidents.Climate()).values()]

    assert sum(shares) / len(shares) == pytest.approx(0.005, rel=0.12)


def test_durations_have_their_median_and_p95() -> None:
    spans, random = incidents.LogNormal(timedelta(minutes=40), timedelta(hours=4)), Random(1)
    drawn = [spans.draw(random).total_seconds() / 60 for _ in range(20_000)]

    assert median(drawn) == pytest.approx(40, rel=0.05)
    assert figures.percentile(drawn, 95) == pytest.approx(240, rel=0.05)
    assert sum(drawn) / len(drawn) == pytest.approx(spans.mean.total_seconds() / 60, rel=0.05)


def test_kinds_come_as_often_as_their_weights_say_and_are_told_apart_by_name() -> None:
    drawn = [trouble for troubles in draw(incidents.Climate()).values() for trouble in troubles if not trouble.ours]
    counts = Counter(incidents.name_of(trouble) for trouble in drawn)
    weights = sum(kind.weight for kind in incidents.KINDS)

    assert counts.keys() == {kind.name for kind in incidents.KINDS}
    for kind in incidents.KINDS:
        assert counts[kind.name] / len(drawn) == pytest.approx(kind.weight / weights, rel=0.3, abs=0.005)


def test_a_fault_of_our_own_network_strikes_everybody_at_once() -> None:
    ours = [[trouble for trouble in troubles if trouble.ours] for troubles in draw(incidents.Climate()).values()]

    assert ours[0]
    assert ours[0] == ours[1] == ours[2]
    assert len(ours[0]) == pytest.approx(YEARS * 365 / 30, rel=0.2)


def test_some_incidents_strike_two_providers_almost_at_once() -> None:
    starts = sorted(
        (trouble.start, name) for name, troubles in draw(incidents.Climate()).items() for trouble in troubles
        if not trouble.ours
    )  # fmt: skip
    near = sum(
        later[0] - earlier[0] <= timedelta(seconds=incidents.TOGETHER_SECONDS) and later[1] != earlier[1]
        for earlier, later in pairwise(starts)
    )

    assert near / len(starts) == pytest.approx(
        incidents.Climate().together / (1 + incidents.Climate().together), rel=0.2
    )


def test_the_same_seed_draws_the_same_incidents() -> None:
    assert draw(incidents.Climate(), 7) == draw(incidents.Climate(), 7) != draw(incidents.Climate(), 8)
