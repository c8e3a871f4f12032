"""What an outcome says by itself: every health class is either alive or not, and an answer or none."""

import pytest
from tests.core.moments import outcome

from providerswitch.api.health import ALIVE, NETWORK, TRIPS_AT_ONCE, TRIPS_WHEN_CONFIRMED, HealthClass


@pytest.mark.parametrize("kind", ["Healthy", "Slow", "ProbeRequestInvalid", "ContentFiltered"])
def test_a_provider_that_answers_in_its_own_words_is_alive(kind: HealthClass) -> None:
    assert outcome(HealthClass(kind)).alive


@pytest.mark.parametrize("kind", sorted(set(HealthClass) - ALIVE))
def test_any_other_class_is_not_alive(kind: HealthClass) -> None:
    assert not outcome(kind).alive


@pytest.mark.parametrize("kind", ["Dns", "Timeout", "ConnectRefused", "Reset", "Tls"])
def test_a_network_fault_is_no_answer(kind: str) -> None:
    heard = outcome(HealthClass(kind))
    assert (heard.no_answer, heard.answered) == (True, False)


@pytest.mark.parametrize("kind", ["Unknown", "ConfigInvalid"])
def test_a_probe_that_was_never_sent_or_not_understood_is_neither_an_answer_nor_a_silence(kind: str) -> None:
    heard = outcome(HealthClass(kind))
    assert (heard.no_answer, heard.answered) == (False, False)


@pytest.mark.parametrize("kind", ["Healthy", "AuthInvalid", "RateLimited", "ServerError", "Protocol"])
def test_an_error_is_an_answer(kind: str) -> None:
    assert outcome(HealthClass(kind)).answered


def test_no_class_belongs_to_two_groups() -> None:
    groups = [*ALIVE, *NETWORK, *TRIPS_AT_ONCE, *TRIPS_WHEN_CONFIRMED]
    assert len(groups) == len(set(groups))
