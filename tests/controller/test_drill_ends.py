"""Whatever ends a drill before its time, everything is put back at once, and nothing is left behind."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from tests.controller.played_cluster import STATUS
from tests.controller.played_drills import QUICK, Stage, drill

from providerswitch.api.health import HealthClass

pytestmark = pytest.mark.looptime(start=0)

LONG = {"healthCheck": QUICK["healthCheck"], "failover": {"blacklistDuration": "10m", "minDwell": "5m"}}
"""By the rules alone nobody would come back for ten minutes."""


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    made = Stage()
    yield made
    await made.cluster.stop()


async def failed_over(stage: Stage, **spec: object) -> None:
    """Let a drill come to where the backup serves."""
    await stage.opens("openai", "backup", "spare", **{**LONG, **spec})
    stage.make(drill(duration="10m"))
    await asyncio.sleep(5)
    assert (stage.cluster.published, stage.said()["state"]) == ("backup", "Running")


def _fails(name: str) -> Callable[[Stage], None]:
    def happen(stage: Stage) -> None:
        stage.cluster.provider(name).health_class = HealthClass.QUOTA_EXHAUSTED

    return happen


@pytest.mark.parametrize("failback", ["Automatic", "Manual"])
@pytest.mark.parametrize(
    ("happens", "reason"),
    [
        (lambda stage: stage.make(drill(generation=2, duration="11m")), "DrillEdited"),
        (lambda stage: stage.edit(backups=["spare", "backup"]), "PolicyEdited"),
        (_fails("backup"), "RealFailure"),
    ],
)
async def test_an_aborted_drill_puts_the_provider_back_at_once(
    happens: Callable[[Stage], None], reason: str, failback: str, stage: Stage
) -> None:
    await failed_over(stage, failover={**LONG["failover"], "failback": failback})
    happens(stage)
    await asyncio.sleep(15)

    assert (stage.said()["state"], stage.said()["reason"]) == ("Aborted", reason)
    assert stage.cluster.published == "openai"
    assert "drill" not in stage.cluster.status
    assert stage.cluster.status["history"][0]["trigger"] == "DrillEnded"
    if reason != "RealFailure":
        assert stage.is_clean()


async def test_a_deleted_drill_puts_the_provider_back_at_once(stage: Stage) -> None:
    await failed_over(stage)
    stage.delete()
    await asyncio.sleep(1)
    assert stage.cluster.published == "openai"
    assert stage.is_clean()
    assert "DrillAborted" in stage.cluster.api.events()


async def test_a_provider_that_really_fails_is_not_gone_back_to(stage: Stage) -> None:
    await failed_over(stage)
    _fails("openai")(stage)
    await asyncio.sleep(15)
    assert (stage.said()["state"], stage.said()["reason"]) == ("Aborted", "RealFailure")
    assert '"openai" really fails' in stage.said()["message"]
    assert stage.cluster.published == "backup"
    assert "drill" not in stage.cluster.status


async def test_an_override_ends_the_drill_and_is_obeyed(stage: Stage) -> None:
    await failed_over(stage, failover={**LONG["failover"], "failback": "Manual"})
    stage.order("spare", 60)
    await asyncio.sleep(2)
    assert (stage.said()["state"], stage.said()["reason"]) == ("Aborted", "Overridden")
    assert stage.cluster.published == "spare"
    assert "drill" not in stage.cluster.status
    await asyncio.sleep(70)
    assert stage.cluster.published == "openai"


async def test_an_override_to_the_drilled_provider_is_judged_by_how_it_really_is(stage: Stage) -> None:
    await failed_over(stage)
    stage.order("openai", 60)
    await asyncio.sleep(2)
    assert stage.said()["reason"] == "Overridden"
    assert stage.cluster.standing("maria")["state"] == "Active"
    assert stage.cluster.published == "openai"


async def test_a_drill_is_refused_while_an_override_holds(stage: Stage) -> None:
    await stage.opens("openai", "backup", "spare")
    stage.order("spare")
    await asyncio.sleep(2)
    stage.make(drill())
    await asyncio.sleep(8)
    assert (stage.said()["state"], stage.said()["reason"]) == ("Refused", "Overridden")
    assert stage.cluster.published == "spare"


async def test_a_policy_that_is_deleted_takes_its_drill_with_it(stage: Stage) -> None:
    await failed_over(stage)
    stage.cluster.delete(stage.policy)
    await asyncio.sleep(2)
    assert (stage.said()["state"], stage.said()["reason"]) == ("Aborted", "PolicyDeleted")


async def test_a_drill_that_does_not_come_back_in_time_fails_and_is_put_back(stage: Stage) -> None:
    """The cap on switches holds back the way home, which no number of the policy foresees."""
    await stage.opens("openai", "backup", failover={**QUICK["failover"], "maxSwitchesPerHour": 1})
    stage.make(drill())
    await asyncio.sleep(30)
    assert stage.cluster.published == "backup"
    await asyncio.sleep(600)
    assert (stage.said()["state"], stage.said()["reason"]) == ("Failed", "DeadlineExceeded")
    assert stage.cluster.published == "openai"
    assert stage.is_clean()


async def test_an_operator_that_no_longer_leads_plays_nothing_on(stage: Stage) -> None:
    await failed_over(stage)
    entry = stage.cluster.entry()
    assert entry
    stage.cluster.operator.drills.follow()
    stage.cluster.operator.reconciler.follow([entry])
    await asyncio.sleep(15)
    assert entry.healths["openai"].failures == 0
    assert not any(target.drill for target in entry.targets.values())
    assert stage.said()["state"] == "Running"


@pytest.mark.parametrize("failback", ["Automatic", "Manual"])
async def test_after_a_restart_the_drill_is_over_and_undone(failback: str, stage: Stage) -> None:
    await failed_over(stage, failover={**LONG["failover"], "failback": failback})
    another = await stage.killed()
    await asyncio.sleep(15)
    assert another.cluster.published == "openai"
    assert (another.said()["state"], another.said()["reason"]) == ("Aborted", "OperatorRestarted")
    assert another.is_clean()
    await another.cluster.stop()


async def test_after_a_restart_a_real_failure_of_the_drilled_provider_is_seen(stage: Stage) -> None:
    await failed_over(stage)
    _fails("openai")(stage)
    another = await stage.killed()
    await asyncio.sleep(30)
    assert another.cluster.published == "backup"
    assert "drill" not in another.cluster.status
    await another.cluster.stop()


@pytest.mark.parametrize("failback", ["Automatic", "Manual"])
@pytest.mark.parametrize("step", range(21))
async def test_killed_before_any_request_of_a_drill_nothing_is_left(step: int, failback: str, stage: Stage) -> None:
    await stage.opens("openai", "backup", failover={**QUICK["failover"], "failback": failback})
    left = step

    def die(method: str, _path: str) -> int | None:
        nonlocal left
        left -= method != "GET"
        return 503 if left < 0 else None

    stage.cluster.api.trouble = die
    stage.make(drill(duration="30s"))
    await asyncio.sleep(2 if step < 9 else 120)
    another = await stage.killed()
    await asyncio.sleep(15)
    if another.said()["state"] != "Running":  # it had not begun, and does now
        assert another.cluster.published == "openai"
        assert another.is_clean()
    await asyncio.sleep(200)
    assert another.cluster.published == "openai"
    assert another.said()["state"] in {"Passed", "Aborted", "Failed"}
    assert another.is_clean()
    assert STATUS in another.cluster.api.objects
    await another.cluster.stop()
