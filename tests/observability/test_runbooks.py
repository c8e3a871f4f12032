"""Each alert has a page that says what to do, and what a page names exists."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from tests.docs.pages import CODE, FENCE, HEADING, blocks, name_of, rows, section, words
from tests.observability.metric_names import unknown_names, unknown_values
from tests.observability.promtool import RULES, alerts, run
from tests.support.repository import ROOT

from providerswitch.api.crd import build_crd
from providerswitch.api.health import HealthClass
from providerswitch.api.status import HealthState
from providerswitch.controller.settings import FLAGS
from providerswitch.core.case import Trigger

from reference import events, reasons  # isort: skip  # tests.support.repository puts hack/ on the path

ALERTS = alerts()
FOLDER = ROOT / "docs" / "runbooks"
GUIDE = ROOT / "docs" / "guide" / "observability.md"
RUNBOOKS = sorted(FOLDER.glob("*.md"))
PAGES = [*RUNBOOKS, GUIDE]
PARTS = ["Meaning", "Impact", "Diagnosis", "Mitigation", "Why it may be false"]
KINDS = {
    "pswitch", "psdrill", "crd", "pods", "deployment", "deployments", "leases", "networkpolicies",
    "configmap", "configmaps",
    "events.events.k8s.io", "validatingwebhookconfigurations,mutatingwebhookconfigurations",
}  # fmt: skip
STATUSES = {
    "Succeeded",
    "RolledBack",
    "Overridden",
    "Resumed",
    "Manual",
    "Ready",
    "FailedOver",
    "Frozen",
    "BudgetExhausted",
}
CAMEL = re.compile(r"[A-Z][a-z]+(?:[A-Z][a-z]*)+|Dns|Tls|Timeout|Overloaded")
FIELD = re.compile(r"(?:spec|status|failover|healthCheck|selection|publish|qualityChecks)(?:\.\w+(?:\[\])?)+")


def blocks_of(page: Path, language: str) -> Iterator[str]:
    """Yield the lines of the blocks of a language."""
    for block in blocks(language):
        if block.page == page:
            yield from block.text.splitlines()


def spans(page: Path) -> Iterator[str]:
    """Yield what the prose of a page shows as code."""
    for span in CODE.findall(FENCE.sub("", page.read_text())):
        yield " ".join(span.split())


def test_each_alert_has_a_page_and_each_page_an_alert() -> None:
    assert {page.stem for page in RUNBOOKS} == ALERTS.keys()


@pytest.mark.parametrize("page", RUNBOOKS, ids=lambda page: page.stem)
def test_a_page_has_the_parts_that_a_tired_reader_looks_for(page: Path) -> None:
    assert HEADING.findall(FENCE.sub("", page.read_text())) == [page.stem, *PARTS]


@pytest.mark.parametrize("page", RUNBOOKS, ids=lambda page: page.stem)
def test_a_page_repeats_severity_and_delay_of_its_alert(page: Path) -> None:
    alert = ALERTS[page.stem]
    after = f"after {alert['for']}" if "for" in alert else "at once"
    assert f"Severity **{alert['labels']['severity']}**. Fires {after}." in page.read_text()


def test_the_guide_lists_each_alert_with_its_severity() -> None:
    listed = {re.sub(r"\[(\w+)\].*", r"\1", row[0]): row[1] for row in rows(section(GUIDE, "Alerts"))}
    assert listed == {name: alert["labels"]["severity"] for name, alert in ALERTS.items()}


def test_the_guide_tells_the_burn_rates_of_the_rules() -> None:
    told = rows(section(GUIDE, "Burn rates"))
    for name, long, short, rate, seconds, _ in told:
        factor = f"{rate} * 0.0005" if rate != "1" else "0.0005"
        for window in (long, short):
            assert f"providerswitch:policy_unserved:rate{window} > {factor}" in ALERTS[name]["expr"]
        hours = float(long[:-1]) * (24 if long.endswith("d") else 1)
        assert int(seconds) == round(float(rate) * 0.0005 * hours * 3600)


def test_the_guide_tells_where_another_slo_is_written() -> None:
    assert len(re.findall(r"> (?:[\d.]+ \* )?0\.0005", RULES.read_text())) == RULES.read_text().count("0.0005") - 1


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_metric_label_and_reason_in_a_query_exists(page: Path) -> None:
    queries = list(blocks_of(page, "promql"))
    assert {query: unknown_values(query) for query in queries if unknown_values(query)} == {}
    assert unknown_names(page.read_text()) == set()


@pytest.mark.parametrize("name", ALERTS)
def test_every_metric_label_and_reason_in_a_rule_exists(name: str) -> None:
    expression = ALERTS[name]["expr"]
    assert (unknown_names(expression), unknown_values(expression)) == (set(), set())


@pytest.mark.e2e
def test_prometheus_can_read_every_query_of_every_page(tmp_path: Path) -> None:
    queries = [query for page in PAGES for query in blocks_of(page, "promql")]
    assert len(queries) > len(RUNBOOKS)
    recorded = [{"record": f"query_{number}", "expr": query} for number, query in enumerate(queries)]
    (tmp_path / "queries.yaml").write_text(yaml.safe_dump({"groups": [{"name": "pages", "rules": recorded}]}))
    assert run("check", "rules", str(tmp_path / "queries.yaml")).stderr == ""


def known_words() -> set[str]:
    """Return all words in camel case that a page may name."""
    return {
        *map(str, reasons.all_reasons()),
        *events.all_events(),
        *HealthClass,
        *HealthState,
        *Trigger,
        *STATUSES,
        *ALERTS,
    }


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_reason_event_class_and_state_that_is_named_exists(page: Path) -> None:
    named = {span for span in spans(page) if CAMEL.fullmatch(span)}
    assert named - known_words() - {"InvariantError", "ApiServerError", "Unexpected"} == set()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_flag_that_is_named_exists(page: Path) -> None:
    named = {span.split()[0] for span in spans(page) if span.startswith("--")}
    assert named - {flag for flag, *_ in FLAGS} == set()


def has_field(path: str) -> bool:
    """Tell whether the CRD has a field; a path may begin below the spec."""
    schema = build_crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    parts = path.replace("[]", "").split(".")
    node = schema if parts[0] in {"spec", "status"} else schema["properties"]["spec"]
    for part in parts:
        node = node.get("items", node).get("properties", {}).get(part)
        if node is None:
            return False
    return True


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_field_that_is_named_exists(page: Path) -> None:
    named = {path for span in spans(page) for path in FIELD.findall(span)}
    assert [path for path in sorted(named) if not has_field(path)] == []


def test_fields_are_found_and_missed() -> None:
    assert has_field("status.history[].detectMillis")
    assert has_field("healthCheck.generation.interval")
    assert not has_field("spec.backupz")


@pytest.mark.parametrize("page", RUNBOOKS, ids=lambda page: page.stem)
def test_every_kind_that_kubectl_is_asked_for_exists(page: Path) -> None:
    for line in blocks_of(page, "sh"):
        verb, kind = [*line.split(), "", ""][1:3]
        if line.startswith("kubectl") and verb in {"get", "describe", "patch", "scale"}:
            assert kind in KINDS, line


@pytest.mark.parametrize("name", ALERTS)
def test_what_an_alert_tells_to_run_and_read_exists(name: str) -> None:
    text = ALERTS[name]["annotations"]["description"]
    assert [path for path in FIELD.findall(text) if not has_field(path)] == []
    assert set(re.findall(r"--[a-z-]+", text)) <= {flag for flag, *_ in FLAGS}
    assert set(re.findall(r"Event (\w+)", text)) <= {*events.all_events()}
    commands = re.findall(r"kubectl (\w+ \w+) \{\{ \$labels\.policy \}\} -n \{\{ \$labels\.namespace \}\}", text)
    assert len(commands) == text.count("kubectl")
    assert set(commands) <= {"describe pswitch", "get pswitch"}


def test_the_values_of_the_chart_that_the_guide_names_are_there() -> None:
    values = yaml.safe_load((ROOT / "charts" / "providerswitch" / "values.yaml").read_text())
    named = [word.split(".") for row in rows(GUIDE.read_text())[:3] for word in words(row[2])]
    assert named
    assert [path for path in named if path[1] not in values.get(path[0], {})] == []
