"""The folders show the architecture, and stay the way the docs draw it."""

from pathlib import Path

import pytest
from tests.support.repository import ROOT, addresses, tracked

PACKAGE = Path("operator/providerswitch")
VAGUE = {"utils", "util", "helpers", "helper", "common", "misc"}


def rooms() -> list[str]:
    """Return the folders of the package that hold modules."""
    return sorted({path.relative_to(PACKAGE).parts[0] for path in tracked.tracked_files(f"{PACKAGE}/*/*.py")})


def test_no_module_stands_directly_in_operator() -> None:
    assert [path for path in (ROOT / "operator").iterdir() if path.suffix == ".py"] == [], (
        "operator is a module of the standard library: a file here would shadow it"
    )


@pytest.mark.parametrize("room", rooms())
def test_every_room_has_tests(room: str) -> None:
    assert tracked.tracked_files(f"tests/{room}/**/test_*.py", f"tests/{room}/test_*.py"), (
        f"tests/{room}/ holds no test module"
    )


def test_no_file_has_a_name_that_says_nothing() -> None:
    assert [str(path) for path in tracked.tracked_files("*.py") if path.stem in VAGUE] == []


def test_no_file_names_a_registry_or_a_path_of_one_machine() -> None:
    assert addresses.all_findings() == []
