"""One lookup serves all who want the same name at the same time."""

import asyncio
from collections.abc import Sequence

import pytest

from providerswitch.probes.resolving import share_lookups

pytestmark = pytest.mark.looptime(start=0)


async def test_a_name_that_hangs_is_looked_up_once_for_all_and_holds_up_no_other() -> None:
    asked: list[str] = []

    async def resolve(host: str, _port: int) -> Sequence[str]:
        asked.append(host)
        await asyncio.sleep(60 if host == "hangs" else 1)
        return ["192.0.2.1"]

    shared = share_lookups(resolve)
    waiting = [asyncio.create_task(shared("hangs", 443)) for _ in range(100)]
    assert await shared("quick", 443) == ["192.0.2.1"]
    waiting[0].cancel()
    assert await asyncio.gather(*waiting[1:]) == [["192.0.2.1"]] * 99
    assert sorted(asked) == ["hangs", "quick"]
    await shared("hangs", 443)
    assert sorted(asked) == ["hangs", "hangs", "quick"]


async def test_a_failure_is_told_to_all_and_the_next_one_asks_again() -> None:
    asked = 0

    async def resolve(_host: str, _port: int) -> Sequence[str]:
        nonlocal asked
        asked += 1
        await asyncio.sleep(1)
        raise OSError("no such name")

    shared = share_lookups(resolve)
    results = await asyncio.gather(*(shared("a", 443) for _ in range(3)), return_exceptions=True)
    assert [type(result) for result in results] == [OSError] * 3
    with pytest.raises(OSError, match="no such name"):
        await shared("a", 443)
    assert asked == 2
