"""The dashboard is one that Grafana reads, and its queries are such as Prometheus reads, of metrics that exist."""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.observability.metric_names import unknown_names, unknown_values
from tests.observability.promtool import run

import dashboard  # isort: skip  # tests.support.repository puts hack/ on the path
from tests.observability.queries import CHOICES, Query, filled_in, queries  # isort: skip

SHOWN: dict[str, Any] = json.loads(dashboard.DASHBOARD.read_text())
PANELS = [panel for panel in SHOWN["panels"] if panel["type"] != "row"]
QUERIES = list(queries(SHOWN))


def test_the_file_is_current() -> None:
    assert dashboard.DASHBOARD.read_text() == dashboard.build_dashboard(), "run `make generated` and commit the result"


@pytest.mark.parametrize("query", QUERIES, ids=str)
def test_every_query_asks_for_series_that_exist(query: Query) -> None:
    assert (unknown_names(query.expression), unknown_values(filled_in(query.expression))) == (set(), set())


@pytest.mark.e2e
def test_prometheus_can_read_every_query(tmp_path: Path) -> None:
    recorded = [{"record": f"query_{n}", "expr": filled_in(query.expression)} for n, query in enumerate(QUERIES)]
    path = tmp_path / "queries.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": recorded}]}))
    assert run("check", "rules", str(path)).stderr == ""


def test_the_reader_chooses_source_namespace_and_policy() -> None:
    variables = {variable["name"]: variable for variable in SHOWN["templating"]["list"]}
    assert list(variables) == ["datasource", "namespace", "policy"]
    assert variables["datasource"]["type"] == "datasource"
    for name in ("namespace", "policy"):
        assert (variables[name]["multi"], variables[name]["includeAll"], variables[name]["allValue"]) == (
            True,
            True,
            ".*",
        )
        assert unknown_names(variables[name]["definition"]) == set()


def test_all_variables_of_queries_are_known() -> None:
    assert [query for query in QUERIES if "$" in filled_in(query.expression)] == []
    assert {name for name in CHOICES if any(f"${name}" in query.expression for query in QUERIES)} == set(CHOICES)


def test_every_panel_and_every_query_asks_the_chosen_source() -> None:
    sources = [part["datasource"] for panel in PANELS for part in (panel, *panel["targets"])]
    assert sources
    assert all(source == {"type": "prometheus", "uid": "${datasource}"} for source in sources)


def test_every_panel_says_what_it_shows_by_a_title_of_its_own() -> None:
    assert [panel["title"] for panel in PANELS if not panel["description"].endswith(".")] == []
    titles = [panel["title"] for panel in PANELS]
    assert len(titles) == len(set(titles))


def test_panels_are_numbered_and_do_not_lie_upon_each_other() -> None:
    ids = [panel["id"] for panel in SHOWN["panels"]]
    assert len(ids) == len(set(ids))
    for one, other in itertools.combinations([panel["gridPos"] for panel in SHOWN["panels"]], 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or below, (one, other)
    assert max(panel["gridPos"]["x"] + panel["gridPos"]["w"] for panel in PANELS) <= 24


def test_the_rows_are_those_that_the_guide_tells_of() -> None:
    rows = [panel["title"] for panel in SHOWN["panels"] if panel["type"] == "row"]
    assert rows == ["Overview", "Providers", "Failover", "Resilience", "Budget and quality", "Operator"]


def test_replicas_are_never_counted_one_by_one() -> None:
    """But where the panel is about replicas, or a thing that only the one at work has counted."""
    gauges = [query for query in QUERIES if "policy_" in query.expression or "provider_" in query.expression]
    merged = ("without (instance, pod", "sum(", "sum by (", "max by (")
    assert [query for query in gauges if not any(word in query.expression for word in merged)] == []
