"""What is on and off: each optional object appears with its switch, and says what its values say."""

from typing import Any

import pytest
import yaml
from tests.chart.rendering import NAMESPACE, render
from tests.support.helm import CHART
from tests.support.repository import ROOT

from providerswitch.api.crd import build_crds

METRICS = {"port": "http", "path": "/metrics", "honorLabels": True}


@pytest.mark.parametrize(("values", "kind"), [
    ({"podDisruptionBudget": {"enabled": True}}, "PodDisruptionBudget"),
    ({"networkPolicy": {"enabled": True}}, "NetworkPolicy"),
    ({"serviceMonitor": {"enabled": True}}, "ServiceMonitor"),
    ({"prometheusRule": {"enabled": True}}, "PrometheusRule"),
    ({"grafanaDashboard": {"enabled": True}}, "ConfigMap"),
    ({"serviceAccount": {"create": True}}, "ServiceAccount"),
    ({"crds": {"install": True}}, "CustomResourceDefinition"),
], ids=lambda value: value if isinstance(value, str) else "")  # fmt: skip
def test_a_switch_makes_the_object_and_without_it_there_is_none(values: dict[str, dict[str, bool]], kind: str) -> None:
    ((section, switch),) = values.items()
    off = {section: dict.fromkeys(switch, False)}
    assert kind in render(**values).kinds
    assert kind not in render(**off).kinds


def test_by_default_there_is_what_every_cluster_can_take() -> None:
    assert render(crds={}).kinds == {
        *("ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "Deployment", "PodDisruptionBudget"),
        *("Role", "RoleBinding", "Service", "ServiceAccount"),
    }


@pytest.mark.parametrize("replicas", [0, 1])
def test_fewer_than_two_replicas_have_no_disruption_budget(replicas: int) -> None:
    assert "PodDisruptionBudget" not in render(replicas=replicas).kinds


@pytest.mark.parametrize(("values", "expected"), [
    ({}, {"maxUnavailable": 1}),
    ({"maxUnavailable": "50%"}, {"maxUnavailable": "50%"}),
    ({"minAvailable": 1}, {"minAvailable": 1}),
    ({"minAvailable": "50%", "maxUnavailable": 1}, {"minAvailable": "50%"}),
    ({"minAvailable": 0}, {"minAvailable": 0}),
], ids=str)  # fmt: skip
def test_the_disruption_budget_says_one_of_two_things(values: dict[str, Any], expected: dict[str, Any]) -> None:
    spec = render(podDisruptionBudget=values).one("PodDisruptionBudget")["spec"]
    assert {key: spec[key] for key in ("minAvailable", "maxUnavailable") if key in spec} == expected


def policy(**values: Any) -> dict[str, Any]:
    return dict(render(networkPolicy={"enabled": True, **values}).one("NetworkPolicy")["spec"])


def test_the_network_policy_lets_in_only_readers_of_the_metrics() -> None:
    peers = [{"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}]
    spec = policy(ingress={"from": peers})
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert spec["ingress"] == [{"ports": [{"port": "http", "protocol": "TCP"}], "from": peers}]
    assert "from" not in policy()["ingress"][0]


def test_the_network_policy_lets_out_to_the_api_server_dns_and_providers() -> None:
    api, dns, providers = policy()["egress"]
    assert [port["port"] for port in api["ports"]] == [443, 6443]
    assert [(port["port"], port["protocol"]) for port in dns["ports"]] == [(53, "UDP"), (53, "TCP")]
    assert [port["port"] for port in providers["ports"]] == [443]
    assert [rule for rule in (api, dns, providers) if "to" in rule] == []


def test_each_way_out_can_be_narrowed_and_others_added() -> None:
    here, there, away = ([{"ipBlock": {"cidr": f"10.0.{n}.0/24"}}] for n in range(3))
    vllm = {"to": here, "ports": [{"port": 8000}]}
    spec = policy(egress={
        "apiServer": here, "apiServerPorts": [16443], "dns": there, "providers": away, "providerPorts": [8443],
        "extra": [vllm],
    })  # fmt: skip
    assert [rule["to"] for rule in spec["egress"]] == [here, there, away, here]
    assert [spec["egress"][n]["ports"][0]["port"] for n in (0, 2)] == [16443, 8443]
    assert spec["egress"][3] == vllm


def test_the_service_monitor_scrapes_as_the_values_say() -> None:
    how = {
        "interval": "30s",
        "scrapeTimeout": "9s",
        "relabelings": [{"action": "labeldrop", "regex": "pod"}],
        "metricRelabelings": [{"action": "keep", "regex": "x"}],
    }
    about = {"namespace": "monitoring", "labels": {"release": "p"}, "annotations": {"a": "b"}}
    monitor = render(serviceMonitor={"enabled": True, **about, **how}).one("ServiceMonitor")
    assert monitor["spec"]["endpoints"] == [{**METRICS, **how}]
    assert monitor["metadata"]["namespace"] == "monitoring"
    assert monitor["metadata"]["labels"]["release"] == "p"
    assert monitor["metadata"]["annotations"] == {"a": "b"}


def test_a_service_monitor_without_times_leaves_them_to_prometheus() -> None:
    assert render(serviceMonitor={"enabled": True}).one("ServiceMonitor")["spec"]["endpoints"] == [METRICS]


def rules_file() -> Any:
    return yaml.safe_load((CHART / "files" / "alerts.yaml").read_text())["groups"]


def with_links(groups: Any, base: str | None) -> Any:
    """Return rule groups with the links that a base gives, or without links."""
    alerts = [rule for group in groups for rule in group["rules"] if "runbook_url" in rule.get("annotations", {})]
    assert alerts
    for rule in alerts:
        link = rule["annotations"].pop("runbook_url")
        if base:
            rule["annotations"]["runbook_url"] = link.replace("__RUNBOOK_BASE__", base)
    return groups


@pytest.mark.parametrize(("base", "expected"), [
    ("https://wiki.example.com/runbooks", "https://wiki.example.com/runbooks"),
    ("https://wiki.example.com/runbooks/", "https://wiki.example.com/runbooks"),
    ("", None),
])  # fmt: skip
def test_the_rules_are_those_of_the_file_with_links_to_your_runbooks(base: str, expected: str | None) -> None:
    made = render(prometheusRule={"enabled": True, "runbookBaseURL": base}).one("PrometheusRule")
    assert made["spec"]["groups"] == with_links(rules_file(), expected)
    assert made["metadata"]["namespace"] == NAMESPACE


def test_rules_of_the_users_come_after_ours() -> None:
    own = {"name": "ours", "rules": [{"record": "one", "expr": "vector(1)"}]}
    values = {"enabled": True, "extraGroups": [own], "namespace": "monitoring", "labels": {"release": "p"}}
    made = render(prometheusRule=values).one("PrometheusRule")
    assert made["spec"]["groups"][-1] == own
    assert len(made["spec"]["groups"]) == len(rules_file()) + 1
    assert (made["metadata"]["namespace"], made["metadata"]["labels"]["release"]) == ("monitoring", "p")


def test_the_dashboard_is_the_file_under_a_label_that_grafanas_sidecar_looks_for() -> None:
    values = {"enabled": True, "namespace": "grafana", "annotations": {"grafana_folder": "LLM"}}
    made = render(grafanaDashboard=values).one("ConfigMap")
    ((name, text),) = made["data"].items()
    assert name.endswith(".json")
    assert yaml.safe_load(text) == yaml.safe_load((CHART / "files" / "dashboard.json").read_text())
    assert made["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert (made["metadata"]["namespace"], made["metadata"]["annotations"]) == ("grafana", {"grafana_folder": "LLM"})


def test_the_service_serves_the_metrics_on_the_port_you_choose() -> None:
    service = render(service={"port": 80, "annotations": {"a": "b"}, "labels": {"c": "d"}}).one("Service")
    assert service["spec"]["ports"] == [{"name": "http", "port": 80, "targetPort": "http"}]
    assert service["metadata"]["annotations"] == {"a": "b"}
    assert service["metadata"]["labels"]["c"] == "d"


def test_the_crds_of_the_chart_are_those_that_the_models_give() -> None:
    installed = {crd["metadata"]["name"]: crd["spec"] for crd in render(crds={}).all("CustomResourceDefinition")}
    assert installed == {crd["metadata"]["name"]: crd["spec"] for crd in build_crds()}
    assert len(list((CHART / "templates").glob("crd-*"))) == len(list((ROOT / "crds").iterdir()))


@pytest.mark.parametrize(("keep", "annotations"), [(True, {"helm.sh/resource-policy": "keep"}), (False, None)])
def test_the_crds_stay_at_an_uninstall_unless_that_is_switched_off(
    keep: bool,  # noqa: FBT001  # a column of the table
    annotations: dict[str, str] | None,
) -> None:
    crds = render(crds={"install": True, "keep": keep}).all("CustomResourceDefinition")
    assert [crd["metadata"].get("annotations") for crd in crds] == [annotations] * 3
