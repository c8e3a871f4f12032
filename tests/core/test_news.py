"""Is a status worth writing? What happened is, at once; numbers are now and then."""

import copy
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.moments import NOON, at
from tests.support.statuses import build_failed_over

from providerswitch.core.news import KEPT, REFRESH, is_worth_writing, without_numbers

SOON = at(1)
LATER = NOON + REFRESH
MUCH_LATER = NOON + KEPT
CALM: dict[str, Any] = {
    "activeProvider": "openai",
    "revision": 3,
    "conditions": [
        {"type": "Ready", "status": "True", "reason": "BestScore", "message": '"openai" serves: best score (0.91)'},
        {"type": "Degraded", "status": "False", "reason": "WithinThresholds", "message": "exceeds none"},
    ],
    "providers": [
        {
            "name": "openai",
            "state": "Healthy",
            "eligible": True,
            "score": 0.91,
            "rank": 1,
            "samples": 30,
            "responseTime": {"p50Millis": 300, "p95Millis": 500, "meanMillis": 320},
            "errorRate": 0.0,
            "throughput": {"requestsRemaining": 400, "resetAt": "2026-11-02T12:00:00Z"},
            "reliability": {"observedSeconds": 3600, "downSeconds": 0, "failures": 0},
        }
    ],
    "switching": {"total": 3, "succeeded": 3, "successRate": 1.0, "lastHour": ["2026-11-02T12:00:00Z"]},
    "recommendation": {"provider": "backup", "gain": 0.2, "why": "quicker (0.2 s against 0.5 s)"},
    "budget": {"day": "2026-11-02", "probes": 10, "cost": 1.0},
}


def changed(path: str, value: Any) -> dict[str, Any]:
    """Return the calm status with another value; None takes it away."""
    made = copy.deepcopy(CALM)
    *way, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    place: Any = made
    for step in way:
        place = place[step]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return made


HAPPENINGS: dict[str, tuple[str, Any]] = {
    "another provider serves": ("activeProvider", "backup"),
    "a publication": ("revision", 4),
    "a condition turns": ("conditions.0.status", "False"),
    "a condition has another reason": ("conditions.1.reason", "Other"),
    "a sentence says something else": ("conditions.1.message", "something else"),
    "a provider's state changes": ("providers.0.state", "Suspect"),
    "a provider may no longer be chosen": ("providers.0.eligible", False),
    "a provider becomes degraded": ("providers.0.degraded", "quality 0.4 is under 0.6"),
    "a switch is held back": ("held", "waits until 12:00:10"),
    "a switch was tried": ("switching.total", 4),
    "a provider is gone": ("providers", []),
    "the metrics source fails": ("metricsSource", "gave no responseTime"),
    "a schedule comes into force": ("schedule", {"active": "nights"}),
}
NUMBERS: dict[str, tuple[str, Any]] = {
    "a score": ("providers.0.score", 0.6),
    "a rank": ("providers.0.rank", 2),
    "a response time": ("providers.0.responseTime.p95Millis", 900),
    "a first response time": ("providers.0.responseTime.firstByteP95Millis", 100),
    "an error rate": ("providers.0.errorRate", 0.3),
    "a score that is no longer known": ("providers.0.score", None),
    "a gain": ("recommendation.gain", 0.5),
    "another recommendation": ("recommendation.provider", "spare"),
    "no recommendation any more": ("recommendation", None),
    "money": ("budget.cost", 3.0),
}
NO_NEWS: dict[str, tuple[str, Any]] = {
    "the number of samples": ("providers.0.samples", 90),
    "requests left": ("providers.0.throughput.requestsRemaining", 20),
    "when limits are reset": ("providers.0.throughput.resetAt", "2026-11-02T13:00:00Z"),
    "time under observation": ("providers.0.reliability.observedSeconds", 90_000),
    "switches of the last hour that are now older": ("switching.lastHour", []),
    "a score within the tolerance": ("providers.0.score", 0.8),
    "an error rate too small to matter": ("providers.0.errorRate", 0.02),
    "a sentence about scores": ("conditions.0.message", '"openai" serves: best score (0.77)'),
    "why something is recommended": ("recommendation.why", "quicker (0.3 s against 0.6 s)"),
}


@pytest.mark.parametrize("change", HAPPENINGS.values(), ids=HAPPENINGS.keys())
def test_what_happens_is_written_at_once(change: tuple[str, Any]) -> None:
    assert is_worth_writing(CALM, changed(*change), written=NOON, now=SOON)


@pytest.mark.parametrize("change", NUMBERS.values(), ids=NUMBERS.keys())
def test_a_number_that_moved_far_is_written_when_the_last_writing_is_five_minutes_ago(change: tuple[str, Any]) -> None:
    assert not is_worth_writing(CALM, changed(*change), written=NOON, now=LATER - timedelta(seconds=1))
    assert is_worth_writing(CALM, changed(*change), written=NOON, now=LATER)


@pytest.mark.parametrize("change", NO_NEWS.values(), ids=NO_NEWS.keys())
def test_what_changes_all_the_time_is_written_a_few_times_a_day(change: tuple[str, Any]) -> None:
    assert not is_worth_writing(CALM, changed(*change), written=NOON, now=MUCH_LATER - timedelta(seconds=1))
    assert is_worth_writing(CALM, changed(*change), written=NOON, now=MUCH_LATER)


def test_the_recommendation_for_a_task_is_a_number_too() -> None:
    before = {"tasks": [{"name": "embed", "reason": "BestScore", "recommendation": {"provider": "a", "gain": 0.2}}]}
    after = {"tasks": [{"name": "embed", "reason": "BestScore", "recommendation": {"provider": "b", "gain": 0.2}}]}
    assert not is_worth_writing(before, after, written=NOON, now=SOON)
    assert is_worth_writing(before, after, written=NOON, now=LATER)


def test_an_unchanged_status_is_never_written() -> None:
    real = build_failed_over().model_dump(mode="json", by_alias=True, exclude_none=True)
    for status in (CALM, real, {}):
        assert not is_worth_writing(status, copy.deepcopy(status), written=NOON, now=NOON + timedelta(days=365))


@given(st.floats(0.04, 1), st.floats(-0.19, 0.19))
def test_a_number_that_moved_by_less_than_a_fifth_did_not_move(value: float, share: float) -> None:
    before, after = changed("providers.0.score", value), changed("providers.0.score", value * (1 + share))
    assert not is_worth_writing(before, after, written=NOON, now=LATER)


@given(st.floats(0, 1), st.floats(0, 1))
def test_it_does_not_matter_which_of_two_statuses_came_first(one: float, other: float) -> None:
    before, after = changed("providers.0.errorRate", one), changed("providers.0.errorRate", other)
    there = is_worth_writing(before, after, written=NOON, now=LATER)
    assert there is is_worth_writing(after, before, written=NOON, now=LATER)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("openai: down, until 12:00:10 UTC", "openai: down, until 12:05:20 UTC"),
        ("response time p95 6.1 s is over 5 s", "response time p95 4.8 s has not come back under 4.5 s"),
        ("quality 0.5 is under 0.6", "quality 0.61 has not come back over 0.64"),
        (
            '"a" serves: best score (0.71; "b" 0.70)',
            '"a" serves: score 0.70; "b" has 0.72, not more than 0.1 above it',
        ),
        ('"a" serves: best score (0.7)', '"a" serves: best score (0.71; "b" 0.70)'),
        (
            '"a" serves: as cheap as "b" (0.30 per million tokens), and before it by score or order',
            '"a" serves: as cheap as "c" (0.30 per million tokens), and before it by score or order',
        ),
    ],
)
def test_sentences_that_differ_by_what_was_measured_are_the_same(one: str, other: str) -> None:
    assert without_numbers(one) == without_numbers(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("response time p95 6.1 s is over 5 s", "error rate 6.1 % is over 5 %"),
        ("quality 0.5 is under 0.6", "quality 0.5 is under 0.6; error rate 10 % is over 5 %"),
        ('"a" serves: best score (0.7)', '"b" serves: best score (0.7)'),
        ('"a": down: Timeout', '"a": down: Dns'),
    ],
)
def test_sentences_that_say_something_else_differ(one: str, other: str) -> None:
    assert without_numbers(one) != without_numbers(other)
