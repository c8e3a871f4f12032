"""Drills by schedule, drills on paper, and what is removed once it is over; all in virtual time."""

import asyncio
import copy
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from tests.controller.played_cluster import policy
from tests.controller.played_drills import DRILLS, QUICK, Stage, drill

pytestmark = pytest.mark.looptime(start=0)

HOUR = 3600.0


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    made = Stage()
    yield made
    await made.cluster.stop()


async def test_a_schedule_runs_each_time_and_says_when_next(stage: Stage) -> None:
    await stage.opens()
    stage.make(drill(schedule="0 */2 * * *", duration="30s"))
    await asyncio.sleep(1)
    assert (stage.said()["state"], stage.said()["nextRunAt"]) == ("Scheduled", "2026-01-01T02:00:00Z")
    await asyncio.sleep(2.5 * HOUR)
    said = stage.said()
    assert (said["state"], said["nextRunAt"]) == ("Passed", "2026-01-01T04:00:00Z")
    assert said["startedAt"].startswith("2026-01-01T02:00:0")
    await asyncio.sleep(2 * HOUR)
    assert [run["startedAt"][:16] for run in stage.said()["runs"]] == ["2026-01-01T04:00", "2026-01-01T02:00"]
    assert stage.is_clean()


async def test_the_last_ten_runs_are_kept(stage: Stage) -> None:
    await stage.opens()
    stage.make(drill(schedule="*/10 * * * *", duration="30s"))
    await asyncio.sleep(2.1 * HOUR)
    assert len(stage.said()["runs"]) == 10


async def test_a_schedule_that_rests_runs_nothing_until_it_goes_on(stage: Stage) -> None:
    await stage.opens()
    stage.make(drill(schedule="*/10 * * * *", suspend=True))
    await asyncio.sleep(HOUR)
    assert (stage.said()["state"], stage.said()["reason"]) == ("Scheduled", "Suspended")
    assert "nextRunAt" not in stage.said()
    stage.make(drill(schedule="*/10 * * * *", generation=2, suspend=False, duration="30s"))
    await asyncio.sleep(HOUR)
    assert {run["state"] for run in stage.said()["runs"]} == {"Passed"}


async def test_a_run_that_was_missed_is_left_out(stage: Stage) -> None:
    await stage.opens()
    stage.make(drill(schedule="0 * * * *", duration="30s"))
    await asyncio.sleep(1)
    stage.cluster.operator.drills.follow()
    await asyncio.sleep(HOUR + 600)
    stage.cluster.operator.drills.lead("OperatorRestarted")
    await asyncio.sleep(60)
    assert (stage.said()["state"], stage.said()["nextRunAt"]) == ("Scheduled", "2026-01-01T02:00:00Z")


async def test_a_schedule_that_nobody_can_follow_is_refused_once(stage: Stage) -> None:
    await stage.opens()
    stage.make(drill(schedule="99 * * * *"))
    await asyncio.sleep(60)
    assert (stage.said()["state"], stage.said()["reason"]) == ("Refused", "ScheduleInvalid")
    assert len(stage.said()["runs"]) == 1


async def test_a_drill_that_is_over_is_removed_after_a_while(stage: Stage) -> None:
    stage.cluster.operator.drills.keep_finished = timedelta(hours=1)
    await stage.opens()
    stage.make(drill(duration="30s"))
    await asyncio.sleep(HOUR - 600)
    assert f"{DRILLS}/monday" in stage.cluster.api.objects
    await asyncio.sleep(1200)
    assert f"{DRILLS}/monday" not in stage.cluster.api.objects


@pytest.mark.parametrize("fault", ["Outage", "RateLimit", "AuthFailure", "Network", "Flapping"])
async def test_a_dry_run_tells_what_would_happen_and_touches_nothing(fault: str, stage: Stage) -> None:
    await stage.opens()
    before = copy.deepcopy(stage.cluster.status)
    asked = len(stage.cluster.provider("openai").asked)
    stage.make(drill(fault=fault, dryRun=True, duration="2m", objectives={"detection": "1m", "failover": "2s"}))
    await asyncio.sleep(2)

    said = stage.said()
    assert said["state"] == "Passed", said
    assert '"backup" would take over from "openai"' in said["message"]
    assert said["result"]["failedOverTo"] == "backup"
    assert [each["name"] for each in said["result"]["objectives"]] == ["detection"]
    assert "failbackMillis" not in said["result"]
    assert stage.cluster.api.rehearsed
    assert stage.cluster.status == before
    assert len(stage.cluster.provider("openai").asked) <= asked + 1  # as without a drill


async def test_a_dry_run_and_a_real_one_detect_equally_fast(stage: Stage) -> None:
    await stage.opens()
    stage.make(drill("paper", dryRun=True))
    stage.make(drill())
    await asyncio.sleep(300)
    paper, real = (stage.said(name)["result"]["detectMillis"] for name in ("paper", "monday"))
    assert paper == pytest.approx(real, abs=50)


async def test_a_slow_provider_cannot_be_played_on_paper(stage: Stage) -> None:
    await stage.opens()
    stage.make(drill(fault="Degradation", dryRun=True))
    await asyncio.sleep(2)
    assert stage.said()["reason"] == "DryRunImpossible"


async def test_a_publication_that_would_be_refused_fails_the_dry_run(stage: Stage) -> None:
    await stage.opens()
    refused = lambda method, path: 403 if method == "PATCH" and "configmaps" in path else None  # noqa: E731  # short
    stage.cluster.api.trouble = refused
    stage.make(drill(dryRun=True))
    await asyncio.sleep(5)
    assert (stage.said()["state"], stage.said()["reason"]) == ("Failed", "PublishRefused")


async def test_drills_wait_for_a_leader(stage: Stage) -> None:
    stage.begins(policy(**QUICK))
    stage.cluster.operator.drills.follow()
    stage.make(drill())
    await asyncio.sleep(60)
    assert stage.said() == {}
