"""The story is played step by step, and stops at what was not observed."""

import time
from pathlib import Path

from tests.demo import seen

from providerswitch.demo.acts import Stage
from providerswitch.demo.expectations import Expectation, active
from providerswitch.demo.kubectl import Kubectl
from providerswitch.demo.playing import play
from providerswitch.demo.show import LineKind, Show
from providerswitch.demo.step import Step
from providerswitch.demo.world import World

NOWHERE = Path("nowhere")


def stage(world: World) -> Stage:
    return Stage(Kubectl(NOWHERE), {}, world, NOWHERE)


async def become_active(stage: Stage) -> float:
    stage.world.take_policy(seen.policy(active="google"))
    return time.monotonic()


async def do_nothing(_stage: Stage) -> float:
    return time.monotonic()


GOES_WELL = Step("google becomes active", become_active, (active("assistant", "google", 5),), shown="kubectl ...")
FAILS = Step("nothing happens", do_nothing, (active("assistant", "openai", 0.05),))


async def test_a_step_ends_as_soon_as_everything_was_seen() -> None:
    show = Show(World())
    begun = time.monotonic()
    played = await play([GOES_WELL], stage(show.world), show)
    assert [one.succeeded for one in played] == [True]
    assert time.monotonic() - begun < 1
    assert [line.kind for line in show.lines] == [LineKind.STEP, LineKind.COMMAND, LineKind.SEEN]


async def test_a_step_that_is_not_observed_in_time_ends_the_story() -> None:
    show = Show(World())
    played = await play([FAILS, GOES_WELL], stage(show.world), show)
    assert [one.succeeded for one in played] == [False]
    assert show.lines[-1].kind is LineKind.MISSED
    assert "status of assistant says openai: not within 0.05 s" in show.lines[-1].text


async def test_a_glimpse_is_enough() -> None:
    async def flicker(stage: Stage) -> float:
        for provider in ("google", "openai"):
            stage.world.take_policy(seen.policy(active=provider))
            await stage.world.change(within=0.01)
        return time.monotonic()

    both: tuple[Expectation, ...] = (active("assistant", "google", 1), active("assistant", "openai", 1))
    show = Show(World())
    played = await play([Step("flickers", flicker, both)], stage(show.world), show)
    assert played[0].succeeded
