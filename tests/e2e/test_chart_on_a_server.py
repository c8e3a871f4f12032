"""What the chart renders, as a real API server judges it: every field known, every value valid."""

import functools
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.control_plane import ControlPlane
from tests.support.eventually import eventually_sync
from tests.support.helm import CHART, Helm
from tests.support.kubectl import Kubectl
from tests.support.repository import ROOT

RELEASE = "providerswitch"
SYSTEM = "providerswitch-system"
NAMESPACES = (SYSTEM, "team-a", "team-b", "monitoring")
CASES = sorted((ROOT / "tests" / "chart" / "data").iterdir())
MONITORING = Path(__file__).parent / "data" / "monitoring" / "crds.yaml"


@pytest.fixture(scope="module")
def server() -> Iterator[Kubectl]:
    """A cluster with the kinds and namespaces that the goldens name, and nothing of ours."""
    with ControlPlane() as plane:
        kubectl = Kubectl(plane.kubeconfig)
        for namespace in NAMESPACES:
            kubectl.ok("create", "namespace", namespace)
        kubectl.ok("label", "namespace", SYSTEM, "pod-security.kubernetes.io/enforce=restricted")
        kubectl.ok("apply", "-f", str(MONITORING))
        eventually_sync(functools.partial(knows, kubectl, "prometheusrules", "servicemonitors"))
        yield kubectl


def knows(kubectl: Kubectl, *kinds: str) -> bool:
    """Tell whether the server serves the kinds."""
    return all(kubectl("get", kind).returncode == 0 for kind in kinds)


def rendered(folder: Path, home: Path) -> str:
    """Return everything that a release with the case's values installs."""
    values = ("--values", str(folder / "values.yaml"))
    return Helm(home).ok("template", RELEASE, str(CHART), "--namespace", SYSTEM, *values)


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.name)
@pytest.mark.parametrize("way", [("--server-side",), ()], ids=["server-side", "client-side"])
def test_a_server_takes_everything_that_is_rendered(
    folder: Path, way: tuple[str, ...], server: Kubectl, tmp_path: Path
) -> None:
    text = rendered(folder, tmp_path)
    applied = server("apply", *way, "--dry-run=server", "--validate=strict", "-f", "-", stdin=text)
    assert (applied.returncode, applied.stderr) == (0, "")
    assert applied.stdout.count("(server dry run)") == text.count("\nkind: ")


def test_a_server_refuses_a_misspelt_field(server: Kubectl, tmp_path: Path) -> None:
    text = rendered(CASES[0], tmp_path).replace("terminationGracePeriodSeconds", "terminationGraceSeconds")
    applied = server("apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-", stdin=text)
    assert applied.returncode != 0
    assert "terminationGraceSeconds" in applied.stderr
