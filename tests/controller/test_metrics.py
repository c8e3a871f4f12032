"""Metrics: their names are an interface, and a policy that goes takes its series with it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from prometheus_client import CollectorRegistry
from tests.controller.played_cluster import KEY, NAMESPACE, POLICY, SERVICE, Cluster, policy
from tests.support.virtual_time import EPOCH

from providerswitch.api.health import HealthClass
from providerswitch.api.provider_types import ProviderTypeName
from providerswitch.api.status import HealthState
from providerswitch.controller.metrics import Metrics
from providerswitch.core.outcome import Outcome
from providerswitch.kube.objects import ObjectKey
from providerswitch.probes.target import ProbeTarget

pytestmark = pytest.mark.looptime(start=0)

NAMES = {
    "providerswitch_override_active": ("namespace", "policy", "task"),
    "providerswitch_overrides": ("result",),
    "providerswitch_active_provider": ("namespace", "policy", "provider"),
    "providerswitch_provider_state": ("namespace", "policy", "provider", "state"),
    "providerswitch_policy_ready": ("namespace", "policy"),
    "providerswitch_policy_condition": ("namespace", "policy", "condition", "status", "reason"),
    "providerswitch_drills": ("result",),
    "providerswitch_drill_running": ("namespace", "policy"),
    "providerswitch_drill_last_result": ("namespace", "policy", "result"),
    "providerswitch_drill_last_timestamp_seconds": ("namespace", "policy"),
    "providerswitch_switches": ("namespace", "policy", "trigger", "outcome"),
    "providerswitch_last_switch_timestamp_seconds": ("namespace", "policy"),
    "providerswitch_switch_duration_seconds": ("trigger",),
    "providerswitch_switch_step_duration_seconds": ("step",),
    "providerswitch_detection_duration_seconds": (),
    "providerswitch_probes": ("type", "host", "tier", "class"),
    "providerswitch_probe_duration_seconds": ("type",),
    "providerswitch_probe_targets": (),
    "providerswitch_leader": (),
    "providerswitch_policies": (),
    "providerswitch_policies_over_limit": ("namespace",),
    "providerswitch_frozen": (),
    "providerswitch_drift_repairs": ("namespace", "policy", "kind"),
    "providerswitch_reconciles": (),
    "providerswitch_reconcile_errors": ("error",),
    "providerswitch_config_load_duration_seconds": (),
    "providerswitch_switches_held": ("namespace", "policy", "trigger"),
    "providerswitch_hints": ("source",),
    "providerswitch_quality_checks": ("type", "host", "verdict"),
    **{f"providerswitch_provider_{name}": ("namespace", "policy", "provider") for name in (
        "score", "rank", "weight_percent", "degraded", "eligible", "response_time_p50_seconds",
        "response_time_p95_seconds", "error_ratio", "recent_availability_ratio", "quality_ratio", "requests_remaining",
        "tokens_remaining", "observed_seconds", "down_seconds", "failures", "mtbf_seconds", "mttr_seconds",
        "availability_ratio",
    )},
    **{f"providerswitch_policy_{name}": ("namespace", "policy") for name in (
        "observed_seconds", "down_seconds", "failures", "mtbf_seconds", "mttr_seconds", "availability_ratio",
        "redundancy", "fault_tolerance", "switch_held", "budget_probes", "budget_cost", "budget_probes_limit",
        "budget_cost_limit", "watched_seconds", "unserved_seconds", "shadow",
    )},
}  # fmt: skip
"""What dashboards and alerts of users rest on; a counter's name gets `_total` when it is shown."""
WHOSE = {"namespace": NAMESPACE, "policy": POLICY}


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    made = Cluster()
    made.start()
    yield made
    await made.stop()


def series(metrics: Metrics) -> list[dict[str, str]]:
    """Return the labels of all samples."""
    return [sample.labels for family in metrics.registry.collect() for sample in family.samples]


def shown(metrics: Metrics, name: str) -> list[dict[str, str]]:
    """Return the labels of a metric's samples that are 1."""
    samples = (sample for family in metrics.registry.collect() for sample in family.samples)
    return [sample.labels for sample in samples if sample.name == name and sample.value == 1]


def test_names_and_labels_are_these() -> None:
    metrics = Metrics(CollectorRegistry())

    parts = [part for name, part in vars(metrics).items() if name not in {"registry", "figures"} and name[0] != "_"]
    assert {part._name: part._labelnames for part in (*parts, *metrics.figures.gauges)} == NAMES
    assert {family.name for family in metrics.registry.collect()} == NAMES.keys()


def test_every_metric_says_what_it_means() -> None:
    assert [family.name for family in Metrics(CollectorRegistry()).registry.collect() if not family.documentation] == []


async def test_a_healthy_policy_shows_who_serves_since_when_and_how_all_are(cluster: Cluster) -> None:
    cluster.provider("backup").health_class = HealthClass.QUOTA_EXHAUSTED
    cluster.put(policy())
    await asyncio.sleep(1)

    assert shown(cluster.metrics, "providerswitch_active_provider") == [{**WHOSE, "provider": "openai"}]
    assert shown(cluster.metrics, "providerswitch_provider_state") == [
        {**WHOSE, "provider": "openai", "state": "Healthy"},
        {**WHOSE, "provider": "backup", "state": "Down"},
    ]
    assert cluster.value("providerswitch_policy_ready", **WHOSE) == 1
    since = cluster.value("providerswitch_last_switch_timestamp_seconds", **WHOSE) or 0
    assert since == pytest.approx(EPOCH.timestamp(), abs=1)
    assert cluster.value("providerswitch_policies") == 1
    assert cluster.value("providerswitch_probe_targets") == 2


async def test_a_failover_is_counted_and_measured(cluster: Cluster) -> None:
    cluster.put(policy(publish={"service": {"name": "llm"}}))
    await asyncio.sleep(45)
    cluster.provider("openai").health_class = HealthClass.SERVER_ERROR
    await asyncio.sleep(30)

    assert cluster.value("providerswitch_switches_total", **WHOSE, trigger="Failover", outcome="Succeeded") == 1
    assert cluster.value("providerswitch_switch_duration_seconds_count", trigger="Failover") == 1
    took = cluster.value("providerswitch_switch_duration_seconds_sum", trigger="Failover") or 0
    assert 0 < took < 0.1
    assert cluster.value("providerswitch_detection_duration_seconds_count") == 1
    assert cluster.value("providerswitch_detection_duration_seconds_sum") == pytest.approx(2)
    for step in ("publish", "verify"):
        assert cluster.value("providerswitch_switch_step_duration_seconds_count", step=step) == 2
    assert shown(cluster.metrics, "providerswitch_active_provider") == [{**WHOSE, "provider": "backup"}]
    moved = cluster.value("providerswitch_last_switch_timestamp_seconds", **WHOSE) or 0
    assert moved == pytest.approx(EPOCH.timestamp() + 62, abs=1)


async def test_a_switch_undone_is_counted_as_such(cluster: Cluster) -> None:
    publish = {"service": {"name": "llm"}}
    cluster.put(policy(publish=publish))
    await asyncio.sleep(1)
    cluster.api.trouble = lambda method, path: 403 if (method, path) == ("PATCH", SERVICE) else None
    cluster.put(policy(publish=publish, generation=2, primary="backup"))
    await asyncio.sleep(1)

    assert cluster.value("providerswitch_switches_total", **WHOSE, trigger="ManualSwitch", outcome="RolledBack") == 1
    assert cluster.value("providerswitch_switch_step_duration_seconds_count", step="rollback") == 1
    assert cluster.value("providerswitch_policy_ready", **WHOSE) == 0
    assert cluster.value("providerswitch_detection_duration_seconds_count") == 0


async def test_probes_are_counted_by_class_and_timed(cluster: Cluster) -> None:
    cluster.provider("openai").health_class = HealthClass.OVERLOADED
    cluster.put(policy("openai"))
    await asyncio.sleep(2.5)

    probed = {"type": "openai-compatible", "host": "openai.example", "tier": "liveness"}
    assert cluster.value("providerswitch_probes_total", **probed, **{"class": "Overloaded"}) == 3
    timed = cluster.value("providerswitch_probe_duration_seconds_sum", type="openai-compatible")
    assert timed == pytest.approx(0.03)


async def test_a_state_that_changes_leaves_the_former_one(cluster: Cluster) -> None:
    cluster.put(policy("openai"))
    await asyncio.sleep(1)
    cluster.provider("openai").health_class = HealthClass.QUOTA_EXHAUSTED
    await asyncio.sleep(60)

    assert [labels for labels in series(cluster.metrics) if "state" in labels] == [
        {**WHOSE, "provider": "openai", "state": "Down"}
    ]


async def test_a_provider_that_leaves_the_spec_leaves_the_metrics(cluster: Cluster) -> None:
    cluster.put(policy("openai", "backup"))
    await asyncio.sleep(1)
    cluster.put(policy("backup", generation=2))
    await asyncio.sleep(1)

    providers = [labels["provider"] for labels in series(cluster.metrics) if "provider" in labels]
    assert set(providers) == {"backup"}


async def test_a_deleted_policy_takes_all_its_series_with_it_and_no_others(cluster: Cluster) -> None:
    for name in (POLICY, "other"):
        cluster.put(policy(name=name, uid=f"uid-of-{name}"))
    await asyncio.sleep(1)
    cluster.metrics.drift.labels(*WHOSE.values(), "ConfigMap").inc()
    assert {**WHOSE} in series(cluster.metrics)
    cluster.delete(policy(uid=f"uid-of-{POLICY}"))
    await asyncio.sleep(60)

    left = {labels["policy"] for labels in series(cluster.metrics) if "policy" in labels}
    assert left == {"other"}
    assert cluster.value("providerswitch_policies") == 1


def test_forgetting_spares_a_policy_of_the_same_name_elsewhere() -> None:
    metrics = Metrics(CollectorRegistry())
    now = datetime(2026, 1, 1, tzinfo=UTC)
    for key in (KEY, ObjectKey("team-b", POLICY)):
        metrics.show_active(key, "openai", now)
        metrics.show_states(key, {"openai": HealthState.HEALTHY})
    metrics.forget(KEY)
    metrics.forget(KEY)

    assert {labels["namespace"] for labels in series(metrics) if "namespace" in labels} == {"team-b"}


def test_hosts_that_are_no_longer_probed_leave_no_series() -> None:
    metrics = Metrics(CollectorRegistry())
    now = datetime(2026, 1, 1, tzinfo=UTC)
    outcome = Outcome(HealthClass.HEALTHY, "", now, now)
    for host in ("kept", "gone"):
        metrics.count_probe(ProbeTarget(ProviderTypeName.OPENAI, f"https://{host}/v1"), outcome)
    metrics.keep_hosts(frozenset({"kept"}))
    assert {labels["host"] for labels in series(metrics) if "host" in labels} == {"kept"}
