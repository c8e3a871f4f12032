"""What the Grafana dashboard shows: rows of panels, each with its queries and the sentence that explains it.

`$namespace` and `$policy` are chosen by the reader. Replicas are one: `without (instance, pod)`, as in the alert rules.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

ONE: Final = "without (instance, pod)"
CHOSEN: Final = 'namespace=~"$namespace",policy=~"$policy"'
OF_POLICY: Final = "{{namespace}}/{{policy}}"
OF_PROVIDER: Final = "{{policy}} {{provider}}"


class Kind(StrEnum):
    """Panel types of Grafana."""

    STAT = "stat"
    SERIES = "timeseries"
    TIMELINE = "state-timeline"
    HEATMAP = "heatmap"
    TABLE = "table"


class Unit(StrEnum):
    """Units of Grafana."""

    NUMBER = "short"
    SHARE = "percentunit"
    SECONDS = "s"
    PER_SECOND = "cps"


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel.

    Attributes:
        queries: each with the legend of its series.
        width: of 24 columns.
        states: numbers stand for the states of a provider.
        colour: whether 1 or more is "good" or "bad"; None where it is neither.
    """

    title: str
    meaning: str
    queries: tuple[tuple[str, str], ...]
    kind: Kind = Kind.SERIES
    unit: Unit = Unit.NUMBER
    width: int = 8
    height: int = 8
    states: bool = False
    colour: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """Panels below a heading."""

    title: str
    panels: tuple[Panel, ...]


def _stat(title: str, meaning: str, query: str, *, unit: Unit = Unit.NUMBER, colour: str | None = None) -> Panel:
    return Panel(title, meaning, ((query, title),), Kind.STAT, unit, width=4, height=4, colour=colour)


def _figure(name: str) -> str:
    """Return the query of a gauge of the chosen policies."""
    return f"max {ONE} (providerswitch_{name}{{{CHOSEN}}})"


def _grown(counter: str, span: str = "$__rate_interval") -> str:
    """Return how much a counter grew; one whose labels are new began with its first event, which increase() misses."""
    return f"(({counter} unless {counter} offset {span}) or increase({counter}[{span}]))"


def _events(name: str, by: str) -> str:
    """Return what a counter of the chosen policies counted."""
    return f"sum by ({by}) {_grown(f'providerswitch_{name}{{{CHOSEN}}}')}"


def _quantile(name: str, quantile: float, by: str = "", span: str = "$__rate_interval") -> str:
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({quantile}, sum by ({labels}) {_grown(f'providerswitch_{name}_bucket', span)})"


def _series(title: str, meaning: str, query: str, legend: str, unit: Unit = Unit.NUMBER) -> Panel:
    return Panel(title, meaning, ((query, legend),), unit=unit)


NUMBERED_STATES: Final = " or ".join(
    f'{number} * max without (instance, pod, state) (providerswitch_provider_state{{{CHOSEN},state="{state}"}})'
    for number, state in enumerate(("Unknown", "Healthy", "Suspect", "RateLimited", "Down"))
)
UNWELCOME: Final = (
    "max by (namespace, policy, condition, status, reason) ("
    f'providerswitch_policy_condition{{{CHOSEN},condition="Ready",'
    f'status!="True"}} or providerswitch_policy_condition{{{CHOSEN},condition!="Ready",status="True"}}) == 1'
)
FIRING: Final = (
    "max by (alertname, severity, namespace, policy, provider)"
    ' (ALERTS{alertname=~"ProviderSwitch.+",alertstate="firing"})'
)

OVERVIEW: Final = Row(
    "Overview",
    (
        _stat("Policies ready", "Policies whose condition Ready is True.",
              f"sum({_figure('policy_ready')})", colour="good"),
        _stat("Policies not ready", "No working provider, or something that a person has to mend.",
              f"count({_figure('policy_ready')} == 0) or vector(0)", colour="bad"),
        _stat("Served", "Share of the watched time in which consumers had a working provider.",
              f"1 - sum(increase(providerswitch_policy_unserved_seconds_total{{{CHOSEN}}}[$__range]))"
              f" / sum(increase(providerswitch_policy_watched_seconds_total{{{CHOSEN}}}[$__range]))", unit=Unit.SHARE),
        _stat("Least redundancy", "Healthy backups in other failure domains, of the policy that has fewest.",
              f"min({_figure('policy_redundancy')})", colour="good"),
        _stat("Providers down", "Providers that are down or rate limited, over all chosen policies.",
              f'count(max {ONE} (providerswitch_provider_state{{{CHOSEN},state=~"Down|RateLimited"}})) or vector(0)',
              colour="bad"),
        _stat("Frozen", "1 while the cluster's own network is at fault and nothing is switched.",
              f"max(max {ONE} (providerswitch_frozen))", colour="bad"),
        Panel("Active providers", "Who serves now.",
              ((f"max by (namespace, policy, provider) (providerswitch_active_provider{{{CHOSEN}}}) == 1", ""),),
              Kind.TABLE, width=8),
        Panel("What needs a look", "Conditions that are not as they should be; the message of each says what to do.",
              ((UNWELCOME, ""),), Kind.TABLE, width=8),
        _series("Switches", "By what made them; RolledBack are those that were undone.",
                _events("switches_total", "trigger, outcome"), "{{trigger}} {{outcome}}"),
    ),
)  # fmt: skip

PROVIDERS: Final = Row(
    "Providers",
    (
        Panel("State", "As the policy sees it.", ((NUMBERED_STATES, OF_PROVIDER),), Kind.TIMELINE, width=12,
              states=True),
        Panel("Active", "Which provider served when.", ((_figure("active_provider"), OF_PROVIDER),), Kind.TIMELINE,
              width=12),
        Panel("Response time", "95th percentile and median of good answers, over selection.window.",
              ((_figure("provider_response_time_p95_seconds"), f"{OF_PROVIDER} p95"),
               (_figure("provider_response_time_p50_seconds"), f"{OF_PROVIDER} p50")), unit=Unit.SECONDS),
        _series("Failed probes", "Share of the probes in selection.window.",
                _figure("provider_error_ratio"), OF_PROVIDER, Unit.SHARE),
        _series("Recent availability", "Share of selection.window in which it worked.",
                _figure("provider_recent_availability_ratio"), OF_PROVIDER, Unit.SHARE),
        _series("Score", "Weighted sum of latency, quality, cost and availability, 0 to 1.",
                _figure("provider_score"), OF_PROVIDER),
        _series("Quality", "Of answers, declared or measured by golden prompts, 0 to 1.",
                _figure("provider_quality_ratio"), OF_PROVIDER),
        _series("Share of the traffic", "Under strategy Weighted, in percent.",
                _figure("provider_weight_percent"), OF_PROVIDER),
        _series("Failed probes by class", "What probes met, over all policies.",
                'sum by (host, class) (rate(providerswitch_probes_total{class!="Healthy"}[$__rate_interval]))',
                "{{host}} {{class}}", Unit.PER_SECOND),
        _series("Probe duration, p95", "Good and failed ones, by type of provider.",
                _quantile("probe_duration_seconds", 0.95, "type"), "{{type}}", Unit.SECONDS),
        _series("Requests left of the rate limit", "By the provider's own headers.",
                _figure("provider_requests_remaining"), OF_PROVIDER),
    ),
)  # fmt: skip

FAILOVER: Final = Row(
    "Failover",
    (
        Panel("Detection", "From the first failed probe to the decision to switch.",
              tuple((_quantile("detection_duration_seconds", quantile, span="$__range"), f"p{quantile * 100:.0f}")
                    for quantile in (0.5, 0.95)), Kind.STAT, Unit.SECONDS, width=6),
        Panel("Switch duration", "From the decision to the verified publication.",
              tuple((_quantile("switch_duration_seconds", quantile, span="$__range"), f"p{quantile * 100:.0f}")
                    for quantile in (0.5, 0.95)), Kind.STAT, Unit.SECONDS, width=6),
        Panel("Switch durations", "Switches by how long they took.",
              ((f"sum by (le) {_grown('providerswitch_switch_duration_seconds_bucket')}", "{{le}}"),),
              Kind.HEATMAP, width=12),
        _series("Steps of a switch, p95", "publish, verify, and rollback where it had to be.",
                _quantile("switch_step_duration_seconds", 0.95, "step"), "{{step}}", Unit.SECONDS),
        _series("Config load, p95", "From the arrival of a changed spec to its decision in force.",
                _quantile("config_load_duration_seconds", 0.95), "p95", Unit.SECONDS),
        _series("Overrides in force", "Seconds until each ends.",
                f"max {ONE} (providerswitch_override_active{{{CHOSEN}}}) - time()", f"{OF_POLICY} {{{{task}}}}",
                Unit.SECONDS),
        _series("Switches held back", "By flap control: minDwell, hysteresis, maxSwitchesPerHour.",
                _events("switches_held_total", "namespace, policy, trigger"), f"{OF_POLICY} {{{{trigger}}}}"),
        _series("Drills", "How drills ended.", _events("drills_total", "result"), "{{result}}"),
    ),
)  # fmt: skip

RESILIENCE: Final = Row(
    "Resilience",
    (
        _series("Time without a provider", "Share of the last hour in which consumers had none.",
                f"sum {ONE} (rate(providerswitch_policy_unserved_seconds_total{{{CHOSEN}}}[1h]))", OF_POLICY,
                Unit.SHARE),
        _series("Error budget burn rate", "1 uses up what an SLO of 99.95 % allows; alerts begin at 6 and 14.4.",
                f"sum {ONE} (rate(providerswitch_policy_unserved_seconds_total{{{CHOSEN}}}[1h])) / 0.0005", OF_POLICY),
        _series("Redundancy", "Healthy backups in other failure domains than the active provider's.",
                _figure("policy_redundancy"), OF_POLICY),
        _series("Fault tolerance", "Failure domains that may fail at once while a provider is left.",
                _figure("policy_fault_tolerance"), OF_POLICY),
        _series("Mean time between failures", "As consumers saw them, since observation began.",
                _figure("policy_mtbf_seconds"), OF_POLICY, Unit.SECONDS),
        _series("Mean time to repair", "As consumers saw it, since observation began.",
                _figure("policy_mttr_seconds"), OF_POLICY, Unit.SECONDS),
        _series("Availability of providers", "Since observation began.",
                _figure("provider_availability_ratio"), OF_PROVIDER, Unit.SHARE),
    ),
)  # fmt: skip

BUDGET: Final = Row(
    "Budget and quality",
    (
        Panel("Budget used", "Of today (UTC); at 100 % only unbilled checks go on.",
              ((f"{_figure('policy_budget_probes')} / {_figure('policy_budget_probes_limit')}",
                f"{OF_POLICY} requests"),
               (f"{_figure('policy_budget_cost')} / {_figure('policy_budget_cost_limit')}", f"{OF_POLICY} money")),
              unit=Unit.SHARE),
        _series("Money spent today", "On billed probes and golden prompts, in the currency of spec.providers[].cost.",
                _figure("policy_budget_cost"), OF_POLICY),
        _series("Golden prompts", "By verdict.",
                f"sum by (host, verdict) {_grown('providerswitch_quality_checks_total')}",
                "{{host}} {{verdict}}"),
    ),
)  # fmt: skip

OPERATOR: Final = Row(
    "Operator",
    (
        Panel("Leader", "1 for the replica that decides and writes.",
              (("max by (instance, pod) (providerswitch_leader)", "{{pod}} {{instance}}"),), Kind.TIMELINE),
        Panel("Policies and targets", "Policies served, and distinct probe targets.",
              ((f"max {ONE} (providerswitch_policies)", "policies"),
               (f"max {ONE} (providerswitch_probe_targets)", "targets"))),
        _series("Probes", "Of all replicas.",
                "sum by (tier) (rate(providerswitch_probes_total[$__rate_interval]))", "{{tier}}", Unit.PER_SECOND),
        _series("Reconciles", "Of all replicas.",
                "sum(rate(providerswitch_reconciles_total[$__rate_interval]))", "reconciles", Unit.PER_SECOND),
        _series("Failed reconciles", "ApiServerError: the API server; the others are bugs.",
                "sum by (error) (increase(providerswitch_reconcile_errors_total[$__rate_interval]))", "{{error}}"),
        _series("Repaired drift", "Published objects put right after somebody else's edit.",
                _events("drift_repairs_total", "namespace, policy, kind"), f"{OF_POLICY} {{{{kind}}}}"),
        _series("Hints", "Of status pages, each followed up by a probe.",
                f"sum by (source) {_grown('providerswitch_hints_total')}", "{{source}}"),
        Panel("Alerts", "What fires now.",
              ((FIRING, ""),), Kind.TABLE, width=16),
    ),
)  # fmt: skip

ROWS: Final = (OVERVIEW, PROVIDERS, FAILOVER, RESILIENCE, BUDGET, OPERATOR)
