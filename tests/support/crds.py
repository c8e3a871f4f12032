"""The fixture that installs the CRDs, once for a run."""

import pytest
from tests.support.control_plane import ControlPlane
from tests.support.kubectl import Kubectl
from tests.support.repository import ROOT

from providerswitch.api import meta

CRDS = ROOT / "crds"
CRD_NAME = f"{meta.POLICY_PLURAL}.{meta.GROUP}"


@pytest.fixture(scope="session")
def crds_installed(control_plane: ControlPlane) -> None:
    """The CRDs of this checkout, served."""
    install_crds(Kubectl(control_plane.kubeconfig))


def install_crds(kubectl: Kubectl) -> None:
    """Apply crds/ and wait until the API server serves them."""
    kubectl.ok("apply", "--server-side", "-f", str(CRDS))
    # A CRD that is too new to have conditions makes kubectl wait fail at once.
    kubectl.ok("wait", "--for=jsonpath={.status.conditions}", f"crd/{CRD_NAME}", "--timeout=30s")
    kubectl.ok("wait", "--for=condition=Established", f"crd/{CRD_NAME}", "--timeout=30s")
