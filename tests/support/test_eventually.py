"""A wait ends with the answer, or says what it saw last."""

import asyncio
import re

import pytest
from tests.support.eventually import eventually, eventually_sync


async def test_the_first_true_answer_is_returned() -> None:
    answers = iter([None, "", "ready"])

    assert await eventually(lambda: next(answers)) == "ready"


async def test_an_async_condition_is_awaited() -> None:
    async def condition() -> int:
        return 7

    assert await eventually(condition) == 7


async def test_an_exception_counts_as_not_yet() -> None:
    answers = iter([0, 1])

    assert await eventually(lambda: 1 / next(answers)) == 1


async def test_a_wait_that_runs_out_shows_the_last_answer() -> None:
    with pytest.raises(AssertionError, match=r"not within 0\.1 s.*last seen: \[\]"):
        await eventually(list, within=0.1)


async def test_a_wait_that_runs_out_shows_the_last_exception_and_its_traceback() -> None:
    with pytest.raises(AssertionError, match="ZeroDivisionError") as failure:
        await eventually(lambda: 1 // 0, within=0.1)

    assert isinstance(failure.value.__cause__, ZeroDivisionError)


async def test_a_condition_that_hangs_does_not_hang_the_test() -> None:
    with pytest.raises(AssertionError, match="asked 0 times"):
        await eventually(lambda: asyncio.Event().wait(), within=0.1)


def test_without_a_loop_the_same_holds() -> None:
    answers = iter([0, 1])

    assert eventually_sync(lambda: 1 // next(answers)) == 1
    with pytest.raises(AssertionError, match=re.escape("last seen: ''")):
        eventually_sync(str, within=0.1)
