"""Which metrics, labels and values there are, to compare with what rules, dashboard and pages name."""

import re
from typing import Final

from prometheus_client import CollectorRegistry
from tests.observability.promtool import rules
from tests.support.repository import ROOT

from providerswitch.controller.metrics import Metrics

from reference import metrics  # isort: skip  # tests.support.repository puts hack/ on the path

NAMED: Final = re.compile(r"\bproviderswitch_[a-z0-9_]+")
RECORDED: Final = re.compile(r"\bproviderswitch:\w+:\w+")
MATCHED: Final = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"')
WORD: Final = re.compile(r"`([^`]+)`")
SUFFIXES: Final = {"counter": ("_total", "_created"), "histogram": ("_bucket", "_sum", "_count", "_created")}
FREE: Final = {
    "namespace",
    "policy",
    "provider",
    "host",
    "job",
    "instance",
    "pod",
    "alertname",
    "alertstate",
    "severity",
}
"""Labels whose values are not ours to know."""


def metric_names() -> set[str]:
    """Return the names of all series of the operator."""
    families = Metrics(CollectorRegistry()).registry.collect()
    return {family.name + suffix for family in families for suffix in SUFFIXES.get(family.type, ("",))}


def unknown_names(text: str) -> set[str]:
    """Return the metrics and recording rules that a text names and that do not exist."""
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    return (set(NAMED.findall(text)) - metric_names()) | (set(RECORDED.findall(text)) - recorded)


def unknown_values(query: str) -> set[str]:
    """Return the matchers of a query that can never match, as label=value."""
    return {
        f"{label}={value}"
        for label, pattern in MATCHED.findall(query)
        if label not in FREE
        for value in pattern.split("|")
        if not re.fullmatch(r"\.[+*]|\$\d.*|", value) and value not in values_of(label)
    }


def values_of(label: str) -> set[str]:
    """Return the values that a label can have, by the reference; none where there is no such label."""
    if label == "reason":
        return set(WORD.findall((ROOT / "docs" / "reference" / "conditions.md").read_text()))
    if label == "type":
        return set(re.findall(r"^## (\S+)$", (ROOT / "docs" / "reference" / "providers.md").read_text(), re.MULTILINE))
    return set(WORD.findall(metrics.LABELS.get(label, "")))
