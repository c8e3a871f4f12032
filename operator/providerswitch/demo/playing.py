"""Plays the story: acts, looks until everything expected was seen or a deadline has passed, and keeps the record."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from providerswitch.demo.acts import Stage
from providerswitch.demo.expectations import Checklist, Observation
from providerswitch.demo.processes import DemoError
from providerswitch.demo.show import Show
from providerswitch.demo.step import Step

ACT_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Played:
    """A step that was played, with what was seen."""

    step: Step
    observations: tuple[Observation, ...]

    @property
    def succeeded(self) -> bool:
        """Whether everything expected was seen in time."""
        return all(observation.after is not None for observation in self.observations)


async def play(story: Sequence[Step], stage: Stage, show: Show, *, pause_seconds: float = 0.0) -> list[Played]:
    """Play the steps until the end, or until one was not observed; `pause_seconds` is for people who read along."""
    played: list[Played] = []
    for number, step in enumerate(story, start=1):
        show.begin(f"{number}/{len(story)} {step.title}", step.shown)
        played.append(Played(step, await _play_step(step, stage, show)))
        if not played[-1].succeeded:
            break
        await asyncio.sleep(pause_seconds)
    return played


async def _play_step(step: Step, stage: Stage, show: Show) -> tuple[Observation, ...]:
    checklist = Checklist(step.expectations, time.monotonic())
    show.checklist = checklist
    act = asyncio.create_task(_perform(step, stage))
    act.add_done_callback(lambda _: stage.world.ring())
    while not checklist.settled(time.monotonic()):
        checklist.cause = act.result() if act.done() else None
        checklist.look(stage.world, time.monotonic())
        await stage.world.change(within=checklist.remaining(time.monotonic()))
    show.end(checklist)
    return checklist.observations()


async def _perform(step: Step, stage: Stage) -> float:
    try:
        async with asyncio.timeout(ACT_SECONDS):
            return await step.act(stage)
    except TimeoutError as error:
        raise DemoError(f'"{step.title}" was not done within {ACT_SECONDS:g} s') from error
