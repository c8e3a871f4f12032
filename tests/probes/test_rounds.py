"""Work that is done round by round, in virtual time."""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from tests.support.virtual_time import elapsed

from providerswitch.probes.rounds import Rounds

pytestmark = pytest.mark.looptime(start=0)


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)


@dataclass(slots=True)
class Workshop:
    """Notes when each item is worked on; a round takes `takes` seconds, and those of `broken` items fail."""

    takes: float = 0
    broken: set[str] = field(default_factory=set)
    begun: dict[str, list[float]] = field(default_factory=dict)
    under_way: int = 0

    async def work(self, item: str) -> None:
        self.begun.setdefault(item, []).append(elapsed())
        self.under_way += 1
        try:
            await asyncio.sleep(self.takes)
        finally:
            self.under_way -= 1
        if item in self.broken:
            raise RuntimeError("broken")


@pytest.fixture
def workshop() -> Workshop:
    return Workshop()


@pytest.fixture
async def rounds(workshop: Workshop) -> AsyncIterator[Rounds[str]]:
    made: Rounds[str] = Rounds(workshop.work, jitter=lambda _: seconds(0))
    yield made
    await made.aclose()


async def test_each_item_is_worked_on_at_its_own_interval(rounds: Rounds[str], workshop: Workshop) -> None:
    rounds.subscribe("p", {"a": seconds(10), "b": seconds(25)})
    await asyncio.sleep(31)
    assert workshop.begun == {"a": [0, 10, 20, 30], "b": [0, 25]}


async def test_the_interval_counts_from_the_end_of_a_round(rounds: Rounds[str], workshop: Workshop) -> None:
    workshop.takes = 4
    rounds.subscribe("p", {"a": seconds(10)})
    await asyncio.sleep(31)
    assert workshop.begun == {"a": [0, 14, 28]}


async def test_a_round_that_takes_longer_than_the_interval_is_not_overtaken(
    rounds: Rounds[str], workshop: Workshop
) -> None:
    workshop.takes = 100
    rounds.subscribe("p", {"a": seconds(1)})
    await asyncio.sleep(99)
    assert (workshop.begun, workshop.under_way) == ({"a": [0]}, 1)


async def test_a_slow_item_holds_up_no_other(rounds: Rounds[str], workshop: Workshop) -> None:
    workshop.takes = 100
    rounds.subscribe("p", {"a": seconds(1), "b": seconds(1)})
    await asyncio.sleep(1)
    assert workshop.begun == {"a": [0], "b": [0]}


async def test_the_first_round_is_put_off_by_a_share_of_the_interval(workshop: Workshop) -> None:
    rounds: Rounds[str] = Rounds(workshop.work, jitter=lambda span: span / 2)
    rounds.subscribe("p", {"a": seconds(10), "b": seconds(30)})
    await asyncio.sleep(31)
    await rounds.aclose()
    assert workshop.begun == {"a": [5, 15, 25], "b": [15]}


async def test_an_item_that_several_want_has_one_round_at_the_shortest_interval(
    rounds: Rounds[str], workshop: Workshop
) -> None:
    rounds.subscribe("p", {"a": seconds(30)})
    rounds.subscribe("q", {"a": seconds(10)})
    await asyncio.sleep(21)
    assert workshop.begun == {"a": [0, 10, 20]}


async def test_a_shorter_interval_holds_at_once(rounds: Rounds[str], workshop: Workshop) -> None:
    rounds.subscribe("p", {"a": timedelta(days=1)})
    await asyncio.sleep(4)
    rounds.subscribe("q", {"a": seconds(10)})
    await asyncio.sleep(17)
    assert workshop.begun == {"a": [0, 10, 20]}


async def test_a_shorter_interval_that_has_passed_already_brings_a_round_now(
    rounds: Rounds[str], workshop: Workshop
) -> None:
    rounds.subscribe("p", {"a": timedelta(days=1)})
    await asyncio.sleep(100)
    rounds.subscribe("q", {"a": seconds(10)})
    await asyncio.sleep(1)
    assert workshop.begun == {"a": [0, 100]}


async def test_a_shorter_interval_holds_for_the_first_round_too(workshop: Workshop) -> None:
    rounds: Rounds[str] = Rounds(workshop.work, jitter=lambda span: span / 2)
    rounds.subscribe("p", {"a": timedelta(days=1)})
    await asyncio.sleep(4)
    rounds.subscribe("q", {"a": seconds(10)})
    await asyncio.sleep(7)
    await rounds.aclose()
    assert workshop.begun == {"a": [10]}


async def test_the_pace_slows_down_when_the_hasty_one_goes(rounds: Rounds[str], workshop: Workshop) -> None:
    rounds.subscribe("p", {"a": seconds(30)})
    rounds.subscribe("q", {"a": seconds(10)})
    await asyncio.sleep(11)
    rounds.subscribe("q", {})
    await asyncio.sleep(30)
    assert workshop.begun == {"a": [0, 10, 40]}


async def test_who_subscribes_again_and_again_neither_hastens_nor_holds_up(
    rounds: Rounds[str], workshop: Workshop
) -> None:
    for _ in range(25):
        rounds.subscribe("p", {"a": seconds(10)})
        await asyncio.sleep(1)
    assert workshop.begun == {"a": [0, 10, 20]}


async def test_an_item_that_nobody_wants_any_more_is_left_even_in_its_round(
    rounds: Rounds[str], workshop: Workshop
) -> None:
    workshop.takes = 5
    rounds.subscribe("p", {"a": seconds(10), "b": seconds(10)})
    rounds.subscribe("q", {"b": seconds(10)})
    await asyncio.sleep(1)
    rounds.subscribe("p", {})
    assert rounds.items == {"b"}
    await asyncio.sleep(20)
    assert workshop.begun == {"a": [0], "b": [0, 15]}


async def test_an_item_that_is_left_and_wanted_at_once_begins_anew(rounds: Rounds[str], workshop: Workshop) -> None:
    workshop.takes = 5
    rounds.subscribe("p", {"a": seconds(10)})
    await asyncio.sleep(1)
    rounds.subscribe("p", {})
    rounds.subscribe("p", {"a": seconds(10)})
    await asyncio.sleep(1)
    assert (workshop.begun, workshop.under_way) == ({"a": [0, 1]}, 1)


async def test_an_item_that_is_left_at_once_is_never_worked_on(rounds: Rounds[str], workshop: Workshop) -> None:
    rounds.subscribe("p", {"a": seconds(10)})
    rounds.subscribe("p", {})
    await asyncio.sleep(60)
    assert workshop.begun == {}


async def test_one_whose_interval_is_changed_as_it_is_left_is_left(rounds: Rounds[str], workshop: Workshop) -> None:
    rounds.subscribe("p", {"a": seconds(10)})
    await asyncio.sleep(1)
    rounds.subscribe("p", {"a": seconds(5)})
    rounds.subscribe("p", {})
    await asyncio.sleep(60)
    assert workshop.begun == {"a": [0]}


async def test_a_round_that_fails_is_logged_and_the_next_one_comes(
    rounds: Rounds[str], workshop: Workshop, caplog: pytest.LogCaptureFixture
) -> None:
    workshop.broken = {"a"}
    rounds.subscribe("p", {"a": seconds(10), "b": seconds(10)})
    await asyncio.sleep(15)
    assert workshop.begun == {"a": [0, 10], "b": [0, 10]}
    assert [record.levelno for record in caplog.records] == [logging.ERROR] * 2
    assert rounds.alive


async def test_rounds_are_alive_until_a_task_is_lost(rounds: Rounds[str]) -> None:
    assert rounds.alive
    rounds.subscribe("p", {"a": seconds(10), "b": seconds(10)})
    await asyncio.sleep(1)
    assert rounds.alive
    lost = next(task for task in asyncio.all_tasks() if task.get_name() == "round str")
    lost.cancel()
    await asyncio.wait([lost])
    assert not rounds.alive


async def test_closing_ends_what_is_under_way_and_leaves_no_task(workshop: Workshop) -> None:
    workshop.takes = 5
    rounds: Rounds[str] = Rounds(workshop.work, jitter=lambda _: seconds(0))
    rounds.subscribe("p", {"a": seconds(10), "b": seconds(10), "c": seconds(10)})
    await asyncio.sleep(1)
    rounds.subscribe("p", {"a": seconds(10), "b": seconds(10)})
    await rounds.aclose()
    assert (workshop.under_way, rounds.items, elapsed()) == (0, frozenset(), 1)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_closing_what_never_began_is_nothing(workshop: Workshop) -> None:
    await Rounds(workshop.work, jitter=lambda _: seconds(0)).aclose()
    assert workshop.begun == {}
