"""Names and labels: the usual set on every object, and selectors that select the Pods."""

from pathlib import Path

import pytest
import yaml
from tests.chart.rendering import Object, Rendered, offline, render
from tests.support.helm import CHART

from providerswitch import __version__

OFF_BY_DEFAULT = ("networkPolicy", "serviceMonitor", "prometheusRule", "grafanaDashboard")


def complete(release: str = "providerswitch") -> Rendered:
    """Return everything that the chart can render for all namespaces."""
    switches = {switch: {"enabled": True} for switch in OFF_BY_DEFAULT}
    return render(release, crds={"install": True}, commonLabels={"team": "platform"}, **switches)


def title(each: Object) -> str:
    return f"{each['kind']} {each['metadata']['name']}"


@pytest.mark.parametrize("each", complete().objects, ids=title)
def test_every_object_carries_the_usual_labels(each: Object) -> None:
    assert {
        "app.kubernetes.io/name": "providerswitch",
        "app.kubernetes.io/instance": "providerswitch",
        "app.kubernetes.io/version": __version__,
        "app.kubernetes.io/managed-by": "Helm",
        "helm.sh/chart": f"providerswitch-{__version__}",
        "team": "platform",
    }.items() <= each["metadata"]["labels"].items()


def test_the_deployments_selector_selects_its_pods() -> None:
    spec = complete().one("Deployment")["spec"]
    assert spec["selector"]["matchLabels"].items() <= spec["template"]["metadata"]["labels"].items()


@pytest.mark.parametrize("kind", ["PodDisruptionBudget", "NetworkPolicy", "Service"])
def test_a_selector_selects_the_pods_of_every_version(kind: str) -> None:
    rendered = complete()
    spec = rendered.one(kind)["spec"]
    found = spec.get("selector") or spec["podSelector"]
    assert found.get("matchLabels", found) == rendered.one("Deployment")["spec"]["selector"]["matchLabels"]


def test_the_service_monitor_selects_the_service_and_its_port() -> None:
    rendered = complete()
    monitor, service = rendered.one("ServiceMonitor")["spec"], rendered.one("Service")
    assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert monitor["namespaceSelector"]["matchNames"] == [service["metadata"]["namespace"]]
    assert {endpoint["port"] for endpoint in monitor["endpoints"]} <= {
        port["name"] for port in service["spec"]["ports"]
    }


def test_two_releases_select_different_pods() -> None:
    one, other = (complete(name).one("Deployment")["spec"]["selector"]["matchLabels"] for name in ("one", "other"))
    assert one != other


def test_labels_of_the_users_never_reach_a_selector() -> None:
    rendered = render(commonLabels={"team": "a"}, podLabels={"net": "open"})
    deployment = rendered.one("Deployment")
    assert set(deployment["spec"]["selector"]["matchLabels"]) == {
        "app.kubernetes.io/name",
        "app.kubernetes.io/instance",
    }
    assert {"team": "a", "net": "open"}.items() <= deployment["spec"]["template"]["metadata"]["labels"].items()


def test_no_label_of_the_users_replaces_one_of_ours() -> None:
    ours = "app.kubernetes.io/name"
    rendered = render(commonLabels={ours: "x"}, podLabels={ours: "y"})
    assert rendered.one("Deployment")["spec"]["template"]["metadata"]["labels"][ours] == "providerswitch"


@pytest.mark.parametrize(("release", "values", "name"), [
    ("providerswitch", {}, "providerswitch"),
    ("llm", {}, "llm-providerswitch"),
    ("llm", {"nameOverride": "switch"}, "llm-switch"),
    ("llm", {"fullnameOverride": "all-mine"}, "all-mine"),
], ids=str)  # fmt: skip
def test_objects_are_named_after_the_release(release: str, values: dict[str, str], name: str) -> None:
    assert render(release, **values).one("Deployment")["metadata"]["name"] == name


def test_the_longest_names_are_short_enough_for_every_kind() -> None:
    rendered = render("r" * 53, nameOverride="n" * 63, grafanaDashboard={"enabled": True})
    names = [each["metadata"]["name"] for each in rendered.objects]
    assert max(map(len, names)) <= 63
    labels = [value for each in rendered.objects for value in each["metadata"]["labels"].values()]
    assert max(map(len, labels)) <= 63


def test_it_can_be_a_dependency_of_another_chart(tmp_path: Path) -> None:
    (tmp_path / "charts").mkdir()
    (tmp_path / "charts" / "providerswitch").symlink_to(CHART)
    needs = [{"name": "providerswitch", "version": __version__, "condition": "providerswitch.enabled"}]
    chart = {"apiVersion": "v2", "name": "platform", "version": "1.0.0", "dependencies": needs}
    (tmp_path / "Chart.yaml").write_text(yaml.safe_dump(chart))
    values = {"providerswitch": {"enabled": True, "replicas": 3}, "global": {"registry": "x"}}
    rendered = yaml.safe_load_all(offline().ok("template", "platform", str(tmp_path), values=values))
    assert [each["spec"]["replicas"] for each in rendered if each and each["kind"] == "Deployment"] == [3]
    off = {"providerswitch": {"enabled": False}}
    assert offline().ok("template", "platform", str(tmp_path), values=off).strip() == ""
