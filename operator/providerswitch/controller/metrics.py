"""Prometheus metrics. Names and labels are listed in docs/reference/metrics.md."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from providerswitch.api.health_check import Budget
from providerswitch.api.status import Condition, HealthState, Reliability, Switch
from providerswitch.controller.figures import Figures
from providerswitch.core.drill_status import OVER
from providerswitch.core.outcome import Outcome
from providerswitch.kube.objects import ObjectKey
from providerswitch.probes.golden_answer import Asked
from providerswitch.probes.target import ProbeTarget

POLICY = ("namespace", "policy")
ERRORS: Final = ("ApiServerError", "InvariantError", "Unexpected")
OVERRIDE_RESULTS: Final = ("Active", "Superseded", "Rejected", "Expired", "Cleared")
FINE_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0)
COARSE_SECONDS = (0.1, 0.25, 0.5, 1.0, 2.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)


class Metrics:
    """Everything that `/metrics` shows."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self._hosts: set[str] = set()
        self._active: dict[ObjectKey, str] = {}
        self._over: dict[str, int] = {}
        self._states: dict[ObjectKey, dict[str, HealthState]] = {}
        self._conditions: dict[ObjectKey, frozenset[tuple[str, ...]]] = {}
        self._seen: dict[ObjectKey, Reliability] = {}
        self._drills: dict[ObjectKey, datetime] = {}
        self._overridden: dict[ObjectKey, frozenset[str | None]] = {}
        self.figures = Figures(registry)
        self._add_policies()
        self._add_switches()
        self._add_overrides()
        self._add_probes()
        self._add_operator()
        self._add_drills()

    def _add_policies(self) -> None:
        gauge, counter = partial(Gauge, registry=self.registry), partial(Counter, registry=self.registry)
        self.active = gauge("providerswitch_active_provider", "1 for the provider that serves", (*POLICY, "provider"))
        self.state = gauge(
            "providerswitch_provider_state", "1 for the health state a provider is in", (*POLICY, "provider", "state")
        )
        self.ready = gauge("providerswitch_policy_ready", "1 while condition Ready is True", POLICY)
        self.shadow = gauge("providerswitch_policy_shadow", "1 while a policy is in shadow mode (spec.dryRun)", POLICY)
        self.conditions = gauge(
            "providerswitch_policy_condition",
            "1 for the status and reason of a condition",
            (*POLICY, "condition", "status", "reason"),
        )
        self.watched = counter(
            "providerswitch_policy_watched_seconds_total",
            "Time in which it was known whether consumers had a working provider, since this process began to look",
            POLICY,
        )
        self.unserved = counter(
            "providerswitch_policy_unserved_seconds_total",
            "Of the watched time, time in which consumers had no working provider",
            POLICY,
        )
        self.budget_probes_limit = gauge(
            "providerswitch_policy_budget_probes_limit", "Billed requests a day that the budget allows", POLICY
        )
        self.budget_cost_limit = gauge(
            "providerswitch_policy_budget_cost_limit", "Money a day that the budget allows", POLICY
        )

    def _add_switches(self) -> None:
        counter, histogram = partial(Counter, registry=self.registry), partial(Histogram, registry=self.registry)
        self.switches = counter(
            "providerswitch_switches_total", "Switches by trigger and outcome", (*POLICY, "trigger", "outcome")
        )
        self.last_switch = Gauge(
            "providerswitch_last_switch_timestamp_seconds",
            "When the active provider last changed; time() minus this is the time since",
            POLICY,
            registry=self.registry,
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

    def _add_overrides(self) -> None:
        self.override_until = Gauge(
            "providerswitch_override_active",
            "When the override that is in force ends, in Unix time; without a task it is for the policy itself",
            (*POLICY, "task"),
            registry=self.registry,
        )
        self.overrides = Counter(
            "providerswitch_overrides_total",
            "Overrides that became Active, Superseded, Rejected or Expired, or were Cleared: deleted while in force",
            ("result",),
            registry=self.registry,
        )
        for result in OVERRIDE_RESULTS:
            self.overrides.labels(result)

    def _add_probes(self) -> None:
        counter, histogram = partial(Counter, registry=self.registry), partial(Histogram, registry=self.registry)
        self.hints = counter("providerswitch_hints_total", "Hints that led to a probe at once", ("source",))
        self.hint_requests = counter(
            "providerswitch_hint_requests_total", "Requests to the endpoint for hints by HTTP status", ("code",)
        )
        self.quality_checks = counter(
            "providerswitch_quality_checks_total", "Golden prompts by verdict", ("type", "host", "verdict")
        )
        self.probes = counter(
            "providerswitch_probes_total", "Probes by outcome class", ("type", "host", "tier", "class")
        )
        self.probe_seconds = histogram(
            "providerswitch_probe_duration_seconds", "Duration of probes", ("type",), buckets=FINE_SECONDS
        )

    def _add_operator(self) -> None:
        gauge, counter = partial(Gauge, registry=self.registry), partial(Counter, registry=self.registry)
        self.targets = gauge("providerswitch_probe_targets", "Distinct probe targets")
        self.policies = gauge("providerswitch_policies", "Policies served")
        self.leader = gauge("providerswitch_leader", "1 while this replica decides and writes, 0 while it stands by")
        self.over_limit = gauge(
            "providerswitch_policies_over_limit",
            "Policies that are not served as they ask, because their namespace is at a limit",
            ("namespace",),
        )
        self.frozen = gauge("providerswitch_frozen", "1 while the cluster's own network is at fault")
        self.drift = counter(
            "providerswitch_drift_repairs_total", "Published objects put right after foreign edits", (*POLICY, "kind")
        )
        self.reconciles = counter("providerswitch_reconciles_total", "Reconciles of policies")
        self.errors = counter(
            "providerswitch_reconcile_errors_total",
            "Failed reconciles: ApiServerError, InvariantError or Unexpected",
            ("error",),
        )
        for error in ERRORS:
            self.errors.labels(error)

    def _add_drills(self) -> None:
        gauge = partial(Gauge, registry=self.registry)
        self.drills = Counter(
            "providerswitch_drills_total",
            "Drills that are over: Passed, Failed, Aborted or Refused",
            ("result",),
            registry=self.registry,
        )
        for state in OVER:
            self.drills.labels(state)
        self.drill_running = gauge("providerswitch_drill_running", "1 while a drill runs on a policy", POLICY)
        self.drill_result = gauge(
            "providerswitch_drill_last_result",
            "1 for the result of the last drill: Passed or Failed",
            (*POLICY, "result"),
        )
        self.drill_time = gauge(
            "providerswitch_drill_last_timestamp_seconds", "When the last drill that passed or failed was over", POLICY
        )

    def show_drill(self, key: ObjectKey, *, running: bool) -> None:
        """Show whether a drill runs on a policy."""
        if running:
            self.drill_running.labels(key.namespace, key.name).set(1)
        else:
            self.drill_running.remove(key.namespace, key.name)

    def show_last_drill(self, key: ObjectKey, result: str, at: datetime) -> None:
        """Show the result of the newest drill of a policy, and no other."""
        if self._drills.get(key, at) > at:
            return
        self._drills[key] = at
        self.drill_result.remove_by_labels({"namespace": key.namespace, "policy": key.name})
        self.drill_result.labels(key.namespace, key.name, result).set(1)
        self.drill_time.labels(key.namespace, key.name).set(at.timestamp())

    def count_probe(self, target: ProbeTarget, outcome: Outcome) -> None:
        """Count one probe; what a drill plays is none."""
        if target.drill:
            return
        self._hosts.add(target.host)
        self.probes.labels(target.type, target.host, outcome.tier, outcome.health_class).inc()
        self.probe_seconds.labels(target.type).observe(outcome.took.total_seconds())

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
        """Count one finished switch; one of shadow mode was none for consumers."""
        if switch.outcome == "Shadow":
            return
        self.switches.labels(key.namespace, key.name, switch.trigger, switch.outcome).inc()
        self.switch_seconds.labels(switch.trigger).observe(switch.switch_millis / 1000)
        if detected is not None:
            self.detect_seconds.observe(detected.total_seconds())

    def count_rehearsed(self, key: ObjectKey, switch: Switch) -> None:
        """Count one finished switch of a drill, apart from those that somebody was in need of."""
        self.switches.labels(key.namespace, key.name, "Drill", switch.outcome).inc()
        self.switch_seconds.labels("Drill").observe(switch.switch_millis / 1000)

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

    def show_conditions(self, key: ObjectKey, conditions: Sequence[Condition]) -> None:
        """Show status and reason of each condition, and no other."""
        found = frozenset((each.type, each.status, each.reason) for each in conditions)
        for gone in self._conditions.get(key, frozenset()) - found:
            self.conditions.remove(key.namespace, key.name, *gone)
        self._conditions[key] = found
        for labels in found:
            self.conditions.labels(key.namespace, key.name, *labels).set(1)

    def count_service(self, key: ObjectKey, seen: Reliability | None) -> None:
        """Count the time since the last call, as consumers saw it; what an earlier process saw is no part of it."""
        if seen is None:
            return
        former, self._seen[key] = self._seen.get(key, seen), seen
        watched, unserved = (counter.labels(key.namespace, key.name) for counter in (self.watched, self.unserved))
        watched.inc(max(0, seen.observed_seconds - former.observed_seconds))
        unserved.inc(max(0, seen.down_seconds - former.down_seconds))

    def show_overrides(self, key: ObjectKey, until: Mapping[str | None, datetime]) -> None:
        """Show when the overrides that are in force end, by task; none has no series."""
        for task in self._overridden.pop(key, frozenset()) - until.keys():
            self.override_until.remove(key.namespace, key.name, task or "")
        if until:
            self._overridden[key] = frozenset(until)
        for task, end in until.items():
            self.override_until.labels(key.namespace, key.name, task or "").set(end.timestamp())

    def show_budget(self, key: ObjectKey, budget: Budget | None) -> None:
        """Show the limits that a policy has, and no other."""
        limits = (
            (self.budget_probes_limit, budget.probes_per_day if budget else None),
            (self.budget_cost_limit, budget.cost_per_day if budget else None),
        )
        for gauge, limit in limits:
            if limit is None:
                gauge.remove(key.namespace, key.name)
            else:
                gauge.labels(key.namespace, key.name).set(limit)

    def show_over_limit(self, over: Mapping[str, int]) -> None:
        """Show how many policies of each namespace are over a limit; a namespace without any has no series."""
        if over == self._over:
            return
        for namespace in self._over.keys() - over.keys():
            self.over_limit.remove(namespace)
        self._over = dict(over)
        for namespace, policies in over.items():
            self.over_limit.labels(namespace).set(policies)

    def forget(self, key: ObjectKey) -> None:
        """Drop all series of a policy that is gone."""
        kept_by_policy = (self._active, self._states, self._conditions, self._seen, self._overridden, self._drills)
        for kept in kept_by_policy:
            kept.pop(key, None)
        labels = {"namespace": key.namespace, "policy": key.name}
        for metric in self._of_policies:
            metric.remove_by_labels(labels)
        self.figures.forget(key)

    @property
    def _of_policies(self) -> tuple[Counter | Gauge, ...]:
        return (
            self.active,
            self.state,
            self.ready,
            self.shadow,
            self.conditions,
            self.watched,
            self.unserved,
            self.budget_probes_limit,
            self.budget_cost_limit,
            self.switches,
            self.last_switch,
            self.drift,
            self.held,
            self.drill_running,
            self.drill_result,
            self.drill_time,
            self.override_until,
        )
