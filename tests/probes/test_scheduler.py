import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from tests.support.virtual_time import PlayedProvider, Stage, elapsed, loop_clock, target
from typing_extensions import override

from providerswitch.api.health import HealthClass
from providerswitch.core.outcome import Outcome, Tier
from providerswitch.probes.scheduler import Scheduler
from providerswitch.probes.target import Cadence, ProbeTarget

pytestmark = pytest.mark.looptime(start=0)

A, B = target("a"), target("b")
CADENCE = Cadence(timedelta(seconds=30), timedelta(seconds=1), timedelta(seconds=10), failure_threshold=3)


def no_jitter(_: timedelta) -> timedelta:
    return timedelta(0)


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture
async def scheduler(stage: Stage) -> AsyncIterator[Scheduler]:
    made = Scheduler(stage.open, stage.hear, clock=loop_clock, jitter=no_jitter)
    yield made
    await made.aclose()


async def test_a_healthy_target_is_probed_once_an_interval(scheduler: Scheduler, stage: Stage) -> None:
    scheduler.subscribe("p", {A: CADENCE})
    await asyncio.sleep(95)
    assert [round(at, 1) for at, _ in stage.providers[A].asked] == [0, 30, 60, 90]


async def test_many_policies_share_the_probes_of_one_target(scheduler: Scheduler, stage: Stage) -> None:
    for policy in range(50):
        scheduler.subscribe(policy, {A: CADENCE})
    await asyncio.sleep(31)
    assert len(stage.providers[A].asked) == 2
    assert scheduler.targets == 1


async def test_the_quickest_of_the_shared_cadences_counts(scheduler: Scheduler, stage: Stage) -> None:
    scheduler.subscribe("slow", {A: CADENCE})
    await asyncio.sleep(1)
    quick = Cadence(timedelta(seconds=5), timedelta(seconds=1), timedelta(seconds=10), failure_threshold=3)
    scheduler.subscribe("quick", {A: quick})
    await asyncio.sleep(10)
    assert [round(at, 1) for at, _ in stage.providers[A].asked] == [0, 5, 10]


async def test_three_failures_are_known_two_fast_intervals_after_the_first(scheduler: Scheduler, stage: Stage) -> None:
    stage.open(A).health_class = HealthClass.SERVER_ERROR
    scheduler.subscribe("p", {A: CADENCE})
    await asyncio.sleep(40)
    assert [round(at, 1) for at, _ in stage.providers[A].asked] == [0, 1, 2, 32]


async def test_a_provider_that_hangs_is_found_out_as_fast_after_its_first_timeout(
    scheduler: Scheduler, stage: Stage
) -> None:
    stage.open(A).seconds = 3600
    scheduler.subscribe("p", {A: CADENCE})
    await asyncio.sleep(41)
    ends = [(outcome.ended_at - stage.heard[A][0].ended_at).total_seconds() for outcome in stage.heard[A]]
    assert ends[:3] == pytest.approx([0, 1, 2])


async def test_a_provider_that_hangs_piles_up_no_probes(scheduler: Scheduler, stage: Stage) -> None:
    stage.open(A).seconds = 3600
    scheduler.subscribe("p", {A: CADENCE})
    for _ in range(20):
        scheduler.hasten(A)
        await asyncio.sleep(1)
    assert stage.providers[A].most_under_way == 1


async def test_retry_after_is_honoured_even_when_somebody_is_in_a_hurry(scheduler: Scheduler, stage: Stage) -> None:
    provider = stage.open(A)
    provider.health_class, provider.retry_after = HealthClass.RATE_LIMITED, timedelta(seconds=100)
    scheduler.subscribe("p", {A: CADENCE})
    await asyncio.sleep(5)
    scheduler.hasten(A)
    await asyncio.sleep(90)
    assert len(provider.asked) == 1
    await asyncio.sleep(10)
    assert len(provider.asked) == 2


async def test_a_retry_after_of_a_year_is_cut_to_an_hour(scheduler: Scheduler, stage: Stage) -> None:
    provider = stage.open(A)
    provider.health_class, provider.retry_after = HealthClass.RATE_LIMITED, timedelta(days=365)
    scheduler.subscribe("p", {A: CADENCE})
    await asyncio.sleep(3700)
    assert [round(at) for at, _ in provider.asked] == [0, 3600]


async def test_a_rejected_key_is_confirmed_once_and_then_asked_about_rarely(scheduler: Scheduler, stage: Stage) -> None:
    stage.open(A).health_class = HealthClass.AUTH_INVALID
    scheduler.subscribe("p", {A: CADENCE})
    await asyncio.sleep(160)
    assert [round(at) for at, _ in stage.providers[A].asked] == [0, 1, 151]


async def test_the_end_of_the_last_subscription_stops_the_probes_and_closes_the_connection(
    scheduler: Scheduler, stage: Stage
) -> None:
    scheduler.subscribe("p", {A: CADENCE})
    scheduler.subscribe("q", {A: CADENCE, B: CADENCE})
    await asyncio.sleep(1)
    scheduler.subscribe("p", {})
    await asyncio.sleep(30)
    assert len(stage.providers[A].asked) == 2
    scheduler.subscribe("q", {})
    await asyncio.sleep(100)
    assert stage.providers[A].closed
    assert stage.providers[B].closed
    assert len(stage.providers[A].asked) == 2
    assert scheduler.targets == 0


async def test_the_first_probes_of_many_targets_are_spread(stage: Stage) -> None:
    scheduler = Scheduler(stage.open, stage.hear, clock=loop_clock, jitter=lambda span: span)
    targets = [target(f"t{number}") for number in range(1000)]
    for number, each in enumerate(targets):
        scheduler.subscribe(number, {each: CADENCE})
    await asyncio.sleep(10)
    starts = sorted(provider.asked[0][0] for provider in stage.providers.values())
    assert starts[0] < 0.01
    assert starts[-1] == pytest.approx(999 / 200, abs=0.01)
    await scheduler.aclose()


async def test_a_fresh_outcome_is_given_at_once(scheduler: Scheduler, stage: Stage) -> None:
    scheduler.subscribe("p", {A: CADENCE})
    await asyncio.sleep(5)
    outcome = await scheduler.fresh(A, not_before=loop_clock() - timedelta(seconds=30))
    assert outcome == stage.heard[A][0]
    assert elapsed() == 5


async def test_an_outcome_of_just_that_moment_is_fresh(scheduler: Scheduler, stage: Stage) -> None:
    scheduler.subscribe("p", {A: CADENCE})
    await asyncio.sleep(5)
    assert await scheduler.fresh(A, not_before=stage.heard[A][0].ended_at) is stage.heard[A][0]
    assert elapsed() == 5


async def test_who_wants_a_probe_of_a_rate_limited_target_gets_its_last_outcome(
    scheduler: Scheduler, stage: Stage
) -> None:
    provider = stage.open(A)
    provider.health_class, provider.retry_after = HealthClass.RATE_LIMITED, timedelta(seconds=100)
    scheduler.subscribe("p", {A: CADENCE})
    await asyncio.sleep(5)
    assert await scheduler.fresh(A, not_before=loop_clock()) is stage.heard[A][0]
    assert elapsed() == 5


async def test_a_stale_outcome_is_replaced_by_a_probe_at_once(scheduler: Scheduler, stage: Stage) -> None:
    scheduler.subscribe("p", {A: CADENCE})
    await asyncio.sleep(5)
    outcome = await scheduler.fresh(A, not_before=loop_clock())
    assert outcome == stage.heard[A][1]
    assert elapsed() == pytest.approx(5.01)


async def test_a_probe_under_way_serves_those_who_want_one_now(scheduler: Scheduler, stage: Stage) -> None:
    stage.open(A).seconds = 2
    scheduler.subscribe("p", {A: CADENCE})
    await asyncio.sleep(1)
    await asyncio.gather(*(scheduler.fresh(A, not_before=loop_clock()) for _ in range(10)))
    assert len(stage.providers[A].asked) == 1


async def test_who_waits_for_a_target_that_nobody_wants_any_more_is_told_so(scheduler: Scheduler, stage: Stage) -> None:
    stage.open(A).seconds = 5
    scheduler.subscribe("p", {A: CADENCE})
    waiting = asyncio.create_task(scheduler.fresh(A, not_before=loop_clock()))
    await asyncio.sleep(1)
    scheduler.subscribe("p", {})
    assert await waiting is None
    assert await scheduler.fresh(B, not_before=loop_clock()) is None


async def test_billed_probes_come_at_their_own_interval(scheduler: Scheduler, stage: Stage) -> None:
    billed = Cadence(
        timedelta(seconds=30), timedelta(seconds=1), timedelta(seconds=10), 3, generation_interval=timedelta(minutes=2)
    )
    scheduler.subscribe("p", {A: billed})
    await asyncio.sleep(300)
    generated = [round(at) for at, tier in stage.providers[A].asked if tier is Tier.GENERATION]
    assert generated == [30, 150, 270]


async def test_without_billed_probes_asked_for_none_is_made(scheduler: Scheduler, stage: Stage) -> None:
    scheduler.subscribe("p", {A: CADENCE})
    await asyncio.sleep(3600)
    assert {tier for _, tier in stage.providers[A].asked} == {Tier.LIVENESS}


async def test_a_listener_that_fails_does_not_stop_the_probes(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    def fail(_: ProbeTarget, __: Outcome) -> None:
        raise RuntimeError("a bug of ours")

    scheduler = Scheduler(stage.open, fail, clock=loop_clock, jitter=no_jitter)
    scheduler.subscribe("p", {A: CADENCE})
    await asyncio.sleep(65)
    await scheduler.aclose()
    assert len(stage.providers[A].asked) == 3
    assert "an outcome could not be handled" in caplog.text


async def test_a_hanging_probe_is_over_by_the_timeout_of_its_policy(scheduler: Scheduler, stage: Stage) -> None:
    stage.open(A).seconds = 3600
    scheduler.subscribe("p", {A: replace(CADENCE, timeout=timedelta(seconds=4))})
    await asyncio.sleep(5)
    first = stage.heard[A][0]
    assert first.health_class is HealthClass.TIMEOUT
    assert elapsed_between(first) == 4


async def test_the_first_probe_already_obeys_the_shortest_timeout_of_all_who_share_it(
    scheduler: Scheduler, stage: Stage
) -> None:
    stage.open(A).seconds = 3600
    scheduler.subscribe("patient", {A: CADENCE})
    scheduler.subscribe("impatient", {A: replace(CADENCE, timeout=timedelta(seconds=2))})
    await asyncio.sleep(3)
    assert elapsed_between(stage.heard[A][0]) == 2


async def test_one_lost_probe_does_not_bring_down_a_provider_that_is_usually_slow(
    scheduler: Scheduler, stage: Stage
) -> None:
    class LosesTheSecond(PlayedProvider):
        @override
        async def probe(self, tier: Tier, deadline: timedelta) -> Outcome:
            self.seconds = 3600 if len(self.asked) == 1 else 1.5
            return await super().probe(tier, deadline)

    stage.providers[A] = LosesTheSecond(loop_clock)
    scheduler.subscribe("p", {A: CADENCE})
    await asyncio.sleep(45)
    assert [outcome.health_class for outcome in stage.heard[A]] == [
        HealthClass.HEALTHY,
        HealthClass.TIMEOUT,
        HealthClass.HEALTHY,
    ]


async def test_a_provider_that_hangs_does_not_hold_up_another(scheduler: Scheduler, stage: Stage) -> None:
    stage.open(A).seconds = 3600
    scheduler.subscribe("p", {A: CADENCE, B: CADENCE})
    await asyncio.sleep(95)
    assert [round(at, 1) for at, _ in stage.providers[B].asked] == [0, 30, 60, 90]


async def test_a_target_goes_on_at_its_pace_when_policies_come_and_go(scheduler: Scheduler, stage: Stage) -> None:
    scheduler.subscribe("first", {A: CADENCE})
    for policy in range(60):
        await asyncio.sleep(1)
        scheduler.subscribe(policy, {A: CADENCE})
        scheduler.subscribe(policy - 1, {})
    await asyncio.sleep(31)
    assert [round(at, 1) for at, _ in stage.providers[A].asked] == [0, 30, 60, 90]


async def test_the_deletion_of_a_policy_ends_its_probe_under_way(scheduler: Scheduler, stage: Stage) -> None:
    stage.open(A).seconds = 9
    scheduler.subscribe("p", {A: CADENCE})
    await asyncio.sleep(1)
    scheduler.subscribe("p", {})
    await asyncio.sleep(0.1)
    assert (stage.providers[A].under_way, stage.providers[A].closed) == (0, True)
    await asyncio.sleep(100)
    assert stage.heard[A] == []
    assert scheduler.last(A) is None


async def test_the_end_of_the_scheduler_ends_every_probe(stage: Stage) -> None:
    scheduler = Scheduler(stage.open, stage.hear, clock=loop_clock, jitter=no_jitter)
    stage.open(A).seconds = 9
    scheduler.subscribe("p", {A: CADENCE, B: CADENCE})
    scheduler.subscribe("q", {B: CADENCE})
    await asyncio.sleep(1)
    await scheduler.aclose()
    assert all(provider.closed and not provider.under_way for provider in stage.providers.values())
    await asyncio.sleep(100)
    assert [len(provider.asked) for provider in stage.providers.values()] == [1, 1]


async def test_a_shorter_interval_takes_effect_at_once(scheduler: Scheduler, stage: Stage) -> None:
    scheduler.subscribe("p", {A: replace(CADENCE, interval=timedelta(hours=1))})
    await asyncio.sleep(100)
    scheduler.subscribe("p", {A: CADENCE})
    await asyncio.sleep(31)
    assert [round(at, 1) for at, _ in stage.providers[A].asked] == [0, 100, 130]


async def test_a_longer_interval_takes_effect_at_once(scheduler: Scheduler, stage: Stage) -> None:
    scheduler.subscribe("p", {A: CADENCE})
    await asyncio.sleep(1)
    scheduler.subscribe("p", {A: replace(CADENCE, interval=timedelta(hours=1))})
    await asyncio.sleep(3600)
    assert [round(at, 1) for at, _ in stage.providers[A].asked] == [0, 3600]


async def test_a_higher_threshold_takes_effect_within_the_present_trouble(scheduler: Scheduler, stage: Stage) -> None:
    stage.open(A).health_class = HealthClass.SERVER_ERROR
    scheduler.subscribe("p", {A: CADENCE})
    await asyncio.sleep(5)
    scheduler.subscribe("p", {A: replace(CADENCE, failure_threshold=5)})
    await asyncio.sleep(5)
    assert [round(at, 1) for at, _ in stage.providers[A].asked] == [0, 1, 2, 5, 6]


async def test_an_edit_does_not_cut_a_retry_after_short(scheduler: Scheduler, stage: Stage) -> None:
    provider = stage.open(A)
    provider.health_class, provider.retry_after = HealthClass.RATE_LIMITED, timedelta(seconds=100)
    scheduler.subscribe("p", {A: CADENCE})
    await asyncio.sleep(5)
    scheduler.subscribe("p", {A: replace(CADENCE, interval=timedelta(seconds=1))})
    await asyncio.sleep(96)
    assert [round(at) for at, _ in provider.asked] == [0, 100]


async def test_the_same_cadence_again_changes_nothing(scheduler: Scheduler, stage: Stage) -> None:
    scheduler.subscribe("p", {A: CADENCE})
    for _ in range(100):
        await asyncio.sleep(1)
        scheduler.subscribe("p", {A: replace(CADENCE)})
    assert [round(at, 1) for at, _ in stage.providers[A].asked] == [0, 30, 60, 90]


async def test_an_edit_does_not_put_off_a_probe_that_somebody_waits_for(scheduler: Scheduler, stage: Stage) -> None:
    scheduler.subscribe("p", {A: CADENCE})
    await asyncio.sleep(5)
    waiting = asyncio.create_task(scheduler.fresh(A, not_before=loop_clock()))
    await asyncio.sleep(0)
    scheduler.subscribe("q", {A: replace(CADENCE, failure_threshold=4)})
    assert await waiting is stage.heard[A][1]
    assert elapsed() == pytest.approx(5.01)


async def test_a_hint_about_a_failing_call_brings_a_probe_at_once(scheduler: Scheduler, stage: Stage) -> None:
    scheduler.subscribe("p", {A: CADENCE})
    await asyncio.sleep(5)
    for _ in range(100):
        scheduler.hasten(A)
    scheduler.hasten(B)
    await asyncio.sleep(31)
    assert [round(at, 1) for at, _ in stage.providers[A].asked] == [0, 5, 35]


async def test_a_clock_that_is_set_back_does_not_stop_the_probes(stage: Stage) -> None:
    def clock() -> datetime:
        return loop_clock() - (timedelta(hours=1) if elapsed() > 10 else timedelta(0))

    stage.clock = clock
    scheduler = Scheduler(stage.open, stage.hear, clock=clock, jitter=no_jitter)
    scheduler.subscribe("p", {A: CADENCE})
    await asyncio.sleep(95)
    await scheduler.aclose()
    assert [round(at, 1) for at, _ in stage.providers[A].asked] == [0, 30, 60, 90]


async def test_a_bug_in_a_prober_is_no_verdict_about_the_provider(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        async def probe(self, tier: Tier, deadline: timedelta) -> Outcome:
            raise RuntimeError("a bug of ours")

        async def aclose(self) -> None:
            pass

    scheduler = Scheduler(lambda _: Broken(), stage.hear, clock=loop_clock, jitter=no_jitter)
    scheduler.subscribe("p", {A: CADENCE})
    await asyncio.sleep(35)
    await scheduler.aclose()
    assert [outcome.health_class for outcome in stage.heard[A]] == [HealthClass.UNKNOWN] * 2
    assert "a bug of ours" not in stage.heard[A][0].why
    assert "probe failed for a reason of our own" in caplog.text


def elapsed_between(outcome: Outcome) -> float:
    return (outcome.ended_at - outcome.started_at).total_seconds()


async def test_a_failed_billed_probe_does_not_outlive_the_wish_for_billed_probes(
    scheduler: Scheduler, stage: Stage
) -> None:
    provider = stage.open(A)
    provider.health_class = HealthClass.SERVER_ERROR
    billed = replace(CADENCE, generation_interval=timedelta(seconds=60))
    scheduler.subscribe("policy", {A: billed})
    await asyncio.sleep(90)
    scheduler.subscribe("policy", {A: CADENCE})
    provider.health_class = HealthClass.HEALTHY
    before = len(provider.asked)
    await asyncio.sleep(95)
    assert {tier for _, tier in provider.asked[before:]} == {Tier.LIVENESS}
    assert len(provider.asked) - before in {3, 4}


async def test_the_cadence_slows_down_when_the_policy_in_a_hurry_goes(scheduler: Scheduler, stage: Stage) -> None:
    scheduler.subscribe("slow", {A: CADENCE})
    scheduler.subscribe("quick", {A: replace(CADENCE, interval=timedelta(seconds=2))})
    await asyncio.sleep(10.5)
    scheduler.subscribe("quick", {})
    before = len(stage.providers[A].asked)
    await asyncio.sleep(25)
    assert len(stage.providers[A].asked) - before <= 1


async def test_a_probe_task_that_died_shows(scheduler: Scheduler, stage: Stage) -> None:
    scheduler.subscribe("policy", {A: CADENCE})
    await asyncio.sleep(1)
    assert scheduler.alive
    task = next(task for task in asyncio.all_tasks() if task.get_name().startswith("probe"))
    task.cancel()
    await asyncio.sleep(1)
    assert not scheduler.alive


async def test_what_failed_in_a_fault_of_our_own_counts_once_when_it_is_over(
    scheduler: Scheduler, stage: Stage
) -> None:
    stage.open(A).health_class = HealthClass.CONNECT_REFUSED
    scheduler.subscribe("policy", {A: CADENCE})
    await asyncio.sleep(10)
    scheduler.doubt([A])
    await asyncio.sleep(10)
    assert [round(at) for at, _ in stage.providers[A].asked] == [0, 1, 2, 10, 11]


async def test_a_target_that_was_well_is_not_doubted(scheduler: Scheduler, stage: Stage) -> None:
    scheduler.subscribe("policy", {A: CADENCE})
    await asyncio.sleep(10)
    scheduler.doubt([A])
    await asyncio.sleep(10)
    assert len(stage.providers[A].asked) == 1


async def test_two_policies_that_go_at_once_leave_no_probe_and_no_connection(
    scheduler: Scheduler, stage: Stage
) -> None:
    for name in ("first", "second"):
        scheduler.subscribe(name, {A: CADENCE})
    await asyncio.sleep(10)
    for name in ("first", "second"):
        scheduler.subscribe(name, {})
    await asyncio.sleep(90)
    assert len(stage.providers[A].asked) == 1
    assert stage.providers[A].closed
