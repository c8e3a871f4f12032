"""Who gets in, what is remembered of it, and how much the API server is asked for it; in virtual time."""

import asyncio

import pytest
from tests.controller.hints.reviews import PlayedReviews
from tests.support.virtual_time import elapsed

from providerswitch.controller.hints.gate import IN_ALL, PER_ADDRESS, PER_CALLER, Gate
from providerswitch.core.hints import BAD_TOKEN, NO_TOKEN, NOBODY_TO_ASK, Answer, Hint
from providerswitch.kube.reviews import ACCESS_REVIEWS, TOKEN_REVIEWS, Caller

pytestmark = pytest.mark.looptime(start=0)

HINT = Hint("team-a", "assistant")
ME = Caller("app", "uid-of-app", ("system:authenticated",), (("authentication.kubernetes.io/pod-name", ("app-0",)),))


@pytest.fixture
def reviews() -> PlayedReviews:
    return PlayedReviews(owners={"good": "app"}, rights={("app", "team-a", "assistant")})


@pytest.fixture
def gate(reviews: PlayedReviews) -> Gate:
    return Gate(reviews, elapsed)


def status(found: object) -> int:
    return found.status if isinstance(found, Answer) else 200


async def test_the_owner_of_a_good_token_is_known_by_all_that_the_api_server_says(gate: Gate) -> None:
    assert await gate.identify("Bearer good", "10.0.0.1") == ME
    assert await gate.identify("bearer  good ", "10.0.0.1") == ME


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic good", "good", "Token good"])
async def test_whoever_shows_no_bearer_token_is_not_asked_about(
    gate: Gate, reviews: PlayedReviews, header: str | None
) -> None:
    assert await gate.identify(header, "10.0.0.1") is NO_TOKEN
    assert NO_TOKEN.headers["WWW-Authenticate"].startswith("Bearer")
    assert reviews.asked == []


@pytest.mark.parametrize("token", ["bad", "good\udcff", "\u00e9", "a" * 8000])
async def test_a_bad_token_is_refused(gate: Gate, token: str) -> None:
    assert await gate.identify(f"Bearer {token}", "10.0.0.1") is BAD_TOKEN


async def test_the_api_server_is_asked_for_the_one_audience_and_the_one_right(
    gate: Gate, reviews: PlayedReviews
) -> None:
    assert await gate.identify("Bearer good", "10.0.0.1") == ME
    assert await gate.admit(ME, HINT, "10.0.0.1") is None
    (_, token), (_, access) = reviews.asked
    assert token["audiences"] == ["providerswitch.dev"]
    assert access["resourceAttributes"] == {
        "verb": "create",
        "group": "providerswitch.dev",
        "version": "v1alpha1",
        "resource": "providerswitchpolicies",
        "subresource": "hints",
        "namespace": "team-a",
        "name": "assistant",
    }
    assert (access["user"], access["uid"], access["groups"]) == ("app", "uid-of-app", ["system:authenticated"])
    assert access["extra"] == {"authentication.kubernetes.io/pod-name": ["app-0"]}


@pytest.mark.parametrize("hint", [Hint("team-b", "assistant"), Hint("team-a", "other")], ids=str)
async def test_a_right_is_one_for_a_policy_of_a_namespace(gate: Gate, hint: Hint) -> None:
    assert await gate.admit(ME, HINT, "10.0.0.1") is None
    assert status(await gate.admit(ME, hint, "10.0.0.1")) == 403


@pytest.mark.parametrize("token", ["good", "bad"])
async def test_an_answer_holds_for_ten_seconds_and_no_longer(gate: Gate, reviews: PlayedReviews, token: str) -> None:
    first = await gate.identify(f"Bearer {token}", "10.0.0.1")
    reviews.owners = {"bad": "thief"}
    await asyncio.sleep(9.9)
    assert await gate.identify(f"Bearer {token}", "10.0.0.1") == first
    assert reviews.count(TOKEN_REVIEWS) == 1
    await asyncio.sleep(0.2)
    assert await gate.identify(f"Bearer {token}", "10.0.0.1") != first


async def test_a_right_that_was_taken_away_counts_for_ten_seconds_more(gate: Gate, reviews: PlayedReviews) -> None:
    assert await gate.admit(ME, HINT, "10.0.0.1") is None
    reviews.rights.clear()
    assert await gate.admit(ME, HINT, "10.0.0.1") is None
    await asyncio.sleep(10.1)
    assert status(await gate.admit(ME, HINT, "10.0.0.1")) == 403


async def test_many_who_come_at_once_with_one_token_cause_one_review(gate: Gate, reviews: PlayedReviews) -> None:
    reviews.seconds = 1
    found = await asyncio.gather(*(gate.identify("Bearer good", "10.0.0.1") for _ in range(15)))
    assert found == [ME] * 15
    assert reviews.count(TOKEN_REVIEWS) == 1


async def test_a_caller_may_give_twenty_hints_at_once_and_then_ten_a_second(gate: Gate) -> None:
    found = [status(await gate.identify("Bearer good", "10.0.0.1")) for _ in range(25)]
    assert found == [200] * PER_CALLER.burst + [429] * 5
    await asyncio.sleep(1)
    found = [status(await gate.identify("Bearer good", "10.0.0.1")) for _ in range(15)]
    assert found == [200] * 10 + [429] * 5


async def test_a_noisy_caller_costs_others_nothing(gate: Gate, reviews: PlayedReviews) -> None:
    reviews.owners["other"] = "other"
    for _ in range(100):
        await gate.identify("Bearer good", "10.0.0.1")
    assert status(await gate.identify("Bearer other", "10.0.0.1")) == 200


async def test_a_flood_of_bad_tokens_from_one_address_is_held_up_before_the_api_server(
    gate: Gate, reviews: PlayedReviews
) -> None:
    for number in range(10_000):
        await gate.identify(f"Bearer {number}", "10.0.0.1")
        await asyncio.sleep(0.001)
    assert reviews.count(TOKEN_REVIEWS) <= PER_ADDRESS.burst + PER_ADDRESS.per_second * 10
    assert status(await gate.identify("Bearer good", "10.0.0.2")) == 200


async def test_a_flood_from_many_addresses_is_held_up_too_and_does_not_touch_who_is_known(
    gate: Gate, reviews: PlayedReviews
) -> None:
    assert await gate.identify("Bearer good", "10.0.0.1") == ME
    for number in range(9_000):
        await gate.identify(f"Bearer {number}", f"10.1.{number // 250}.{number % 250}")
        await asyncio.sleep(0.001)
    assert reviews.count(TOKEN_REVIEWS) <= IN_ALL.burst + IN_ALL.per_second * 9 + 1
    assert await gate.identify("Bearer good", "10.0.0.1") == ME


async def test_memory_stays_bounded_whoever_calls(gate: Gate, reviews: PlayedReviews) -> None:
    for number in range(20_000):
        reviews.owners[str(number)] = f"caller-{number}"
        await gate.identify(f"Bearer {number}", f"10.1.{number // 250}.{number % 250}")
        await asyncio.sleep(0.02)
        del reviews.owners[str(number)]
    for kept in (gate._callers, gate._of_callers, gate._of_addresses):
        assert 1000 < len(kept) <= 4096


async def test_a_token_is_remembered_by_its_digest_alone(gate: Gate) -> None:
    await gate.identify("Bearer good", "10.0.0.1")
    assert all(len(key) == 32 for key in gate._callers._entries)
    assert "good" not in repr(vars(gate._callers))


@pytest.mark.parametrize("trouble", [0, 403, 404, 429, 500, 503])
async def test_while_nobody_can_be_asked_nobody_gets_in_and_nothing_is_remembered_of_it(
    gate: Gate, reviews: PlayedReviews, trouble: int
) -> None:
    reviews.trouble = trouble
    assert await gate.identify("Bearer good", "10.0.0.1") is NOBODY_TO_ASK
    assert await gate.admit(ME, HINT, "10.0.0.1") is NOBODY_TO_ASK
    reviews.trouble = None
    assert await gate.identify("Bearer good", "10.0.0.1") == ME
    assert await gate.admit(ME, HINT, "10.0.0.1") is None


async def test_a_slow_api_server_is_waited_for_two_seconds(gate: Gate, reviews: PlayedReviews) -> None:
    reviews.seconds = 60
    assert await gate.identify("Bearer good", "10.0.0.1") is NOBODY_TO_ASK
    assert elapsed() == pytest.approx(2)
    assert reviews.count(ACCESS_REVIEWS) == 0


async def test_a_caller_who_leaves_does_not_end_the_review_that_others_wait_for(
    gate: Gate, reviews: PlayedReviews
) -> None:
    reviews.seconds = 1
    leaving = asyncio.create_task(gate.identify("Bearer good", "10.0.0.1"))
    await asyncio.sleep(0.1)
    staying = asyncio.create_task(gate.identify("Bearer good", "10.0.0.2"))
    await asyncio.sleep(0.1)
    leaving.cancel()
    assert await staying == ME
    assert reviews.count(TOKEN_REVIEWS) == 1
