"""What a drill must never do: hide a real outage, leave anything behind, or get in the way of another."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.controller.played_cluster import played
from tests.controller.played_drills import Stage, drill

from providerswitch.api.health import HealthClass

pytestmark = pytest.mark.looptime(start=0)


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    made = Stage()
    yield made
    await made.cluster.stop()


async def test_an_outage_of_who_serves_ends_the_drill_of_his_backup(stage: Stage) -> None:
    await stage.opens()
    stage.make(drill(provider="backup", duration="1h"))
    await asyncio.sleep(30)
    assert stage.said()["state"] == "Running"
    stage.cluster.provider("openai").health_class = HealthClass.SERVER_ERROR
    await asyncio.sleep(15)
    assert stage.cluster.published == "backup"
    assert (stage.said()["state"], stage.said()["reason"]) == ("Aborted", "RealFailure")
    assert '"openai"' in stage.said()["message"]


async def test_an_outage_of_who_took_over_a_task_ends_the_drill(stage: Stage) -> None:
    """Only two can do embeddings; the policy itself is served by a third one meanwhile."""
    able = {"capabilities": ["chat", "embeddings"], "embedding": {"space": "s", "dimensions": 8}}
    providers = [played("openai", **able), played("spare", capabilities=["chat"]), played("backup", **able)]
    task = {"name": "embed", "requirements": {"capabilities": ["embeddings"]}}
    await stage.opens(providers=providers, tasks=[task], backups=["spare", "backup"])
    stage.make(drill(duration="1h"))
    await asyncio.sleep(20)
    entry = stage.cluster.entry()
    assert entry
    assert (stage.cluster.published, entry.memory.seats["embed"].active) == ("spare", "backup")
    stage.cluster.provider("backup").health_class = HealthClass.SERVER_ERROR
    await asyncio.sleep(15)
    assert entry.memory.seats["embed"].active == "openai"
    assert (stage.said()["state"], stage.said()["reason"]) == ("Aborted", "RealFailure")
    assert stage.cluster.published == "openai"
