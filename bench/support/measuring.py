"""Run a benchmark as a command: measure with progress, print the report and store it."""

import argparse
import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from rich.console import Console

from providerswitch.api.errors import ProviderSwitchError
from support.progress import Progress, telling
from support.results import Report, publish

TOLD: Final[tuple[type[Exception], ...]] = (ProviderSwitchError,)
"""What ends a benchmark with a sentence instead of a traceback."""


def perform(
    parser: argparse.ArgumentParser,
    measure: Callable[[argparse.Namespace, Progress], Awaitable[Report]],
    told: tuple[type[Exception], ...] = TOLD,
) -> int:
    """Read the flags, measure, print and store; return the exit code."""
    options, console = parser.parse_args(), Console()

    async def work(progress: Progress) -> Report:
        return await measure(options, progress)

    try:
        with telling(console) as progress:
            report = asyncio.run(work(progress))
    except told as error:
        console.print(str(error), style="red", markup=False)
        return 1
    publish(report, console)
    return 0
