"""Who may do what: the account, its roles for a cluster or for namespaces, the Lease, the roles of people."""

from typing import Any

import pytest
from tests.chart.rendering import NAMESPACE, Object, render

from providerswitch.controller.startup import NEEDED, TO_PUBLISH_SECRETS, Permission, needed_for
from providerswitch.kube.objects import ObjectKey

CLUSTERS = {"ClusterRole", "ClusterRoleBinding"}


def granted(role: Object) -> set[Permission]:
    """Return each single right that a role grants."""
    return {
        Permission(verb, group, resource, subresource)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource, _, subresource in (name.partition("/") for name in rule["resources"])
        for verb in rule["verbs"]
    }


def named(objects: list[Object], name: str) -> Object:
    (found,) = (each for each in objects if each["metadata"]["name"] == name)
    return found


def test_for_all_namespaces_the_operator_gets_a_cluster_role() -> None:
    rendered = render()
    assert granted(named(rendered.all("ClusterRole"), "providerswitch")) == set(NEEDED)
    binding = rendered.one("ClusterRoleBinding")
    assert binding["roleRef"]["name"] == "providerswitch"
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "providerswitch", "namespace": NAMESPACE}]


@pytest.mark.parametrize(("namespaces", "kind"), [([], "ClusterRole"), (["team-a"], "Role")], ids=str)
def test_it_may_write_secrets_only_if_the_administrator_says_so(namespaces: list[str], kind: str) -> None:
    values = {"watch": {"namespaces": namespaces}, "leaderElection": {"enabled": False}, "replicas": 1}
    rendered = render(rbac={"publishSecrets": True}, **values)
    assert granted(named(rendered.all(kind), "providerswitch")) == {*NEEDED, *TO_PUBLISH_SECRETS}
    assert "--publish-secrets" in rendered.args
    assert "--publish-secrets" not in render(**values).args


def test_for_some_namespaces_it_gets_a_role_in_each_of_them_and_none_in_the_cluster() -> None:
    rendered = render(watch={"namespaces": ["team-a", "team-b"]}, rbac={"aggregateToDefaultRoles": False})
    assert not rendered.kinds & CLUSTERS
    for namespace in ("team-a", "team-b"):
        (role,) = (each for each in rendered.all("Role") if each["metadata"]["namespace"] == namespace)
        (binding,) = (each for each in rendered.all("RoleBinding") if each["metadata"]["namespace"] == namespace)
        assert granted(role) == set(NEEDED)
        assert binding["roleRef"] == {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "Role",
            "name": role["metadata"]["name"],
        }
        assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "providerswitch", "namespace": NAMESPACE}]


def test_for_some_namespaces_nothing_of_the_clusters_is_needed_if_somebody_else_installs_the_crds() -> None:
    rendered = render(
        crds={"install": False}, watch={"namespaces": ["team-a"]}, rbac={"aggregateToDefaultRoles": False}
    )
    assert all("namespace" in each["metadata"] for each in rendered.objects)


def test_it_may_write_its_own_lease_and_no_other() -> None:
    rendered = render(fullnameOverride="switch")
    role = rendered.one("Role")
    assert role["metadata"]["namespace"] == NAMESPACE
    free, bound = role["rules"]
    assert ("resourceNames" in free, bound["resourceNames"]) == (False, ["switch"])
    assert {"--lease-name=switch", f"--lease-namespace={NAMESPACE}"} <= set(rendered.args)
    needed = {(right.verb, right.group, right.resource) for right in needed_for(ObjectKey(NAMESPACE, "switch"))}
    assert {(right.verb, right.group, right.resource) for right in granted(role)} == needed
    assert free["verbs"] == ["create"]
    assert rendered.one("RoleBinding")["roleRef"]["name"] == role["metadata"]["name"]


def test_without_leader_election_there_is_no_role_for_a_lease() -> None:
    assert not render(replicas=1, leaderElection={"enabled": False}).kinds & {"Role", "RoleBinding"}


def test_people_get_policies_through_the_roles_they_have() -> None:
    roles = render().all("ClusterRole")
    edit, view = named(roles, "providerswitch-edit"), named(roles, "providerswitch-view")
    prefix = "rbac.authorization.k8s.io/aggregate-to-"
    assert [edit["metadata"]["labels"][prefix + who] for who in ("admin", "edit")] == ["true", "true"]
    assert view["metadata"]["labels"][prefix + "view"] == "true"
    ours = {"providerswitchpolicies", "providerswitchoverrides", "providerswitchdrills"}
    assert {right.resource for right in granted(edit)} == {right.resource for right in granted(view)} == ours
    assert {right.verb for right in granted(view)} == {"get", "list", "watch"}


def test_who_is_on_call_makes_overrides_and_edits_no_policy() -> None:
    oncall = named(render().all("ClusterRole"), "providerswitch-oncall")
    assert not [label for label in oncall["metadata"]["labels"] if "aggregate" in label]
    kinds = ("providerswitchoverrides", "providerswitchpolicies", "providerswitchdrills", "events")
    verbs = {kind: {right.verb for right in granted(oncall) if right.resource == kind} for kind in kinds}
    assert verbs["providerswitchoverrides"] == {"create", "delete", "get", "list", "watch"}
    assert verbs["providerswitchpolicies"] == verbs["providerswitchdrills"] == {"get", "list", "watch"}
    assert verbs["events"] == {"get", "list", "watch"}, "kubectl describe shows them to whoever is on call"


@pytest.mark.parametrize("values", [{"rbac": {"aggregateToDefaultRoles": False}}, {"rbac": {"create": False}}], ids=str)
def test_the_roles_of_people_can_be_left_out(values: dict[str, Any]) -> None:
    roles = render(**values).all("ClusterRole")
    assert [each["metadata"]["name"] for each in roles if each["metadata"]["name"] != "providerswitch"] == []


@pytest.mark.parametrize("namespaces", [[], ["team-a"]], ids=["cluster", "namespaced"])
def test_without_rbac_nothing_is_granted(namespaces: list[str]) -> None:
    rendered = render(rbac={"create": False}, watch={"namespaces": namespaces})
    assert not rendered.kinds & {*CLUSTERS, "Role", "RoleBinding"}


@pytest.mark.parametrize(("account", "name", "created"), [
    ({}, "providerswitch", True),
    ({"name": "other"}, "other", True),
    ({"create": False, "name": "other"}, "other", False),
    ({"create": False}, "default", False),
], ids=str)  # fmt: skip
def test_the_account_is_made_or_taken(account: dict[str, Any], name: str, created: bool) -> None:  # noqa: FBT001  # a column of the table
    rendered = render(serviceAccount=account)
    assert [each["metadata"]["name"] for each in rendered.all("ServiceAccount")] == ([name] if created else [])
    assert rendered.pod["serviceAccountName"] == name
    bindings = [*rendered.all("ClusterRoleBinding"), *rendered.all("RoleBinding")]
    assert {subject["name"] for binding in bindings for subject in binding["subjects"]} == {name}


def test_the_token_is_mounted_into_the_operators_pod_alone() -> None:
    rendered = render(serviceAccount={"annotations": {"a": "b"}})
    assert rendered.one("ServiceAccount")["automountServiceAccountToken"] is False
    assert rendered.one("ServiceAccount")["metadata"]["annotations"] == {"a": "b"}
    assert rendered.pod["automountServiceAccountToken"] is True
