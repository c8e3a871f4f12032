"""Write an explanation as plain text for a terminal: aligned columns, 100 characters wide where that is possible."""

import textwrap
from collections.abc import Iterator, Sequence
from typing import Final

from providerswitch.core.sections import SENTENCES, Row, Section, Table

WIDTH: Final = 100
INDENT: Final = "  "
GAP: Final = 2
NARROWEST: Final = 36
"""A column of sentences that is left with less stands below its row instead."""
UNKNOWN: Final = "-"


def render(sections: Sequence[Section]) -> Iterator[str]:
    """Return the lines of all sections, an empty one before each."""
    for section in sections:
        yield ""
        yield section.title
        for line in section.lines:
            yield from _wrap(clean(line), INDENT)
        if section.table:
            yield from _render_table(section.table)


def clean(text: str) -> str:
    """Return the text without characters that steer a terminal: a provider's own words may stand in it."""
    return "".join(character if character.isprintable() else " " for character in text)


def _wrap(text: str, first: str, later: str = INDENT * 2) -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent=first, subsequent_indent=later, break_long_words=False, break_on_hyphens=False
    )


def _render_table(table: Table) -> Iterator[str]:
    rows = [tuple(clean(cell).strip() or UNKNOWN for cell in row) for row in table.rows]
    if table.columns[-1] == SENTENCES:
        yield from _with_sentences(table.columns, rows)
        return
    for first, last in _blocks([_width(column) for column in zip(table.columns, *rows, strict=True)]):
        yield from _align([(row[0], *row[first:last]) for row in (table.columns, *rows)])


def _blocks(widths: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Split the columns but the first, which is repeated, into blocks that fit."""
    start, used = 1, len(INDENT) + widths[0]
    for place, width in enumerate(widths[1:], 1):
        if place > start and used + GAP + width > WIDTH:
            yield start, place
            start, used = place, len(INDENT) + widths[0]
        used += GAP + width
    yield start, len(widths)


def _with_sentences(columns: Row, rows: Sequence[Row]) -> Iterator[str]:
    """Write the last column beside the others where it has room there, else below each row."""
    plain = list(_align([columns[:-1], *(row[:-1] for row in rows)], pad=True))
    left = WIDTH - len(plain[0]) - GAP
    if left >= NARROWEST:
        beside = " " * (len(plain[0]) + GAP)
        yield plain[0] + " " * GAP + columns[-1]
        for start, row in zip(plain[1:], rows, strict=True):
            yield from _wrap(row[-1], start + " " * GAP, beside)
        return
    yield plain[0].rstrip()
    for start, row in zip(plain[1:], rows, strict=True):
        yield start.rstrip()
        yield from _wrap(row[-1], INDENT * 3, INDENT * 3)


def _align(rows: Sequence[Row], *, pad: bool = False) -> Iterator[str]:
    widths = [_width(column) for column in zip(*rows, strict=True)]
    for row in rows:
        line = INDENT + (" " * GAP).join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield line if pad else line.rstrip()


def _width(column: Sequence[str]) -> int:
    return max(map(len, column))
