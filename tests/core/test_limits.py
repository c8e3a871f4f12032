"""Who has a place in a namespace: nobody who has one ever loses it to another, and a restart decides the same."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providerswitch.core.limits import Claim, Limits, Places, allot, explain_refusal

MINUTES = st.integers(0, 5).map(lambda minute: f"2026-01-01T00:0{minute}:00Z")
LIMITS = st.builds(Limits, policies=st.integers(0, 6), providers=st.integers(0, 40))


def claim(name: str, providers: int = 1, *, minute: int = 0, granted: int = 0) -> Claim:
    return Claim(name, f"2026-01-01T00:{minute:02}:00Z", providers, granted)


def grants(*claims: Claim, policies: int = 0, providers: int = 0) -> dict[str, int]:
    return allot(claims, Limits(policies, providers)).grants


@st.composite
def namespaces(draw: st.DrawFn) -> list[Claim]:
    names = draw(st.lists(st.text("abc", min_size=1, max_size=2), unique=True, max_size=8))
    sizes = st.integers(1, 20)
    return [Claim(name, draw(MINUTES), draw(sizes), draw(st.one_of(st.just(0), sizes))) for name in names]


def again(claims: Sequence[Claim], places: Places) -> list[Claim]:
    """Return the claims as a restart finds them."""
    return [replace(each, granted=places.grants.get(each.name, 0)) for each in claims]


def test_without_limits_everyone_has_all_they_ask_for() -> None:
    assert grants(claim("a", 32), claim("b", 32)) == {"a": 32, "b": 32}


def test_the_oldest_have_the_places_and_of_the_same_age_the_first_by_name() -> None:
    young, old, same = claim("a", minute=2), claim("c", minute=1), claim("b", minute=1)
    assert grants(young, old, same, policies=2) == {"b": 1, "c": 1}


def test_a_newcomer_with_an_earlier_name_made_in_the_same_second_does_not_push_out_who_works() -> None:
    assert grants(claim("a"), claim("b", granted=1), policies=1) == {"b": 1}


def test_a_policy_too_large_for_what_is_left_lets_a_younger_that_fits_pass() -> None:
    assert grants(claim("a", 6), claim("b", 6), claim("c", 4), providers=10) == {"a": 6, "c": 4}


def test_a_policy_that_grows_beyond_the_sum_keeps_what_it_had_and_the_others_theirs() -> None:
    assert grants(claim("a", 9, granted=4), claim("b", 6, minute=1, granted=6), providers=10) == {"a": 4, "b": 6}


def test_a_policy_may_grow_into_what_is_free_before_a_newcomer_of_any_age() -> None:
    assert grants(claim("a", 8, minute=1, granted=4), claim("b", 6), providers=10) == {"a": 8}


def test_one_that_shrinks_makes_room() -> None:
    assert grants(claim("a", 4, granted=9), claim("b", 6, minute=1), providers=10) == {"a": 4, "b": 6}


def test_a_lowered_limit_leaves_the_oldest_their_places() -> None:
    had = [claim(name, 3, minute=minute, granted=3) for minute, name in enumerate("dcba")]
    assert grants(*had, policies=2) == {"d": 3, "c": 3}
    assert grants(*had, providers=7) == {"d": 3, "c": 3}


def test_one_that_leaves_is_known_to_have_had_a_place_only_if_it_had() -> None:
    places = allot([claim("a"), claim("b", minute=1)], Limits(policies=1))
    assert not places.leave("b")
    assert places.leave("a")
    assert (places.grants, places.providers) == ({}, 0)


@given(namespaces(), LIMITS)
def test_no_limit_is_ever_exceeded(claims: list[Claim], limits: Limits) -> None:
    places = allot(claims, limits)
    assert places.providers == sum(places.grants.values())
    assert not limits.policies or len(places.grants) <= limits.policies
    assert not limits.providers or places.providers <= limits.providers
    assert all(0 < places.grants.get(each.name, 1) <= each.providers for each in claims)


@given(namespaces(), LIMITS)
def test_a_restart_decides_the_same(claims: list[Claim], limits: Limits) -> None:
    places = allot(claims, limits)
    assert allot(reversed(again(claims, places)), limits).grants == places.grants


@given(namespaces(), LIMITS, st.integers(1, 20), MINUTES)
def test_a_newcomer_takes_nothing_from_anybody_however_old_or_large_it_says_it_is(
    claims: list[Claim], limits: Limits, size: int, created_at: str
) -> None:
    places = allot(claims, limits)
    after = allot([*again(claims, places), Claim("!", created_at, size)], limits).grants
    assert {name: held for name, held in after.items() if name != "!"} == places.grants


@given(namespaces(), LIMITS, st.integers(1, 20))
def test_a_policy_that_grows_takes_nothing_from_anybody(claims: list[Claim], limits: Limits, more: int) -> None:
    places = allot(claims, limits)
    had = again(claims, places)
    for index, each in enumerate(had):
        after = allot([*had[:index], replace(each, providers=each.providers + more), *had[index + 1 :]], limits).grants
        assert all(after.get(name, 0) >= held for name, held in places.grants.items())


@given(namespaces(), LIMITS)
def test_nobody_waits_who_would_fit(claims: list[Claim], limits: Limits) -> None:
    places = allot(claims, limits)
    waiting = [each for each in claims if places.grants.get(each.name) != each.providers]
    assert not any(places.offer(each) for each in waiting)


@pytest.mark.parametrize(
    ("limits", "asking", "says"),
    [
        (Limits(policies=1), claim("b", 2, minute=1),
         ('"team-a" has 2 policies, and the operator serves 1 in a namespace (--max-policies-per-namespace). Remove a '
         "policy from the namespace, or ask the administrator of the operator for a higher limit. Until then this "
         "policy is not served: nothing is probed for it, and what it last published stays.")),
        (Limits(providers=5), claim("b", 2, minute=1),
         ('The policy lists 2 providers, the others in "team-a" hold 4, and the operator serves 5 in a namespace '
         "(--max-providers-per-namespace). Remove providers from the namespace, or ask the administrator of the "
         "operator for a higher limit. Until then this policy is not served: nothing is probed for it, and what it "
         "last published stays.")),
        (Limits(providers=5), claim("b", 3, minute=1, granted=1),
         ('The policy lists 3 providers, the others in "team-a" hold 4, and the operator serves 5 in a namespace '
         "(--max-providers-per-namespace). Remove providers from the namespace, or ask the administrator of the "
         "operator for a higher limit. Until then its former spec with 1 providers is served, and after a restart of "
         "the operator what it last published stays without being watched.")),
    ],
    ids=["one policy too many", "one too large", "one that grew"],
)  # fmt: skip
def test_a_refusal_says_which_limit_how_much_there_is_and_what_to_do(limits: Limits, asking: Claim, says: str) -> None:
    places = allot([claim("a", 4, granted=4), asking], limits)
    found = explain_refusal(asking, "team-a", 2, places)
    assert (found.reason, found.message) == ("LimitExceeded", says)
