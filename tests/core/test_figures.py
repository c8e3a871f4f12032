"""A provider in numbers, as its entry in the status."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.core.moments import DOWN, LIMITED, NEVER_PROBED, NOON, SUSPECT, WELL, at, case

from providerswitch.api.selection import ScoreWeights, Strategy
from providerswitch.api.status import ProviderStatus, ResponseTime, ScoreParts, Throughput
from providerswitch.core.case import Case
from providerswitch.core.figures import LONGEST_SENTENCE, tell_provider
from providerswitch.core.measures import Latency, Measures
from providerswitch.core.memory import Memory
from providerswitch.core.outcome import Allowance
from providerswitch.core.outlook import Outlook
from providerswitch.core.resilience import Track
from providerswitch.core.score import score_all

FULL = Measures(
    samples=30,
    latency=Latency(0.31249, 0.51251, 0.32, 0.1),
    error_rate=0.033333,
    availability=0.987654,
    quality=0.81234,
    quality_confidence=0.66666,
    cost=0.3,
    allowance=Allowance(500, 499, 200_000, 199_000, at(60)),
    requests_per_second=1.23456,
)


def outlook(*names: str, **fields: Any) -> Outlook:
    return Outlook(strategy=Strategy.PERFORMANCE, names=names, ideal=names, why="", **fields)


def tell(asked: Case, name: str = "openai", memory: Memory | None = None) -> ProviderStatus:
    return tell_provider(asked, memory or Memory(), name)


def measured(*, of: Measures) -> ProviderStatus:
    asked = case("openai", openai=WELL)
    scores = score_all({"openai": of}, ScoreWeights())
    return tell(replace(asked, outlook=outlook("openai", measures={"openai": of}, scores=scores)))


def test_a_provider_of_which_nothing_is_known_has_a_state_and_no_numbers() -> None:
    told = tell(case(None, openai=NEVER_PROBED))
    assert told.model_dump(exclude_none=True) == {
        "name": "openai",
        "state": "Unknown",
        "health_class": "Unknown",
        "eligible": False,
        "why": "not probed yet",
    }


def test_measured_values_are_rounded_to_what_people_can_use() -> None:
    told = measured(of=FULL)
    assert told.response_time == ResponseTime(
        p50_millis=312, p95_millis=513, mean_millis=320, first_byte_p95_millis=100
    )
    assert (told.error_rate, told.availability) == (0.0333, 0.9877)
    assert (told.quality, told.quality_confidence, told.samples) == (0.812, 0.667, 30)
    assert told.throughput == Throughput(
        requests_limit=500,
        requests_remaining=499,
        tokens_limit=200_000,
        tokens_remaining=199_000,
        reset_at=at(60),
        requests_per_second=1.235,
    )


def test_a_score_is_told_with_its_parts() -> None:
    told = measured(of=FULL)
    assert told.score_parts == ScoreParts(latency=1, accuracy=0.812, cost=1, availability=0.988)
    # 0.4 * 1 + 0.3 * 0.81234 + 0.2 * 1 + 0.1 * 0.987654
    assert told.score == 0.942


def test_without_a_score_there_are_no_parts() -> None:
    told = measured(of=replace(FULL, latency=None))
    assert (told.score, told.score_parts, told.response_time) == (None, None, None)
    assert told.error_rate is not None


def test_a_declared_quality_has_no_confidence_and_an_error_rate_of_nothing_is_a_figure() -> None:
    told = measured(of=Measures(samples=5, error_rate=0.0, availability=1.0, quality=0.9))
    assert (told.quality, told.quality_confidence) == (0.9, None)
    assert (told.error_rate, told.availability) == (0.0, 1.0)
    assert told.throughput is None


def test_only_those_that_may_serve_have_a_rank() -> None:
    asked = case("backup", openai=DOWN, backup=WELL, limited=LIMITED, spare=WELL)
    asked = replace(asked, outlook=outlook("spare", "openai", "backup", "limited"))
    assert {name: tell(asked, name).rank for name in asked.order} == {
        "openai": None,
        "backup": 2,
        "limited": None,
        "spare": 1,
    }


def test_an_active_provider_in_doubt_keeps_its_rank_but_could_not_be_chosen() -> None:
    told = tell(case("openai", openai=SUSPECT, backup=WELL))
    assert (told.rank, told.eligible) == (1, False)


def test_when_a_provider_is_left_alone_and_for_how_long_is_told() -> None:
    assert tell(case("backup", openai=DOWN, backup=WELL)).blacklisted_until == at(300)
    assert tell(case("backup", openai=LIMITED, backup=WELL)).rate_limited_until == at(60)
    often = replace(DOWN, ejections=3, ejected_at=NOON)
    told = tell(case("backup", openai=often, backup=WELL))
    assert (told.ejections, told.ejected_at) == (3, NOON)
    assert tell(case("openai", openai=WELL)).ejections is None


def test_a_mistake_in_the_configuration_does_not_hide_what_the_probes_find() -> None:
    mistake = {"openai": 'Secret "llm-keys" does not exist.'}
    well = replace(case("backup", openai=WELL, backup=WELL), config_errors=mistake)
    assert tell(well).why == 'Secret "llm-keys" does not exist.'
    down = replace(case("backup", openai=DOWN, backup=WELL), config_errors=mistake)
    assert tell(down).why == f'Secret "llm-keys" does not exist. Its probes: {DOWN.why}.'
    assert not tell(down).eligible


def test_a_provider_that_can_never_serve_says_why() -> None:
    asked = replace(case("openai", openai=WELL, jina=WELL), misfits={"jina": "it cannot chat"})
    told = tell(asked, "jina")
    assert (told.why, told.eligible, told.rank) == ("unsuitable: it cannot chat", False, None)


def test_sentences_of_any_length_fit_into_the_status() -> None:
    long = "x" * 5000
    asked = replace(case("openai", openai=replace(WELL, why=long)), config_errors={"openai": long})
    asked = replace(asked, outlook=outlook("openai", degraded={"openai": long}))
    told = tell(asked)
    assert len(told.why or "") <= LONGEST_SENTENCE
    assert len(told.degraded or "") == LONGEST_SENTENCE


def test_shares_and_reliability_come_from_outlook_and_memory() -> None:
    track = Track(timedelta(hours=1), timedelta(minutes=6), 2, looked_at=NOON)
    asked = replace(case("openai", openai=WELL), outlook=outlook("openai", shares={"openai": 70}))
    told = tell(asked, memory=Memory(tracks={"openai": track}))
    assert told.weight == 70
    assert told.reliability
    assert (told.reliability.failures, told.reliability.availability) == (2, 0.9)


@given(
    st.builds(
        Measures,
        samples=st.integers(0, 512),
        latency=st.none() | st.builds(Latency, *[st.floats(0, 1e4)] * 3, st.none() | st.floats(0, 1e4)),
        error_rate=st.none() | st.floats(0, 1),
        availability=st.none() | st.floats(0, 1),
        quality=st.none() | st.floats(0, 1),
        quality_confidence=st.floats(0, 1),
        cost=st.none() | st.floats(0, 1e6),
        requests_per_second=st.none() | st.floats(0, 1e9),
    )
)
def test_whatever_was_measured_can_be_told(measures: Measures) -> None:
    told = measured(of=measures)
    assert (told.score is None) == (measures.latency is None or measures.availability is None)
    assert told.score is None or 0 <= told.score <= 1
    assert (told.quality is None) == (measures.quality is None)
