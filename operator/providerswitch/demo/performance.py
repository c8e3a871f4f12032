"""Sets everything up, plays the story, and takes everything down again."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console

from providerswitch.demo import summary
from providerswitch.demo.acts import Stage
from providerswitch.demo.cluster import ClusterKind, open_cluster
from providerswitch.demo.fakes import FakeProvider
from providerswitch.demo.fakes.control import controlled
from providerswitch.demo.installation import installed
from providerswitch.demo.operator_process import OPERATOR_LOG, operator
from providerswitch.demo.playing import Played, play
from providerswitch.demo.policies import ASSISTANT, POLICIES, build_consumer_access, build_secret, make_fakes
from providerswitch.demo.screen import open_screen
from providerswitch.demo.show import LineKind, Show
from providerswitch.demo.story import build_story
from providerswitch.demo.watching import consuming, watching
from providerswitch.demo.world import World

PAUSE_SECONDS: Final = 1.5
"""Between two steps on a terminal, so that people can read along."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says.

    Attributes:
        once: end after the story instead of staying up.
    """

    cluster: ClusterKind
    once: bool


async def perform(options: Options, console: Console) -> int:
    """Run the demo and return its exit code: 0 only if every step was observed.

    Raises:
        DemoError: it could not be set up.
    """
    show = Show(World())
    show.world.on_event = show.tell_event
    stays = console.is_terminal and not options.once
    async with _set_up(options, show, console) as (stage, control):
        with open_screen(console, show):
            story = build_story(stage.fakes)
            played = await play(story, stage, show, pause_seconds=PAUSE_SECONDS if console.is_terminal else 0)
        await _sum_up(console, played, stage)
        if stays and played[-1].succeeded:
            await _stay(console, show, stage, control)
    return 0 if len(played) == len(story) and played[-1].succeeded else 1


@asynccontextmanager
async def _set_up(options: Options, show: Show, console: Console) -> AsyncIterator[tuple[Stage, str]]:
    async with AsyncExitStack() as stack:
        with open_screen(console, show):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="providerswitch-demo-")))
            fakes = make_fakes({name: f"demo-{name}" for names in POLICIES.values() for name in names})
            show.fakes = fakes
            control = await _start_fakes(stack, fakes)
            show.say(LineKind.NOTE, f"fake providers speak: {', '.join(f'{n} {f.host}' for n, f in fakes.items())}")
            show.say(LineKind.NOTE, f"cluster: {options.cluster}")
            cluster = await stack.enter_async_context(open_cluster(options.cluster, folder))
            account = await stack.enter_async_context(installed(cluster))
            await cluster.kubectl.apply(build_secret(fakes), *build_consumer_access())
            metrics = await stack.enter_async_context(operator(cluster.kubectl, account))
            show.say(LineKind.NOTE, f"the operator runs as ServiceAccount {account}; {metrics}")
            await stack.enter_async_context(watching(cluster.kubectl.kubeconfig, show.world))
            await stack.enter_async_context(consuming(cluster.kubectl, ASSISTANT, show.world))
        yield Stage(cluster.kubectl, fakes, show.world, folder), control


async def _start_fakes(stack: AsyncExitStack, fakes: Mapping[str, FakeProvider]) -> str:
    for fake in fakes.values():
        await stack.enter_async_context(fake)
    return await stack.enter_async_context(controlled(fakes))


async def _sum_up(console: Console, played: list[Played], stage: Stage) -> None:
    summary.print_times(console, played, stage.world)
    await summary.print_kubectl(console, stage.kubectl)
    if not played[-1].succeeded:
        summary.print_failure(console, played[-1], stage.world, stage.folder / OPERATOR_LOG)


async def _stay(console: Console, show: Show, stage: Stage, control: str) -> None:
    """Stay up until Ctrl-C."""
    summary.print_invitation(console, stage.kubectl, control)
    show.checklist = None
    with open_screen(console, show), suppress(asyncio.CancelledError):
        await asyncio.Event().wait()
