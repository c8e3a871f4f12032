import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from tests.support.virtual_time import elapsed, target

from providerswitch.api.health_check import GoldenPrompt, QualityChecks
from providerswitch.core.quality import Tally, add, estimate
from providerswitch.probes.golden_answer import Asked
from providerswitch.probes.quality_checks import QualityRounds
from providerswitch.probes.target import ProbeTarget

pytestmark = pytest.mark.looptime(start=0)

A, B = target("a"), target("b")
GOOD, BAD, NONE = Asked(True, "as expected"), Asked(False, "not a JSON object"), Asked(None, "no answer: HTTP 500")


def checking(*prompts: str, interval: str = "1h") -> QualityChecks:
    """Return checks as a policy writes them."""
    listed = [{"prompt": prompt, "expect": {"contains": "Paris"}} for prompt in prompts]
    return QualityChecks.model_validate({"interval": interval, "prompts": listed})


CHECKS = checking("one", "two", "three")


@dataclass(slots=True)
class Examination:
    """Providers that are asked golden prompts, and what was heard of their answers."""

    answers: dict[ProbeTarget, Asked] = field(default_factory=dict)
    seconds: float = 0
    asked: dict[ProbeTarget, list[tuple[float, str]]] = field(default_factory=lambda: defaultdict(list))
    heard: list[tuple[ProbeTarget, QualityChecks, Asked]] = field(default_factory=list)

    async def ask(self, asked: ProbeTarget, golden: GoldenPrompt) -> Asked:
        """Play one question."""
        self.asked[asked].append((round(elapsed()), golden.prompt))
        await asyncio.sleep(self.seconds)
        return self.answers.get(asked, GOOD)

    def hear(self, asked: ProbeTarget, checks: QualityChecks, answer: Asked) -> None:
        """Note an answer."""
        self.heard.append((asked, checks, answer))


@pytest.fixture
def examination() -> Examination:
    return Examination()


@pytest.fixture
async def rounds(examination: Examination) -> AsyncIterator[QualityRounds]:
    made = QualityRounds(examination.ask, examination.hear, jitter=lambda _: timedelta(0))
    yield made
    await made.aclose()


async def test_each_interval_asks_the_next_prompt_in_turn(rounds: QualityRounds, examination: Examination) -> None:
    rounds.subscribe("p", {A: CHECKS})
    await asyncio.sleep(4.5 * 3600)
    hours = [(0, "one"), (3600, "two"), (7200, "three"), (10800, "one"), (14400, "two")]
    assert examination.asked[A] == hours


async def test_every_answer_is_heard_with_its_target_and_checks(
    rounds: QualityRounds, examination: Examination
) -> None:
    examination.answers = {A: BAD, B: NONE}
    rounds.subscribe("p", {A: CHECKS, B: CHECKS})
    await asyncio.sleep(1)
    assert sorted(examination.heard, key=lambda heard: heard[0].host) == [(A, CHECKS, BAD), (B, CHECKS, NONE)]


async def test_policies_that_want_the_same_of_the_same_share_the_answers(
    rounds: QualityRounds, examination: Examination
) -> None:
    for policy in range(50):
        rounds.subscribe(policy, {A: checking("one", "two", "three")})
    await asyncio.sleep(3601)
    assert examination.asked[A] == [(0, "one"), (3600, "two")]
    assert examination.heard == [(A, CHECKS, GOOD)] * 2


async def test_other_prompts_or_another_key_are_asked_apart(rounds: QualityRounds, examination: Examination) -> None:
    others = checking("other")
    rounds.subscribe("p", {A: CHECKS, B: CHECKS})
    rounds.subscribe("q", {A: others})
    await asyncio.sleep(1)
    assert sorted(examination.asked[A]) == [(0, "one"), (0, "other")]
    assert examination.asked[B] == [(0, "one")]
    assert (A, others, GOOD) in examination.heard


async def test_a_share_of_the_interval_passes_before_the_first_question(examination: Examination) -> None:
    rounds = QualityRounds(examination.ask, examination.hear, jitter=lambda span: span / 2)
    rounds.subscribe("p", {A: CHECKS})
    await asyncio.sleep(2 * 3600)
    await rounds.aclose()
    assert examination.asked[A] == [(1800, "one"), (5400, "two")]


async def test_who_does_not_subscribe_any_more_pays_for_no_question(
    rounds: QualityRounds, examination: Examination
) -> None:
    rounds.subscribe("p", {A: CHECKS, B: CHECKS})
    rounds.subscribe("q", {B: CHECKS})
    await asyncio.sleep(1)
    rounds.subscribe("p", {})
    await asyncio.sleep(2 * 3600)
    assert len(examination.asked[A]) == 1
    assert len(examination.asked[B]) == 3


async def test_who_subscribes_again_goes_on_at_the_same_pace(rounds: QualityRounds, examination: Examination) -> None:
    rounds.subscribe("p", {A: CHECKS})
    for _ in range(10):
        await asyncio.sleep(600)
        rounds.subscribe("p", {A: checking("one", "two", "three")})
    assert examination.asked[A] == [(0, "one"), (3600, "two")]


async def test_edited_prompts_begin_with_the_first(rounds: QualityRounds, examination: Examination) -> None:
    rounds.subscribe("p", {A: CHECKS})
    await asyncio.sleep(3601)
    rounds.subscribe("p", {A: checking("three", "four")})
    await asyncio.sleep(1)
    assert examination.asked[A] == [(0, "one"), (3600, "two"), (3601, "three")]


async def test_who_comes_back_begins_with_the_first_prompt(rounds: QualityRounds, examination: Examination) -> None:
    rounds.subscribe("p", {A: CHECKS})
    await asyncio.sleep(1)
    rounds.subscribe("p", {})
    rounds.subscribe("p", {A: CHECKS})
    await asyncio.sleep(1)
    assert [prompt for _, prompt in examination.asked[A]] == ["one", "one"]


async def test_a_question_that_takes_long_holds_up_nobody_else(rounds: QualityRounds, examination: Examination) -> None:
    examination.seconds = 60
    rounds.subscribe("p", {A: CHECKS, B: CHECKS})
    await asyncio.sleep(61)
    assert [(asked.host, answer) for asked, _, answer in examination.heard] == [
        ("a.example", GOOD),
        ("b.example", GOOD),
    ]


async def test_a_question_that_fails_for_a_reason_of_our_own_is_logged_and_the_next_one_asked(
    examination: Examination, caplog: pytest.LogCaptureFixture
) -> None:
    async def ask(asked: ProbeTarget, golden: GoldenPrompt) -> Asked:
        if golden.prompt == "one":
            raise ZeroDivisionError
        return await examination.ask(asked, golden)

    rounds = QualityRounds(ask, examination.hear, jitter=lambda _: timedelta(0))
    rounds.subscribe("p", {A: CHECKS})
    await asyncio.sleep(3601)
    assert rounds.alive
    await rounds.aclose()
    assert examination.asked[A] == [(3600, "two")]
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


async def test_the_end_leaves_no_task(rounds: QualityRounds, examination: Examination) -> None:
    examination.seconds = 60
    rounds.subscribe("p", {A: CHECKS, B: CHECKS})
    await asyncio.sleep(1)
    assert rounds.alive
    assert len(asyncio.all_tasks()) == 3
    await rounds.aclose()
    assert len(asyncio.all_tasks()) == 1
    assert examination.heard == []


async def test_fast_nonsense_loses_in_a_few_hours(rounds: QualityRounds, examination: Examination) -> None:
    tallies = {A: Tally(), B: Tally()}
    examination.answers = {A: BAD, B: GOOD}
    rounds.subscribe("p", {A: CHECKS, B: CHECKS})
    await asyncio.sleep(4.5 * 3600)
    for asked, _, answer in examination.heard:
        if answer.passed is not None:
            tallies[asked] = add(tallies[asked], answer.passed)
    assert estimate(tallies[A], declared=0.9) == (pytest.approx(0.45), 0.5)
    assert estimate(tallies[B], declared=0.7) == (pytest.approx(0.85), 0.5)
