"""What each fault plays at a moment, and how a run is judged."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providerswitch.api.drill import DrillSpec, DrillState, DrillStatus, Fault, Objectives
from providerswitch.api.health import HealthClass
from providerswitch.core.case import Decision, Reason
from providerswitch.core.detours import undo_drill
from providerswitch.core.drill import PlayedFault, is_bad, play, too_slow
from providerswitch.core.drill_record import DrillRecord
from providerswitch.core.drill_rules import Watched, interrupt
from providerswitch.core.drill_status import await_run, find_mistake, tell_over
from providerswitch.core.health import ProviderHealth
from providerswitch.core.memory import Memory, Seat
from providerswitch.core.rehearsal import Run, Seen, Verdict, abort, assess, begin, measure

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
RECORD = DrillRecord("monday", "uid-1", "openai", Fault.OUTAGE, "openai", NOON)


def played(fault: Fault, seconds: float = 80) -> PlayedFault:
    return PlayedFault("uid", "monday", fault, NOON, NOON + seconds * SECOND, 3 * SECOND)


def run(**changes: object) -> Run:
    made = Run(
        RECORD,
        generation=1,
        token=None,
        serves=True,
        revision=1,
        duration=60 * SECOND,
        allowed=600 * SECOND,
        limit=5 * SECOND,
        patience=20 * SECOND,
        objectives=Objectives.model_validate(changes.pop("objectives", {})),
    )
    return begin(made, "monday", Fault.OUTAGE, 15 * SECOND, NOON)


@given(st.sampled_from(Fault), st.floats(min_value=0, max_value=200))
def test_every_fault_is_over_at_its_end_and_not_before(fault: Fault, at: float) -> None:
    found = play(played(fault), NOON + at * SECOND)
    assert (found is None) == (NOON + at * SECOND >= NOON + 80 * SECOND)
    assert found is None or 'drill "monday"' in found.why


@given(st.floats(min_value=0, max_value=79.9))
def test_a_rate_limit_lasts_as_long_as_the_fault(at: float) -> None:
    now = NOON + at * SECOND
    found = play(played(Fault.RATE_LIMIT), now)
    assert found
    assert found.retry_after == NOON + 80 * SECOND - now


def test_a_flapping_provider_fails_and_answers_by_eighths() -> None:
    turns = [play(played(Fault.FLAPPING), NOON + (10 * turn + 5) * SECOND) for turn in range(8)]
    assert [each and each.health_class is HealthClass.HEALTHY for each in turns] == [False, True] * 4


def test_silence_takes_as_long_as_a_probe_waits_and_is_no_answer() -> None:
    found = play(played(Fault.NETWORK), NOON)
    assert found
    assert (found.takes, found.replied, found.health_class) == (None, False, HealthClass.TIMEOUT)


@pytest.mark.parametrize(("limit", "timeout", "slow"), [(5, 60, 15), (5, 10, 9), (5, 5, 5), (1, 10, 3)])
def test_a_degraded_provider_is_slow_but_not_silent(limit: float, timeout: float, slow: float) -> None:
    assert too_slow(limit * SECOND, timeout * SECOND) == slow * SECOND


def test_a_slow_answer_shows_a_degradation_and_a_good_one_no_outage() -> None:
    assert is_bad(Fault.DEGRADATION, HealthClass.HEALTHY, 6 * SECOND, 5 * SECOND)
    assert not is_bad(Fault.DEGRADATION, HealthClass.HEALTHY, SECOND, 5 * SECOND)
    assert is_bad(Fault.OUTAGE, HealthClass.SERVER_ERROR, SECOND, 5 * SECOND)
    assert not is_bad(Fault.FLAPPING, HealthClass.HEALTHY, SECOND, 5 * SECOND)


def test_beyond_its_deadline_a_run_has_failed() -> None:
    seen = Seen(NOON + 600 * SECOND, "openai", ProviderHealth(), False, Decision("openai", Reason.MANUAL, ""), ())
    verdict = assess(run(), seen)
    assert isinstance(verdict, Verdict)
    assert (verdict.state, verdict.reason) == (DrillState.FAILED, "DeadlineExceeded")


@given(st.sampled_from(["detection", "publish", "failover", "failback"]))
def test_what_did_not_happen_meets_no_objective(name: str) -> None:
    (judged,) = measure(run(objectives={name: "1h"})).objectives or ()
    assert (judged.name, judged.met, judged.measured_millis) == (name, False, None)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"generation": 2}, "PolicyEdited"),
        ({"token": "now"}, "PolicyEdited"),
        ({"known": False}, "PolicyEdited"),
        ({"overridden": True}, "Overridden"),
        ({"frozen": True}, "RealFailure"),
    ],
)
def test_whatever_else_happens_to_the_policy_ends_the_run(changes: dict[str, object], reason: str | None) -> None:
    calm: dict[str, object] = {"generation": 1, "token": None, "known": True, "overridden": False, "frozen": False}
    found = interrupt(run(), Watched(**{"real": ProviderHealth(), "serving": {}, **calm, **changes}))  # type: ignore[arg-type]  # a table
    assert (found[0] if found else None) == reason


def test_whoever_a_drill_moved_is_on_the_way_back() -> None:
    record = DrillRecord("monday", "uid-1", "openai", Fault.OUTAGE, "openai", NOON, ("embed", "chat"))
    memory = Memory("backup", drill=record, seats={"embed": Seat("backup"), "chat": Seat("openai")})
    undone = undo_drill(memory)
    assert {task: each.origin for task, each in undone.detours.items()} == {None: "openai", "embed": "openai"}
    assert undone.drill is record


def test_where_nobody_was_moved_nothing_is_left_of_a_drill() -> None:
    undone = undo_drill(Memory("openai", drill=RECORD))
    assert (undone.drill, undone.detours) == (None, {})


def test_of_many_runs_the_newest_ten_are_kept() -> None:
    spec = DrillSpec.model_validate({"policyRef": {"name": "assistant"}})
    status = DrillStatus()
    for minute in range(12):
        status = tell_over(spec, status, 1, abort(run(), "DrillEdited", "x"), NOON + minute * 60 * SECOND, ran=False)
    assert status.runs
    assert [each.started_at.minute for each in status.runs] == list(range(11, 1, -1))


@given(st.text(alphabet="0123456789*/-, ", min_size=9, max_size=30))
def test_any_schedule_is_followed_or_complained_of(line: str) -> None:
    try:
        spec = DrillSpec.model_validate({"policyRef": {"name": "assistant"}, "schedule": line})
    except ValueError:
        return
    mistake = find_mistake(spec)
    status = await_run(spec, DrillStatus(), 1, NOON)
    assert mistake is None or (mistake.startswith("spec.schedule: ") and status.next_run_at is None)
