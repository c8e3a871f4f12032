"""Reports a benchmark: a table for people, a JSON file for everything else."""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Column, Table

from support.figures import Figure

FOLDER: Final = Path(__file__).resolve().parents[1] / "results"
VERDICTS: Final = {True: "yes", False: "[bold red]no[/]", None: ""}


@dataclass(frozen=True, slots=True)
class Report:
    """One run of one benchmark.

    Attributes:
        name: of the script, without ending.
        arguments: of its command line.
        versions: by component.
        machine: its size, and how busy it was at the start.
    """

    name: str
    arguments: Sequence[str]
    versions: Mapping[str, str]
    machine: Mapping[str, float]
    figures: Sequence[Figure]

    @property
    def command(self) -> str:
        """What repeats the run."""
        if not self.arguments:
            return f"make bench-{self.name}"
        return f"make bench-{self.name} ARGS={shlex.quote(shlex.join(self.arguments))}"

    def to_json(self) -> dict[str, object]:
        """Return it as it is stored."""
        return {
            "command": self.command,
            "versions": dict(self.versions),
            "machine": dict(self.machine),
            "figures": [figure.to_json() for figure in self.figures],
        }

    def write(self, folder: Path = FOLDER) -> Path:
        """Store it, replacing the last run, and return where."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.name}.json"
        path.write_text(json.dumps(self.to_json(), indent=2) + "\n")
        return path

    def table(self) -> Table:
        """Return the table that is printed."""
        columns = (
            Column("figure"),
            Column("value", justify="right"),
            "unit",
            Column("at most", justify="right"),
            "holds",
        )
        table = Table(*columns, title=f"{self.command}: {describe(self.machine)}")
        for figure in self.figures:
            aim = "" if figure.aim is None else f"{figure.aim:g}"
            table.add_row(figure.name, f"{figure.value:,.2f}", figure.unit, aim, VERDICTS[figure.holds])
        return table


def describe(machine: Mapping[str, float]) -> str:
    """Return the machine in a few words."""
    return f"{machine['cores']:g} cores, {machine['memoryGiB']:g} GiB, load {machine['loadAtStart']:g} at the start"


def publish(report: Report, console: Console) -> None:
    """Print a report and store it."""
    console.print(report.table())
    console.print(f"written to {report.write()}", soft_wrap=True)
