"""Check that no file names a package registry's host or a path of one machine: part of `make lint`.

Where packages come from is the choice of whoever installs them (a mirror, a proxy), and a path of the author's machine
works nowhere else.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tracked import ROOT, tracked_files

FORBIDDEN: Final = re.compile(
    r"""
    \b(?:pypi\.org|pythonhosted\.org|(?<!docs\.)crates\.io|(?:proxy|sum)\.golang\.org|registry\.npmjs\.org)\b
    | \b(?:repo1?\.maven|maven\.apache\.org|(?:deb|security)\.debian\.org|archive\.ubuntu\.com)\b
    | (?<![\w.$}])/(?:work/(?:main|shared)|home/\w|Users/\w|opt/wheels|root/[\w.])
    """,
    re.VERBOSE,
)
"""Its own text does not match it: dots are escaped."""


def findings(path: Path, text: str) -> Iterator[str]:
    """Yield a line for each place in a file."""
    for number, line in enumerate(text.splitlines(), 1):
        if found := FORBIDDEN.search(line):
            yield f"{path}:{number}: names {found[0]}"


def all_findings() -> list[str]:
    """Look through every file of the repository; what is not text is passed over by its replacement characters."""
    texts = {path: (ROOT / path).read_text(errors="replace") for path in tracked_files()}
    return [finding for path, text in texts.items() for finding in findings(path, text)]


def main() -> int:
    """Print the places."""
    found = all_findings()
    print("\n".join(found or ["no registry host, no path of one machine"]))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
