"""The pages that people read: README, CHANGELOG and docs/, and what tests pick out of them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.support.repository import ROOT

PAGES: Final = (ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md")))
ARCHITECTURE: Final = ROOT / "docs" / "architecture.md"

FENCE: Final = re.compile(r"^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
CODE: Final = re.compile(r"`([^`\n]+)`")
HEADING: Final = re.compile(r"^#+ +(.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block."""

    page: Path
    language: str
    text: str


def name_of(page: Path) -> str:
    """Return a page's path in the repository, for messages."""
    return str(page.relative_to(ROOT))


def blocks(language: str) -> Iterator[Block]:
    """Yield the fenced blocks of a language, in all pages."""
    for page in PAGES:
        for found in FENCE.finditer(page.read_text()):
            if found["language"] == language:
                yield Block(page, language, found["text"])


def prose(page: Path) -> str:
    """Return a page without its fenced blocks."""
    return FENCE.sub("", page.read_text())


def section(page: Path, title: str) -> str:
    """Return what stands between a heading and the next of any level."""
    text = page.read_text()
    assert f" {title}\n" in text, f'{name_of(page)} has no heading "{title}"'
    return re.split(r"^#+ ", text.split(f" {title}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


def rows(text: str) -> list[list[str]]:
    """Return the cells of the tables in a text, without headings."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    rules = [index for index, line in enumerate(cells) if all(re.fullmatch(":?-+:?", cell) for cell in line)]
    dropped = {index for rule in rules for index in (rule - 1, rule)}
    return [line for index, line in enumerate(cells) if index not in dropped]


def words(cell: str) -> list[str]:
    """Return what a cell shows as code."""
    return CODE.findall(cell)
