"""The list of what the operator is made of, as `make sbom` writes it before the tests."""

import json
import re

import pytest
from tests.support.repository import ROOT

LIST = ROOT / "build" / "sbom.cdx.json"
REQUIREMENTS = ROOT / "requirements" / "runtime.txt"
LOCKED = re.compile(r"^([\w.-]+)==([\w.+!-]+)", re.MULTILINE)


def test_each_locked_dependency_is_in_it_with_its_version_and_its_hash() -> None:
    if not LIST.exists() or LIST.stat().st_mtime < REQUIREMENTS.stat().st_mtime:
        pytest.skip("build/sbom.cdx.json is missing or older than the requirements: run make sbom")
    components = json.loads(LIST.read_text())["components"]

    listed = {(each["name"], each["version"]) for each in components}
    hashed = {each["name"] for each in components if any(link.get("hashes") for link in each["externalReferences"])}

    locked = LOCKED.findall(REQUIREMENTS.read_text())
    assert len(locked) > 30
    assert listed == set(locked)
    assert hashed == {name for name, _ in locked}
