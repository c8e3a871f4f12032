"""The page on troubleshooting: symptoms are told in one order, and nothing that a person must mend is missing."""

import re

import pytest
from tests.support.repository import ROOT

from reference import reasons  # isort: skip  # tests.support.repository puts hack/ on the path

PAGE = ROOT / "docs" / "troubleshooting.md"
SYMPTOMS = dict(re.findall(r"^### ([^\n]+)\n(.*?)(?=^#{2,3} |\Z)", PAGE.read_text(), re.MULTILINE | re.DOTALL))
NOTHING = "Nothing."
"""How the reference says that there is nothing to do, for the reader or for consumers: `Nothing for the consumers.`"""


def needs_action() -> set[str]:
    """Return the reasons of conditions about which there is something to do."""
    page = (ROOT / "docs" / "reference" / "conditions.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| `\w+` \| .+ \| (.+) \|$", page, re.MULTILINE)
    return {reason for reason, advice in rows if not advice.startswith(NOTHING.rstrip("."))}


@pytest.mark.parametrize("symptom", SYMPTOMS)
def test_a_symptom_begins_with_what_is_seen_then_command_cause_and_cure(symptom: str) -> None:
    parts = re.findall(r"^(```|- \*\*\w+\*\*)", SYMPTOMS[symptom].strip(), re.MULTILINE)
    assert SYMPTOMS[symptom].strip().startswith("```")
    assert parts[:2] == ["```", "```"]
    assert parts[2:] == ["- **Look**", "- **Cause**", "- **Cure**"]


def test_every_reason_that_needs_action_has_a_symptom() -> None:
    told = set(re.findall(r"\w+", PAGE.read_text()))
    assert {"SecretNotFound", "NoHealthyProvider", "LocalNetworkFault"} <= needs_action()
    assert needs_action() - told == set(), "tell in docs/troubleshooting.md what to do"


def test_every_reason_that_a_heading_names_exists() -> None:
    named = set(re.findall(r"\b[A-Z][a-z]+(?:[A-Z][a-z]+)+\b", " ".join(SYMPTOMS)))
    assert len(named) > 10
    assert named - {*map(str, reasons.all_reasons())} - {"ConfigMap", "GitOps"} == set()
