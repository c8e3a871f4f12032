"""Write the latest results into docs/benchmarks.md: `python bench/support/latest.py`."""

import json
from pathlib import Path
from textwrap import wrap
from typing import Any, Final

BENCH: Final = Path(__file__).resolve().parents[1]
PAGE: Final = BENCH.parent / "docs" / "benchmarks.md"
HEADING: Final = "## Latest figures\n"
HOLDS: Final = {True: "yes", False: "**no**", None: ""}
WIDTH: Final = 120
ORDER: Final = ("switch", "failover", "hints", "idle", "selection", "reliability")


def table(result: dict[str, Any]) -> str:
    """Return one benchmark's figures as Markdown."""
    machine, versions = result["machine"], ", ".join(f"{name} {text}" for name, text in result["versions"].items())
    size = f"{machine['cores']} cores, {machine['memoryGiB']} GiB, load {machine['loadAtStart']} at the start"
    rows = [_row(figure) for figure in result["figures"]]
    head = "| figure | value | unit | at most | holds |\n|---|---:|---|---:|---|"
    return "\n".join([f"`{result['command']}` on {size}:", "", head, *rows, "", *wrap(f"With {versions}.", WIDTH), ""])


def _row(figure: dict[str, Any]) -> str:
    aim = "" if figure["aim"] is None else f"{figure['aim']:g}"
    return f"| {figure['name']} | {figure['value']:,.2f} | {figure['unit']} | {aim} | {HOLDS[figure['holds']]} |"


def render(page: str, results: Path) -> str:
    """Return the page with everything after its last heading replaced."""
    stored = [json.loads(path.read_text()) for name in ORDER if (path := results / f"{name}.json").exists()]
    return page.partition(HEADING)[0] + HEADING + "\n" + "\n".join(table(result) for result in stored)


if __name__ == "__main__":
    PAGE.write_text(render(PAGE.read_text(), BENCH / "results"))
    print(f"written to {PAGE.relative_to(BENCH.parent)}")
