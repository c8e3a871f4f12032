"""Which hosts are silent, over all policies: is it them or us?"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providerswitch.api.health import HealthClass
from providerswitch.controller.network import Network
from providerswitch.controller.networks import Networks
from providerswitch.core.freeze import Frozen, HostRecord, find_freeze, hear
from providerswitch.core.outcome import Outcome

START = datetime(2026, 1, 1, tzinfo=UTC)


def outcome(seconds: float, health_class: HealthClass = HealthClass.TIMEOUT) -> Outcome:
    """Return what a probe of one second found, that began so late."""
    began = START + timedelta(seconds=seconds)
    return Outcome(health_class, health_class.value, began, began + timedelta(seconds=1))


@pytest.fixture
def network() -> Network:
    return Network()


def test_one_silent_host_is_that_hosts_trouble(network: Network) -> None:
    assert not network.hear("a", outcome(0))
    assert not network.hear("a", outcome(1))
    assert network.frozen is None


def test_two_silent_hosts_and_no_answer_since_are_ours_and_the_turn_is_told_once(network: Network) -> None:
    network.hear("a", outcome(0))
    assert network.hear("b", outcome(2))
    assert network.frozen
    assert network.frozen.since == START + timedelta(seconds=2)
    assert not network.hear("c", outcome(3))
    assert not network.hear("a", outcome(4))
    assert network.frozen.since == START + timedelta(seconds=2), "it does not begin anew with each silent host"


def test_any_answer_disproves_it_even_an_error(network: Network) -> None:
    network.hear("a", outcome(0))
    network.hear("b", outcome(2))
    assert network.hear("c", outcome(3, HealthClass.SERVER_ERROR))
    assert network.frozen is None


def test_an_answer_after_the_silence_began_keeps_it_from_counting(network: Network) -> None:
    network.hear("a", outcome(0))
    network.hear("b", outcome(2))
    network.hear("c", outcome(3, HealthClass.HEALTHY))
    assert not network.hear("a", outcome(4))
    assert network.frozen is None


def test_an_answer_from_before_the_silence_disproves_nothing(network: Network) -> None:
    network.hear("c", outcome(-10, HealthClass.HEALTHY))
    network.hear("a", outcome(0))
    network.hear("b", outcome(2))
    assert network.frozen


def test_a_host_that_answers_again_counts_no_longer(network: Network) -> None:
    network.hear("a", outcome(0))
    network.hear("a", outcome(1, HealthClass.HEALTHY))
    network.hear("b", outcome(5))
    assert network.frozen is None


def test_a_host_that_nobody_probes_any_more_counts_no_longer(network: Network) -> None:
    network.hear("a", outcome(0))
    assert not network.forget("a")
    network.hear("b", outcome(2))
    assert network.frozen is None


def test_a_freeze_ends_with_the_hosts_that_it_rests_on(network: Network) -> None:
    network.hear("a", outcome(0))
    network.hear("b", outcome(2))
    network.hear("c", outcome(3))
    assert not network.forget("a")
    assert network.frozen
    assert network.forget("b")
    assert network.frozen is None
    assert not network.hear("c", outcome(4))
    assert network.frozen is None


def test_a_proxy_that_waited_in_vain_is_an_answer_of_its_host(network: Network) -> None:
    for name in ("a", "b"):
        network.hear(name, replace(outcome(1), replied=True))
    assert network.frozen is None


@pytest.mark.parametrize("health_class", [HealthClass.UNKNOWN, HealthClass.CONFIG_INVALID])
def test_a_probe_that_was_never_sent_neither_freezes_nor_thaws(network: Network, health_class: HealthClass) -> None:
    network.hear("a", outcome(1))
    network.hear("b", outcome(1))
    assert network.hear("c", outcome(2, health_class)) is False
    assert network.frozen is not None


Seen = tuple[str, str, int]
SEEN = st.lists(
    st.tuples(st.sampled_from("abcd"), st.sampled_from(["fails", "fails", "answers", "goes"]), st.integers(0, 3))
)


@given(SEEN)
def test_that_few_hosts_are_looked_at_changes_nothing(seen: list[Seen]) -> None:
    """Against all hosts, looked at each time; outcomes may come in late."""
    network, hosts, frozen = Network(), dict[str, HostRecord](), None
    answered = HostRecord()
    for second, (host, what, late) in enumerate(seen):
        found: Frozen | None = None
        if what == "goes":
            hosts.pop(host, None)
            network.forget(host)
        else:
            told = outcome(second - late, HealthClass.TIMEOUT if what == "fails" else HealthClass.HEALTHY)
            network.hear(host, told)
            if told.answered:
                hosts.pop(host, None)
                answered, frozen = hear(answered, told), None
                continue
            hosts[host] = hear(hosts.get(host, HostRecord()), told)
        found = find_freeze((*hosts.values(), answered))
        frozen = (frozen and found and frozen) if what == "goes" else (frozen or found)
        assert (network.frozen is None) is (frozen is None)


def test_a_namespace_that_goes_while_nothing_answers_is_not_remembered() -> None:
    networks = Networks()
    for host in ("a", "b"):
        networks.hear(host, outcome(0), {"team-a", "team-b"})
    assert networks.any_frozen
    assert [networks.forget(host, "team-a") for host in ("a", "b")] == [True, False]
    assert networks.frozen("team-a") is None
    assert networks.frozen("team-b")
    assert networks._troubled.keys() == {"team-b"}
