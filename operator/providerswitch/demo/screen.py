"""Draws the show: a live view on a terminal, plain lines elsewhere."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console, ConsoleRenderable, Group
from rich.live import Live
from rich.markup import escape
from rich.panel import Panel
from rich.table import Column, Table
from rich.text import Text

from providerswitch.api.status import HealthState, ProviderStatus
from providerswitch.demo.expectations import Checklist
from providerswitch.demo.fakes import FakeProvider
from providerswitch.demo.show import Line, LineKind, Show
from providerswitch.demo.world import Calls, SeenPolicy

REFRESH_PER_SECOND: Final = 8
LEAST_LINES: Final = 3
ROWS_ABOVE: Final = 20
"""Rows of the table and the longest checklist; the timeline gets the rest of the terminal."""

STATE_STYLES: Final = {
    HealthState.HEALTHY: "green",
    HealthState.SUSPECT: "yellow",
    HealthState.RATE_LIMITED: "yellow",
    HealthState.DOWN: "red",
    HealthState.UNKNOWN: "dim",
}
LINE_STYLES: Final = {
    LineKind.STEP: "bold",
    LineKind.COMMAND: "cyan",
    LineKind.NORMAL: "",
    LineKind.WARNING: "yellow",
    LineKind.SEEN: "green",
    LineKind.MISSED: "bold red",
    LineKind.NOTE: "dim",
}
MARKS: Final = {
    LineKind.STEP: "==",
    LineKind.COMMAND: "  ",
    LineKind.NORMAL: " E",
    LineKind.WARNING: " E",
    LineKind.SEEN: "ok",
    LineKind.MISSED: "!!",
    LineKind.NOTE: "  ",
}


@contextmanager
def open_screen(console: Console, show: Show) -> Iterator[None]:
    """Show what happens while the context is open."""
    if console.is_terminal:
        with Live(
            get_renderable=lambda: draw(show, console.height - ROWS_ABOVE),
            console=console,
            refresh_per_second=REFRESH_PER_SECOND,
            transient=True,
        ):
            yield
        return
    show.on_line = lambda line: console.print(format_line(line), highlight=False, soft_wrap=True)
    yield


def format_line(line: Line) -> Text:
    """Return one line of the timeline."""
    return Text(f"{line.at:6.2f}s {MARKS[line.kind]} {line.text}", style=LINE_STYLES[line.kind])


def draw(show: Show, rows: int) -> Group:
    """Return the whole live view, with that many rows of timeline, but at least three."""
    told = [line for line in show.lines if line.kind is not LineKind.SEEN]
    timeline = [format_line(line) for line in told[-max(LEAST_LINES, rows) :]]
    for text in timeline:
        text.no_wrap, text.overflow = True, "ellipsis"
    parts: list[ConsoleRenderable] = [draw_providers(show), draw_calls(show.world.calls)]
    if show.checklist:
        parts.append(Panel(draw_checklist(show.checklist), title=escape(show.title), title_align="left"))
    return Group(*parts, *timeline)


def draw_providers(show: Show) -> Table:
    """Return the table of all providers; an arrow marks those that consumers are sent to."""
    columns = ("POLICY", "", "PROVIDER", "PROBES", "LAST PROBE", "STATE", "CLASS")
    table = Table(*columns, Column("WHY", ratio=1), expand=True, pad_edge=False)
    for name, policy in sorted(show.world.policies.items()):
        for entry in policy.status.providers:
            probes = describe_probes(show.fakes.get(entry.name), time.monotonic())
            table.add_row(name, _mark(policy, entry), _name(policy, entry), *probes, _state(entry), *_cause(entry))
    return table


def describe_probes(fake: FakeProvider | None, now: float) -> tuple[str, str]:
    """Return how often a provider was probed, and how long ago and with which status last; unbilled probes GET."""
    probes = [exchange for exchange in fake.log if exchange.method == "GET"] if fake else []
    if not probes:
        return "0", ""
    last = probes[-1]
    return str(len(probes)), f"{now - last.at:4.1f} s ago: {last.status or last.fault}"


def _mark(policy: SeenPolicy, entry: ProviderStatus) -> Text:
    return Text("->" if policy.status.active_provider == entry.name else "", style="bold green")


def _name(policy: SeenPolicy, entry: ProviderStatus) -> Text:
    return Text(f"{entry.name} (primary)" if policy.primary == entry.name else entry.name)


def _state(entry: ProviderStatus) -> Text:
    return Text(entry.state, style=STATE_STYLES[entry.state])


def _cause(entry: ProviderStatus) -> tuple[str, Text]:
    until = f", blacklisted until {entry.blacklisted_until:%H:%M:%S} UTC" if entry.blacklisted_until else ""
    return entry.health_class, Text(f"{entry.why or ''}{until}", no_wrap=True, overflow="ellipsis")


def draw_calls(calls: Calls) -> Text:
    """Return how the consumer fares, in one line."""
    served = ", ".join(f"{name} {count}" for name, count in calls.served.most_common())
    total = calls.good + calls.failed
    text = f"consumer: {total} calls, {calls.success_rate:.1%} good, now served by {calls.last_server or 'nobody'}"
    return Text(f"{text} ({served})" if served else text)


def draw_checklist(checklist: Checklist) -> Group:
    """Return the expectations of the step, ticked off where they were met."""
    return Group(*(_tick(observation.what, observation.after) for observation in checklist.observations()))


def _tick(what: str, after: float | None) -> Text:
    if after is None:
        return Text(f"[ ] {what}", style="dim")
    return Text(f"[x] {what} {after:.2f} s", style="green")
