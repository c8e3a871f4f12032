"""How many outages a policy gets its consumers out of, and how much of the time they are served: in virtual time.

Years of incidents, drawn at random in the shape of public incident histories, are played to the product's own decision
core. Beside the policy stand, on the same incidents: the primary alone, and an oracle that always knows who works.
"""

import argparse
import importlib.metadata
import os
import platform
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Column, Table

from providerswitch.simulate.weather import Trouble
from support.chapters import Account, Chapter, Setup
from support.incidents import Climate, name_of
from support.machine import measure_machine
from support.progress import Progress, telling
from support.results import Report, publish
from support.statistics import Result, Summary, details, headline, spread

MISSES: Final = Path(__file__).resolve().parents[1] / "build" / "reliability-misses.tsv"
MISSED_PERCENT: Final = 0.1
LOST: Final = 50.0
"""The aims: 99.9 % of the outages, 99.95 % of 100,000 requests."""
UNSEEN: Final = Climate(hidden=0.25)
AT_ONCE: Final = 4
"""Chapters that a process is given together."""

MAIN: Final = Setup("3-providers")
OTHERS: Final = (
    Setup("2-providers", 2),
    Setup("4-providers", 4),
    Setup("3-leave-degraded", 3, {"selection": {"switchOnDegradation": True}}, part=0.25),
    Setup("3-unseen", 3, {}, UNSEEN),
    Setup("3-unseen-billed-probes", 3, {"healthCheck": {"generation": {"interval": "30s"}}}, UNSEEN),
)
SETUPS: Final = {setup.name: setup for setup in (MAIN, *OTHERS)}


def plan(options: argparse.Namespace) -> list[Chapter]:
    """Return the chapters to play; the setup that takes longest comes before the one that has most."""
    counts = [(setup, max(1, round(options.others * setup.part))) for setup in OTHERS]
    return [
        Chapter(setup, seed, number)
        for setup, chapters in (*counts, (MAIN, options.chapters))
        for number in range(chapters)
        for seed in range(1, options.seeds + 1)
    ]


def play(chapter: Chapter) -> Account:
    """Play one chapter; runs in a process of its own."""
    return chapter.play()


def play_all(chapters: Sequence[Chapter], progress: Progress) -> Iterator[Account]:
    """Play all chapters on all cores."""
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for done, account in enumerate(pool.map(play, chapters, chunksize=AT_ONCE), 1):
            progress.update(f"{done} of {len(chapters)} chapters")
            yield account


def run(chapters: Sequence[Chapter], progress: Progress) -> tuple[Report, dict[str, Result]]:
    """Play chapters and sum them up; those of the main setup must be among them."""
    machine = measure_machine()
    progress.step(f"playing {len(chapters)} chapters")
    results = {name: Result(name) for name in SETUPS if any(chapter.setup.name == name for chapter in chapters)}
    for account in play_all(chapters, progress):
        results[account.trace.setup].add(account)
    main, *others = results.values()
    figures = [
        *headline(main, missed=MISSED_PERCENT, lost=LOST),
        *spread(main),
        *details(main),
        *(figure for other in others for figure in headline(other)),
    ]
    return Report("reliability", sys.argv[1:], _versions(), machine, figures), results


def _versions() -> dict[str, str]:
    names = ("providerswitch", "pydantic")
    return {"python": platform.python_version(), **{name: importlib.metadata.version(name) for name in names}}


def compare(results: dict[str, Result]) -> Table:
    """Return all setups side by side."""
    right = ("outages", "missed", "brownouts", "missed", "policy", "primary", "oracle")
    columns = (Column("setup", overflow="fold"), *(Column(name, justify="right", no_wrap=True) for name in right))
    table = Table(*columns, title="Outages and brownouts missed; requests served, %")
    for name, result in results.items():
        table.add_row(name, *_row(result.whole))
    return table


def _row(whole: Summary) -> list[str]:
    served = [f"{100 - whole.lost(who) / 1000:.3f}" for who in ("policy", "primary", "oracle")]
    outages, brownouts = whole.judged(whole=True), whole.judged(whole=False)
    missed = [f"{whole.missed_percent(whole=each):.2f} %" for each in (True, False)]
    return [f"{outages:,}", missed[0], f"{brownouts:,}", missed[1], *served]


def write_misses(results: dict[str, Result], path: Path = MISSES) -> int:
    """Write down every miss, one a line, and return how many there are."""
    lines = [
        f"{miss.trace}\t{miss.episode.start:%Y-%m-%dT%H:%M:%S}\t{miss.episode.provider}\t{miss.episode.kind}"
        f"\t{miss.episode.seconds:.1f}\t{miss.episode.cause}"
        for result in results.values()
        for miss in result.whole.misses
    ]
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(["trace\tstart\tprovider\tincident\tseconds\tcause", *lines, ""]))
    return len(lines)


def tell(trace: str, console: Console) -> None:
    """Play one chapter again, and tell of everything that happened around its misses.

    Raises:
        ValueError: there is no such trace.
    """
    name, seed, number = _read_trace(trace)
    chapter = Chapter(SETUPS[name], seed, number)
    world, weathers = chapter.live()
    account = chapter.account(world, weathers)
    console.print(f"{trace}: {len(account.episodes)} episodes, {sum(account.moves.values())} switches")
    for episode in account.episodes:
        if not episode.cause:
            continue
        console.print(f"\n{episode.start:%Y-%m-%d %H:%M:%S} {episode.kind} of {episode.provider}: {episode.cause}")
        for each, weather in weathers.items():
            for trouble in weather.between(episode.start, episode.end):
                console.print(f"  {each}: {_describe(trouble)}", markup=False, soft_wrap=True)
        told = [(turn.at, f"{turn.provider} {turn.health.state}: {turn.health.why}") for turn in world.turns]
        told += [(move.at, f"SWITCH {move.origin} -> {move.to}: {move.why}") for move in world.moves]
        _tell_lines(sorted(told), episode.start, episode.end, console)


def _tell_lines(told: list[tuple[datetime, str]], start: datetime, end: datetime, console: Console) -> None:
    for at, line in told:
        if start <= at <= end:
            console.print(f"  {at:%H:%M:%S.%f} {line}", markup=False, soft_wrap=True)


def _describe(trouble: Trouble) -> str:
    share = f"{trouble.share:.0%} of the requests fail"
    hidden = ", unbilled probes do not notice" if trouble.hidden else ""
    return f"{name_of(trouble)} from {trouble.start:%H:%M:%S} to {trouble.end:%H:%M:%S}, {share}{hidden}"


def _read_trace(trace: str) -> tuple[str, int, int]:
    parts = trace.split(":")
    if len(parts) != 3 or parts[0] not in SETUPS or not (parts[1].isdigit() and parts[2].isdigit()):
        raise ValueError(f'"{trace}" is no trace: give SETUP:SEED:CHAPTER with a setup of {", ".join(SETUPS)}')
    return parts[0], int(parts[1]), int(parts[2])


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="make bench-reliability", description=__doc__)
    parser.add_argument("--seeds", type=int, default=5, help="how many histories are drawn; the first is number 1")
    parser.add_argument("--chapters", type=int, default=430, help="years of the main setup, for each seed")
    parser.add_argument("--others", type=int, default=8, help="years of each other setup, for each seed")
    parser.add_argument(
        "--quick", action="store_true", help="2 seeds and a few years: a look, no proof; nothing is stored"
    )
    parser.add_argument("--only", metavar="SETUP:SEED:CHAPTER", help="play one chapter again and tell of its misses")
    options = parser.parse_args(arguments)
    if options.quick:
        options.seeds, options.chapters, options.others = 2, 4, 1
    return options


def main() -> int:
    """Play, print and store."""
    options, console = parse(), Console()
    if options.only:
        try:
            tell(options.only, console)
        except ValueError as error:
            console.print(str(error), style="red", markup=False)
            return 1
        return 0
    with telling(console) as progress:
        report, results = run(plan(options), progress)
    console.print(compare(results))
    console.print(f"{write_misses(results)} misses, one a line: {MISSES}", soft_wrap=True)
    console.print('look at one of them: make bench-reliability ARGS="--only TRACE"')
    if options.quick:
        console.print(report.table())
    else:
        publish(report, console)
    return 0


if __name__ == "__main__":
    sys.exit(main())
