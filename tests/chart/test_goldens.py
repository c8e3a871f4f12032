"""The chart is well formed, and what it renders is what stands in the repository."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.chart.rendering import offline
from tests.docs.pages import name_of
from tests.support.helm import CHART
from tests.support.repository import ROOT

import generate  # isort: skip  # tests.support.repository puts hack/ on the path
from chart import CASES  # isort: skip

PLACES = [
    ROOT / "manifests" / "install.yaml",
    *(folder / "expected.yaml" for folder in CASES.iterdir() if (folder / "values.yaml").exists()),
]


@pytest.fixture(scope="module")
def rendered() -> Mapping[Path, str]:
    return generate.rendered()


@pytest.mark.parametrize("path", PLACES, ids=name_of)
def test_what_is_rendered_is_current(path: Path, rendered: Mapping[Path, str]) -> None:
    assert path.read_text() == rendered[path], f"{name_of(path)} is stale: run `make generated` and look at the change"


def test_there_are_three_goldens_and_the_install_manifest(rendered: Mapping[Path, str]) -> None:
    assert set(rendered) == set(PLACES)
    assert len(PLACES) == 4


@pytest.mark.parametrize("folder", sorted(CASES.iterdir()), ids=lambda folder: folder.name)
def test_helm_lint_finds_nothing(folder: Path) -> None:
    linted = offline()("lint", "--strict", str(CHART), "--values", str(folder / "values.yaml"))
    assert (linted.returncode, "[WARNING]" in linted.stdout) == (0, False), linted.stdout


def test_the_install_manifest_claims_nothing_that_only_helm_may_claim() -> None:
    text = (ROOT / "manifests" / "install.yaml").read_text()
    assert "helm" not in text.lower().replace("charts/providerswitch", "")


def test_the_install_manifest_begins_with_what_the_rest_needs() -> None:
    kinds = [
        line for line in (ROOT / "manifests" / "install.yaml").read_text().splitlines() if line.startswith("kind:")
    ]
    assert kinds[:4] == [*["kind: CustomResourceDefinition"] * 3, "kind: Namespace"]


def test_the_packaged_chart_renders_the_same(tmp_path: Path) -> None:
    offline().ok("package", str(CHART), "--destination", str(tmp_path))
    (package,) = tmp_path.glob("providerswitch-*.tgz")
    args = ("--namespace", "x", "--set", "prometheusRule.enabled=true,grafanaDashboard.enabled=true")
    rendered = [offline().ok("template", "x", str(place), *args) for place in (package, CHART)]
    assert rendered[0] == rendered[1]
