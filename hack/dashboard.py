"""The Grafana dashboard: charts/providerswitch/files/dashboard.json.

Its panels stand in hack/reference/panels.py; here is what Grafana wants around them. Format: "Dashboard JSON model" of
Grafana's documentation, schema version 41 (Grafana 12; older versions from 10 on read it too), read 2026-11-24.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from reference.panels import CHOSEN, ONE, ROWS, Kind, Panel, Row, Unit

ROOT: Final = Path(__file__).resolve().parent.parent
DASHBOARD: Final = ROOT / "charts" / "providerswitch" / "files" / "dashboard.json"
SCHEMA_VERSION: Final = 41
COLUMNS: Final = 24
SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}

Json = dict[str, Any]

STATES: Final = {
    "0": ("Unknown", "text"),
    "1": ("Healthy", "green"),
    "2": ("Suspect", "yellow"),
    "3": ("RateLimited", "orange"),
    "4": ("Down", "red"),
}
"""What the number means that stands for a provider's state."""
COLOURS: Final = {"good": ("red", "green"), "bad": ("green", "red")}
"""Colours below and from 1 on."""


def build_dashboard() -> str:
    """Return the dashboard as text."""
    panels = list(_place(ROWS))
    dashboard = {
        "uid": "providerswitch",
        "title": "providerswitch",
        "description": "Which LLM provider serves, how well, and what the operator does about it.",
        "tags": ["providerswitch", "llm"],
        "schemaVersion": SCHEMA_VERSION,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "annotations": {"list": [_switch_marks()]},
        "templating": {
            "list": [_source_choice(), _choice("namespace", ""), _choice("policy", 'namespace=~"$namespace"')]
        },
        "panels": panels,
    }
    return json.dumps(dashboard, indent=1, sort_keys=True) + "\n"


def _source_choice() -> Json:
    return {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"}


def _choice(label: str, narrowed: str) -> Json:
    query = f"label_values(providerswitch_policy_ready{{{narrowed}}}, {label})"
    return {
        "name": label,
        "label": label.capitalize(),
        "type": "query",
        "datasource": SOURCE,
        "definition": query,
        "query": {"query": query, "refId": label},
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": ["All"], "value": ["$__all"]},
    }


def _switch_marks() -> Json:
    """A vertical line wherever the active provider of a chosen policy changed."""
    moved = f"changes(providerswitch_last_switch_timestamp_seconds{{{CHOSEN}}}[2m])"
    return {
        "name": "Switches",
        "datasource": SOURCE,
        "enable": True,
        "iconColor": "blue",
        "expr": f"max {ONE} ({moved}) > 0",
        "titleFormat": "{{namespace}}/{{policy}} switched",
    }


def _place(rows: Iterable[Row]) -> Iterator[Json]:
    """Put panels from left to right and rows below each other."""
    number, top = 0, 0
    for row in rows:
        number += 1
        yield {
            "id": number,
            "type": "row",
            "title": row.title,
            "collapsed": False,
            "panels": [],
            "gridPos": _at(0, top),
        }
        top, left, height = top + 1, 0, 0
        for panel in row.panels:
            if left + panel.width > COLUMNS:
                top, left, height = top + height, 0, 0
            number += 1
            yield {"id": number, "gridPos": _at(left, top, panel.width, panel.height), **_draw(panel)}
            left, height = left + panel.width, max(height, panel.height)
        top += height


def _at(x: int, y: int, width: int = COLUMNS, height: int = 1) -> Json:
    return {"x": x, "y": y, "w": width, "h": height}


def _draw(panel: Panel) -> Json:
    drawn = {
        "type": panel.kind.value,
        "title": panel.title,
        "description": panel.meaning,
        "datasource": SOURCE,
        "targets": [_target(panel, letter, query) for letter, query in zip("ABCDEF", panel.queries, strict=False)],
        "fieldConfig": {"defaults": _field(panel), "overrides": []},
        "options": OPTIONS[panel.kind],
    }
    if panel.kind is Kind.TABLE:
        drawn["transformations"] = [{"id": "merge", "options": {}}, _hide_columns()]
    return drawn


def _target(panel: Panel, letter: str, query: tuple[str, str]) -> Json:
    expression, legend = query
    instant = panel.kind in {Kind.TABLE, Kind.STAT}
    shape = {Kind.TABLE: "table", Kind.HEATMAP: "heatmap"}.get(panel.kind, "time_series")
    return {
        "refId": letter,
        "datasource": SOURCE,
        "expr": expression,
        "legendFormat": legend,
        "format": shape,
        "instant": instant,
        "range": not instant,
    }


def _field(panel: Panel) -> Json:
    field: Json = {"unit": panel.unit.value}
    if panel.unit in {Unit.SHARE, Unit.SECONDS, Unit.PER_SECOND}:
        field["min"] = 0
    if panel.kind is Kind.SERIES:
        field["custom"] = {"fillOpacity": 10, "showPoints": "never", "spanNulls": False}
    if panel.states:
        field["mappings"] = [{"type": "value", "options": _mapping()}]
    if panel.colour:
        low, high = COLOURS[panel.colour]
        steps = [{"color": low, "value": None}, {"color": high, "value": 1}]
        field["thresholds"] = {"mode": "absolute", "steps": steps}
    return field


def _mapping() -> Json:
    return {number: {"text": text, "color": colour, "index": int(number)} for number, (text, colour) in STATES.items()}


def _hide_columns() -> Json:
    return {"id": "organize", "options": {"excludeByName": {"Time": True, "Value": True}}}


OPTIONS: Final[dict[Kind, Json]] = {
    Kind.STAT: {
        "colorMode": "background_solid",
        "graphMode": "none",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
    },
    Kind.SERIES: {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
    Kind.TIMELINE: {
        "mergeValues": True,
        "showValue": "auto",
        "rowHeight": 0.8,
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
    },
    Kind.HEATMAP: {"calculate": False, "yAxis": {"unit": "s"}, "color": {"mode": "scheme", "scheme": "Blues"}},
    Kind.TABLE: {"showHeader": True, "cellHeight": "sm"},
}


def main() -> int:
    """Write the dashboard."""
    DASHBOARD.write_text(build_dashboard())
    print(DASHBOARD.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
