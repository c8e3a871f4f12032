"""The guide's example of `classify` gives the classes that the guide tells."""

import io
import json
import re
from datetime import UTC, datetime

from tests.docs.pages import FENCE, section, words
from tests.support.repository import ROOT

from providerswitch.cli import classify

GUIDE = ROOT / "docs" / "guide.md"
TITLE = "What an answer means: classify"


def test_the_example_gives_the_classes_that_are_told() -> None:
    text = section(GUIDE, TITLE)
    lines = next(found["text"] for found in FENCE.finditer(text) if found["language"] == "json").splitlines()
    told = re.search(r"the classes are (.+)\. No network", " ".join(text.split()))
    assert told

    output, errors = io.StringIO(), io.StringIO()
    code = classify.run(lines, output, errors, now=datetime(2026, 11, 24, tzinfo=UTC))

    assert (code, errors.getvalue()) == (0, "")
    assert [json.loads(line)["class"] for line in output.getvalue().splitlines()] == words(told[1])
