"""What the outcomes of a provider amount to in numbers."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.moments import at, outcome

from providerswitch.api.health import HealthClass
from providerswitch.api.provider import Cost
from providerswitch.api.selection import ScoreWeights
from providerswitch.core.measures import Latency, Measures
from providerswitch.core.outcome import Allowance, Outcome, Tier
from providerswitch.core.score import score_all
from providerswitch.core.window import CAPACITY, Window, blend_cost

C = HealthClass
SPAN = timedelta(minutes=15)
MIN_SAMPLES = 5
DEEP = Tier.GENERATION


def probe(
    kind: HealthClass,
    ended: float,
    *,
    took: float = 0.1,
    first_byte: float | None = None,
    tier: Tier = Tier.LIVENESS,
    allowance: Allowance | None = None,
) -> Outcome:
    """Return an outcome that came at a second after noon and took so many seconds."""
    first = None if first_byte is None else timedelta(seconds=first_byte)
    asked = outcome(kind, ended, tier=tier)
    return replace(asked, started_at=asked.ended_at - timedelta(seconds=took), first_byte=first, allowance=allowance)


def good(ended: float, *, took: float = 0.1, first_byte: float | None = None, tier: Tier = Tier.LIVENESS) -> Outcome:
    return probe(C.HEALTHY, ended, took=took, first_byte=first_byte, tier=tier)


def bad(ended: float, kind: HealthClass = C.SERVER_ERROR, tier: Tier = Tier.LIVENESS, took: float = 0.1) -> Outcome:
    return probe(kind, ended, tier=tier, took=took)


def measure(
    *outcomes: Outcome, now: float, span: timedelta = SPAN, min_samples: int = MIN_SAMPLES, deepest: Tier = DEEP
) -> Measures:
    window = Window()
    for each in outcomes:
        window.add(each)
    return window.measure(now=at(now), span=span, min_samples=min_samples, deepest=deepest)


def times(*seconds: float, tier: Tier = Tier.LIVENESS) -> list[Outcome]:
    return [good(place, took=took, tier=tier) for place, took in enumerate(seconds)]


def latency_of(*outcomes: Outcome, min_samples: int = MIN_SAMPLES) -> Latency:
    found = measure(*outcomes, now=600, min_samples=min_samples).latency
    assert found is not None
    return found


def test_nothing_is_known_of_a_provider_that_was_never_probed() -> None:
    assert measure(now=0) == Measures()


def test_nothing_is_known_from_too_few_probes_but_their_number() -> None:
    assert measure(*times(1, 1, 1, 1), now=60) == Measures(samples=4)


def test_the_least_number_of_probes_is_enough() -> None:
    known = measure(*times(1, 1, 1, 1, 1), now=60)
    assert known == Measures(samples=5, failures=0, latency=Latency(1, 1, 1), error_rate=0, availability=1)


def test_response_times_are_summed_up_by_median_95th_percentile_and_mean() -> None:
    found = latency_of(*times(0.3, 0.1, 0.5, 0.2, 0.4))
    assert (found.p50, found.p95, found.mean) == (0.3, 0.5, pytest.approx(0.3))


@pytest.mark.parametrize(("count", "p50", "p95"), [(1, 1, 1), (2, 1, 2), (19, 10, 19), (20, 10, 19), (100, 50, 95)])
def test_a_percentile_is_the_nearest_rank(count: int, p50: float, p95: float) -> None:
    found = latency_of(*times(*range(1, count + 1)), min_samples=1)
    assert (found.p50, found.p95) == (p50, p95)


def test_the_time_to_the_first_byte_is_told_apart() -> None:
    found = latency_of(*(good(place, took=1, first_byte=place / 10) for place in range(1, 6)))
    assert (found.p95, found.first_byte_p95) == (1, 0.5)


def test_too_few_first_bytes_tell_nothing() -> None:
    found = latency_of(*times(1, 1, 1, 1), good(5, first_byte=0.1))
    assert found.first_byte_p95 is None


@pytest.mark.parametrize("kind", [C.TIMEOUT, C.RATE_LIMITED, C.SERVER_ERROR, C.AUTH_INVALID, C.UNKNOWN])
def test_a_failed_probe_says_nothing_about_response_times(kind: HealthClass) -> None:
    slow = times(2, 2, 2, 2, 2)
    assert measure(*slow, *(bad(10 + n, kind, took=0) for n in range(50)), now=60).latency == Latency(2, 2, 2)


def test_failed_probes_do_not_make_up_for_missing_answers() -> None:
    assert measure(*times(1, 1, 1, 1), *(bad(10 + n) for n in range(9)), now=60).latency is None


def test_answers_that_were_generated_tell_more_than_lists_of_models() -> None:
    assert latency_of(*times(0.1, 0.1, 0.1, 0.1, 0.1, 0.1), *times(2, 2, 2, 2, 2, tier=DEEP)) == Latency(2, 2, 2)


def test_too_few_generated_answers_are_left_out_and_not_mixed_in() -> None:
    assert latency_of(*times(0.1, 0.1, 0.1, 0.1, 0.1), *times(2, 2, 2, 2, tier=DEEP)) == Latency(0.1, 0.1, 0.1)


def test_two_tiers_with_too_few_answers_each_are_not_added_up() -> None:
    assert measure(*times(1, 1, 1, 1), *times(2, 2, 2, 2, tier=DEEP), now=60).latency is None


def test_a_clock_that_was_put_back_makes_no_negative_time() -> None:
    assert latency_of(*times(-3, -3, -3, -3, -3)) == Latency(0, 0, 0)


def test_outcomes_outside_the_window_do_not_count_and_those_on_its_edges_do() -> None:
    edges = [bad(-1), good(0), good(10), good(20), good(30), good(40), bad(41)]
    assert measure(*edges, now=40, span=timedelta(seconds=40)) == measure(*edges[1:-1], now=40)


def test_the_error_rate_is_the_share_of_failed_probes() -> None:
    assert measure(good(0), bad(1), good(2), bad(3, C.RATE_LIMITED), now=60, min_samples=4).error_rate == 0.5


@pytest.mark.parametrize("kind", [C.UNKNOWN, C.CONFIG_INVALID])
def test_outcomes_that_say_nothing_of_the_provider_do_not_count(kind: HealthClass) -> None:
    known = [good(0), bad(10), good(20), good(30), good(40)]
    assert measure(*known, *(bad(second, kind) for second in (5, 15, 45)), now=60) == measure(*known, now=60)


def test_availability_goes_by_the_time_a_verdict_held() -> None:
    assert measure(good(0), bad(60), good(90), now=120, min_samples=1).availability == 0.75


def test_the_last_verdict_holds_until_now() -> None:
    assert measure(good(0), bad(60), now=240, min_samples=1).availability == 0.25


def test_a_burst_of_probes_during_an_outage_weighs_no_more_than_one() -> None:
    calm = measure(good(0), bad(30), good(60), now=120, min_samples=1)
    burst = measure(good(0), *(bad(30 + n) for n in range(30)), good(60), now=120, min_samples=1)
    assert (calm.availability, burst.availability) == (0.75, 0.75)
    assert burst.error_rate == 30 / 32


def test_a_provider_that_always_worked_was_available_all_the_time_without_a_rounding_error() -> None:
    assert measure(*(good(n / 7) for n in range(400)), now=60).availability == 1


@pytest.mark.parametrize(("kind", "availability"), [(C.HEALTHY, 1), (C.TIMEOUT, 0)])
def test_the_availability_of_no_time_at_all_is_the_last_verdict(kind: HealthClass, availability: float) -> None:
    assert measure(bad(5), good(5), probe(kind, 5), now=5, min_samples=1).availability == availability


def test_a_list_of_models_does_not_disprove_that_generation_fails() -> None:
    outage = [good(0, tier=DEEP), bad(30, tier=DEEP), good(60), good(90), good(105, tier=DEEP)]
    assert measure(*outage, now=120, min_samples=1).availability == pytest.approx(1 - 75 / 120)


def test_a_generated_answer_disproves_that_models_cannot_be_listed() -> None:
    assert measure(bad(0), good(30, tier=DEEP), now=120, min_samples=1).availability == 0.75


def test_where_generation_is_no_longer_asked_any_good_probe_disproves_its_failure() -> None:
    outage = [bad(0, tier=DEEP), good(30)]
    assert measure(*outage, now=120, min_samples=1, deepest=Tier.LIVENESS).availability == 0.75
    assert measure(*outage, now=120, min_samples=1).availability == 0


def test_only_the_newest_512_outcomes_are_kept() -> None:
    known = measure(*(bad(n / 10) for n in range(100)), *(good(10 + n / 10) for n in range(CAPACITY)), now=100)
    assert (known.samples, known.error_rate) == (CAPACITY, 0)


def test_outcomes_that_come_late_are_put_in_their_place() -> None:
    known = [good(0), bad(60), good(90)]
    assert measure(*reversed(known), now=120, min_samples=1) == measure(*known, now=120, min_samples=1)


def test_the_newest_word_on_rate_limits_holds() -> None:
    old, new = Allowance(requests_remaining=9), Allowance(requests_remaining=7)
    told = [probe(C.HEALTHY, 0, allowance=old), probe(C.UNKNOWN, 5, allowance=new), good(10)]
    assert measure(*told, now=60).allowance == new
    assert measure(*reversed(told), now=60).allowance == new


def test_a_word_on_rate_limits_is_forgotten_after_the_window() -> None:
    told = probe(C.HEALTHY, 0, allowance=Allowance(requests_remaining=9))
    assert measure(told, now=901).allowance == Allowance()


def test_three_of_four_tokens_are_sent() -> None:
    assert blend_cost(Cost(input_per_million_tokens=0.2, output_per_million_tokens=1)) == pytest.approx(0.4)


def test_what_costs_nothing_is_known_to_cost_nothing() -> None:
    assert (blend_cost(Cost()), blend_cost(None)) == (0, None)


moments = st.integers(0, 1200).map(lambda tenths: tenths / 10)
failures = st.builds(bad, moments, st.sampled_from([C.TIMEOUT, C.RATE_LIMITED]), st.sampled_from(Tier))
successes = st.builds(
    lambda ended, took, tier: good(ended, took=took, tier=tier), moments, moments, st.sampled_from(Tier)
)
histories = st.lists(successes | failures, max_size=40)


def total(known: Measures) -> float | None:
    """Return the score beside a rival that does not change."""
    rival = Measures(latency=Latency(1, 1, 1), availability=1, error_rate=0)
    score = score_all({"it": known, "rival": rival}, ScoreWeights())["it"]
    return score.total if score else None


@given(histories, failures)
def test_one_more_failure_never_makes_anything_better(history: list[Outcome], failure: Outcome) -> None:
    before, after = measure(*history, now=121), measure(*history, failure, now=121)
    assert after.latency == before.latency
    if before.error_rate is not None and before.availability is not None:
        assert after.error_rate is not None
        assert after.availability is not None
        assert after.error_rate >= before.error_rate
        assert after.availability <= before.availability
    if (was := total(before)) is None:
        assert total(after) is None
    else:
        assert (total(after) or 0) <= was


@given(histories)
def test_shares_are_shares_whatever_comes(history: list[Outcome]) -> None:
    known = measure(*history, now=121, min_samples=1)
    assert known.samples == len(history)
    if history:
        assert known.error_rate is not None
        assert known.availability is not None
        assert 0 <= known.error_rate <= 1
        assert 0 <= known.availability <= 1


@given(histories.flatmap(lambda history: st.tuples(st.just(history), st.permutations(history))))
def test_the_order_of_arrival_matters_only_among_equals(orders: tuple[list[Outcome], list[Outcome]]) -> None:
    first, second = (measure(*order, now=121) for order in orders)
    assert (first.samples, first.latency, first.error_rate) == (second.samples, second.latency, second.error_rate)


@given(st.lists(st.floats(0, 60), min_size=1, max_size=60))
def test_a_percentile_leaves_at_most_its_share_above_and_is_the_least_that_does(seconds: list[float]) -> None:
    found = latency_of(*times(*seconds), min_samples=1)
    seen = [each.took.total_seconds() for each in times(*seconds)]
    assert sum(each > found.p95 for each in seen) <= 0.05 * len(seen) + 1e-9
    assert sum(each >= found.p95 for each in seen) > 0.05 * len(seen) - 1e-9
    assert found.p50 <= found.p95 <= max(seen)
