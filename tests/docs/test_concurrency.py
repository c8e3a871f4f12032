"""docs/guide/concurrency.md: each outcome is checked by a test that exists."""

import re

import pytest
from tests.support.repository import ROOT

PAGE = (ROOT / "docs" / "guide" / "concurrency.md").read_text()
NAMED = re.findall(r"`(test_\w+)` \|$", PAGE, re.MULTILINE)
TESTS = {
    name for path in (ROOT / "tests").rglob("test_*.py") for name in re.findall(r"def (test_\w+)\(", path.read_text())
}


def test_each_row_names_its_test() -> None:
    assert len(NAMED) == len(re.findall(r"^\| ", PAGE, re.MULTILINE)) - 1


@pytest.mark.parametrize("name", NAMED)
def test_a_test_that_is_named_exists(name: str) -> None:
    assert name in TESTS
