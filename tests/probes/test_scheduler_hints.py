"""Somebody says that a target fails: what that changes about its probes, and what it cannot, in virtual time."""

import asyncio
import math
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from tests.support.virtual_time import EPOCH, PlayedProvider, Stage, loop_clock, target

from providerswitch.api.health import HealthClass
from providerswitch.core.outcome import Tier
from providerswitch.probes.scheduler import Planned, Scheduler
from providerswitch.probes.target import Cadence

pytestmark = pytest.mark.looptime(start=0)

A = target("a")
CADENCE = Cadence(timedelta(seconds=30), timedelta(seconds=1), timedelta(seconds=10), failure_threshold=3)


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture
async def scheduler(stage: Stage) -> AsyncIterator[Scheduler]:
    made = Scheduler(stage.open, stage.hear, clock=loop_clock, jitter=lambda _span: timedelta(0))
    yield made
    await made.aclose()


def times(provider: PlayedProvider) -> list[float]:
    return [round(at, 2) for at, _ in provider.asked]


async def test_a_hint_brings_the_next_probe_forward_to_now(scheduler: Scheduler, stage: Stage) -> None:
    scheduler.subscribe("p", {A: CADENCE})
    await asyncio.sleep(10)
    assert scheduler.hint(A) == Planned(loop_clock(), new=True)
    await asyncio.sleep(35)
    assert times(stage.providers[A]) == [0, 10, 40]


async def test_a_hint_that_comes_too_early_is_followed_up_a_fast_interval_after_the_last_probe(
    scheduler: Scheduler, stage: Stage
) -> None:
    scheduler.subscribe("p", {A: CADENCE})
    await asyncio.sleep(0.4)
    assert scheduler.hint(A) == Planned(EPOCH + timedelta(seconds=1), new=True)
    assert scheduler.hint(A) == Planned(EPOCH + timedelta(seconds=1), new=False)
    await asyncio.sleep(5)
    assert times(stage.providers[A]) == [0, 1]


async def test_a_true_hint_starts_the_probes_that_follow_a_failure(scheduler: Scheduler, stage: Stage) -> None:
    scheduler.subscribe("p", {A: CADENCE})
    await asyncio.sleep(10)
    stage.providers[A].health_class = HealthClass.SERVER_ERROR
    scheduler.hint(A)
    await asyncio.sleep(10)
    assert times(stage.providers[A]) == [0, 10, 11, 12]


async def test_a_hint_before_the_first_probe_brings_that_forward(stage: Stage) -> None:
    scheduler = Scheduler(stage.open, stage.hear, clock=loop_clock, jitter=lambda _span: timedelta(seconds=7))
    scheduler.subscribe("p", {A: CADENCE})
    await asyncio.sleep(1)
    assert scheduler.hint(A) == Planned(loop_clock(), new=True)
    await asyncio.sleep(1)
    assert times(stage.providers[A]) == [1]
    await scheduler.aclose()


async def test_a_probe_under_way_is_joined_and_followed_by_one_that_began_after_the_hint(
    scheduler: Scheduler, stage: Stage
) -> None:
    provider = stage.open(A)
    provider.seconds = 3
    scheduler.subscribe("p", {A: CADENCE})
    await asyncio.sleep(2)
    for _ in range(5):
        assert scheduler.hint(A) == Planned(loop_clock(), new=False)
    await asyncio.sleep(20)
    assert times(provider) == [0, 3]
    assert provider.most_under_way == 1


@pytest.mark.parametrize(("per_second", "seconds"), [(1000, 60), (1, 300), (0.1, 600)])
async def test_hints_about_a_healthy_target_add_a_few_probes_to_each_interval_however_many_they_are(
    scheduler: Scheduler, stage: Stage, per_second: float, seconds: int
) -> None:
    scheduler.subscribe("p", {A: CADENCE})
    await asyncio.sleep(0.5)
    for _ in range(int(per_second * seconds)):
        scheduler.hint(A)
        await asyncio.sleep(1 / per_second)
    at = times(stage.providers[A])
    doublings = math.ceil(math.log2(CADENCE.interval / CADENCE.fast_interval))
    assert len(at) <= (doublings + 2) * (seconds / 30 + 1)
    assert min(later - earlier for earlier, later in pairwise(at)) >= 1


async def test_who_cries_wolf_is_heard_less_and_less_and_after_a_quiet_interval_as_before(
    scheduler: Scheduler, stage: Stage
) -> None:
    scheduler.subscribe("p", {A: CADENCE})
    for _ in range(150):
        await asyncio.sleep(0.1)
        scheduler.hint(A)
    assert times(stage.providers[A]) == [0, 1, 3, 7, 15]
    await asyncio.sleep(60)
    assert times(stage.providers[A])[5:] == [31, 61]
    scheduler.hint(A)
    await asyncio.sleep(0.5)
    assert times(stage.providers[A])[7:] == [75]


async def test_a_target_that_fails_is_not_probed_more_because_of_hints(scheduler: Scheduler, stage: Stage) -> None:
    stage.open(A).health_class = HealthClass.AUTH_INVALID
    scheduler.subscribe("p", {A: CADENCE})
    for _ in range(1600):
        await asyncio.sleep(0.1)
        hinted = scheduler.hint(A)
        assert hinted is None or not hinted.new
    assert [round(at) for at, _ in stage.providers[A].asked] == [0, 1, 151]


async def test_a_target_that_asked_to_be_left_alone_is_left_alone(scheduler: Scheduler, stage: Stage) -> None:
    provider = stage.open(A)
    provider.health_class, provider.retry_after = HealthClass.RATE_LIMITED, timedelta(seconds=100)
    scheduler.subscribe("p", {A: CADENCE})
    assert scheduler.hint(A) is not None
    for _ in range(99):
        await asyncio.sleep(1)
        assert scheduler.hint(A) is None
    assert times(provider) == [0]


async def test_nobody_probes_because_of_a_hint_what_nobody_wants(scheduler: Scheduler, stage: Stage) -> None:
    assert scheduler.hint(A) is None
    await asyncio.sleep(1)
    assert stage.providers == {}


async def test_a_hint_brings_no_billed_probe_forward(scheduler: Scheduler, stage: Stage) -> None:
    scheduler.subscribe("p", {A: replace(CADENCE, generation_interval=timedelta(seconds=100))})
    await asyncio.sleep(1)
    for _ in range(9000):
        scheduler.hint(A)
        await asyncio.sleep(0.1)
    billed = [at for at, tier in stage.providers[A].asked if tier is Tier.GENERATION]
    gaps = [later - earlier for earlier, later in pairwise(billed)]
    assert len(billed) >= 7
    assert min(gaps) >= 100


async def test_a_hint_leaves_a_slow_provider_as_much_time_as_ever(scheduler: Scheduler, stage: Stage) -> None:
    provider = stage.open(A)
    scheduler.subscribe("p", {A: CADENCE})
    await asyncio.sleep(10)
    provider.seconds = 9
    for _ in range(1000):
        scheduler.hint(A)
        await asyncio.sleep(0.1)
    assert {outcome.health_class for outcome in stage.heard[A]} == {HealthClass.HEALTHY}


@pytest.fixture(params=[0.1, 0.5, 3.0])
def pause(request: pytest.FixtureRequest) -> float:
    return float(request.param)


async def test_after_the_last_hint_everything_goes_on_as_without(
    scheduler: Scheduler, stage: Stage, pause: float
) -> None:
    scheduler.subscribe("p", {A: CADENCE})
    for _ in range(20):
        await asyncio.sleep(pause)
        scheduler.hint(A)
    last = stage.providers[A].asked[-1][0]
    await asyncio.sleep(200)
    later = [at for at, _ in stage.providers[A].asked if at > last + 31]
    gaps = [second - first for first, second in pairwise(later)]
    assert gaps == pytest.approx([30.0] * len(gaps))
