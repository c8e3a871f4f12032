"""The Deployment: which image, which arguments, where and how it runs."""

from typing import Any

import pytest
from tests.chart.rendering import render

from providerswitch import __version__
from providerswitch.controller.settings import FLAGS
from providerswitch.main import build_parser

DIGEST = f"sha256:{'0123456789abcdef' * 4}"


@pytest.mark.parametrize(("image", "expected"), [
    ({}, f"providerswitch:{__version__}"),
    ({"tag": "1.2.3"}, "providerswitch:1.2.3"),
    ({"repository": "registry.example.com/llm/switch"}, f"registry.example.com/llm/switch:{__version__}"),
    ({"digest": DIGEST}, f"providerswitch@{DIGEST}"),
    ({"tag": "1.2.3", "digest": DIGEST}, f"providerswitch@{DIGEST}"),
], ids=["default", "tag", "repository", "digest", "digest wins over tag"])  # fmt: skip
def test_the_image_is_the_one_that_the_values_name(image: dict[str, str], expected: str) -> None:
    assert render(image=image).container["image"] == expected


def test_the_image_is_pulled_as_the_values_say() -> None:
    rendered = render(image={"pullPolicy": "Always", "pullSecrets": [{"name": "registry"}]})
    assert rendered.container["imagePullPolicy"] == "Always"
    assert rendered.pod["imagePullSecrets"] == [{"name": "registry"}]


HINTS = {"enabled": True, "tls": {"secretName": "hints-tls"}}
BY_VALUES: dict[str, tuple[dict[str, Any], str]] = {
    "--kubeconfig": ({"extraArgs": ["--kubeconfig=/etc/remote"]}, "--kubeconfig=/etc/remote"),
    "--namespaces": ({"watch": {"namespaces": ["a", "b"]}}, "--namespaces=a,b"),
    "--listen": ({"listen": {"host": "[::]", "port": 9090}}, "--listen=[::]:9090"),
    "--allow-probe-cidr": (
        {"probes": {"allowCIDRs": ["127.0.0.0/8", "fd00::/8"]}},
        "--allow-probe-cidr=127.0.0.0/8,fd00::/8",
    ),
    "--ca-file": ({"caBundle": {"secretName": "x", "key": "a.pem"}}, "--ca-file=/etc/providerswitch/ca/a.pem"),
    "--leader-elect": ({"leaderElection": {"enabled": True}}, "--leader-elect"),
    "--lease-name": ({"fullnameOverride": "other"}, "--lease-name=other"),
    "--lease-namespace": ({}, "--lease-namespace=providerswitch-system"),
    "--lease-duration": ({"leaderElection": {"leaseDuration": "1m30s"}}, "--lease-duration=1m30s"),
    "--max-policies-per-namespace": (
        {"limits": {"policiesPerNamespace": 1_000_000}},
        "--max-policies-per-namespace=1000000",
    ),
    "--max-providers-per-namespace": ({"limits": {"providersPerNamespace": 0}}, "--max-providers-per-namespace=0"),
    "--publish-secrets": ({"rbac": {"publishSecrets": True}}, "--publish-secrets"),
    "--hints-listen": ({"hints": HINTS, "listen": {"host": "[::]"}}, "--hints-listen=[::]:8443"),
    "--hints-cert": ({"hints": HINTS}, "--hints-cert=/etc/providerswitch/hints/tls.crt"),
    "--hints-key": ({"hints": HINTS}, "--hints-key=/etc/providerswitch/hints/tls.key"),
    "--hints-insecure": ({"hints": {"enabled": True, "insecure": True}}, "--hints-insecure"),
    "--hints-service": ({"hints": HINTS}, "--hints-service=providerswitch-system/providerswitch-hints"),
    "--pod-ip": ({"extraArgs": ["--pod-ip=10.0.0.1"]}, "--pod-ip=10.0.0.1"),
    "--max-override-duration": ({"operations": {"maxOverrideDuration": "2h"}}, "--max-override-duration=2h"),
    "--keep-finished": ({"operations": {"keepFinished": "720h"}}, "--keep-finished=720h"),
    "--log-level": ({"log": {"level": "warning"}}, "--log-level=warning"),
    "--log-format": ({"log": {"format": "text"}}, "--log-format=text"),
}
"""How each flag of the operator is reached."""


@pytest.mark.parametrize("flag", [flag for flag, *_ in FLAGS])
def test_every_flag_can_be_set(flag: str) -> None:
    values, expected = BY_VALUES[flag]
    args = render(**values).args
    assert expected in args
    assert build_parser().parse_args(args).command == "run"


def test_the_defaults_of_the_chart_are_those_of_the_operator() -> None:
    by_chart = vars(build_parser().parse_args(render().args))
    own = vars(build_parser().parse_args(["run"]))
    assert {name for name in own if by_chart[name] != own[name]} == {"leader_elect", "lease_namespace"}


def test_further_arguments_come_last_and_so_win() -> None:
    args = render(log={"level": "debug"}, extraArgs=["--log-level=error"]).args
    assert args[-1] == "--log-level=error"
    assert build_parser().parse_args(args).log_level == "error"


def test_without_leader_election_there_is_no_flag_of_it_and_never_two_pods() -> None:
    rendered = render(replicas=1, leaderElection={"enabled": False})
    assert [arg for arg in rendered.args if "lea" in arg] == []
    assert rendered.one("Deployment")["spec"]["strategy"] == {"type": "Recreate"}


def test_with_leader_election_a_new_pod_is_ready_before_an_old_one_ends() -> None:
    spec = render().one("Deployment")["spec"]
    assert spec["replicas"] == 2
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}


@pytest.mark.parametrize(("reference", "source"), [
    ({"configMapName": "ca"}, {"configMap": {"name": "ca"}}),
    ({"secretName": "ca"}, {"secret": {"secretName": "ca"}}),
], ids=["ConfigMap", "Secret"])  # fmt: skip
def test_authorities_are_mounted_and_named_to_the_operator(reference: dict[str, str], source: dict[str, Any]) -> None:
    rendered = render(caBundle=reference)
    (mount,) = rendered.container["volumeMounts"]
    assert f"--ca-file={mount['mountPath']}/ca.crt" in rendered.args
    assert rendered.pod["volumes"] == [{"name": mount["name"], **source}]
    assert mount["readOnly"] is True


def test_without_authorities_and_volumes_nothing_is_mounted() -> None:
    rendered = render()
    assert "volumes" not in rendered.pod
    assert "volumeMounts" not in rendered.container
    assert [arg for arg in rendered.args if arg.startswith("--ca-file")] == []


def test_further_volumes_stand_beside_the_authorities() -> None:
    rendered = render(
        caBundle={"secretName": "ca"},
        extraVolumes=[{"name": "scratch", "emptyDir": {}}],
        extraVolumeMounts=[{"name": "scratch", "mountPath": "/scratch"}],
    )
    assert [volume["name"] for volume in rendered.pod["volumes"]] == ["ca-bundle", "scratch"]
    assert [mount["mountPath"] for mount in rendered.container["volumeMounts"]] == [
        "/etc/providerswitch/ca",
        "/scratch",
    ]


def test_environment_variables_reach_the_container() -> None:
    env = [{"name": "PYTHONASYNCIODEBUG", "value": "1"}]
    container = render(extraEnv=env, extraEnvFrom=[{"secretRef": {"name": "settings"}}]).container
    assert container["env"] == env
    assert container["envFrom"] == [{"secretRef": {"name": "settings"}}]


def test_the_pods_prefer_different_nodes() -> None:
    rendered = render()
    (term,) = rendered.pod["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    assert term["podAffinityTerm"]["topologyKey"] == "kubernetes.io/hostname"
    own = rendered.one("Deployment")["spec"]["selector"]["matchLabels"]
    assert term["podAffinityTerm"]["labelSelector"]["matchLabels"] == own


def test_an_affinity_of_the_users_replaces_that() -> None:
    assert render(affinity={"podAntiAffinity": {}}).pod["affinity"] == {"podAntiAffinity": {}}


def test_a_spread_without_selector_is_about_our_pods() -> None:
    constraint = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}
    other = {**constraint, "labelSelector": {"matchLabels": {"team": "a"}}}
    rendered = render(topologySpreadConstraints=[constraint, other])
    ours = rendered.one("Deployment")["spec"]["selector"]
    assert rendered.pod["topologySpreadConstraints"] == [{**constraint, "labelSelector": ours}, other]


@pytest.mark.parametrize(("value", "given"), [
    ("nodeSelector", {"disk": "ssd"}),
    ("tolerations", [{"key": "a", "operator": "Exists"}]),
    ("priorityClassName", "system-cluster-critical"),
    ("terminationGracePeriodSeconds", 7),
])  # fmt: skip
def test_a_setting_of_the_pod_reaches_the_pod(value: str, given: Any) -> None:
    assert render(**{value: given}).pod[value] == given


@pytest.mark.parametrize("value", ["nodeSelector", "tolerations", "priorityClassName", "topologySpreadConstraints"])
def test_a_setting_that_is_not_made_is_left_out(value: str) -> None:
    assert value not in render().pod


def test_resources_are_set_and_can_be_changed_one_by_one() -> None:
    assert render(resources={"limits": {"memory": "1Gi"}}).container["resources"] == {
        "requests": {"cpu": "50m", "memory": "128Mi"},
        "limits": {"memory": "1Gi"},
    }


def test_user_and_group_can_be_left_to_openshift() -> None:
    context = render(podSecurityContext={"runAsUser": None, "runAsGroup": None}).pod["securityContext"]
    assert context == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}


def test_a_large_user_id_stays_a_number() -> None:
    assert render(podSecurityContext={"runAsUser": 1000660000}).pod["securityContext"]["runAsUser"] == 1000660000


def test_the_probes_ask_the_port_on_which_the_operator_listens() -> None:
    container = render(listen={"port": 9090}).container
    assert container["ports"] == [{"name": "http", "containerPort": 9090}]
    assert {container[probe]["httpGet"]["port"] for probe in ("livenessProbe", "readinessProbe")} == {"http"}
    assert "--listen=0.0.0.0:9090" in container["args"]


def test_the_times_of_the_probes_can_be_set() -> None:
    container = render(livenessProbe={"failureThreshold": 9}, readinessProbe={"timeoutSeconds": 3}).container
    assert (container["livenessProbe"]["failureThreshold"], container["livenessProbe"]["periodSeconds"]) == (9, 10)
    assert (container["readinessProbe"]["timeoutSeconds"], container["readinessProbe"]["periodSeconds"]) == (3, 5)


def test_annotations_reach_the_deployment_and_the_pods_apart() -> None:
    deployment = render(deploymentAnnotations={"on": "deployment"}, podAnnotations={"on": "pods"}).one("Deployment")
    assert deployment["metadata"]["annotations"] == {"on": "deployment"}
    assert deployment["spec"]["template"]["metadata"]["annotations"] == {"on": "pods"}
