"""The page shows the figures that are stored."""

import json
from pathlib import Path

from tests.bench.shared import latest, results

RESULT = {
    "command": "make bench-idle",
    "versions": {"kopf": "1.45.2"},
    "machine": {"cores": 2, "memoryGiB": 8, "loadAtStart": 0.1},
    "figures": [{"name": "writes", "value": 1.5, "unit": "", "aim": 0, "holds": False}],
}


def test_only_what_stands_below_the_last_heading_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "idle.json").write_text(json.dumps(RESULT))

    page = latest.render("# Benchmarks\n\n## Latest figures\n\nformer\n", tmp_path)

    assert page.startswith("# Benchmarks\n\n## Latest figures\n\n`make bench-idle` on 2 cores, 8 GiB, load 0.1 at the")
    assert "| writes | 1.50 |  | 0 | **no** |" in page
    assert "former" not in page


def test_the_page_of_this_checkout_shows_the_stored_figures() -> None:
    page = latest.PAGE.read_text()

    assert page == latest.render(page, results.FOLDER), "write it again: .venv/bin/python bench/support/latest.py"
