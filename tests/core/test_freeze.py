"""Is it them or us? Silence of several hosts, and what disproves that it is ours."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.moments import at, outcome

from providerswitch.api.health import NETWORK, HealthClass
from providerswitch.core.freeze import Frozen, HostRecord, find_freeze, hear
from providerswitch.core.outcome import Outcome


def silent(since: float, last_answer: float | None = None) -> HostRecord:
    return HostRecord(at(since), None if last_answer is None else at(last_answer))


def answering(last: float) -> HostRecord:
    return HostRecord(last_answer_at=at(last))


CASES = {
    "no host at all": ((), None),
    "one silent host may be its own fault": ((silent(0),), None),
    "one silent host beside one that was never heard of": ((silent(0), HostRecord()), None),
    "two silent hosts": ((silent(0), silent(2)), Frozen(at(2), 2)),
    "the onset is when the last of them fell silent": ((silent(7), silent(2), silent(3)), Frozen(at(7), 3)),
    "a host that answered before all fell silent disproves nothing": (
        (silent(5), silent(6), answering(4)),
        Frozen(at(6), 2),
    ),
    "what was silent when another host answered is its own trouble": ((silent(0), silent(10), answering(5)), None),
    "a host that has long been dead does not make two of one": (
        (silent(0), silent(10), silent(11), answering(5)),
        Frozen(at(11), 2),
    ),
    "a host that answered since disproves it": ((silent(0), silent(2), answering(3)), None),
    "an earlier answer of the silent hosts themselves disproves nothing": (
        (silent(10, last_answer=9), silent(11, last_answer=8)),
        Frozen(at(11), 2),
    ),
}


@pytest.mark.parametrize(("records", "found"), CASES.values(), ids=CASES)
def test_all_silent_hosts_and_no_answer_since_are_a_fault_of_our_own(
    records: tuple[HostRecord, ...], found: Frozen | None
) -> None:
    assert find_freeze(records) == found


@pytest.mark.parametrize("kind", sorted(NETWORK))
def test_a_host_is_silent_since_the_start_of_the_first_probe_without_an_answer(kind: HealthClass) -> None:
    slow = Outcome(kind, "", at(0), at(10))
    later = Outcome(kind, "", at(11), at(21))
    assert hear(hear(answering(-30), slow), later) == silent(0, last_answer=-30)


def test_any_answer_ends_the_silence_of_a_host_even_an_error() -> None:
    assert hear(silent(0), outcome(HealthClass.SERVER_ERROR, 5)) == answering(5)


def test_a_silence_that_comes_back_begins_anew() -> None:
    record = hear(hear(silent(0), outcome(HealthClass.HEALTHY, 5)), outcome(HealthClass.DNS, 9))
    assert record == silent(9, last_answer=5)


@pytest.mark.parametrize("kind", [HealthClass.UNKNOWN, HealthClass.CONFIG_INVALID])
def test_a_probe_that_never_went_out_does_not_prove_that_the_network_works(kind: HealthClass) -> None:
    """The operator may be out of sockets because of the very fault; and a refused address is never asked."""
    records = (silent(0), silent(2), hear(HostRecord(), outcome(kind, 5)))
    assert find_freeze(records) == Frozen(at(2), 2)
    assert hear(silent(0), outcome(kind, 5)) == silent(0)


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(HealthClass)), max_size=40))
def test_one_answer_always_disproves(heard: list[tuple[int, HealthClass]]) -> None:
    records = [HostRecord() for _ in range(4)]
    for second, (host, kind) in enumerate(heard):
        records[host] = hear(records[host], outcome(kind, second))
    records[0] = hear(records[0], outcome(HealthClass.HEALTHY, len(heard)))
    assert find_freeze(records) is None


def test_the_sentence_says_whose_fault_it_is_and_when_it_ends() -> None:
    why = Frozen(at(0), 2).why
    assert "this cluster's own network" in why
    assert "until one of them answers" in why
