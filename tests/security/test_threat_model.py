"""The threat model keeps its word: every threat names tests, and they are there and run."""

import ast
import re
import subprocess
import sys
from dataclasses import dataclass
from functools import cache

import pytest
from tests.support.repository import ROOT

PAGE = ROOT / "docs" / "security" / "threat-model.md"
HEADING = re.compile(r"^### (?P<label>[A-Z]+\d+) (?P<title>.+)$", re.MULTILINE)
NODE = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


@dataclass(frozen=True, slots=True)
class Threat:
    """One section of the page.

    Attributes:
        tests: file and name of each test it names.
    """

    label: str
    text: str
    tests: tuple[tuple[str, str], ...]


def read_threats(page: str) -> list[Threat]:
    starts = [*HEADING.finditer(page)]
    ends = [*(found.start() for found in starts[1:]), len(page)]
    texts = [page[found.end() : end].partition("\n## ")[0] for found, end in zip(starts, ends, strict=True)]
    return [Threat(found["label"], text, tuple(NODE.findall(text))) for found, text in zip(starts, texts, strict=True)]


THREATS = read_threats(PAGE.read_text())


@cache
def functions(file: str) -> dict[str, ast.FunctionDef | ast.AsyncFunctionDef]:
    tree = ast.parse((ROOT / file).read_text())
    return {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def skipped(file: str, name: str) -> bool:
    """Tell whether a test is marked to be skipped or to fail, alone or with its file."""
    marks = [ast.unparse(mark) for mark in functions(file)[name].decorator_list]
    marks += re.findall(r"^pytestmark\s*=.*$", (ROOT / file).read_text(), re.MULTILINE)
    return any(re.search(r"\.(skip|skipif|xfail)\b", mark) for mark in marks)


def test_the_page_has_threats_of_every_kind_and_no_label_twice() -> None:
    labels = [threat.label for threat in THREATS]

    assert len(labels) == len(set(labels))
    assert {label.rstrip("0123456789") for label in labels} == set("KNIDHRMSO")


@pytest.mark.parametrize("threat", THREATS, ids=lambda threat: threat.label)
def test_every_threat_tells_what_is_tried_and_what_stops_it_and_names_tests(threat: Threat) -> None:
    for part in ("- Attempt: ", "- Stopped by: ", "- Tests: "):
        assert part in threat.text
    assert threat.tests
    assert len(threat.tests) == threat.text.count("::"), "a test is written so that it is not recognised"


@pytest.mark.parametrize("threat", THREATS, ids=lambda threat: threat.label)
def test_no_test_that_a_threat_names_is_skipped(threat: Threat) -> None:
    for file, name in threat.tests:
        assert name in functions(file), f"{threat.label}: there is no {name} in {file}"
        assert not skipped(file, name), f"{threat.label}: {name} is skipped"


def test_pytest_collects_every_test_that_a_threat_names() -> None:
    named = {test for threat in THREATS for test in threat.tests}
    files = sorted({file for file, _ in named})
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *files]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout[-2000:] + told.stderr[-2000:]
    collected = set(re.findall(r"^(tests/[\w/]+\.py)::(\w+)", told.stdout, re.MULTILINE))

    assert named - collected == set()


def test_a_threat_without_a_test_would_be_found() -> None:
    page = "### K1 One\n- Tests: `tests/a.py::test_b`\n## Others\nX `tests/c.py::test_d`\n### K2 Two\nnothing\n"

    assert [threat.tests for threat in read_threats(page)] == [(("tests/a.py", "test_b"),), ()]


LETTERS = re.compile(r"\(([A-Z]+\d+)\)$", re.MULTILINE)


def test_the_checklist_refers_to_threats_that_are_there() -> None:
    named = LETTERS.findall((ROOT / "docs" / "security" / "hardening.md").read_text())

    assert named
    assert set(named) - {threat.label for threat in THREATS} == set()
