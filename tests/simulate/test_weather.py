"""Incidents as probes meet them."""

from datetime import timedelta

import pytest
from tests.simulate.scenery import at, play, trouble

from providerswitch.api.health import NETWORK, HealthClass
from providerswitch.core.outcome import Tier
from providerswitch.simulate.weather import FOREVER, TroubledProvider, Weather

TIMEOUT = timedelta(seconds=10)


def provider(*troubles: object) -> TroubledProvider:
    return play({"openai": troubles})["openai"]  # type: ignore[dict-item]  # all of them are Troubles


def test_an_incident_begins_at_its_start_and_is_over_at_its_end() -> None:
    weather = Weather([trouble(10, 20)])

    assert [weather.met(at(second)) is not None for second in (9.9, 10, 19.9, 20)] == [False, True, True, False]


def test_of_two_incidents_the_later_one_is_met_and_the_first_again_after_it() -> None:
    long, short = trouble(10, 100, HealthClass.SERVER_ERROR), trouble(20, 30, HealthClass.TIMEOUT)
    weather = Weather([short, long])

    assert [weather.met(at(second)) for second in (15, 25, 35)] == [long, short, long]


def test_a_fault_of_our_own_network_covers_everything() -> None:
    ours = trouble(10, 30, HealthClass.DNS, ours=True)
    weather = Weather([ours, trouble(15, 40)])

    assert weather.met(at(20)) is ours


def test_incidents_of_a_span_are_those_met_in_it() -> None:
    first, second = trouble(10, 20), trouble(50, 60)
    weather = Weather([first, second])

    assert weather.between(at(0), at(5)) == []
    assert weather.between(at(15), at(55)) == [first, second]
    assert weather.between(at(20), at(49)) == []


@pytest.mark.parametrize("kind", sorted(set(HealthClass) - {HealthClass.HEALTHY, HealthClass.TIMEOUT}))
def test_a_probe_in_an_outage_is_told_what_is_wrong(kind: HealthClass) -> None:
    outcome = provider(trouble(0, 60, kind)).answer(at(1), Tier.LIVENESS, TIMEOUT)

    assert outcome.health_class is kind
    assert outcome.no_answer is (kind in NETWORK)
    assert outcome.started_at == at(1)


def test_a_hang_lasts_as_long_as_the_probe_is_given_to_answer() -> None:
    outcome = provider(trouble(0, 60, HealthClass.TIMEOUT)).answer(at(1), Tier.LIVENESS, TIMEOUT)

    assert outcome.no_answer
    assert timedelta(seconds=9.9) < outcome.took <= TIMEOUT


def test_a_good_answer_that_takes_longer_than_it_may_is_a_timeout() -> None:
    outcome = provider().answer(at(1), Tier.LIVENESS, timedelta(milliseconds=100))

    assert outcome.health_class is HealthClass.TIMEOUT
    assert outcome.took == timedelta(milliseconds=100)


def test_a_rate_limit_tells_how_long_it_still_lasts() -> None:
    told = provider(trouble(0, 60, HealthClass.RATE_LIMITED, retry_after=True))
    untold = provider(trouble(0, 60, HealthClass.RATE_LIMITED))

    assert told.answer(at(45), Tier.LIVENESS, TIMEOUT).retry_after == timedelta(seconds=15)
    assert untold.answer(at(45), Tier.LIVENESS, TIMEOUT).retry_after is None


def test_a_hidden_outage_is_seen_by_billed_probes_alone() -> None:
    half_dead = provider(trouble(0, 60, hidden=True))

    assert half_dead.answer(at(1), Tier.LIVENESS, TIMEOUT).alive
    assert not half_dead.answer(at(1), Tier.GENERATION, TIMEOUT).alive


def test_in_a_brownout_about_that_share_fails_and_always_the_same_ones() -> None:
    brownout = provider(trouble(0, 1000, share=0.3))
    failed = [not brownout.answer(at(second), Tier.LIVENESS, TIMEOUT).alive for second in range(1000)]
    again = [not brownout.answer(at(second), Tier.LIVENESS, TIMEOUT).alive for second in reversed(range(1000))]

    assert 250 < sum(failed) < 350
    assert failed == again[::-1]


def test_nothing_changes_until_the_next_edge_but_where_chance_or_time_decide() -> None:
    calm, steady = provider(), provider(trouble(10, 20), trouble(30, 40, share=0.5))

    assert calm.same_until(at(5)) == FOREVER
    assert [steady.same_until(at(second)) for second in (5, 10, 25, 35, 40)] == [
        at(10),
        at(20),
        at(30),
        at(35),
        FOREVER,
    ]
    limited = provider(trouble(10, 20, HealthClass.RATE_LIMITED, retry_after=True))
    assert limited.same_until(at(12)) == at(12)
