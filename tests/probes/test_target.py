"""Which probes are shared, and at which cadence."""

from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providerswitch.api.provider_types import ProviderTypeName
from providerswitch.probes.exchange import Question, SecretKey
from providerswitch.probes.target import Cadence, ProbeTarget, shared_cadence

SECOND = timedelta(seconds=1)
CADENCE = Cadence(30 * SECOND, SECOND, 10 * SECOND, 3)
TARGET = ProbeTarget(
    ProviderTypeName.OPENAI,
    "https://api.example:8443/v1",
    SecretKey("sk-this-is-no-key"),
    "small",
    "/health",
    (("x-team", "a"),),
)

OTHERS = {
    "type": replace(TARGET, type=ProviderTypeName.OPENAI_COMPATIBLE),
    "URL": replace(TARGET, base_url="https://api.example:8443/v2"),
    "key": replace(TARGET, key=SecretKey("sk-another")),
    "no key": replace(TARGET, key=None),
    "model": replace(TARGET, model="large"),
    "path": replace(TARGET, path="/ready"),
    "headers": replace(TARGET, headers=(("x-team", "b"),)),
}


def test_what_is_asked_alike_is_one_target() -> None:
    same = replace(TARGET, key=SecretKey("sk-this-is-no-key"))
    assert same == TARGET
    assert len({same, TARGET}) == 1


@pytest.mark.parametrize("difference", OTHERS)
def test_what_is_asked_otherwise_is_another_target(difference: str) -> None:
    assert OTHERS[difference] != TARGET
    assert len({OTHERS[difference], TARGET}) == 2


def test_the_failure_domain_decides_what_fails_as_one() -> None:
    elsewhere = replace(TARGET, failure_domain="eu-west")
    assert (TARGET.host, elsewhere.host) == ("api.example:8443", "eu-west")


def test_a_target_does_not_show_its_key() -> None:
    assert "sk-this-is-no-key" not in repr(TARGET)


def test_a_target_holds_all_that_its_provider_type_asks_for() -> None:
    assert TARGET.question == Question(SecretKey("sk-this-is-no-key"), "small", "/health", {"x-team": "a"})
    assert ProbeTarget(ProviderTypeName.HTTP, "http://a.example").question == Question()


def test_one_policy_alone_has_its_own_cadence() -> None:
    assert shared_cadence((CADENCE,)) == CADENCE


def test_policies_that_share_a_target_get_the_quickest_of_each() -> None:
    quick = Cadence(60 * SECOND, SECOND / 2, 20 * SECOND, 5, generation_interval=600 * SECOND)
    expected = Cadence(30 * SECOND, SECOND / 2, 10 * SECOND, 5, generation_interval=600 * SECOND)
    assert shared_cadence((CADENCE, quick)) == expected


def test_billed_probes_are_shared_at_the_shortest_interval_that_anybody_asked_for() -> None:
    wishes = [replace(CADENCE, generation_interval=timedelta(hours=hours)) for hours in (3, 2)]
    assert shared_cadence((CADENCE, *wishes)).generation_interval == timedelta(hours=2)


SPANS = st.timedeltas(SECOND / 10, timedelta(days=1))
WISHES = st.builds(Cadence, SPANS, SPANS, SPANS, st.integers(1, 100), st.none() | SPANS)


@given(st.lists(WISHES, min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_the_order_of_the_policies_does_not_matter(wishes: list[Cadence], chance: Random) -> None:
    shuffled = chance.sample(wishes, len(wishes))
    assert shared_cadence(tuple(shuffled)) == shared_cadence(tuple(wishes))
    assert shared_cadence((shared_cadence(tuple(wishes)), *wishes)) == shared_cadence(tuple(wishes))
