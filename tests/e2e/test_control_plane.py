"""The local control plane is a real one: the e2e tests may believe what it does."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import yaml
from tests.support.control_plane import ControlPlane
from tests.support.eventually import eventually_sync
from tests.support.kubectl import Kubectl
from tests.support.repository import ENVTEST


def config_map(namespace: str, name: str, **metadata: object) -> str:
    return json.dumps(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace, **metadata}}
    )


def test_it_reports_the_version_in_go_mod(control_plane: ControlPlane, kubectl: Kubectl) -> None:
    version = kubectl.json("version")["serverVersion"]["gitVersion"]

    assert f"k8s.io/kubernetes {version} " in (ENVTEST / "go.mod").read_text()


def test_an_object_that_was_applied_can_be_read(kubectl: Kubectl, namespace: str) -> None:
    kubectl.apply(config_map(namespace, "greeting"))

    assert kubectl.json("get", "configmap", "greeting", "-n", namespace)["metadata"]["namespace"] == namespace


def test_a_refused_object_is_told_to_the_caller(kubectl: Kubectl, namespace: str) -> None:
    refused = kubectl("apply", "-f", "-", stdin=config_map(namespace, "Not_A_Name"))

    assert refused.returncode != 0
    assert "Not_A_Name" in refused.stderr


def test_a_service_account_may_do_what_its_role_says_and_no_more(kubectl: Kubectl, namespace: str) -> None:
    there = ("-n", namespace)
    kubectl.ok("create", "serviceaccount", "reader", *there)
    kubectl.ok("create", "role", "read", "--verb=get,list", "--resource=configmaps", *there)
    kubectl.ok("create", "rolebinding", "read", "--role=read", f"--serviceaccount={namespace}:reader", *there)

    reader = kubectl.as_bearer(kubectl.ok("create", "token", "reader", *there).strip())

    eventually_sync(lambda: reader("get", "configmaps", *there).returncode == 0)
    assert "forbidden" in reader("get", "secrets", *there).stderr


def test_a_kubeconfig_for_a_token_is_that_users(
    control_plane: ControlPlane, kubectl: Kubectl, namespace: str, tmp_path: Path
) -> None:
    token = kubectl.ok("create", "token", "default", "-n", namespace).strip()

    path = control_plane.kubeconfig_for_token(token, tmp_path / "kubeconfig")

    assert "cannot list" in Kubectl(path)("get", "namespaces").stderr
    assert path.stat().st_mode & 0o077 == 0
    assert yaml.safe_load(path.read_text())["kind"] == "Config"


def test_an_object_goes_with_its_owner(kubectl: Kubectl, namespace: str) -> None:
    kubectl.apply(config_map(namespace, "owner"))
    uid = kubectl.json("get", "configmap", "owner", "-n", namespace)["metadata"]["uid"]
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": uid}
    kubectl.apply(config_map(namespace, "owned", ownerReferences=[reference]))

    kubectl.ok("delete", "configmap", "owner", "-n", namespace)

    eventually_sync(lambda: "NotFound" in kubectl("get", "configmap", "owned", "-n", namespace).stderr, within=20)


def test_objects_survive_an_outage_of_the_api_server(
    control_plane: ControlPlane, kubectl: Kubectl, namespace: str
) -> None:
    kubectl.apply(config_map(namespace, "survivor"))

    control_plane.stop_apiserver()
    try:
        assert "refused" in kubectl("get", "configmaps", "-n", namespace).stderr
    finally:
        control_plane.start_apiserver()

    assert kubectl.ok("get", "configmap", "survivor", "-n", namespace, "-o", "name").strip() == "configmap/survivor"


def test_nothing_stays_behind_when_its_owner_is_killed(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    command = [sys.executable, str(ENVTEST / "control_plane.py"), "--kubeconfig", str(kubeconfig)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert [process.stdout.readline(), process.stdout.readline()] == [f"KUBECONFIG={kubeconfig}\n", "ready\n"]
        kubectl = Kubectl(kubeconfig)
        kubectl.ok("get", "namespaces")

        os.kill(process.pid, signal.SIGKILL)

    eventually_sync(lambda: "refused" in kubectl("get", "namespaces").stderr, within=10)
