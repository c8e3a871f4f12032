"""From a spec and what is seen to a decision: what strategy, schedule and thresholds make of the same providers."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.moments import DOWN, NOON, WELL
from tests.publish.choices import build_spec
from tests.support.policies import build_provider

from providerswitch.api.policy import Mode, PolicySpec
from providerswitch.api.selection import ScheduleEntry
from providerswitch.core.case import Case, Decision, next_look
from providerswitch.core.decide import decide
from providerswitch.core.freeze import Frozen
from providerswitch.core.health import ProviderHealth
from providerswitch.core.measures import Latency, Measures
from providerswitch.core.memory import Memory, Publication, Rotation, adopt
from providerswitch.core.report import judge_failed_over
from providerswitch.core.rotation import consult, take_turn
from providerswitch.core.service import watch_consumers, watch_providers
from providerswitch.core.situation import Situation, build_case

NAMES = ("a", "b", "c")
NIGHTS = {"name": "nights", "cron": "0 22 * * *", "duration": "8h", "primary": "b"}
COSTS = {"a": 1.0, "b": 0.1, "c": 2.0}
HOURS = [NOON + timedelta(hours=hour) for hour in range(3)]
EVENING = datetime.combine(NOON.date(), NOON.time(), NOON.tzinfo) + timedelta(hours=11)


def spec_of(*names: str, **fields: Any) -> PolicySpec:
    """Return the spec of a policy with these providers, the first of them the primary."""
    providers = [build_provider(name, "openai-compatible", baseURL=f"http://{name}:80") for name in names or NAMES]
    return build_spec(*providers, failover={"minDwell": "60s"}, **fields)


def measured(p95: float, *, error_rate: float = 0.0, availability: float = 1.0) -> Measures:
    """Return the measures of a provider."""
    return Measures(30, Latency(p95, p95, p95), error_rate, availability, quality=0.8, cost=1.0)


def case_of(
    spec: PolicySpec,
    *,
    active: str | None = "a",
    now: datetime = NOON,
    healths: dict[str, ProviderHealth] | None = None,
    **times: float,
) -> Case:
    """Return the case of a policy whose active provider has served for an hour."""
    memory = Memory(active=active, active_since=now - timedelta(hours=1), acted_primary=spec.primary)
    return build_case(spec, memory, situation(spec, now=now, healths=healths, **times))


def situation(
    spec: PolicySpec, *, now: datetime = NOON, healths: dict[str, ProviderHealth] | None = None, **times: float
) -> Situation:
    """Return what is seen: all are well but for those in `healths`."""
    return Situation(
        now,
        {**dict.fromkeys(spec.order(), WELL), **(healths or {})},
        measures={name: measured(p95) for name, p95 in times.items()},
        timetable=consult(spec.schedule, now) if spec.schedule else None,
    )


def chosen(decision: Decision) -> tuple[str | None, str | None, str]:
    return decision.provider, decision.trigger, decision.reason


def test_by_order_the_measured_values_decide_nothing() -> None:
    assert chosen(decide(case_of(spec_of(), a=4.0, b=0.1, c=0.1))) == ("a", None, "PrimaryHealthy")


def test_by_performance_the_clearly_better_one_takes_over() -> None:
    spec = spec_of(selection={"strategy": "Performance"})
    assert chosen(decide(case_of(spec, a=1.0, b=0.2, c=0.9))) == ("b", "Performance", "BestScore")
    assert chosen(decide(case_of(spec, a=0.22, b=0.2, c=0.9))) == ("a", None, "BestScore")


def test_a_degraded_provider_is_left_where_the_policy_says_so() -> None:
    patient, strict = spec_of(), spec_of(selection={"switchOnDegradation": True})
    assert chosen(decide(case_of(patient, a=6.0, b=1.0, c=1.0))) == ("a", None, "PrimaryHealthy")
    left = decide(case_of(strict, a=6.0, b=1.0, c=1.0))
    assert chosen(left) == ("b", "Degradation", "LessDegraded")
    assert "response time p95 6" in left.why


def test_one_that_is_down_is_no_matter_of_degradation() -> None:
    spec = spec_of(selection={"switchOnDegradation": True})
    down = decide(case_of(spec, healths={"a": DOWN}, a=6.0, b=1.0, c=1.0))
    assert chosen(down) == ("b", "Failover", "FailedOver")
    assert "degraded" not in down.why


def test_while_all_are_degraded_the_order_decides() -> None:
    spec = spec_of(selection={"switchOnDegradation": True})
    assert chosen(decide(case_of(spec, a=6.0, b=7.0, c=8.0))) == ("a", None, "PrimaryHealthy")


class TestSchedule:
    SPEC = spec_of(schedule=[NIGHTS])

    def test_in_its_window_the_entrys_primary_serves_and_afterwards_the_policys(self) -> None:
        night = decide(case_of(self.SPEC, now=EVENING))
        assert chosen(night) == ("b", "Schedule", "Scheduled")
        assert chosen(decide(case_of(self.SPEC, active="b", now=EVENING))) == ("b", None, "Scheduled")
        assert chosen(decide(case_of(self.SPEC, active="b"))) == ("a", "Failback", "PrimaryHealthy")

    def test_it_looks_again_when_the_window_begins_and_ends(self) -> None:
        for now, hour in ((NOON, 22), (EVENING, 6)):
            case = case_of(self.SPEC, active="b" if now is EVENING else "a", now=now)
            look = next_look(case, decide(case))
            assert look is not None
            assert look.hour == hour

    def test_health_wins_over_the_schedule(self) -> None:
        case = case_of(self.SPEC, now=EVENING, healths={"b": DOWN})
        assert chosen(decide(case)) == ("a", None, "FailedOver")

    def test_a_wish_waits_for_the_end_of_the_window(self) -> None:
        spec = build_spec(*(each.model_dump(by_alias=True, exclude_none=True) for each in self.SPEC.providers),
                          primary="c", schedule=[NIGHTS])  # fmt: skip
        memory = Memory(active="b", active_since=NOON - timedelta(hours=1), acted_primary="a")
        assert chosen(decide(build_case(spec, memory, situation(spec, now=EVENING)))) == ("b", None, "Scheduled")
        assert decide(build_case(spec, memory, situation(spec))).trigger == "ManualSwitch"

    def test_what_it_brought_it_takes_away_though_the_failback_is_manual(self) -> None:
        spec = self.SPEC.model_copy(
            update={"failover": self.SPEC.failover.model_copy(update={"failback": Mode.MANUAL})}
        )
        memory = Memory(active="b", active_since=NOON - timedelta(hours=1), acted_primary="a", arrived_by="Schedule")
        assert decide(build_case(spec, memory, situation(spec))).trigger == "Failback"
        failed_over = replace(memory, arrived_by="Failover")
        assert decide(build_case(spec, failed_over, situation(spec))).reason == "FailbackHeld"


class TestPrimaryOfTheScheduleOnly:
    """Whom only the schedule prefers is no backup: it serves in its window, and at no other time."""

    SPEC = spec_of(backups=["c"], schedule=[NIGHTS])

    def test_it_serves_in_its_window_and_not_afterwards(self) -> None:
        seen = {"a": WELL, "b": WELL, "c": WELL}
        night = case_of(self.SPEC, now=EVENING, healths=seen)
        assert chosen(decide(night)) == ("b", "Schedule", "Scheduled")
        assert chosen(decide(case_of(self.SPEC, active="b", now=EVENING, healths=seen))) == ("b", None, "Scheduled")
        assert chosen(decide(case_of(self.SPEC, active="b", healths=seen)))[0] == "a"

    def test_it_is_no_way_out_at_another_time(self) -> None:
        case = case_of(self.SPEC, healths={"a": DOWN, "b": WELL, "c": DOWN})
        assert "b" not in case.preference
        assert decide(case).provider != "b"

    def test_while_it_is_down_the_usual_order_serves(self) -> None:
        case = case_of(self.SPEC, now=EVENING, healths={"a": DOWN, "b": DOWN})
        assert chosen(decide(case))[:2] == ("c", "Failover")

    def test_it_is_among_those_that_are_probed(self) -> None:
        assert self.SPEC.everyone() == ("a", "c", "b")


class TestFailedOver:
    """Of strategies that look at merits: it is told where one that could serve is preferred, and is not well."""

    def status(self, strategy: str, able: str, *, now: datetime = NOON, **healths: ProviderHealth) -> str:
        """Return the condition's status while the one that was chosen serves; "b" can do what `able` says."""
        providers = [self.provider(name, able if name == "b" else "chat") for name in NAMES]
        spec = build_spec(*providers, selection={"strategy": strategy, "rotationPeriod": "1h"})
        priced = {name: replace(measured(1.0), cost=cost) for name, cost in COSTS.items()}
        seen = replace(situation(spec, now=now, healths=healths), measures=priced)
        first = decide(build_case(spec, Memory(), seen)).provider
        memory = Memory(active=first, active_since=now - timedelta(hours=1), revision=1, acted_primary="a")
        held = build_case(spec, memory, seen)
        return judge_failed_over(held, decide(held), memory).status

    def provider(self, name: str, able: str) -> dict[str, Any]:
        return build_provider(name, "openai-compatible", baseURL=f"http://{name}:80", capabilities=[able])

    @pytest.mark.parametrize("now", HOURS)
    @pytest.mark.parametrize("strategy", ["Cost", "RoundRobin", "Performance"])
    def test_one_that_can_never_serve_here_makes_nobody_failed_over(self, strategy: str, now: datetime) -> None:
        assert self.status(strategy, "embeddings", now=now) == "False"

    def test_one_that_is_down_does(self) -> None:
        assert self.status("Cost", "chat") == "False"
        assert self.status("Cost", "chat", b=DOWN) == "True"
        assert [self.status("RoundRobin", "chat", now=now, b=DOWN) for now in HOURS].count("True") == 1


class TestRotation:
    ENTRY = ScheduleEntry.model_validate({"name": "daily", "cron": "0 6 * * *", "rotate": True})

    def turn(self, rotation: Rotation, now: datetime, *unfit: str) -> Rotation:
        return take_turn(rotation, self.ENTRY, NAMES, lambda name: name not in unfit, now)

    def test_the_first_look_begins_with_the_primary_and_each_start_moves_on_by_one(self) -> None:
        rotation, seen = Rotation(), []
        for day in range(5):
            rotation = self.turn(rotation, NOON + timedelta(days=day))
            rotation = self.turn(rotation, NOON + timedelta(days=day, hours=3))
            seen.append(rotation.provider)
        assert seen == ["a", "b", "c", "a", "b"]

    def test_one_that_may_not_serve_is_passed_over(self) -> None:
        first = self.turn(Rotation(), NOON)
        assert self.turn(first, NOON + timedelta(days=1), "b").provider == "c"
        assert self.turn(first, NOON + timedelta(days=1), "a", "b", "c").provider == "a"

    def test_one_that_left_the_policy_gives_its_turn_to_the_primary(self) -> None:
        assert self.turn(Rotation(NOON, "gone"), NOON).provider == "a"

    def test_the_one_whose_turn_it_is_serves(self) -> None:
        spec = spec_of(schedule=[self.ENTRY.model_dump(by_alias=True, exclude_none=True)])
        memory = Memory(active="a", active_since=NOON - timedelta(hours=1), acted_primary="a")
        turned = replace(memory, rotation=Rotation(NOON, "b"))
        decision = decide(build_case(spec, turned, situation(spec)))
        assert chosen(decision) == ("b", "Schedule", "Scheduled")

    def test_with_the_status_lost_it_goes_on_with_whoever_serves(self) -> None:
        memory = adopt(Memory(), Publication("b", 4, primary="a", trigger="Schedule", decided_at=NOON))
        assert memory.rotation.provider == "b"
        assert self.turn(memory.rotation, NOON + timedelta(hours=1)).provider == "b"
        assert self.turn(memory.rotation, NOON + timedelta(days=1)).provider == "c"

    def test_what_a_failover_brought_has_no_turn(self) -> None:
        memory = adopt(Memory(), Publication("b", 4, primary="a", trigger="Failover", decided_at=NOON))
        assert self.turn(memory.rotation, NOON + timedelta(hours=1)).provider == "a"

    def test_a_turn_that_is_remembered_outlasts_what_is_published(self) -> None:
        known = Memory(rotation=Rotation(NOON, "c"))
        memory = adopt(known, Publication("b", 4, primary="a", trigger="Schedule", decided_at=NOON))
        assert memory.rotation == known.rotation


class TestService:
    def test_an_outage_counts_from_the_first_failed_probe_until_another_serves(self) -> None:
        spec = spec_of()
        well, memory = case_of(spec), Memory(active="a")
        memory = watch_consumers(memory, well)
        failed = replace(DOWN, first_failure_at=NOON + timedelta(seconds=58))
        lost = replace(well, now=NOON + timedelta(seconds=60), healths={**well.healths, "a": failed})
        memory = watch_consumers(memory, lost)
        switched = replace(memory, active="b")
        memory = watch_consumers(switched, replace(lost, now=NOON + timedelta(seconds=61)))
        assert (memory.observed.down, memory.observed.failures) == (timedelta(seconds=3), 1)

    def test_nobody_knows_in_a_freeze(self) -> None:

        frozen = replace(case_of(spec_of()), frozen=Frozen(NOON, 2))
        memory = watch_providers(Memory(active="a"), frozen)
        later = watch_providers(memory, replace(frozen, now=NOON + timedelta(hours=1)))
        assert {track.observed for track in later.tracks.values()} == {timedelta(0)}


seconds = st.floats(0.05, 4.5)


@given(st.permutations(NAMES), st.fixed_dictionaries(dict.fromkeys(NAMES, seconds)))
def test_by_performance_it_does_not_matter_in_which_order_providers_are_listed(
    order: list[str], times: dict[str, float]
) -> None:
    """But for equal scores, where the order decides."""
    cases = [case_of(spec_of(*names, selection={"strategy": "Performance"}), active=None, **times)
             for names in (NAMES, order)]  # fmt: skip
    scores = [score.total for score in cases[0].outlook.scores.values() if score] if cases[0].outlook else []
    if len({round(score, 6) for score in scores}) == len(NAMES):
        first, second = (decide(case).provider for case in cases)
        assert first == second


@given(st.fixed_dictionaries(dict.fromkeys(NAMES, seconds)), st.sampled_from(NAMES), st.floats(0.1, 0.9))
def test_a_provider_that_gets_quicker_never_loses_a_place(times: dict[str, float], name: str, part: float) -> None:
    spec = spec_of(selection={"strategy": "Performance"})
    quicker = {**times, name: times[name] * part}
    places = [case_of(spec, active=None, **each).preference.index(name) for each in (times, quicker)]
    assert places[1] <= places[0]
