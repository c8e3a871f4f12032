"""What becomes of an override: the first rule with an answer says it, in a sentence that says what to do."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.moments import DOWN, NEVER_PROBED, NOON, SUSPECT, WELL
from tests.support.policies import build_policy, build_provider

from providerswitch.api.override import OverrideState
from providerswitch.api.policy import PolicySpec
from providerswitch.core.health import ProviderHealth
from providerswitch.core.memory import Memory
from providerswitch.core.override import Override
from providerswitch.core.override_news import tell_standing
from providerswitch.core.override_rules import (
    GRACE,
    LOOKED_AT,
    Bench,
    Request,
    Standing,
    judge,
    judge_alone,
    next_due,
    orders_of,
)
from providerswitch.core.situation import Situation

SPEC = PolicySpec.model_validate(
    build_policy("assistant", "team-a", *(build_provider(name) for name in ("openai", "anthropic", "google")))["spec"]
)
ALL_WELL = dict.fromkeys(("openai", "anthropic", "google"), WELL)
SECOND = timedelta(seconds=1)


def request(name: str = "calm", provider: str = "anthropic", age: int = 0, hours: float = 1, **order: Any) -> Request:
    created, duration = NOON - age * SECOND, timedelta(hours=hours)
    made = Override(name, f"uid-{name}", provider, created + duration, "test", **order)
    return Request(made, "assistant", created, duration)


def bench(healths: Mapping[str, ProviderHealth] = ALL_WELL, **seen: Any) -> Bench:
    return Bench(SPEC, Memory(active="openai", revision=1), Situation(NOON, healths, **seen))


def told(made: Request, by: Bench | None = None) -> tuple[OverrideState, str]:
    (standing,) = judge([made], by or bench())
    return standing.state, standing.reason


REJECTED = OverrideState.REJECTED


@pytest.mark.parametrize(("made", "by", "expected"), [
    (request(), bench(), (OverrideState.ACTIVE, "InForce")),
    (request(age=3600), bench(), (OverrideState.EXPIRED, "NeverApplied")),
    (request(age=3599), bench(), (OverrideState.ACTIVE, "InForce")),
    (request(provider="nobody"), bench(), (REJECTED, "ProviderNotFound")),
    (request(task="embed"), bench(), (REJECTED, "TaskNotFound")),
    (request(hours=25), bench(), (REJECTED, "DurationTooLong")),
    (request(), bench({**ALL_WELL, "anthropic": DOWN}), (REJECTED, "ProviderUnhealthy")),
    (request(), bench({**ALL_WELL, "anthropic": SUSPECT}), (OverrideState.PENDING, "ProviderNotProven")),
    (request(), bench({**ALL_WELL, "anthropic": NEVER_PROBED}), (OverrideState.PENDING, "ProviderNotProven")),
    (request(force=True), bench({**ALL_WELL, "anthropic": DOWN}), (OverrideState.ACTIVE, "InForce")),
    (request(force=True), bench(config_errors={"anthropic": "no key"}), (REJECTED, "ProviderUnusable")),
], ids=lambda value: "-".join(value) if isinstance(value, tuple) else "")  # fmt: skip
def test_the_first_rule_with_an_answer_says_what_becomes_of_it(
    made: Request, by: Bench, expected: tuple[OverrideState, str]
) -> None:
    assert told(made, by) == expected


@pytest.mark.parametrize("made", [request(provider="nobody"), request(task="embed"), request(hours=25)])
def test_the_event_of_a_rejection_names_the_policy_once(made: Request) -> None:
    (standing,) = judge([made], bench())
    event = tell_standing(replace(made, standing=standing))
    assert event is not None
    assert event.note.lower().count('policy "assistant"') == 1
    assert event.note.startswith('Policy "assistant"')


def test_a_provider_that_does_not_suit_is_rejected_even_with_force() -> None:
    providers = [build_provider("openai", capabilities=["chat"]), build_provider("jina", capabilities=["rerank"])]
    spec = PolicySpec.model_validate(build_policy("assistant", "team-a", *providers)["spec"])
    healths = {"openai": WELL, "jina": WELL}
    by = Bench(spec, Memory(active="openai"), Situation(NOON, healths))
    assert told(request(provider="jina", force=True), by) == (REJECTED, "ProviderUnsuitable")


def test_what_was_in_force_stays_so_while_its_provider_fails() -> None:
    standing = Standing(OverrideState.ACTIVE, "InForce", "it holds", NOON, NOON)
    assert judge([replace(request(), standing=standing)], bench({**ALL_WELL, "anthropic": DOWN})) == (standing,)


def test_a_rejected_one_supersedes_nobody() -> None:
    old, new = request("old", age=10), request("new", provider="nobody")
    assert [each.state for each in judge([old, new], bench())] == [OverrideState.ACTIVE, REJECTED]


def test_those_of_different_tasks_are_no_rivals() -> None:
    orders = orders_of(
        replace(each, standing=standing)
        for each in (request("a"), request("b", task="embed"))
        for standing in (Standing(OverrideState.ACTIVE),)
    )
    assert orders.keys() == {None, "embed"}


@given(st.lists(st.integers(0, 60), max_size=30))
def test_never_more_than_one_of_a_task_is_in_force_and_it_is_the_newest(ages: list[int]) -> None:
    made = [request(f"o{number:02}", age=age) for number, age in enumerate(ages)]
    standings = judge(made, bench())
    held = [each for each, standing in zip(made, standings, strict=True) if standing.state is OverrideState.ACTIVE]
    assert len(held) == min(1, len(made))
    assert all(each.order.until == max(other.order.until for other in made) for each in held)
    again = judge([replace(each, standing=there) for each, there in zip(made, standings, strict=True)], bench())
    assert again == standings
    assert sum(each.reason == "TooMany" for each in standings) == max(0, len(made) - LOOKED_AT)


def test_a_policy_that_is_not_there_is_waited_for_as_long_as_the_grace_lasts() -> None:
    soon, late = NOON + GRACE - SECOND, NOON + GRACE
    assert judge_alone(request(), soon, NOON, exists=False).state is OverrideState.PENDING
    assert judge_alone(request(), late, NOON, exists=False).state is REJECTED
    assert judge_alone(request(), late, NOON, exists=True).reason == "PolicyNotServed"
    assert judge_alone(request(hours=0.001), late, NOON, exists=True).reason == "NeverApplied"


def test_time_alone_ends_the_next_that_expires() -> None:
    assert next_due([request(hours=2), request(hours=1)]) == NOON + timedelta(hours=1)
    assert next_due([replace(request(), standing=Standing(REJECTED))]) is None
