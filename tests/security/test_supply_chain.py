"""What is installed is what was locked, and may be shipped."""

import re
from email.message import Message
from importlib.metadata import PackageMetadata
from typing import Any, cast

import pytest
from tests.support.repository import ROOT

import licences

LOCKS = sorted((ROOT / "requirements").glob("*.txt"))


def requirements(text: str) -> list[str]:
    """Return the requirements of a lock file, each with its hashes."""
    joined = text.replace("\\\n", " ")
    return [line for line in joined.splitlines() if line.strip() and not line.lstrip().startswith("#")]


@pytest.mark.parametrize("name", [path.name for path in LOCKS])
def test_every_requirement_is_pinned_by_version_and_hash(name: str) -> None:
    found = requirements((ROOT / "requirements" / name).read_text())

    assert found
    for line in found:
        assert re.match(r"^[A-Za-z0-9._\[\]-]+==[^ ]+ ", line), line
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", line), line
        assert "://" not in line, line


def test_the_image_and_the_virtual_environment_install_nothing_without_its_hash() -> None:
    for file in ("Dockerfile", "Makefile"):
        lines = (ROOT / file).read_text().replace("\\\n", " ").splitlines()
        installs = [line for line in lines if re.search(r"pip\b.* install .*(-r|--requirement)", line)]
        assert installs
        assert all("--require-hashes" in line for line in installs), file


def test_go_modules_are_pinned_by_hash() -> None:
    for module in sorted((ROOT / "hack").rglob("go.mod")):
        assert (module.parent / "go.sum").read_text().strip(), module


def test_the_page_of_licences_is_current() -> None:
    assert licences.PAGE.read_text() == licences.build_page(), "run: make licences"


def told(**fields: str) -> PackageMetadata:
    message = Message()
    for name, value in fields.items():
        message[name.replace("_", "-")] = value
    return cast("Any", message)  # type: ignore[no-any-return]  # what importlib returns is a Message too


def test_an_expression_is_believed_before_the_older_fields() -> None:
    both = told(License_Expression="MIT", License="see LICENSE", Classifier="License :: OSI Approved :: BSD License")

    assert licences.read_licence(both) == "MIT"
    assert licences.read_licence(told(Classifier="License :: OSI Approved :: BSD License")) == "BSD-3-Clause"


@pytest.mark.parametrize("licence", ["GPL-3.0-only", "MIT AND GPL-3.0-only", "", "see LICENSE"])
def test_a_licence_that_nobody_allowed_stops_it(monkeypatch: pytest.MonkeyPatch, licence: str) -> None:
    monkeypatch.setattr(licences.metadata, "metadata", lambda _name: told(Version="1", License=licence))

    with pytest.raises(licences.UnreadLicenceError, match="read it first"):
        list(licences.distributions("some-thing==1 \\\n"))


def test_a_version_that_is_not_the_pinned_one_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(licences.metadata, "metadata", lambda _name: told(Version="2", License="MIT"))

    with pytest.raises(licences.UnreadLicenceError, match="run make venv"):
        list(licences.distributions("some-thing==1 \\\n"))


def test_of_two_licences_the_stricter_counts_and_of_alternatives_the_freer() -> None:
    assert licences.Licensed("a", "1", "MIT AND MPL-2.0").kind == licences.FILE_COPYLEFT
    assert licences.Licensed("a", "1", "MIT OR MPL-2.0").kind == licences.PERMISSIVE
