"""docs/reference/metrics.md: what /metrics shows, from a live registry."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric

from providerswitch.api.health import HealthClass
from providerswitch.api.status import ConditionType, HealthState, Switch
from providerswitch.controller.metrics import OVERRIDE_RESULTS, Metrics
from providerswitch.core.case import Trigger
from providerswitch.core.drill_status import OVER
from providerswitch.core.outcome import Tier
from reference.markdown import bullets, code, codes, page, section, table

Family = Counter | Gauge | Histogram

LABELS: Final = {
    "namespace": "namespace of the policy",
    "policy": "name of the policy",
    "provider": "name of the provider in the policy",
    "task": "name of the task; empty for the policy itself",
    "state": codes(HealthState),
    "condition": codes(ConditionType),
    "status": "`True`, `False`, `Unknown`",
    "result": f"of an override: {codes(OVERRIDE_RESULTS)}; of a drill: {codes(sorted(OVER))}",
    "reason": "of the condition; see [conditions.md](conditions.md)",
    "trigger": f"{codes(Trigger)}; `Drill` for all that a drill switched",
    "outcome": codes(Switch.model_fields["outcome"].annotation.__args__),  # type: ignore[union-attr]  # a Literal
    "step": "`publish`, `verify`, `rollback`",
    "type": "type of the provider; see [providers.md](providers.md)",
    "host": "host and port of the base URL, or the failure domain",
    "tier": codes(Tier),
    "class": codes(HealthClass),
    "source": "`statuspage`, `consumer`",
    "code": "HTTP status: `202` accepted, `400`, `401`, `403`, `404`, `405`, `408`, `413`, `429`, `503`",
    "verdict": "`good`, `bad`, `none` (nothing to judge: the provider did not answer, or cannot be asked)",
    "kind": "of the published object: `ConfigMap`, `Service`",
    "error": "`ApiServerError` (the API server), `InvariantError` (a bug), `Unexpected` (a bug)",
}

QUESTIONS: Final = (
    ("Which policies need a look?", "providerswitch_policy_ready == 0"),
    ("Why does a policy need a look?",
     'providerswitch_policy_condition{condition="Ready",status!="True"} == 1'),
    ("Which providers are down?", 'providerswitch_provider_state{state="Down"} == 1'),
    ("How long ago was the last switch?", "time() - providerswitch_last_switch_timestamp_seconds"),
    ("How many switches an hour, and why?", "sum by (policy, trigger) (increase(providerswitch_switches_total[1h]))"),
    ("How does a provider fail?",
     'sum by (host, class) (rate(providerswitch_probes_total{class!="Healthy"}[5m]))'),
    ("Which policies failed their last drill?", 'providerswitch_drill_last_result{result="Failed"} == 1'),
    ("Does the operator itself have trouble?", "increase(providerswitch_reconcile_errors_total[10m]) > 0"),
    ("Is our own network at fault?", "providerswitch_frozen == 1"),
    ("Which policies have nobody to fail over to?", "providerswitch_policy_redundancy == 0"),
    ("How available were providers to consumers?", "providerswitch_policy_availability_ratio"),
    ("What part of the last hour were consumers without one?",
     "sum without (instance, pod) (rate(providerswitch_policy_unserved_seconds_total[1h]))"),
    ("What does flap control hold back?", "providerswitch_policy_switch_held == 1"),
    ("Which active providers work badly?", "providerswitch_provider_degraded * providerswitch_active_provider == 1"),
    ("Whose answers are of a quality below 0.7?", "providerswitch_provider_quality_ratio < 0.7"),
    ("How much of the budget of billed requests is used up?",
     "providerswitch_policy_budget_probes / providerswitch_policy_budget_probes_limit"),
    ("Does anybody report failed calls, and is it let in?",
     "sum by (code) (increase(providerswitch_hint_requests_total[1h]))"),
    ("How much money did billed requests take today?", "sum by (namespace) (providerswitch_policy_budget_cost)"),
)  # fmt: skip


def build_metrics_page() -> str:
    """Return the page."""
    families = _families()
    return page(
        "Metrics",
        "operator/providerswitch/controller/metrics.py",
        "Served at `/metrics` on the address of `--listen`, beside `/healthz` (its watches run) and `/readyz`"
        " (policies are being served). Histograms have the usual `_bucket`, `_sum` and `_count` series. Counters and"
        " histograms also have a `_created` series each: the time at which they began to count.",
        table(("metric", "type", "labels", "meaning"), [_row(family) for family in families]),
        section("Labels", table(("label", "values"), [(code(name), LABELS[name]) for name in _used(families)])),
        section("Buckets", "Upper bounds in seconds.", bullets(_buckets(families))),
        section("Questions", table(("question", "PromQL"), [(asked, code(query)) for asked, query in QUESTIONS])),
        "`providerswitch_policy_ready` is 0 not only when no provider works, but also while one serves and something"
        " else needs mending (a Secret, the spec, a name), and in a freeze. The message of `Ready` says which.",
        "Figures that are not defined yet (a score of too few samples, MTBF before the first failure) have no series.",
        "Series of a policy go with the policy. After a restart counters and histograms begin at zero.",
    )


def _families() -> list[Family]:
    metrics = Metrics(CollectorRegistry())
    families = [family for family in vars(metrics).values() if isinstance(family, Counter | Gauge | Histogram)]
    return [*families, *metrics.figures.gauges]


def name_of(family: Family) -> str:
    """Return the name that a query uses."""
    name = _describe(family).name
    return f"{name}_total" if isinstance(family, Counter) else name


def _describe(family: Family) -> Metric:
    return next(iter(family.describe()))


def labels_of(family: Family) -> tuple[str, ...]:
    """Return the label names; the library shows them nowhere else."""
    return tuple(family._labelnames)  # noqa: SLF001  # see above


def _row(family: Family) -> tuple[str, ...]:
    told = _describe(family)
    return code(name_of(family)), told.type, codes(labels_of(family)), told.documentation


def _used(families: list[Family]) -> list[str]:
    return list(dict.fromkeys(label for family in families for label in labels_of(family)))


def _buckets(families: list[Family]) -> list[str]:
    return [
        f"`{name_of(family)}`: {', '.join(f'{bound:g}' for bound in family._kwargs['buckets'])}"  # noqa: SLF001  # as above
        for family in families
        if isinstance(family, Histogram)
    ]
