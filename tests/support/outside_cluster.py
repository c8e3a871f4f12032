"""A cluster that somebody else started (kind, say) behind the interface of the local control plane.

The tests log in with a token of their own, and what they installed is taken away at the end. What only the owner of a
control plane can do, such as stopping its API server, skips the test that asks for it.
"""

import base64
import http.client
import json
import os
import ssl
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NoReturn
from urllib.parse import urlsplit

import pytest
from tests.support.kubectl import PROGRAM, Kubectl
from tests.support.repository import ROOT, credentials
from tests.support.repository import control_plane as envtest
from typing_extensions import override

from providerswitch.api import meta

VARIABLE: Final = "PROVIDERSWITCH_E2E_KUBECONFIG"
"""Names the kubeconfig of the cluster; its current context counts."""
SYSTEM: Final = "providerswitch-system"
OWN: Final = "providerswitch-e2e"
"""The namespace, the account and the label of what the tests make in a cluster for themselves."""
NO_PODS: Final = {"hard": {"pods": "0"}}
TOKEN_DURATION: Final = "8h"
MANIFEST: Final = ROOT / "manifests" / "install.yaml"
CRD: Final = f"{meta.POLICY_PLURAL}.{meta.GROUP}"


class UnsuitableClusterError(RuntimeError):
    """The tests may not use this cluster; the text says why, and what to do."""


def outside_kubeconfig() -> Path | None:
    """Return what VARIABLE names; None means a local control plane."""
    named = os.environ.get(VARIABLE)
    return Path(named) if named else None


def skip_without_a_plane_of_its_own(what: str) -> NoReturn:
    """Skip the running test, because it needs something that only the owner of a control plane has."""
    pytest.skip(f"needs {what}: only a local control plane has that, and {VARIABLE} names a cluster of somebody else")


class OutsideCluster(envtest.ControlPlane):
    """The cluster of a kubeconfig, ready for tests while the context is open.

    Args:
        original: the kubeconfig of a person who may do everything.
        folder: where kubeconfigs and the certificate authority go.

    Raises:
        UnsuitableClusterError: The kubeconfig cannot be used, or somebody's operator is installed there.
    """

    def __init__(self, original: Path, folder: Path) -> None:
        self._folder = folder
        login, cluster = _flattened(original)
        self._address = str(cluster["server"])
        authority = cluster.get("certificate-authority-data")
        if not authority:
            raise UnsuitableClusterError(f"the kubeconfig {original} names no certificate authority: add it")
        self.certificate.write_bytes(base64.b64decode(authority))
        self._person = Kubectl(credentials.write_private(self._folder / "person.kubeconfig", json.dumps(login)))
        self.token = ""
        self._refuse_an_installation()

    def __getattr__(self, name: str) -> Any:
        """Skip the test: only a control plane of its own has servers, ports and data."""
        skip_without_a_plane_of_its_own(name)

    @property
    @override
    def url(self) -> str:
        return self._address

    @property
    @override
    def kubeconfig(self) -> Path:
        return self._folder / "admin.kubeconfig"

    @property
    @override
    def certificate(self) -> Path:
        return self._folder / "authority.crt"

    @override
    def start(self) -> None:
        """Make the tests' account, and a place for the operator in which no Pod can start."""
        prepared = json.dumps({"apiVersion": "v1", "kind": "List", "items": _preparations()})
        # A manager of its own: what the tests apply as kubectl must not take the labels away again.
        self._person.apply(prepared, "--server-side", f"--field-manager={OWN}")
        # A quota counts only once it has a status, and its controller may take longer than the tests.
        status = json.dumps({"status": {**NO_PODS, "used": {"pods": "0"}}})
        self._person.ok("patch", "quota", OWN, "-n", SYSTEM, "--subresource=status", "--type=merge", "-p", status)
        self.token = self._person.ok("create", "token", OWN, "-n", OWN, f"--duration={TOKEN_DURATION}").strip()
        self.kubeconfig_for_token(self.token, self.kubeconfig)

    @override
    def stop(self) -> None:
        """Take away what the tests installed, and the tests' own account at last."""
        self._person("delete", "crd", CRD, "--ignore-not-found", "--timeout=50s")
        self._person("delete", "-f", str(MANIFEST), "--ignore-not-found", "--timeout=50s")
        self._person("delete", "namespace,clusterrolebinding", "-l", f"{OWN}=true", "--timeout=50s")

    @override
    def start_apiserver(self) -> None:
        skip_without_a_plane_of_its_own("to start the API server")

    @override
    def stop_apiserver(self) -> None:
        skip_without_a_plane_of_its_own("to stop the API server")

    @override
    def restart_apiserver(self) -> None:
        skip_without_a_plane_of_its_own("to restart the API server")

    @override
    def check(self) -> None:
        """Whoever started it looks after it."""

    @override
    def answers(self, path: str) -> bool:
        place = urlsplit(self.url)
        context = ssl.create_default_context(cafile=self.certificate)
        with suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPSConnection(place.hostname or "", place.port, timeout=5, context=context)
            try:
                connection.request("GET", path, headers={"Authorization": f"Bearer {self.token}"})
                return connection.getresponse().status == http.HTTPStatus.OK
            finally:
                connection.close()
        return False

    def _refuse_an_installation(self) -> None:
        namespace = self._person.ok("get", "namespace", SYSTEM, "--ignore-not-found", "-o", "json")
        if namespace and OWN in json.loads(namespace)["metadata"].get("labels", {}):
            return  # left over from a run that was killed
        if namespace or self._person.ok("get", "crd", CRD, "--ignore-not-found", "-o", "name"):
            raise UnsuitableClusterError(
                f"providerswitch is installed at {self.url} (namespace {SYSTEM} or the CRD), and the tests would "
                "replace it. Uninstall it, or take a cluster of the tests' own: make kind"
            )


def _flattened(original: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the kubeconfig with its current context alone and without files beside it; and that context's cluster."""
    command = [str(PROGRAM), "config", "view", "--raw", "--minify", "--flatten", "-o", "json"]
    shown = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "KUBECONFIG": str(original)}
    )
    if shown.returncode:
        raise UnsuitableClusterError(f"{VARIABLE} names {original}, which cannot be used: {shown.stderr.strip()}")
    login = json.loads(shown.stdout)
    return login, login["clusters"][0]["cluster"]


def _preparations() -> list[dict[str, Any]]:
    return [
        _labelled("v1", "Namespace", OWN),
        _labelled("v1", "ServiceAccount", OWN, namespace=OWN),
        {
            **_labelled("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", OWN),
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"kind": "ServiceAccount", "name": OWN, "namespace": OWN}],
        },
        _labelled("v1", "Namespace", SYSTEM),
        # The tests run their operators as processes: one in a Pod would decide beside them.
        {**_labelled("v1", "ResourceQuota", OWN, namespace=SYSTEM), "spec": NO_PODS},
    ]


def _labelled(version: str, kind: str, name: str, **metadata: str) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "labels": {OWN: "true"}, **metadata}}
