"""The operator's Pod in a namespace that enforces Kubernetes' restricted Pod Security Standard."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from tests.support.eventually import eventually_sync
from tests.support.kubectl import Kubectl
from tests.support.repository import ROOT

ENFORCE = "pod-security.kubernetes.io/enforce=restricted"
Weaken = Callable[[dict[str, Any], dict[str, Any]], object]

WEAKENED: dict[str, Weaken] = {
    "runs as root": lambda pod, _: pod["securityContext"].update(runAsNonRoot=False, runAsUser=0),
    "may gain privileges": lambda _, container: container["securityContext"].update(allowPrivilegeEscalation=True),
    "keeps its capabilities": lambda _, container: container["securityContext"].pop("capabilities"),
    "adds a capability": lambda _, container: container["securityContext"]["capabilities"].update(add=["NET_ADMIN"]),
    "has no seccomp profile": lambda pod, _: pod["securityContext"].pop("seccompProfile"),
    "shares the node's processes": lambda pod, _: pod.update(hostPID=True),
    "shares the node's network": lambda pod, _: pod.update(hostNetwork=True),
    "mounts the node's files": lambda pod, _: pod.update(volumes=[{"name": "node", "hostPath": {"path": "/"}}]),
}
"""What each change to a Pod and its container lets it do."""


@pytest.fixture
def deployment(kubectl: Kubectl, namespace: str) -> dict[str, Any]:
    """The Deployment of the manifest, for a namespace that enforces the standard."""
    kubectl.ok("label", "namespace", namespace, ENFORCE)
    documents = yaml.safe_load_all((ROOT / "manifests" / "install.yaml").read_text())
    found = next(each for each in documents if each and each["kind"] == "Deployment")
    found["metadata"]["namespace"] = namespace
    kubectl.ok("create", "serviceaccount", found["spec"]["template"]["spec"]["serviceAccountName"], "-n", namespace)
    return dict(found)


def weaken(deployment: dict[str, Any], change: Weaken) -> dict[str, Any]:
    """Return a copy whose Pods may do more."""
    weaker = copy.deepcopy(deployment)
    pod = weaker["spec"]["template"]["spec"]
    change(pod, pod["containers"][0])
    return weaker


def pods(kubectl: Kubectl, namespace: str) -> list[dict[str, Any]]:
    return list(kubectl.json("get", "pods", "-n", namespace)["items"])


def failure(kubectl: Kubectl, deployment: dict[str, Any]) -> str:
    """Return why the Deployment gets no Pods, empty while nobody says so."""
    where = ("-n", deployment["metadata"]["namespace"])
    status = kubectl.json("get", "deployment", deployment["metadata"]["name"], *where).get("status", {})
    found = (each["message"] for each in status.get("conditions", []) if each["type"] == "ReplicaFailure")
    return next(found, "")


def test_the_replica_set_gets_every_pod_it_asks_for(
    kubectl: Kubectl, namespace: str, deployment: dict[str, Any]
) -> None:
    kubectl.apply(json.dumps(deployment))

    wanted = deployment["spec"]["replicas"]
    assert eventually_sync(lambda: len(pods(kubectl, namespace)) == wanted, within=20)
    assert failure(kubectl, deployment) == ""


@pytest.mark.parametrize("change", WEAKENED.values(), ids=WEAKENED.keys())
def test_no_pod_is_made_that(change: Weaken, kubectl: Kubectl, namespace: str, deployment: dict[str, Any]) -> None:
    weaker = weaken(deployment, change)
    kubectl.apply(json.dumps(weaker))

    told = eventually_sync(lambda: failure(kubectl, weaker), within=20)

    assert 'violates PodSecurity "restricted' in told
    assert pods(kubectl, namespace) == []


def test_the_container_asks_for_a_root_that_it_cannot_write_to(deployment: dict[str, Any]) -> None:
    """The standard leaves this to us."""
    containers = deployment["spec"]["template"]["spec"]["containers"]

    assert [each["securityContext"]["readOnlyRootFilesystem"] for each in containers] == [True]
