"""Check that functions and files stay small: part of `make lint`.

Limits, from the house style: bodies without docstring have a median of at most 8 lines, 90 % have at most 30, none has
over 75; a file has at most 400.
"""

import ast
import statistics
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tracked import ROOT, tracked_files

CHECKED: Final = ("operator/*.py", "bench/*.py", "hack/*.py")
MEDIAN_LINES: Final = 8
NINE_OF_TEN_LINES: Final = 30
LONGEST_BODY: Final = 75
LONGEST_FILE: Final = 400
NAMED_AT_MOST: Final = 10


@dataclass(frozen=True, slots=True, order=True)
class Body:
    """One function."""

    lines: int
    place: str


@dataclass(frozen=True, slots=True)
class Sizes:
    """What was measured."""

    bodies: list[Body]
    """Longest first."""
    files: dict[str, int]
    """Lines by path."""

    def quantile(self, share: float) -> float:
        """Return the number of lines that this share of the bodies does not exceed."""
        lines = sorted(body.lines for body in self.bodies) or [0]
        return lines[min(int(share * len(lines)), len(lines) - 1)]

    def median(self) -> float:
        """Return the median of the bodies' lines."""
        return statistics.median([body.lines for body in self.bodies] or [0])


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count from the first statement after the docstring to the last."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def measure_bodies(path: str, text: str) -> Iterator[Body]:
    """Measure every function of a file, nested ones too."""
    for node in ast.walk(ast.parse(text, path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield Body(body_lines(node), f"{path}:{node.lineno} {node.name}")


def measure(texts: dict[str, str]) -> Sizes:
    """Measure files given by path."""
    bodies = [body for path, text in texts.items() for body in measure_bodies(path, text)]
    return Sizes(sorted(bodies, reverse=True), {path: len(text.splitlines()) for path, text in texts.items()})


def findings(sizes: Sizes) -> list[str]:
    """Return a line for each broken limit, with the places to look at."""
    found = [
        f"{body.place}: {body.lines} lines, over {LONGEST_BODY}" for body in sizes.bodies if body.lines > LONGEST_BODY
    ]
    found += [
        f"{path}: {lines} lines, over {LONGEST_FILE}" for path, lines in sizes.files.items() if lines > LONGEST_FILE
    ]
    if sizes.median() > MEDIAN_LINES:
        found.append(f"the median body has {sizes.median():g} lines, over {MEDIAN_LINES}")
    if sizes.quantile(0.9) > NINE_OF_TEN_LINES:
        found.append(f"one body in ten has over {NINE_OF_TEN_LINES} lines; the longest:")
        found += [f"  {body.place}: {body.lines}" for body in sizes.bodies[:NAMED_AT_MOST]]
    return found


def summary(sizes: Sizes) -> str:
    """Return the figures in one line."""
    longest = sizes.bodies[0].lines if sizes.bodies else 0
    return (
        f"{len(sizes.files)} files, longest {max(sizes.files.values(), default=0)} lines; "
        f"{len(sizes.bodies)} functions: median {sizes.median():g}, 90 % <= {sizes.quantile(0.9):g}, longest {longest}"
    )


def main() -> int:
    """Print the figures, and the places where a limit is broken."""
    sizes = measure({str(path): (ROOT / path).read_text() for path in tracked_files(*CHECKED)})
    found = findings(sizes)
    print("\n".join([summary(sizes), *found]))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
