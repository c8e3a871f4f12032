"""How long consumers wait under strategy Performance, beside other ways to choose a provider: in virtual time.

Days of a few providers, each with busy hours, slow spells, spells of errors and noise, are drawn at random; every way
to choose serves the very same requests. The policy knows only what its probes measure, at their real pace, and decides
by the product's own core.
"""

import argparse
import importlib.metadata
import os
import platform
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Final

from rich.console import Console
from rich.table import Column, Table

from support.contest import NAMES, Days, Served, draw_days
from support.figures import Figure
from support.machine import measure_machine
from support.progress import Progress, telling
from support.results import Report, publish

QUICKER: Final = 0.8
NO_WORSE: Final = 1.0
"""The aims: p95 of the policy, divided by that of a baseline."""
OURS: Final = "Performance"
ROUND_ROBIN: Final = "round-robin"
PRIMARY: Final = "primary only"
BEST: Final = "best fixed, in hindsight"
ORACLE: Final = "oracle"
EACH_PROBE_BILLED: Final = {"generation": {"interval": "30s"}}
"""One token for each probe, so that what is measured is what consumers wait for."""

Policy = Mapping[str, object]
POLICIES: Final[Mapping[str, Policy]] = {
    OURS: {"selection": {"strategy": "Performance"}},
    f"{OURS}, window 5m": {"selection": {"strategy": "Performance", "window": "5m"}},
    f"{OURS}, no hysteresis": {"selection": {"strategy": "Performance", "hysteresis": 0}},
    f"{OURS}, no hysteresis, no minDwell": {
        "selection": {"strategy": "Performance", "hysteresis": 0},
        "failover": {"minDwell": "0s", "maxSwitchesPerHour": 50},
    },
}


@dataclass(frozen=True, slots=True)
class Setup:
    """Some providers, and the policies that choose among them.

    Attributes:
        alike: the providers differ in nothing but their spells.
    """

    name: str
    providers: int
    policies: tuple[str, ...] = (OURS,)
    alike: bool = False


SETUPS: Final = (
    Setup("3 providers", 3, tuple(POLICIES)),
    Setup("4 providers", 4),
    Setup("3 alike", 3, alike=True),
)


@dataclass(frozen=True, slots=True)
class Run:
    """One setup with one seed."""

    setup: Setup
    seed: int
    days: float

    def play(self) -> dict[str, Served]:
        """Let everybody serve the same requests."""
        days = draw_days(self.seed, self.setup.providers, self.days, alike=self.setup.alike)
        served = {
            ROUND_ROBIN: days.round_robin(),
            PRIMARY: days.fixed(NAMES[0]),
            BEST: min((days.fixed(name) for name in days.moods), key=lambda each: each.p95),
            ORACLE: days.oracle(),
        }
        return {**served, **{name: _serve(days, POLICIES[name]) for name in self.setup.policies}}


def _serve(days: Days, policy: Policy) -> Served:
    return days.policy(**{**policy, "healthCheck": EACH_PROBE_BILLED})


def play(run: Run) -> dict[str, Served]:
    """Play one run, in a process of its own."""
    return run.play()


def play_all(runs: Sequence[Run], progress: Progress) -> Iterator[tuple[Run, dict[str, Served]]]:
    """Play all runs on all cores."""
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for done, (run, served) in enumerate(zip(runs, pool.map(play, runs), strict=True), 1):
            progress.update(f"{done} of {len(runs)} runs")
            yield run, served


@dataclass(frozen=True, slots=True)
class Contest:
    """One setup over all its seeds: how each way to choose served, in the order of the seeds."""

    setup: Setup
    served: Mapping[str, Sequence[Served]]

    def values(self, who: str, measure: Callable[[Served], float]) -> list[float]:
        """Return a measure of each seed."""
        return [measure(each) for each in self.served[who]]

    def ratios(self, baseline: str) -> list[float]:
        """Return p95 of the policy divided by that of a baseline, of each seed."""
        pairs = zip(self.served[OURS], self.served[baseline], strict=True)
        return [ours.p95 / theirs.p95 for ours, theirs in pairs]

    def figures(self) -> Iterator[Figure]:
        """Yield everything there is to tell."""
        name = self.setup.name
        for baseline, aim in {ROUND_ROBIN: QUICKER, PRIMARY: QUICKER, BEST: NO_WORSE, ORACLE: None}.items():
            ratios = self.ratios(baseline)
            yield Figure(f"{name}: p95, {OURS} / {baseline}", fmean(ratios), "x", aim)
            yield Figure(f"{name}: p95, {OURS} / {baseline}, best seed", min(ratios), "x")
            yield Figure(f"{name}: p95, {OURS} / {baseline}, worst seed", max(ratios), "x")
        for who in self.served:
            yield Figure(f"{name}: p95, {who}", fmean(self.values(who, _p95)), "s")
            yield Figure(
                f"{name}: p95, {who}, standard deviation of the seeds", _deviation(self.values(who, _p95)), "s"
            )
            yield Figure(f"{name}: mean, {who}", fmean(self.values(who, _mean)), "s")
            yield Figure(f"{name}: failed requests, {who}", 100 * fmean(self.values(who, _failed)), "%")
        for who in self.setup.policies:
            yield Figure(f"{name}: switches an hour, {who}", fmean(self.values(who, _switches)), "")

    def table(self) -> Table:
        """Return all ways to choose side by side."""
        right = ("p95, s", "± seeds", "mean, s", "failed, %", "switches/h", "p95 gain")
        columns = (
            Column("way to choose", overflow="fold", min_width=24),
            *(Column(name, justify="right", no_wrap=True) for name in right),
        )
        table = Table(*columns, title=f"{self.setup.name}; gain: how much shorter p95 is than by round-robin")
        for who in self.served:
            table.add_row(who, *self._row(who))
        return table

    def _row(self, who: str) -> list[str]:
        p95 = self.values(who, _p95)
        gains = [1 - mine / theirs for mine, theirs in zip(p95, self.values(ROUND_ROBIN, _p95), strict=True)]
        return [
            f"{fmean(p95):.2f}",
            f"{_deviation(p95):.2f}",
            f"{fmean(self.values(who, _mean)):.2f}",
            f"{100 * fmean(self.values(who, _failed)):.3f}",
            f"{fmean(self.values(who, _switches)):.2f}",
            f"{fmean(gains):+.0%}",
        ]


def _p95(served: Served) -> float:
    return served.p95


def _mean(served: Served) -> float:
    return served.mean


def _failed(served: Served) -> float:
    return served.failed


def _switches(served: Served) -> float:
    return served.switches


def _deviation(values: Sequence[float]) -> float:
    return stdev(values) if len(values) > 1 else 0.0


def plan(options: argparse.Namespace) -> list[Run]:
    """Return the runs to play."""
    return [Run(setup, seed, options.days) for setup in SETUPS for seed in range(1, options.seeds + 1)]


def run_all(runs: Sequence[Run], progress: Progress) -> tuple[Report, list[Contest]]:
    """Play everything and sum it up."""
    machine = measure_machine()
    progress.step(f"playing {len(runs)} runs")
    found = list(play_all(runs, progress))
    setups = dict.fromkeys(run.setup for run in runs)
    contests = [_sum_up(setup, [served for run, served in found if run.setup is setup]) for setup in setups]
    figures = [figure for contest in contests for figure in contest.figures()]
    return Report("selection", sys.argv[1:], _versions(), machine, figures), contests


def _sum_up(setup: Setup, found: Sequence[Mapping[str, Served]]) -> Contest:
    return Contest(setup, {who: [served[who] for served in found] for who in found[0]})


def _versions() -> dict[str, str]:
    names = ("providerswitch", "pydantic")
    return {"python": platform.python_version(), **{name: importlib.metadata.version(name) for name in names}}


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="make bench-selection", description=__doc__)
    parser.add_argument("--seeds", type=int, default=8, help="how many times the days are drawn; the first is number 1")
    parser.add_argument("--days", type=float, default=2.0, help="of each run")
    parser.add_argument("--quick", action="store_true", help="2 seeds of 6 hours: a look, no proof; nothing is stored")
    options = parser.parse_args(arguments)
    if options.quick:
        options.seeds, options.days = 2, 0.25
    return options


def main() -> int:
    """Play, print and store."""
    options, console = parse(), Console()
    with telling(console) as progress:
        report, contests = run_all(plan(options), progress)
    for contest in contests:
        console.print(contest.table())
    if options.quick:
        console.print(report.table())
    else:
        publish(report, console)
    return 0


if __name__ == "__main__":
    sys.exit(main())
