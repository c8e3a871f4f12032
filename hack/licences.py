"""Write docs/reference/licences.md: the licence of each distribution that runs in a cluster. `make licences`.

What is told is what the installed distributions say about themselves (core metadata, PEP 639 where they follow it), in
the versions that requirements/runtime.txt pins. A licence that is not in ALLOWED stops it: someone has to read it.
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
LOCK: Final = ROOT / "requirements" / "runtime.txt"
PAGE: Final = ROOT / "docs" / "reference" / "licences.md"
PINNED: Final = re.compile(r"^([A-Za-z0-9._-]+)==([^ \\;]+)", re.MULTILINE)

PERMISSIVE: Final = "permissive"
FILE_COPYLEFT: Final = "copyleft of its own files"
ALLOWED: Final = {
    "Apache-2.0": PERMISSIVE,
    "BSD-2-Clause": PERMISSIVE,
    "BSD-3-Clause": PERMISSIVE,
    "ISC": PERMISSIVE,
    "MIT": PERMISSIVE,
    "MPL-2.0": FILE_COPYLEFT,
    "PSF-2.0": PERMISSIVE,
}
"""Kind by SPDX identifier. All may be shipped in an image beside Apache-2.0; MPL-2.0 asks that changes of its own files
be published, and we change none."""

SPELLINGS: Final = {
    "Apache 2.0": "Apache-2.0",
    "License :: OSI Approved :: BSD License": "BSD-3-Clause",
}
"""What distributions without an SPDX expression write. The classifier leaves open which BSD licence it is; those that
use it and nothing else (cronsim, google-re2) have the one of three clauses in their LICENSE file, read 2026-11."""

INTRODUCTION: Final = """<!-- Written by `make licences` from the metadata of what is installed. Do not edit. -->
# Licences

providerswitch itself is under Apache-2.0. This is what else its image holds, as pinned in `requirements/runtime.txt`,
besides Python (PSF-2.0) and what the base image brings, which the SBOM of a release lists.

| distribution | version | licence (SPDX) | kind |
|---|---|---|---|
"""


class UnreadLicenceError(Exception):
    """A licence that nobody has allowed yet, or none at all."""


@dataclass(frozen=True, slots=True)
class Licensed:
    """One distribution.

    Attributes:
        licence: SPDX expression.
    """

    name: str
    version: str
    licence: str

    @property
    def kind(self) -> str:
        """The strictest of its kinds; of alternatives, the one that may be chosen."""
        kinds = {ALLOWED[identifier] for identifier in _identifiers(self.licence)}
        choice = " OR " in self.licence
        return PERMISSIVE if kinds == {PERMISSIVE} or (choice and PERMISSIVE in kinds) else FILE_COPYLEFT


def distributions(lock: str) -> Iterator[Licensed]:
    """Yield what a lock file pins, in its order.

    Raises:
        UnreadLicenceError: one has no licence that is allowed, or another version of it is installed.
    """
    for name, version in PINNED.findall(lock):
        told = metadata.metadata(name)
        if told["Version"] != version:
            raise UnreadLicenceError(f"{name} {told['Version']} is installed, {version} is pinned: run make venv")
        yield Licensed(name, version, _checked(name, read_licence(told)))


def read_licence(told: metadata.PackageMetadata) -> str:
    """Return the SPDX expression of a distribution, or what it says instead of one."""
    classifiers = [text for text in told.get_all("Classifier") or [] if text.startswith("License ::")]
    said = next((text for name in ("License-Expression", "License") for text in told.get_all(name) or [] if text), "")
    said = said or next(iter(classifiers), "")
    line = said.strip().partition("\n")[0]
    return SPELLINGS.get(line, line)


def _checked(name: str, licence: str) -> str:
    unread = [identifier for identifier in _identifiers(licence) or [licence] if identifier not in ALLOWED]
    if unread:
        raise UnreadLicenceError(
            f'{name}: the licence "{unread[0]}" is not in ALLOWED of hack/licences.py: read it first'
        )
    return licence


def _identifiers(expression: str) -> list[str]:
    words = expression.replace("(", " ").replace(")", " ").split(" ")
    return [word for word in words if word and word not in {"AND", "OR"}]


def build_page() -> str:
    """Return the page as it should stand.

    Raises:
        UnreadLicenceError: see `distributions`.
    """
    rows = (
        f"| {each.name} | {each.version} | {each.licence} | {each.kind} |\n" for each in distributions(LOCK.read_text())
    )
    return INTRODUCTION + "".join(rows)


def main() -> int:
    """Write the page."""
    try:
        PAGE.write_text(build_page())
    except UnreadLicenceError as error:
        print(error, file=sys.stderr)
        return 1
    print(PAGE.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
