"""Fixtures around a real API server. One control plane serves a whole run; each test gets a namespace of its own."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from tests.support.kubectl import Kubectl
from tests.support.outside_cluster import (
    OutsideCluster,
    UnsuitableClusterError,
    outside_kubeconfig,
    skip_without_a_plane_of_its_own,
)
from tests.support.repository import binaries
from tests.support.repository import control_plane as envtest


class ControlPlane(envtest.ControlPlane):
    """A control plane of the test's own. Where the run uses an outside cluster, a test that makes one is skipped."""

    def __init__(self, assets: Path | None = None, data_dir: Path | None = None) -> None:
        if outside_kubeconfig():
            skip_without_a_plane_of_its_own("a control plane of its own")
        super().__init__(assets, data_dir)

    def back_up(self, folder: Path) -> None:
        """Copy etcd's data, as an administrator backs it up."""
        self._without_etcd(lambda: shutil.copytree(self.site.data / "etcd", folder))

    def restore(self, folder: Path) -> None:
        """Go back to an earlier copy: objects and their versions are what they were then."""

        def replace() -> None:
            shutil.rmtree(self.site.data / "etcd")
            shutil.copytree(folder, self.site.data / "etcd")

        self._without_etcd(replace)

    def _without_etcd(self, deed: Callable[[], object]) -> None:
        self.stop_apiserver()
        self._etcd.kill()
        deed()
        self._etcd.start()
        self.start_apiserver()


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[envtest.ControlPlane]:
    """A running control plane; a test that stops its API server must start it again."""
    try:
        outside = outside_kubeconfig()
        plane = OutsideCluster(outside, tmp_path_factory.mktemp("outside")) if outside else ControlPlane()
    except binaries.MissingBinariesError as error:
        pytest.fail(str(error), pytrace=False)
    except UnsuitableClusterError as error:
        pytest.exit(str(error), returncode=pytest.ExitCode.USAGE_ERROR)
    with plane:
        yield plane


@pytest.fixture
def kubectl(control_plane: ControlPlane) -> Kubectl:
    """A kubectl that may do everything."""
    return Kubectl(control_plane.kubeconfig)


@pytest.fixture
def namespace(kubectl: Kubectl) -> Iterator[str]:
    """A fresh namespace, deleted afterwards without waiting for it."""
    name = f"test-{uuid4().hex[:8]}"
    kubectl.ok("create", "namespace", name)
    yield name
    kubectl("delete", "namespace", name, "--wait=false")
