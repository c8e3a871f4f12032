"""`python -m providerswitch.demo`."""

import argparse
import asyncio
import signal
import sys
from contextlib import suppress

from rich.console import Console

from providerswitch.api.errors import ProviderSwitchError
from providerswitch.demo.cluster import ClusterKind
from providerswitch.demo.performance import Options, perform

INTERRUPTED = 130
WIDTH = 140
"""Columns where there is no terminal."""


def _options() -> Options:
    parser = argparse.ArgumentParser(
        prog="python -m providerswitch.demo",
        description="Shows switches, failovers and failbacks on a real API server with fake providers.",
    )
    parser.add_argument(
        "--cluster",
        type=ClusterKind,
        choices=list(ClusterKind),
        default=ClusterKind.LOCAL,
        help="local: a control plane of its own (default); kind: a kind cluster; current: the current context",
    )
    parser.add_argument("--once", action="store_true", help="end after the story; the exit code says whether it held")
    flags = parser.parse_args()
    return Options(flags.cluster, flags.once)


async def _run(options: Options, console: Console) -> int:
    task = asyncio.current_task()
    assert task
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    with suppress(asyncio.CancelledError):
        return await perform(options, console)
    return INTERRUPTED


def main() -> int:
    """Run the demo; return its exit code."""
    console = Console() if sys.stdout.isatty() else Console(width=WIDTH)
    try:
        return asyncio.run(_run(_options(), console))
    except ProviderSwitchError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
