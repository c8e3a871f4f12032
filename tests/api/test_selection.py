"""The rules for choosing: what their fields mean, and what is refused with which words."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from tests.support.policies import build_policy, build_provider

from providerswitch.api.policy import PolicySpec
from providerswitch.api.selection import Requirements, ScheduleEntry, ScoreWeights, Selection, Strategy

NIGHT = {"name": "night", "cron": "0 22 * * 1-5"}
HOURS = {"duration": "8h"}
ROTATE = {"rotate": True}
CHEAP = {"strategy": "Cost"}
PREFERRED = {"primary": "openai"}


def read(**spec: Any) -> PolicySpec:
    listed = (build_provider("openai"), build_provider("jina"))
    return PolicySpec.model_validate(build_policy("p", "n", *listed, **spec)["spec"])


def refusal(**spec: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        read(**spec)
    return "; ".join(error["msg"] for error in caught.value.errors(include_input=False))


def test_a_policy_that_says_nothing_goes_by_priority_and_has_no_schedule_tasks_or_source() -> None:
    spec = read()
    assert spec.selection.strategy is Strategy.PRIORITY
    assert (spec.schedule, spec.tasks, spec.selection.metrics_source) == ([], [], None)
    assert spec.selection.requirements == Requirements()


def test_the_weights_of_a_score_are_those_of_the_requirements() -> None:
    assert ScoreWeights() == ScoreWeights(latency=0.4, accuracy=0.3, cost=0.2, availability=0.1)


def test_one_weight_that_is_set_leaves_the_others_at_their_defaults() -> None:
    assert read(selection={"weights": {"cost": 3}}).selection.weights == ScoreWeights(cost=3)


@pytest.mark.parametrize(
    ("strategy", "leaves"),
    [
        (Strategy.PRIORITY, False),
        (Strategy.PERFORMANCE, True),
        (Strategy.COST, True),
        (Strategy.WEIGHTED, False),
        (Strategy.ROUND_ROBIN, False),
    ],
)
def test_a_degraded_provider_is_left_under_the_strategies_that_measure(strategy: Strategy, *, leaves: bool) -> None:
    assert Selection(strategy=strategy).leaves_degraded is leaves


@pytest.mark.parametrize("strategy", Strategy)
@pytest.mark.parametrize("wish", [True, False])
def test_a_wish_about_degraded_providers_wins_over_the_strategy(strategy: Strategy, *, wish: bool) -> None:
    assert Selection(strategy=strategy, switch_on_degradation=wish).leaves_degraded is wish


@pytest.mark.parametrize("fields", [PREFERRED | HOURS, CHEAP | HOURS, CHEAP | HOURS | {"rotate": False}, ROTATE])
def test_an_entry_of_the_schedule_does_one_thing(fields: dict[str, Any]) -> None:
    (entry,) = read(schedule=[NIGHT | fields]).schedule
    assert entry == ScheduleEntry.model_validate(NIGHT | fields)
    assert entry.time_zone == "UTC"


@pytest.mark.parametrize(
    "fields",
    [HOURS, HOURS | {"rotate": False}, PREFERRED | CHEAP | HOURS, PREFERRED | ROTATE, CHEAP | ROTATE],
)
def test_an_entry_that_does_nothing_or_two_things_is_refused_by_its_name(fields: dict[str, Any]) -> None:
    told = refusal(schedule=[NIGHT | fields])
    assert 'schedule "night": set exactly one of primary, strategy and rotate: true' in told


@pytest.mark.parametrize("fields", [PREFERRED, CHEAP, ROTATE | HOURS])
def test_an_entry_lasts_for_a_while_unless_it_rotates(fields: dict[str, Any]) -> None:
    assert 'schedule "night": duration is needed, but not beside rotate' in refusal(schedule=[NIGHT | fields])


def test_a_window_lasts_as_long_as_is_written() -> None:
    (entry,) = read(schedule=[NIGHT | CHEAP | {"duration": "1h30m", "timeZone": "Europe/Berlin"}]).schedule
    assert (entry.duration, entry.time_zone) == (timedelta(minutes=90), "Europe/Berlin")


@pytest.mark.parametrize("cron", ["22 * * 1-5", "0  22 * * 6", "0 0 0 1 * 1", " 0 22 * * 6", "0 22 * * 6\n", "@daily"])
def test_a_cron_line_that_has_not_five_fields_is_refused(cron: str) -> None:
    assert refusal(schedule=[NIGHT | CHEAP | HOURS | {"cron": cron}])


@pytest.mark.parametrize("zone", ["", "+02:00", "Europe / Berlin", "Europe/", "/Berlin", "../../etc/passwd", "UTC\n"])
def test_what_cannot_be_the_name_of_a_time_zone_is_refused(zone: str) -> None:
    assert refusal(schedule=[NIGHT | CHEAP | HOURS | {"timeZone": zone}])


@pytest.mark.parametrize(("field", "entry"), [("schedule", NIGHT | CHEAP | HOURS), ("tasks", {"name": "embed"})])
def test_two_entries_of_one_name_are_refused(field: str, entry: dict[str, Any]) -> None:
    assert f"{field}: each name may stand only once" in refusal(**{field: [entry, entry]})


def test_a_task_may_have_the_name_of_a_window() -> None:
    spec = read(schedule=[NIGHT | CHEAP | HOURS], tasks=[{"name": "night"}])
    assert [spec.schedule[0].name, spec.tasks[0].name] == ["night", "night"]


@pytest.mark.parametrize(("field", "entry"), [("schedule", NIGHT | HOURS), ("tasks", {"name": "night"})])
def test_a_primary_of_an_entry_is_a_listed_provider(field: str, entry: dict[str, Any]) -> None:
    told = refusal(**{field: [entry | {"primary": "google"}]})
    assert f'{field} "night": "google" is not the name of a listed provider' in told
    assert read(**{field: [entry | {"primary": "jina"}]})


def test_a_task_that_only_has_a_name_goes_by_the_rules_of_the_policy() -> None:
    (task,) = read(tasks=[{"name": "embed"}]).tasks
    assert (task.requirements, task.primary, task.strategy, task.weights) == (Requirements(), None, None, None)


@pytest.mark.parametrize(
    "selection",
    [
        {"strategy": "performance"},
        {"weights": {"latency": -1}},
        {"weights": {"latency": 101}},
        {"thresholds": {"responseTime": "0s"}},
        {"thresholds": {"errorRate": 1.1}},
        {"thresholds": {"quality": -0.1}},
        {"window": "9s"},
        {"minSamples": 0},
        {"hysteresis": float("nan")},
        {"requirements": {"capabilities": ["embedding"]}},
        {"requirements": {"minContextWindow": 0}},
        {"requirements": {"embedding": {"dimensions": 1024}}},
        {"rotationPeriod": "59s"},
        {"rampInterval": "0s"},
        {"metricsSource": {}},
        {"metricsSource": {"prometheus": {"url": "http://prometheus:9090"}}},
    ],
)
def test_what_is_out_of_bounds_is_refused(selection: dict[str, Any]) -> None:
    assert refusal(selection=selection)


def test_a_metrics_source_asks_once_a_minute_about_the_label_provider() -> None:
    given = {"prometheus": {"url": "http://prometheus:9090", "queries": {"errorRate": "up"}}}
    source = read(selection={"metricsSource": given}).selection.metrics_source
    assert source is not None
    assert (source.prometheus.interval, source.prometheus.provider_label) == (timedelta(minutes=1), "provider")
    assert source.prometheus.queries.model_dump(exclude_none=True) == {"error_rate": "up"}


def test_rules_that_are_written_and_read_again_are_the_same() -> None:
    spec = read(
        selection={"strategy": "Weighted", "thresholds": {"responseTime": "1.5s"}, "requirements": {"regions": ["eu"]}},
        schedule=[NIGHT | CHEAP | HOURS, {"name": "turn", "cron": "0 0 * * 1", "rotate": True}],
        tasks=[{"name": "embed", "requirements": {"embedding": {"space": "bge-m3"}}, "weights": {"cost": 1}}],
    )
    assert PolicySpec.model_validate_json(spec.model_dump_json(by_alias=True)) == spec
