"""`make bench-reliability`: a small run says what a large one would."""

import io
import re
from datetime import timedelta
from pathlib import Path

import pytest
from rich.console import Console
from tests.bench.shared import chapters, progress, reliability


def console() -> Console:
    return Console(width=120, record=True, file=io.StringIO())


def test_a_small_run_tells_all_setups_side_by_side_and_every_miss(tmp_path: Path) -> None:
    setups = (reliability.MAIN, reliability.SETUPS["3-unseen"])
    small = [chapters.Chapter(setup, seed, 0, timedelta(days=40)) for setup in setups for seed in (1, 2)]
    report, results = reliability.run(small, progress.Progress(console()))
    told = console()
    told.print(reliability.compare(results))
    missed = reliability.write_misses(results, tmp_path / "misses.tsv")

    names = [figure.name for figure in report.figures]
    assert names[:2] == ["3-providers: outages with a candidate", "3-providers: outages missed"]
    assert len(names) == len(set(names))
    assert {figure.name for figure in report.figures if figure.aim is not None} == {
        "3-providers: outages missed",
        "3-providers: requests lost, policy",
    }
    text = told.export_text()
    assert all(setup.name in text for setup in setups)
    lines = (tmp_path / "misses.tsv").read_text().splitlines()
    assert len(lines) == missed + 1
    assert missed > 0
    assert lines[1].startswith(("3-providers:", "3-unseen:"))


def test_one_trace_is_told_again() -> None:
    told = console()
    reliability.tell("3-providers:1:0", told)

    text = told.export_text()
    assert text.startswith("3-providers:1:0: ")
    assert re.search(r"^  \d\d:\d\d:\d\d\S* \w+ (Suspect|Down): ", text, re.MULTILINE), (
        "what was seen, moment by moment"
    )


@pytest.mark.parametrize("trace", ["3-providers", "5-providers:1:1", "3-providers:x:1", "3-providers:1:1:1"])
def test_a_trace_that_is_none_is_refused_with_what_one_looks_like(trace: str) -> None:
    with pytest.raises(ValueError, match=r"give SETUP:SEED:CHAPTER with a setup of 3-providers, 2-providers"):
        reliability.tell(trace, console())


def test_the_plan_holds_enough_years_for_100_000_failovers() -> None:
    chapters_of_main = [each for each in reliability.plan(reliability.parse([])) if each.setup is reliability.MAIN]

    assert len(chapters_of_main) * 46 > 95_000
    assert len({each.trace for each in chapters_of_main}) == len(chapters_of_main)


def test_quick_is_quick() -> None:
    assert len(reliability.plan(reliability.parse(["--quick"]))) < 20
