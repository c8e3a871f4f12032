"""The pages of the guide agree with the code where they repeat it: tables, defaults, worked examples."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import yaml
from tests.docs.pages import FENCE, rows, section, words
from tests.docs.pages import PAGES as DOCUMENTS
from tests.publish.choices import AUTH, build_spec, choose
from tests.support.policies import build_provider
from tests.support.repository import ROOT

from providerswitch.api.crd import build_crd
from providerswitch.api.policy import Failover, PolicySpec
from providerswitch.api.selection import ScheduleEntry, ScoreWeights, Selection, Strategy, Task, Thresholds
from providerswitch.core.compatibility import CHECKS
from providerswitch.core.flapping import FORGETTING, LONGEST_FACTOR, blacklist_for
from providerswitch.core.measures import Latency, Measures
from providerswitch.core.metrics_source import Signal
from providerswitch.core.schedule import next_turn, stand
from providerswitch.core.score import score_all
from providerswitch.core.strategies.weighted import RAMP
from providerswitch.core.window import CAPACITY, blend_cost
from providerswitch.publish.choice import environment

PAGES = ROOT / "docs" / "guide"
CHOOSING, SCHEDULE, TASKS = PAGES / "choosing.md", PAGES / "schedule.md", PAGES / "tasks.md"
MEASURING, COMPATIBILITY = PAGES / "measuring.md", PAGES / "compatibility.md"
REFERENCE = ROOT / "docs" / "reference" / "metrics.md"
SCORES = section(CHOOSING, "Scores")
BERLIN = ZoneInfo("Europe/Berlin")
METRIC = re.compile(r"providerswitch_[a-z0-9_]+")
P95 = {"openai": 0.8, "google": 0.4}
"""As the example tells."""


def flat(title: str) -> str:
    """Return a section of the page on choosing, in one line."""
    return " ".join(section(CHOOSING, title).split())


def test_every_strategy_is_described_in_the_order_of_the_schema() -> None:
    told = [words(row[0])[0] for row in rows(section(CHOOSING, "Strategies"))]
    assert told == list(Strategy)


def test_the_default_strategy_is_marked() -> None:
    marked = [row[0] for row in rows(section(CHOOSING, "Strategies")) if "(default)" in row[0]]
    assert marked == [f"`{Selection().strategy}` (default)"]


def test_strategies_that_leave_a_degraded_provider_are_named() -> None:
    leaving = [strategy for strategy in Strategy if Selection(strategy=strategy).leaves_degraded]
    text = flat("Thresholds: slow, but not down")
    assert f"by default under {' and '.join(f'`{each}`' for each in leaving)}, not under the others" in text


def test_the_ramp_is_the_one_of_the_code() -> None:
    *steps, last = RAMP
    assert f"gets {', '.join(map(str, steps))} and {last} % of its weight" in flat("Strategies")


def test_the_weights_of_a_score_are_the_defaults() -> None:
    told = {row[0]: row[1] for row in rows(SCORES) if row[0] not in P95}
    assert told == {part: f"{weight}" for part, weight in ScoreWeights()}


def example() -> PolicySpec:
    block = next(found["text"] for found in FENCE.finditer(SCORES) if found["language"] == "yaml")
    return PolicySpec.model_validate(yaml.safe_load(block)["spec"])


def measured(spec: PolicySpec) -> dict[str, Measures]:
    return {
        provider.name: Measures(
            latency=Latency(P95[provider.name], P95[provider.name], P95[provider.name]),
            availability=1.0,
            quality=provider.quality,
            cost=blend_cost(provider.cost),
        )
        for provider in spec.providers
    }


def told_scores() -> Iterator[tuple[str, list[float]]]:
    """Yield the numbers at the end of each cell of the worked example: the parts, then the score."""
    for row in rows(SCORES):
        if row[0] in P95:
            yield row[0], [float(cell.rpartition("=")[2]) for cell in row[1:]]


def test_the_worked_example_gives_the_scores_that_are_told() -> None:
    spec = example()
    scores = score_all(measured(spec), spec.selection.weights)
    found = {}
    for name, score in scores.items():
        assert score
        parts = (score.latency, score.accuracy, score.cost, score.availability, score.total)
        found[name] = [round(part, 2) for part in parts]
    assert dict(told_scores()) == found


def test_the_thresholds_are_the_defaults() -> None:
    told = {words(row[0])[0]: row[1] for row in rows(section(CHOOSING, "Thresholds: slow, but not down"))}
    known = Thresholds()
    assert told == {
        "responseTime": f"{known.response_time.total_seconds():g} s",
        "errorRate": f"{known.error_rate}",
        "availability": f"{known.availability}",
        "quality": "none",
    }


def test_flap_control_is_shown_with_its_defaults() -> None:
    block = next(FENCE.finditer(section(CHOOSING, "Flap control")))["text"]
    shown = PolicySpec.model_validate(
        {
            "primary": "a",
            "providers": [{"name": "a", "type": "openai"}],
            **yaml.safe_load(block)["spec"],
        }
    )
    assert (shown.failover, shown.selection) == (Failover(), Selection())


def test_the_blacklist_grows_and_is_forgotten_as_told() -> None:
    base, text = Failover().blacklist_duration, flat("Flap control")
    assert [blacklist_for(relapse, base) / base for relapse in (2, 3, 4, 5, 6)] == [2, 4, 8, LONGEST_FACTOR, 16]
    assert "twice as long after its second time, then 4, 8 and at most 16 times" in text
    assert f"one in {FORGETTING * base.total_seconds() / 60:g} minutes" in text


def test_a_window_is_as_long_as_told() -> None:
    known, text = Selection(), flat("What a score rests on")
    assert f"the last `window` ({known.window.total_seconds() / 60:g} min), of the newest {CAPACITY}" in text
    assert f"fewer than `minSamples` ({known.min_samples})" in text


def test_every_signal_of_a_metrics_source_is_described() -> None:
    told = [words(row[0])[0] for row in rows(section(MEASURING, "A metrics source: Prometheus"))]
    assert told == list(Signal)


def test_every_metric_that_is_named_exists() -> None:
    known = {words(row[0])[0] for row in rows(section(REFERENCE, "Metrics"))}
    named = {(page.name, name) for page in DOCUMENTS for name in METRIC.findall(page.read_text())}
    assert {(page, name) for page, name in named if name not in known} == set()
    assert len(named) > 10


def test_every_requirement_is_described() -> None:
    told = [words(row[0])[0] for row in rows(section(COMPATIBILITY, "What you can require"))]
    assert sorted(told) == sorted(Selection().requirements.model_dump(by_alias=True))
    assert len(told) == len(CHECKS)


def test_every_key_of_a_task_is_described() -> None:
    spec = build_spec(build_provider("mine", "openai", auth=AUTH, model="m"), tasks=[{"name": "embed"}])
    published = environment(choose(spec, tasks={"embed": spec.providers[0]}))
    told = {word for row in rows(section(TASKS, "Reading a task's choice")) for word in words(row[0])}
    assert told == {key for key in published if key.startswith("LLM_EMBED_")}


def test_every_field_of_a_task_is_described() -> None:
    told = {word for row in rows(section(TASKS, "Tasks")) for word in words(row[0])}
    assert told == set(Task.model_fields) - {"name"}


def test_the_largest_number_of_tasks_is_told() -> None:
    bound = build_crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["tasks"]
    assert bound["maxItems"] == 8
    assert "At most eight tasks" in section(TASKS, "Limits")


def shown_entries() -> dict[str, ScheduleEntry]:
    """Return the entries of all schedules that the page shows, by name."""
    shown = [yaml.safe_load(found["text"])["spec"] for found in FENCE.finditer(SCHEDULE.read_text())]
    return {each["name"]: ScheduleEntry.model_validate(each) for spec in shown for each in spec["schedule"]}


@pytest.mark.parametrize(("evening", "end"), [
    (datetime(2026, 3, 27, 22, tzinfo=BERLIN), "06:00"),
    (datetime(2026, 3, 28, 22, tzinfo=BERLIN), "07:00"),
    (datetime(2026, 10, 24, 22, tzinfo=BERLIN), "05:00"),
])  # fmt: skip
def test_the_nights_of_the_schedule_end_when_told(evening: datetime, end: str) -> None:
    standing = stand([shown_entries()["nights"]], evening)
    assert standing.next_change_at
    assert f"{standing.next_change_at.astimezone(BERLIN):%H:%M}" == end
    assert f"at {end}" in section(SCHEDULE, "When clocks change")


def starts(cron: str, day: datetime) -> list[str]:
    """Return the starts of one day on the wall clock."""
    entry = ScheduleEntry.model_validate({"name": "x", "cron": cron, "timeZone": BERLIN.key, "rotate": True})
    found, moment = [], day - timedelta(minutes=1)
    while (later := next_turn(entry, moment)) and later.astimezone(BERLIN).date() == day.date():
        moment = later
        found.append(f"{later.astimezone(BERLIN):%H:%M}")
    return found


def test_lines_come_on_days_of_clock_changes_as_told() -> None:
    spring, autumn = datetime(2026, 3, 29, tzinfo=BERLIN), datetime(2026, 10, 25, tzinfo=BERLIN)
    assert (starts("30 2 * * *", spring), starts("30 2 * * *", autumn)) == (["03:00"], ["02:30"])
    assert (starts("*/30 2 * * *", spring), starts("*/30 2 * * *", autumn)) == ([], ["02:00", "02:30"] * 2)
