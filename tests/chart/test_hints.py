"""The endpoint for hints in the chart: off by default; on, with exactly the rights it needs and a way to it."""

from typing import Any

import pytest
from tests.chart.rendering import NAMESPACE, Object, Rendered, refusal, render
from tests.chart.test_rbac import granted, named

from providerswitch.controller.hints.settings import HintSettings
from providerswitch.controller.startup import Permission, needed_for_hints
from providerswitch.kube.objects import ObjectKey

SECURE = {"enabled": True, "port": 9443, "tls": {"secretName": "hints-tls"}}
PLAIN = {"enabled": True, "insecure": True}
SERVICE = ObjectKey(NAMESPACE, "providerswitch-hints")


@pytest.fixture(params=[[], ["team-a"]], ids=["cluster", "namespaced"])
def rendered(request: pytest.FixtureRequest) -> Rendered:
    return render(hints=SECURE, watch={"namespaces": request.param})


def about_hints(rendered: Rendered) -> list[Object]:
    return [each for each in rendered.objects if "hint" in each["metadata"]["name"]]


def test_by_default_nothing_of_it_is_there() -> None:
    rendered = render(networkPolicy={"enabled": True})
    assert about_hints(rendered) == []
    assert not [each for each in rendered.args if "hint" in each]
    assert "env" not in rendered.container
    assert len(rendered.one("NetworkPolicy")["spec"]["ingress"]) == 1


def test_the_operator_gets_the_rights_it_asks_for_at_its_start_and_no_others(rendered: Rendered) -> None:
    needed = needed_for_hints(HintSettings(listen=("0.0.0.0", 9443), service=SERVICE))
    role = named(rendered.all("Role"), "providerswitch-hints")
    reviews = granted(named(rendered.all("ClusterRole"), "providerswitch-hints"))
    assert reviews == {right for right in needed if right.object is None}
    at_home = {Permission(right.verb, right.group, right.resource) for right in needed if right.object}
    assert granted(role) == at_home
    assert role["metadata"]["namespace"] == NAMESPACE
    unbound = {verb for rule in role["rules"] if "resourceNames" not in rule for verb in rule["verbs"]}
    assert unbound == {"create"}
    assert {name for rule in role["rules"] for name in rule.get("resourceNames", [])} == {SERVICE.name}


def test_the_bindings_are_of_the_operators_account(rendered: Rendered) -> None:
    for kind in ("ClusterRoleBinding", "RoleBinding"):
        binding = named(rendered.all(kind), "providerswitch-hints")
        assert binding["roleRef"]["name"] == "providerswitch-hints"
        assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "providerswitch", "namespace": NAMESPACE}]


def test_consumers_get_a_role_that_lets_them_give_hints_and_nothing_else(rendered: Rendered) -> None:
    role = named(rendered.all("ClusterRole"), "providerswitch-hinter")
    assert granted(role) == {Permission("create", "providerswitch.dev", "providerswitchpolicies", "hints")}
    assert not [key for key in role["metadata"]["labels"] if "aggregate" in key]
    bound = [each["roleRef"]["name"] for kind in ("RoleBinding", "ClusterRoleBinding") for each in rendered.all(kind)]
    assert role["metadata"]["name"] not in bound


def test_the_service_has_no_selector_and_the_port_of_the_pods(rendered: Rendered) -> None:
    service = named(rendered.all("Service"), SERVICE.name)
    assert service["spec"] == {"ports": [{"name": "hints", "port": 9443, "targetPort": 9443}]}
    assert {"name": "hints", "containerPort": 9443} in rendered.container["ports"]
    assert f"--hints-service={SERVICE}" in rendered.args


def test_the_pod_knows_its_address_and_mounts_the_certificate(rendered: Rendered) -> None:
    field = {"fieldRef": {"fieldPath": "status.podIP"}}
    assert {"name": "PROVIDERSWITCH_POD_IP", "valueFrom": field} in rendered.container["env"]
    assert {"name": "hints-tls", "secret": {"secretName": "hints-tls"}} in rendered.pod["volumes"]
    (mount,) = (each for each in rendered.container["volumeMounts"] if each["name"] == "hints-tls")
    assert (mount["mountPath"], mount["readOnly"]) == ("/etc/providerswitch/hints", True)


def test_over_plain_http_no_certificate_is_mounted() -> None:
    rendered = render(hints=PLAIN)
    assert "volumes" not in rendered.pod
    assert "--hints-insecure" in rendered.args


def test_the_network_policy_lets_in_who_may_give_hints() -> None:
    peers = [{"namespaceSelector": {"matchLabels": {"llm": "true"}}}]
    policy = {"enabled": True, "ingress": {"hintsFrom": peers}}
    _, hints = render(hints=SECURE, networkPolicy=policy).one("NetworkPolicy")["spec"]["ingress"]
    assert hints == {"ports": [{"port": "hints", "protocol": "TCP"}], "from": peers}


def test_without_rbac_nothing_is_granted_for_hints_either() -> None:
    kinds = {each["kind"] for each in about_hints(render(hints=SECURE, rbac={"create": False}))}
    assert kinds == {"Service"}


@pytest.mark.parametrize(("hints", "told"), [
    ({"enabled": True}, "hints.enabled is true and hints.tls.secretName is empty: callers send tokens. Name a Secret"),
    ({**SECURE, "insecure": True}, 'hints.insecure is true and hints.tls.secretName is "hints-tls": give one'),
    ({"port": 0}, "at '/hints/port': minimum: got 0, want 1"),
], ids=str)  # fmt: skip
def test_values_that_contradict_each_other_are_refused(hints: dict[str, Any], told: str) -> None:
    assert told in refusal(hints=hints)
