"""What may be released, and what is published with it."""

import hashlib
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.support.repository import ROOT

import release  # isort: skip  # tests.support.repository puts hack/ on the path

DIGEST = f"sha256:{'0123456789abcdef' * 4}"
IMAGE = "registry.example.com/team/providerswitch"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The files that name the version, with a changelog that is ready to be released."""
    for name in {place.partition(":")[0] for place in release.named_versions(ROOT)}:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    edit(tmp_path / "CHANGELOG.md", r"^## \[(.+)\] - .*$", r"## [\1] - 2026-12-01")
    return tmp_path


def edit(path: Path, pattern: str, replacement: str) -> None:
    path.write_text(re.sub(pattern, replacement, path.read_text(), count=1, flags=re.MULTILINE))


def version() -> str:
    return release.named_versions(ROOT)["pyproject.toml: version"]


def test_the_version_is_the_same_everywhere() -> None:
    assert set(release.named_versions(ROOT).values()) == {version()}


def test_a_tag_of_the_version_may_be_released(tree: Path) -> None:
    release.check(tree, f"v{version()}")


@pytest.mark.parametrize("tag", ["0.1.0", "v1", "v0.1.0 ", "v0.1.x", "main"])
def test_what_is_no_version_is_no_tag(tree: Path, tag: str) -> None:
    with pytest.raises(release.ReleaseError, match=r"is not a tag such as v1\.2\.3"):
        release.check(tree, tag)


PLACES = {
    "pyproject.toml": (r'^version = ".+"', 'version = "9.9.9"', "pyproject.toml: version is 9.9.9"),
    "operator/providerswitch/__init__.py": (r"^__version__.+", '__version__ = "9.9.9"', "__version__ is 9.9.9"),
    "charts/providerswitch/Chart.yaml": (r"^version: .+", "version: 9.9.9", "Chart.yaml: version is 9.9.9"),
    "manifests/install.yaml": (r"^( *image:) .+$", r'\1 "providerswitch:9.9.9"', "install.yaml: image is 9.9.9"),
    "CHANGELOG.md": (r"^## \[.+\]", "## [9.9.9]", "CHANGELOG.md: the topmost section is 9.9.9"),
}  # fmt: skip


@pytest.mark.parametrize("name", PLACES)
def test_a_file_that_was_forgotten_is_named(tree: Path, name: str) -> None:
    pattern, replacement, told = PLACES[name]
    edit(tree / name, pattern, replacement)
    with pytest.raises(release.ReleaseError, match=re.escape(told)):
        release.check(tree, f"v{version()}")


def test_a_version_without_a_date_is_not_released(tree: Path) -> None:
    edit(tree / "CHANGELOG.md", r"^(## \[.+\]) - .*$", r"\1 - unreleased")
    with pytest.raises(release.ReleaseError, match="write the day of the release"):
        release.check(tree, f"v{version()}")


def test_changes_that_wait_for_the_next_version_are_no_version(tree: Path) -> None:
    edit(tree / "CHANGELOG.md", r"^## \[", "## [Unreleased]\n\n### Added\n\n- Soon.\n\n## [")
    release.check(tree, f"v{version()}")
    assert "Soon" not in release.notes(tree, f"v{version()}")


def test_the_notes_are_the_section_of_the_version_and_no_more(tree: Path) -> None:
    text = "# Changelog\n\n## [0.2.0] - 2026-12-01\n\n- New.\n\n## [0.1.0] - 2026-11-24\n\n- Old.\n\n[0.1.0]: x\n"
    (tree / "CHANGELOG.md").write_text(text)
    assert release.notes(tree, "v0.2.0") == "- New.\n"
    assert release.notes(tree, "v0.1.0") == "- Old.\n"
    with pytest.raises(release.ReleaseError, match=r"no section \[0\.3\.0\]"):
        release.notes(tree, "v0.3.0")


def test_the_published_manifest_names_the_image_by_its_digest_and_is_otherwise_the_same() -> None:
    text = (ROOT / release.INSTALL).read_text()
    pinned = release.pin_manifest(text, IMAGE, DIGEST)
    changed = [new for old, new in zip(text.splitlines(), pinned.splitlines(), strict=True) if old != new]
    assert [line.strip() for line in changed] == [f'image: "{IMAGE}@{DIGEST}"']


def test_the_published_values_name_the_image_by_its_digest() -> None:
    import yaml

    text = (ROOT / release.CHART / "values.yaml").read_text()
    values, before = yaml.safe_load(release.pin_values(text, IMAGE, DIGEST)), yaml.safe_load(text)
    assert (values["image"]["repository"], values["image"]["digest"]) == (IMAGE, DIGEST)
    assert {**values, "image": None} == {**before, "image": None}


def test_a_chart_of_another_form_is_not_published_by_halves() -> None:
    with pytest.raises(release.ReleaseError, match="matches 0 lines"):
        release.pin_values("image: {}\n", IMAGE, DIGEST)


def test_a_digest_is_needed(tmp_path: Path) -> None:
    with pytest.raises(release.ReleaseError, match="is not a digest"):
        release.write_files(Path("helm"), IMAGE, "", tmp_path / "out")


def test_checksums_are_those_that_sha256sum_checks(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("1")
    (tmp_path / "two").write_text("2")
    release.write_checksums(tmp_path)
    assert hashlib.sha256(b"1").hexdigest() in (tmp_path / "SHA256SUMS").read_text()
    subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=tmp_path, check=True, capture_output=True)
