"""How providers are probed: what is billed, how much of it, and what a good answer is."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from providerswitch.api.health_check import Budget, EmbeddingNear, Expectation, HealthCheck, QualityChecks
from providerswitch.api.policy import PolicySpec

SUM = {"prompt": "2 + 2?", "expect": {"contains": "4"}}


def checks(**fields: Any) -> QualityChecks:
    return QualityChecks.model_validate({"prompts": [SUM], **fields})


def expectation(**fields: Any) -> Expectation:
    return checks(prompts=[{"prompt": "?", "expect": fields}]).prompts[0].expect


def test_nothing_is_billed_unless_it_is_asked_for() -> None:
    assert HealthCheck().generation is None
    assert PolicySpec.model_fields["quality_checks"].default is None


def test_there_is_no_budget_unless_one_is_set() -> None:
    assert HealthCheck().budget is None
    assert HealthCheck.model_validate({"budget": {}}).budget == Budget(probes_per_day=None, cost_per_day=None)


def test_a_budget_of_nothing_is_a_budget() -> None:
    given = {"budget": {"probesPerDay": 0, "costPerDay": 0}}
    assert HealthCheck.model_validate(given).budget == Budget(probes_per_day=0, cost_per_day=0.0)


@pytest.mark.parametrize(
    "budget",
    [
        {"probesPerDay": -1},
        {"probesPerDay": 1.5},
        {"probesPerDay": 1_000_001},
        {"costPerDay": -0.01},
        {"costPerDay": float("nan")},
        {"costPerDay": float("inf")},
    ],
)
def test_a_budget_that_nobody_can_keep_is_refused(budget: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        HealthCheck.model_validate({"budget": budget})


def test_quality_is_checked_once_an_hour() -> None:
    assert checks().interval == timedelta(hours=1)


@pytest.mark.parametrize("interval", ["59s", "168h1ms"])
def test_quality_is_checked_neither_all_the_time_nor_never(interval: str) -> None:
    with pytest.raises(ValidationError):
        checks(interval=interval)


@pytest.mark.parametrize("prompts", [[], [SUM] * 9])
def test_there_are_some_prompts_but_not_many(prompts: list[dict[str, Any]]) -> None:
    with pytest.raises(ValidationError):
        checks(prompts=prompts)


def test_what_is_left_out_is_not_expected() -> None:
    assert expectation() == Expectation(contains=None, regex=None, json_object=False, embedding_near=None)


def test_json_is_written_as_json() -> None:
    assert expectation(json=True).json_object
    assert expectation(json=True).model_dump(by_alias=True)["json"] is True


def test_a_vector_is_near_from_four_fifths_on() -> None:
    assert expectation(embeddingNear={"text": "a puppy"}).embedding_near == EmbeddingNear(
        text="a puppy", similarity=0.8
    )


@pytest.mark.parametrize(
    "expect",
    [
        {"contains": ""},
        {"contains": "c" * 254},
        {"regex": ""},
        {"embeddingNear": {}},
        {"embeddingNear": {"text": "a puppy", "similarity": 1.1}},
        {"json": "maybe"},
    ],
)
def test_an_expectation_out_of_bounds_is_refused(expect: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        expectation(**expect)


@pytest.mark.parametrize("entry", [{"prompt": "?"}, {"expect": {}}, {"prompt": "", "expect": {}}])
def test_a_prompt_comes_with_what_is_expected(entry: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        checks(prompts=[entry])
