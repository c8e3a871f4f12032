"""manifests/install.yaml on a cluster that has never seen it: what is installed, and what it may do."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from tests.support.control_plane import ControlPlane
from tests.support.crds import CRD_NAME
from tests.support.eventually import eventually_sync
from tests.support.kubectl import Kubectl
from tests.support.repository import ROOT

from providerswitch.api.meta import GROUP, POLICY_PLURAL
from providerswitch.controller.startup import NEEDED, Permission

INSTALL = ROOT / "manifests" / "install.yaml"
SYSTEM = ("-n", "providerswitch-system")
WRITES = ("create", "update", "patch", "delete", "deletecollection")

FORBIDDEN = (
    *(Permission(verb, GROUP, POLICY_PLURAL) for verb in WRITES),
    *(Permission(verb, "", "secrets") for verb in WRITES),
    *(Permission(verb, "", kind) for kind in ("configmaps", "services") for verb in ("update", "deletecollection")),
    Permission("list", "", "pods"),
    Permission("create", "", "pods"),
    Permission("create", "", "pods", "exec"),
    Permission("create", "", "serviceaccounts", "token"),
    Permission("impersonate", "", "users"),
    Permission("patch", "apps", "deployments"),
    Permission("patch", "apiextensions.k8s.io", "customresourcedefinitions"),
    *(Permission(verb, "rbac.authorization.k8s.io", "clusterroles") for verb in ("escalate", "bind", "patch")),
    Permission("create", "rbac.authorization.k8s.io", "clusterrolebindings"),
)
"""What would let a taken-over operator reach further than keys it may read anyway."""


@dataclass(frozen=True, slots=True)
class Installed:
    """A cluster with the manifest applied once, and what kubectl said."""

    kubectl: Kubectl
    operator: Kubectl
    """A kubectl for the operator's own account."""
    warnings: str


@pytest.fixture(scope="module")
def installed() -> Iterator[Installed]:
    """A cluster of its own, so that nothing was there before."""
    with ControlPlane() as plane:
        kubectl = Kubectl(plane.kubeconfig)
        applied = install(kubectl)
        assert applied.returncode == 0, applied.stderr
        token = kubectl.ok("create", "token", "providerswitch", *SYSTEM).strip()
        yield Installed(kubectl, kubectl.as_bearer(token), applied.stderr)


def install(kubectl: Kubectl) -> Any:
    return kubectl("apply", "--server-side", "-f", str(INSTALL))


def allows(kubectl: Kubectl, right: Permission) -> bool:
    resource = f"{right.resource}.{right.group}" if right.group else right.resource
    subresource = (f"--subresource={right.subresource}",) if right.subresource else ()
    answer = kubectl("auth", "can-i", right.verb, resource, *subresource, "--all-namespaces")
    said = answer.stdout.strip()
    assert said in {"yes", "no"}, answer.stderr
    return said == "yes"


def granted(role: dict[str, Any]) -> set[Permission]:
    """Return each single right that a ClusterRole grants."""
    return {
        Permission(verb, group, resource, subresource)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource, _, subresource in (name.partition("/") for name in rule["resources"])
        for verb in rule["verbs"]
    }


def test_it_is_what_the_chart_renders() -> None:
    import generate

    stale = [path.name for path, text in generate.rendered().items() if path.read_text() != text]

    assert stale == [], "run make generated"


def test_one_command_installs_it_without_a_warning(installed: Installed) -> None:
    assert installed.warnings == ""
    installed.kubectl.ok("wait", "--for=condition=Established", f"crd/{CRD_NAME}", "--timeout=30s")


def test_a_second_time_changes_nothing(installed: Installed) -> None:
    watched = ("get", f"crd/{CRD_NAME}", "-o", "jsonpath={.metadata.generation}"), (
        "get", "deployment/providerswitch", *SYSTEM, "-o", "jsonpath={.metadata.generation}",
    )  # fmt: skip
    before = [installed.kubectl.ok(*each) for each in watched]

    again = install(installed.kubectl)

    assert (again.returncode, again.stderr) == (0, "")
    assert [installed.kubectl.ok(*each) for each in watched] == before


def test_the_operators_pod_passes_the_restricted_pod_security_standard(installed: Installed) -> None:
    created = create_pod(installed.kubectl, pod_of(installed.kubectl))

    assert created.stderr == ""
    assert created.stdout == "pod/copy created (server dry run)\n"


def test_the_namespace_enforces_that_standard(installed: Installed) -> None:
    pod = pod_of(installed.kubectl)
    pod["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True

    assert 'violates PodSecurity "restricted' in create_pod(installed.kubectl, pod).stderr


def pod_of(kubectl: Kubectl) -> dict[str, Any]:
    """Return the Pod that the Deployment asks for."""
    template = kubectl.json("get", "deployment", "providerswitch", *SYSTEM)["spec"]["template"]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "copy"}, "spec": template["spec"]}


def create_pod(kubectl: Kubectl, pod: dict[str, Any]) -> Any:
    return kubectl("create", *SYSTEM, "--dry-run=server", "-f", "-", stdin=json.dumps(pod))


def test_the_role_grants_what_the_operator_checks_at_start_and_no_more(installed: Installed) -> None:
    assert granted(installed.kubectl.json("get", "clusterrole", "providerswitch")) == set(NEEDED)


@pytest.mark.parametrize("right", NEEDED, ids=str)
def test_the_operators_account_may(right: Permission, installed: Installed) -> None:
    assert eventually_sync(lambda: allows(installed.operator, right))


@pytest.mark.parametrize("right", FORBIDDEN, ids=str)
def test_the_operators_account_may_not(right: Permission, installed: Installed) -> None:
    assert not allows(installed.operator, right)


@pytest.mark.parametrize(("role", "may_edit"), [("providerswitch-edit", True), ("providerswitch-view", False)])
def test_people_get_policies_through_the_roles_they_have(role: str, may_edit: bool, installed: Installed) -> None:  # noqa: FBT001  # a column of the table
    installed.kubectl.ok("create", "clusterrolebinding", role, f"--clusterrole={role}", f"--user={role}")
    person = Kubectl(installed.kubectl.kubeconfig, ("--as", role))

    assert eventually_sync(lambda: allows(person, Permission("list", GROUP, POLICY_PLURAL)))
    assert allows(person, Permission("create", GROUP, POLICY_PLURAL)) == may_edit
    assert not allows(person, Permission("patch", GROUP, POLICY_PLURAL, "status"))
    assert not allows(person, Permission("get", "", "secrets"))
