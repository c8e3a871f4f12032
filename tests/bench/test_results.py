"""A run is stored so that a program can read it, and printed so that a person can."""

import io
import json
from pathlib import Path

from rich.console import Console
from tests.bench.shared import figures, results

MACHINE = {"cores": 2, "memoryGiB": 23.5, "loadAtStart": 0.4}
FIGURES = [figures.Figure("p99", 3.0, "s", 2.5), figures.Figure("p50", 2.0, "s")]


def report(*arguments: str) -> results.Report:
    return results.Report("failover", arguments, {"kopf": "1.45.2"}, MACHINE, FIGURES)


def test_a_stored_run_holds_command_versions_machine_and_figures(tmp_path: Path) -> None:
    path = report().write(tmp_path / "results")

    assert path == tmp_path / "results" / "failover.json"
    assert json.loads(path.read_text()) == {
        "command": "make bench-failover",
        "versions": {"kopf": "1.45.2"},
        "machine": MACHINE,
        "figures": [
            {"name": "p99", "value": 3.0, "unit": "s", "aim": 2.5, "holds": False},
            {"name": "p50", "value": 2.0, "unit": "s", "aim": None, "holds": None},
        ],
    }


def test_the_command_repeats_the_run_with_its_arguments() -> None:
    assert report("--repetitions", "2").command == "make bench-failover ARGS='--repetitions 2'"


def test_the_table_shows_a_missed_aim() -> None:
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(report().table())

    text = console.export_text()
    missed = next(line.split("│")[1:-1] for line in text.splitlines() if "p99" in line)
    assert missed[-1].strip() == "no"
    assert "2 cores, 23.5 GiB, load 0.4 at the start" in " ".join(text.split())


def test_every_stored_result_of_this_checkout_is_complete() -> None:
    stored = {path.stem: json.loads(path.read_text()) for path in results.FOLDER.glob("*.json")}

    assert stored.keys() == {path.stem for path in results.FOLDER.parent.glob("*.py")}
    for name, found in stored.items():
        assert found.keys() == {"command", "versions", "machine", "figures"}
        assert found["command"].startswith(f"make bench-{name}")
        assert all(each.keys() == {"name", "value", "unit", "aim", "holds"} for each in found["figures"])
