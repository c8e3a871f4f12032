"""Fixtures around a real API server. One control plane serves a whole run; each test gets a namespace of its own."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from tests.support.kubectl import Kubectl
from tests.support.repository import binaries
from tests.support.repository import control_plane as envtest

ControlPlane = envtest.ControlPlane


@pytest.fixture(scope="session")
def control_plane() -> Iterator[ControlPlane]:
    """A running control plane; a test that stops its API server must start it again."""
    try:
        plane = ControlPlane()
    except binaries.MissingBinariesError as error:
        pytest.fail(str(error), pytrace=False)
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
