"""The steps of a release that need thought: is the tag right, what changed, and which files are published.

    python hack/release.py check v0.1.0      # the version agrees everywhere, and the changelog has it with a date
    python hack/release.py notes v0.1.0      # its section of the changelog
    python hack/release.py files --image registry.example.com/providerswitch --digest sha256:...

`check` and `notes` need nothing but Python; `files` needs the helm of `make helm`.
"""

import argparse
import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
CHART: Final = Path("charts/providerswitch")
INSTALL: Final = Path("manifests/install.yaml")
OUTPUT: Final = ROOT / "build" / "release"
SBOM: Final = "build/sbom*"
SEMVER: Final = re.compile(r"v(\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?)")
DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
SECTION: Final = re.compile(r"^## \[(?P<version>[^\]]+)\](?: - (?P<date>\S+))?$", re.MULTILINE)
LINKS: Final = re.compile(r"^\[[^\]]+\]: ", re.MULTILINE)


class ReleaseError(RuntimeError):
    """It cannot be released like this; the text says what to mend."""


def named_versions(root: Path) -> dict[str, str]:
    """Return the version that each file names, by what to look at in it."""
    patterns = {
        "pyproject.toml: version": r'^version = "(.+)"$',
        "operator/providerswitch/__init__.py: __version__": r'^__version__ = "(.+)"$',
        f"{CHART}/Chart.yaml: version": r"^version: (\S+)$",
        f"{CHART}/Chart.yaml: appVersion": r'^appVersion: "(.+)"$',
        f"{INSTALL}: image": r'^ *image: "?\S+:([^"\s]+)"?$',
        "CHANGELOG.md: the topmost section": r"^## \[(?!Unreleased)([^\]]+)\]",
    }
    return {place: _find(root, place, pattern) for place, pattern in patterns.items()}


def _find(root: Path, place: str, pattern: str) -> str:
    found = re.search(pattern, (root / place.split(":", maxsplit=1)[0]).read_text(), re.MULTILINE)
    return found[1] if found else "none"


def check(root: Path, tag: str) -> None:
    """Make sure that a tag may be released.

    Raises:
        ReleaseError: It is no version, files disagree, or the changelog has no date for it.
    """
    found = SEMVER.fullmatch(tag)
    if not found:
        raise ReleaseError(f"{tag} is not a tag such as v1.2.3 or v1.2.3-rc.1")
    wrong = [f"{place} is {version}" for place, version in named_versions(root).items() if version != found[1]]
    if wrong:
        raise ReleaseError(f"the tag is {tag}, but {'; '.join(wrong)}")
    date = _section(root, found[1])["date"]
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", date or ""):
        raise ReleaseError(f"CHANGELOG.md gives {found[1]} the date {date}: write the day of the release")


def notes(root: Path, tag: str) -> str:
    """Return what changed in a version: its section of the changelog, without the heading.

    Raises:
        ReleaseError: There is no section.
    """
    text = (root / "CHANGELOG.md").read_text()
    section = _section(root, tag.removeprefix("v"))
    following = SECTION.search(text, section.end())
    body = text[section.end() : following.start() if following else len(text)]
    return LINKS.split(body, maxsplit=1)[0].strip() + "\n"


def _section(root: Path, version: str) -> re.Match[str]:
    for found in SECTION.finditer((root / "CHANGELOG.md").read_text()):
        if found["version"] == version:
            return found
    raise ReleaseError(f"CHANGELOG.md has no section [{version}]")


def pin_values(text: str, image: str, digest: str) -> str:
    """Return the chart's values with the published image as the default.

    Raises:
        ReleaseError: The values have no such fields.
    """
    text = _replace_once(text, r"^  repository: \S+$", f"  repository: {image}")
    return _replace_once(text, r'^  digest: ""$', f"  digest: {digest}")


def pin_manifest(text: str, image: str, digest: str) -> str:
    """Return the install manifest with the published image.

    Raises:
        ReleaseError: It has not one image.
    """
    return _replace_once(text, r'^( *image:) "?[^"\s]+"?$', rf'\1 "{image}@{digest}"')


def _replace_once(text: str, pattern: str, replacement: str) -> str:
    changed, count = re.subn(pattern, replacement, text, flags=re.MULTILINE)
    if count != 1:
        raise ReleaseError(f"{pattern} matches {count} lines, not one")
    return changed


def package_chart(helm: Path, image: str, digest: str, output: Path) -> None:
    """Package the chart with the published image as its default."""
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / CHART.name
        shutil.copytree(ROOT / CHART, copy)
        values = copy / "values.yaml"
        values.write_text(pin_values(values.read_text(), image, digest))
        subprocess.run([helm, "lint", "--strict", copy], check=True, stdout=subprocess.DEVNULL)
        subprocess.run([helm, "package", copy, "--destination", output], check=True, stdout=subprocess.DEVNULL)


def write_files(helm: Path, image: str, digest: str, output: Path) -> None:
    """Write everything that is published beside the image, and the checksums of it.

    Raises:
        ReleaseError: The digest is none, or the chart and the manifest have changed their form.
    """
    if not DIGEST.fullmatch(digest):
        raise ReleaseError(f"{digest} is not a digest such as sha256:0123...: take it from the build")
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    package_chart(helm, image, digest, output)
    (output / INSTALL.name).write_text(pin_manifest((ROOT / INSTALL).read_text(), image, digest))
    for path in [*sorted((ROOT / "crds").glob("*.yaml")), *sorted(ROOT.glob(SBOM))]:
        shutil.copy(path, output / path.name)
    write_checksums(output)


def write_checksums(folder: Path) -> None:
    """Write SHA256SUMS as `sha256sum --check` reads it."""
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in sorted(folder.iterdir())]
    (folder / "SHA256SUMS").write_text("".join(lines))


def built_helm() -> Path:
    """Return the helm that `make helm` has built."""
    command = [sys.executable, str(ROOT / "hack" / "envtest" / "helm.py")]
    return Path(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def parse_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Check a release, and write its files.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("check", help="does everything agree with the tag?").add_argument("tag")
    verbs.add_parser("notes", help="print the changes").add_argument("tag")
    files = verbs.add_parser("files", help=f"write {OUTPUT.relative_to(ROOT)}")
    files.add_argument("--image", required=True, help="registry and repository, without a tag")
    files.add_argument("--digest", required=True, help="of the published image")
    return parser.parse_args()


def main() -> int:
    """Do what the command line says."""
    options = parse_options()
    try:
        match options.verb:
            case "check":
                check(ROOT, options.tag)
            case "notes":
                print(notes(ROOT, options.tag), end="")
            case _:
                write_files(built_helm(), options.image, options.digest, OUTPUT)
    except (ReleaseError, subprocess.CalledProcessError) as error:
        print(f"hack/release.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
