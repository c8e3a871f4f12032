"""kopf is run again after any trouble of the API server, and not after a bug."""

import asyncio

import kopf
import pytest

from providerswitch.controller.handlers import BACKOFF_SECONDS, HistoryUndone, follow_policies


class Follower:
    """What follow_policies did."""

    def __init__(self) -> None:
        self.runs = 0
        self.begun = 0
        self.recovered = 0
        self.pauses: list[float] = []
        self.troubles: list[Exception | None] = []

    async def watch(self, started: asyncio.Event) -> None:
        """Play kopf: start, and end with the next trouble."""
        self.runs += 1
        started.set()
        await asyncio.sleep(0.01)
        trouble = self.troubles.pop(0)
        if trouble:
            raise trouble

    def begin(self) -> None:
        self.begun += 1

    async def recover(self) -> None:
        self.recovered += 1

    async def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)

    async def follow(self) -> None:
        await follow_policies(self.watch, self.begin, self.recover, self.pause)


@pytest.mark.looptime(start=0)
async def test_after_trouble_kopf_is_run_again_less_and_less_often() -> None:
    follower = Follower()
    follower.troubles = [*(kopf.LoginError() for _ in range(7)), None]
    await follower.follow()
    assert (follower.runs, follower.begun, follower.recovered) == (8, 8, 7)
    assert follower.pauses == [*BACKOFF_SECONDS, BACKOFF_SECONDS[-1], BACKOFF_SECONDS[-1]]


@pytest.mark.looptime(start=0)
async def test_a_bug_is_not_tried_again() -> None:
    follower = Follower()
    follower.troubles = [HistoryUndone(), RuntimeError("a bug")]
    with pytest.raises(RuntimeError, match="a bug"):
        await follower.follow()
    assert follower.runs == 2
