"""The queries of a dashboard, as Grafana would send them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

CHOICES: Final = {"__rate_interval": "5m", "__range": "1h", "namespace": ".*", "policy": ".*"}
"""What Grafana puts in for the variables, where the reader chose nothing."""


@dataclass(frozen=True, slots=True)
class Query:
    """One query of a panel."""

    panel: str
    letter: str
    expression: str

    def __str__(self) -> str:
        """Name it in test reports."""
        return f"{self.panel} {self.letter}"


def queries(dashboard: dict[str, Any]) -> Iterator[Query]:
    """Yield the queries of all panels, and of the marks."""
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            yield Query(panel["title"], target["refId"], target["expr"])
    for marks in dashboard["annotations"]["list"]:
        yield Query(marks["name"], "marks", marks["expr"])


def filled_in(expression: str, **choices: str) -> str:
    """Return a query with its variables filled in; some other than usual."""
    for name, value in {**CHOICES, **choices}.items():
        expression = expression.replace(f"${name}", value)
    return expression
