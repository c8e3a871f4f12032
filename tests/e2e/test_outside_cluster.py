"""The e2e suite on a cluster of somebody else: a second local control plane plays it."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.control_plane import ControlPlane
from tests.support.crds import CRD_NAME, install_crds
from tests.support.kubectl import Kubectl
from tests.support.operator_process import install
from tests.support.outside_cluster import OWN, SYSTEM, VARIABLE, OutsideCluster, UnsuitableClusterError
from tests.support.repository import ROOT


@pytest.fixture(scope="module")
def theirs() -> Iterator[ControlPlane]:
    """The cluster of somebody else."""
    with ControlPlane() as plane:
        yield plane


@pytest.fixture
def person(theirs: ControlPlane) -> Kubectl:
    return Kubectl(theirs.kubeconfig)


def inventory(person: Kubectl) -> set[str]:
    """Return everything that a run could leave behind."""
    kinds = "namespaces,clusterroles,clusterrolebindings,customresourcedefinitions"
    return set(person.ok("get", kinds, "-o", "name").split())


def test_a_run_on_it_passes_skips_what_needs_an_own_control_plane_and_leaves_nothing(
    theirs: ControlPlane, person: Kubectl, tmp_path: Path
) -> None:
    before = inventory(person)
    chosen = ("test_main_job.py", "test_control_plane.py", "test_startup.py", "test_crd_rules.py")
    words = "in_one_line or two_lists or largest or outage_of_the_api_server or missing_crds"
    command = [sys.executable, "-m", "pytest", *(f"tests/e2e/{name}" for name in chosen), "-k", words, "-rs", "-q"]
    environment = {**os.environ, VARIABLE: str(theirs.kubeconfig)}

    ended = subprocess.run(
        [*command, "-p", "no:cacheprovider", f"--basetemp={tmp_path / 'run'}"],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip

    assert ended.returncode == 0, ended.stdout
    assert re.search(r"^[3-9] passed, 2 skipped", ended.stdout, re.MULTILINE), ended.stdout
    assert f"needs a control plane of its own: only a local control plane has that, and {VARIABLE}" in ended.stdout
    assert f"tests the local control plane itself, and {VARIABLE} is set" in ended.stdout
    assert {name for name in inventory(person) - before if "/test-" not in name} == set()


@pytest.mark.parametrize("there", ["the namespace", "the CRD"])
def test_a_cluster_in_which_it_is_installed_is_left_alone(
    theirs: ControlPlane, person: Kubectl, there: str, tmp_path: Path
) -> None:
    if there == "the CRD":
        install_crds(person)
    else:
        person.ok("create", "namespace", SYSTEM)
    before = inventory(person)
    try:
        with pytest.raises(UnsuitableClusterError, match="Uninstall it, or take a cluster of the tests' own"):
            OutsideCluster(theirs.kubeconfig, tmp_path)
        assert inventory(person) == before
    finally:
        person.ok("delete", "crd", CRD_NAME, "--ignore-not-found")
        person.ok("delete", "namespace", SYSTEM, "--ignore-not-found")


def test_what_a_killed_run_left_behind_does_not_stop_the_next(
    theirs: ControlPlane, person: Kubectl, tmp_path: Path
) -> None:
    killed = OutsideCluster(theirs.kubeconfig, tmp_path)
    killed.start()
    install(Kubectl(killed.kubeconfig))

    with OutsideCluster(theirs.kubeconfig, tmp_path):
        assert f"namespace/{SYSTEM}" in inventory(person)

    assert [name for name in inventory(person) if OWN in name or SYSTEM in name or CRD_NAME in name] == []


def test_no_operator_of_the_installed_deployment_starts_beside_the_tests(
    theirs: ControlPlane, person: Kubectl, tmp_path: Path
) -> None:
    with OutsideCluster(theirs.kubeconfig, tmp_path) as cluster:
        install(Kubectl(cluster.kubeconfig))
        progress = ("--for=condition=ReplicaFailure", "deployment/providerswitch", "-n", SYSTEM, "--timeout=20s")
        person.ok("wait", *progress)
        assert person.ok("get", "pods", "-n", SYSTEM, "-o", "name") == ""


def test_it_logs_in_with_a_token_so_that_a_test_can_be_another_user(theirs: ControlPlane, tmp_path: Path) -> None:
    with OutsideCluster(theirs.kubeconfig, tmp_path) as cluster:
        admin = Kubectl(cluster.kubeconfig)
        other = admin.as_bearer(admin.ok("create", "token", "default", "-n", OWN).strip())
        assert "cannot list" in other("get", "namespaces").stderr
        assert cluster.answers("/readyz")


@pytest.mark.parametrize("ask", ["stop_apiserver", "restart_apiserver", "start_apiserver", "site", "anything_new"])
def test_what_only_an_owner_can_do_skips_the_test_that_asks(theirs: ControlPlane, ask: str, tmp_path: Path) -> None:
    cluster = OutsideCluster(theirs.kubeconfig, tmp_path)
    with pytest.raises(pytest.skip.Exception, match=VARIABLE):
        getattr(cluster, ask)()


def test_a_kubeconfig_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnsuitableClusterError, match=f"{VARIABLE} names .*nowhere"):
        OutsideCluster(tmp_path / "nowhere", tmp_path)
