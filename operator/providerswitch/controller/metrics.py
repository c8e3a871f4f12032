"""Prometheus metrics. Names and labels are listed in docs/reference/metrics.md."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from providerswitch.api.status import HealthState, Switch
from providerswitch.controller.figures import Figures
from providerswitch.core.outcome import Outcome
from providerswitch.kube.objects import ObjectKey
from providerswitch.probes.golden_answer import Asked
from providerswitch.probes.target import ProbeTarget

POLICY = ("namespace", "policy")
FINE_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0)
COARSE_SECONDS = (0.1, 0.25, 0.5, 1.0, 2.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)


class Metrics:
    """Everything that `/metrics` shows."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        gauge, counter = partial(Gauge, registry=registry), partial(Counter, registry=registry)
        histogram = partial(Histogram, registry=registry)
        self._hosts: set[str] = set()
        self._active: dict[ObjectKey, str] = {}
        self._states: dict[ObjectKey, dict[str, HealthState]] = {}
        self.figures = Figures(registry)
        self.active = gauge("providerswitch_active_provider", "1 for the provider that serves", (*POLICY, "provider"))
        self.state = gauge(
            "providerswitch_provider_state", "1 for the health state a provider is in", (*POLICY, "provider", "state")
        )
        self.ready = gauge("providerswitch_policy_ready", "1 while condition Ready is True", POLICY)
        self.switches = counter(
            "providerswitch_switches_total", "Switches by trigger and outcome", (*POLICY, "trigger", "outcome")
        )
        self.last_switch = gauge(
            "providerswitch_last_switch_timestamp_seconds",
            "When the active provider last changed; time() minus this is the time since",
            POLICY,
        )
        self.switch_seconds = histogram(
            "providerswitch_switch_duration_seconds",
            "From the decision to the verified publication",
            ("trigger",),
            buckets=FINE_SECONDS,
        )
        self.step_seconds = histogram(
            "providerswitch_switch_step_duration_seconds",
            "Duration of each step of the switch protocol",
            ("step",),
            buckets=FINE_SECONDS,
        )
        self.detect_seconds = histogram(
            "providerswitch_detection_duration_seconds",
            "From the first failed probe to the decision to switch",
            buckets=COARSE_SECONDS,
        )
        self.config_load_seconds = histogram(
            "providerswitch_config_load_duration_seconds",
            "From the arrival of a changed spec to its decision in force",
            buckets=FINE_SECONDS,
        )
        self.held = counter(
            "providerswitch_switches_held_total",
            "Switches for the better that flap control held back",
            (*POLICY, "trigger"),
        )
        self.hints = counter("providerswitch_hints_total", "Hints that led to a probe at once", ("source",))
        self.quality_checks = counter(
            "providerswitch_quality_checks_total", "Golden prompts by verdict", ("type", "host", "verdict")
        )
        self.probes = counter(
            "providerswitch_probes_total", "Probes by outcome class", ("type", "host", "tier", "class")
        )
        self.probe_seconds = histogram(
            "providerswitch_probe_duration_seconds", "Duration of probes", ("type",), buckets=FINE_SECONDS
        )
        self.targets = gauge("providerswitch_probe_targets", "Distinct probe targets")
        self.policies = gauge("providerswitch_policies", "Policies served")
        self.frozen = gauge("providerswitch_frozen", "1 while the cluster's own network is at fault")
        self.drift = counter(
            "providerswitch_drift_repairs_total", "Published objects put right after foreign edits", POLICY
        )
        self.reconciles = counter("providerswitch_reconciles_total", "Reconciles of policies")
        self.errors = counter(
            "providerswitch_reconcile_errors_total",
            "Failed reconciles: ApiServerError, InvariantError or Unexpected",
            ("error",),
        )

    def count_probe(self, target: ProbeTarget, outcome: Outcome) -> None:
        """Count one probe."""
        self._hosts.add(target.host)
        self.probes.labels(target.type, target.host, outcome.tier, outcome.health_class).inc()
        self.probe_seconds.labels(target.type).observe((outcome.ended_at - outcome.started_at).total_seconds())

    def count_answer(self, target: ProbeTarget, asked: Asked) -> None:
        """Count the answer to one golden prompt."""
        self._hosts.add(target.host)
        verdict = {True: "good", False: "bad", None: "none"}[asked.passed]
        self.quality_checks.labels(target.type, target.host, verdict).inc()

    def keep_hosts(self, hosts: frozenset[str]) -> None:
        """Drop the series of hosts that are no longer probed; their names are chosen by the authors of policies."""
        for host in self._hosts - hosts:
            self.probes.remove_by_labels({"host": host})
            self.quality_checks.remove_by_labels({"host": host})
        self._hosts &= hosts

    def count_switch(self, key: ObjectKey, switch: Switch, detected: timedelta | None) -> None:
        """Count one finished switch."""
        self.switches.labels(key.namespace, key.name, switch.trigger, switch.outcome).inc()
        self.switch_seconds.labels(switch.trigger).observe(switch.switch_millis / 1000)
        if detected is not None:
            self.detect_seconds.observe(detected.total_seconds())

    def show_active(self, key: ObjectKey, provider: str | None, since: datetime | None) -> None:
        """Show which provider serves, and no other."""
        former = self._active.pop(key, None)
        if former and former != provider:
            self.active.remove(key.namespace, key.name, former)
        if provider:
            self._active[key] = provider
            self.active.labels(key.namespace, key.name, provider).set(1)
        if since:
            self.last_switch.labels(key.namespace, key.name).set(since.timestamp())

    def show_states(self, key: ObjectKey, states: Mapping[str, HealthState]) -> None:
        """Show the health state of each provider, and no other."""
        for provider, former in self._states.get(key, {}).items():
            if states.get(provider) is not former:
                self.state.remove(key.namespace, key.name, provider, former)
        self._states[key] = dict(states)
        for provider, state in states.items():
            self.state.labels(key.namespace, key.name, provider, state).set(1)

    def forget(self, key: ObjectKey) -> None:
        """Drop all series of a policy that is gone."""
        self._active.pop(key, None)
        self._states.pop(key, None)
        labels = {"namespace": key.namespace, "policy": key.name}
        for metric in (self.active, self.state, self.ready, self.switches, self.last_switch, self.drift, self.held):
            metric.remove_by_labels(labels)
        self.figures.forget(key)
