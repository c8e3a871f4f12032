"""Flap control as users see it: what is held back and until when, what never is, and who is out ever longer."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import pytest
from tests.controller.played_cluster import Cluster, policy
from tests.controller.what_users_see import condition, counted, notes, provider, restart, switches
from tests.support.virtual_time import elapsed

from providerswitch.api import meta
from providerswitch.api.health import HealthClass
from providerswitch.kube.client import Object

pytestmark = pytest.mark.looptime(start=0)

OFTEN = {"interval": "7s", "recoveryThreshold": 2}
DWELLING = {"minDwell": "617s", "blacklistDuration": "5s"}
HOUR = 3600


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    made = Cluster()
    made.start()
    yield made
    await made.stop()


def wanted(generation: int = 1, **spec: Any) -> Object:
    """Return a policy that dwells for some ten minutes."""
    rules = {"healthCheck": OFTEN, "failover": DWELLING, **spec}
    return policy("openai", "backup", "third", generation=generation, **rules)


async def fail_for_a_moment(cluster: Cluster, name: str = "openai") -> None:
    """Let a provider fail and come back; it may serve again after that."""
    cluster.provider(name).health_class = HealthClass.SERVER_ERROR
    await asyncio.sleep(15)
    cluster.provider(name).health_class = HealthClass.HEALTHY
    await asyncio.sleep(30)


async def test_a_failing_provider_is_left_however_short_it_served(cluster: Cluster) -> None:
    cluster.put(wanted())
    await asyncio.sleep(2)
    cluster.provider("openai").health_class = HealthClass.SERVER_ERROR
    await asyncio.sleep(15)
    assert cluster.published == "backup"
    cluster.provider("backup").health_class = HealthClass.SERVER_ERROR
    await asyncio.sleep(15)

    assert cluster.published == "third"
    assert counted(cluster, "switches_held_total", trigger="Failback") == 0


async def test_a_failback_that_dwelling_holds_back_is_told(cluster: Cluster) -> None:
    cluster.put(wanted())
    await asyncio.sleep(20)
    await fail_for_a_moment(cluster)

    assert cluster.published == "backup"
    held = cluster.status["held"]
    assert held.startswith('the switch to "openai" (Failback) waits: failover.minDwell holds it back until 00:1')
    assert held in condition(cluster, "Ready")["message"]
    assert condition(cluster, "Ready")["status"] == "True"
    assert condition(cluster, "FailedOver")["status"] == "True"
    assert notes(cluster, "SwitchHeld") == [f"T{held[1:]}."]
    assert counted(cluster, "switches_held_total", trigger="Failback") == 1
    assert counted(cluster, "policy_switch_held") == 1
    assert provider(cluster, "openai")["eligible"]


async def test_it_is_made_when_the_dwell_is_over_though_no_probe_changes(cluster: Cluster) -> None:
    cluster.put(wanted())
    await asyncio.sleep(20)
    await fail_for_a_moment(cluster)
    failed_over = datetime.fromisoformat(cluster.status["history"][0]["time"])
    await asyncio.sleep(617)

    assert switches(cluster)[-1] == ("backup", "openai", "Failback")
    dwelt = datetime.fromisoformat(cluster.status["history"][0]["time"]) - failed_over
    assert dwelt.total_seconds() == pytest.approx(617, abs=0.1)
    assert "held" not in cluster.status
    assert len(notes(cluster, "SwitchHeld")) == 1
    assert counted(cluster, "switches_held_total", trigger="Failback") == 1
    assert counted(cluster, "policy_switch_held") == 0


async def test_a_restart_neither_shortens_nor_prolongs_the_dwell(cluster: Cluster) -> None:
    cluster.put(wanted())
    await asyncio.sleep(20)
    await fail_for_a_moment(cluster)
    until = cluster.status["held"].split()[-2]
    await asyncio.sleep(100)

    successor = await restart(cluster, wanted())
    await asyncio.sleep(400)
    assert successor.published == "backup"
    assert until in successor.status["held"]
    assert len(notes(successor, "SwitchHeld")) == 1
    await asyncio.sleep(117)
    assert successor.published == "openai"
    await successor.stop()


async def test_a_person_does_not_wait(cluster: Cluster) -> None:
    cluster.put(wanted())
    await asyncio.sleep(2)
    cluster.put(wanted(generation=2, primary="third"))
    await asyncio.sleep(1)
    assert cluster.published == "third"
    cluster.put(wanted(generation=3, primary="backup"))
    await asyncio.sleep(1)

    assert cluster.published == "backup"
    assert {trigger for *_, trigger in switches(cluster)[1:]} == {"ManualSwitch"}


async def test_a_person_who_asks_for_the_failback_that_is_held_gets_it(cluster: Cluster) -> None:
    cluster.put(wanted())
    await asyncio.sleep(20)
    await fail_for_a_moment(cluster)
    assert cluster.status["held"]
    asking = wanted()
    asking["metadata"]["annotations"] = {meta.FAILBACK_ANNOTATION: "now"}
    cluster.put(asking)
    await asyncio.sleep(1)

    assert cluster.published == "openai"
    assert switches(cluster)[-1] == ("backup", "openai", "ManualSwitch")
    assert "held" not in cluster.status


RARELY = {"minDwell": "0s", "blacklistDuration": "5s", "maxSwitchesPerHour": 3}


async def test_after_so_many_switches_an_hour_only_need_moves_anybody(cluster: Cluster) -> None:
    cluster.put(wanted(failover=RARELY))
    await asyncio.sleep(20)
    await fail_for_a_moment(cluster)  # the first choice, away, and back: three switches
    assert switches(cluster)[-1] == ("backup", "openai", "Failback")
    await fail_for_a_moment(cluster)
    assert switches(cluster)[-1] == ("openai", "backup", "Failover"), "a failover is none too many"
    await asyncio.sleep(600)
    assert cluster.published == "backup"
    assert "4 switches within an hour, failover.maxSwitchesPerHour holds it back until 01:00:" in cluster.status["held"]
    assert len(notes(cluster, "SwitchHeld")) == 1

    await asyncio.sleep(HOUR)
    assert cluster.published == "openai"


async def test_a_better_one_that_is_held_back_is_taken_when_the_active_one_fails(cluster: Cluster) -> None:
    cluster.put(wanted())
    await asyncio.sleep(20)
    await fail_for_a_moment(cluster)
    assert cluster.status["held"]
    cluster.provider("backup").health_class = HealthClass.SERVER_ERROR
    await asyncio.sleep(15)

    assert switches(cluster)[-1] == ("backup", "openai", "Failover")
    assert "held" not in cluster.status


async def test_the_switches_of_the_last_hour_are_counted_over_a_restart(cluster: Cluster) -> None:
    cluster.put(wanted(failover=RARELY))
    await asyncio.sleep(20)
    await fail_for_a_moment(cluster)
    await fail_for_a_moment(cluster)
    successor = await restart(cluster, wanted(failover=RARELY))
    await asyncio.sleep(600)

    assert successor.published == "backup"
    assert "maxSwitchesPerHour" in successor.status["held"]
    await successor.stop()


async def test_no_more_than_so_many_switches_an_hour_are_made_for_the_better(cluster: Cluster) -> None:
    """Failing every few seconds, always just long enough to be left: needs are obeyed, wishes are counted."""
    cluster.put(wanted(failover={**RARELY, "blacklistDuration": "1s"}, healthCheck={"interval": "1s"}))
    await asyncio.sleep(10)
    while elapsed() < HOUR:
        cluster.provider("openai").health_class = HealthClass.SERVER_ERROR
        await asyncio.sleep(5)
        cluster.provider("openai").health_class = HealthClass.HEALTHY
        await asyncio.sleep(25)

    made = counted(cluster, "switches_total", trigger="Failback", outcome="Succeeded")
    needed = counted(cluster, "switches_total", trigger="Failover", outcome="Succeeded")
    assert (made, needed) == (1, 2)


RELAPSING = {
    "healthCheck": {"interval": "1s", "failureThreshold": 1, "recoveryThreshold": 1},
    "failover": {"blacklistDuration": "10s", "minDwell": "0s", "maxSwitchesPerHour": 50},
}


async def relapse(cluster: Cluster) -> float:
    """Let openai go down; wait until it may serve again; return for how many seconds it was out."""
    cluster.provider("openai").health_class = HealthClass.SERVER_ERROR
    await asyncio.sleep(2)
    cluster.provider("openai").health_class = HealthClass.HEALTHY
    told = provider(cluster, "openai")
    began, until = (datetime.fromisoformat(told[key]) for key in ("ejectedAt", "blacklistedUntil"))
    while provider(cluster, "openai")["state"] != "Healthy":
        assert cluster.published == "backup"
        await asyncio.sleep(0.5)
    await asyncio.sleep(0.5)
    assert cluster.published == "openai"
    return (until - began).total_seconds()


async def test_a_provider_that_relapses_is_out_twice_as_long_each_time_up_to_sixteen_times(cluster: Cluster) -> None:
    cluster.put(policy(**RELAPSING))
    await asyncio.sleep(5)

    assert [await relapse(cluster) for _ in range(6)] == [10, 20, 40, 80, 160, 160]
    assert counted(cluster, "switches_total", trigger="Failover", outcome="Succeeded") == 6


async def test_a_relapse_is_forgotten_for_each_ten_blacklist_times(cluster: Cluster) -> None:
    cluster.put(policy(**RELAPSING))
    await asyncio.sleep(5)
    assert [await relapse(cluster) for _ in range(4)] == [10, 20, 40, 80]
    assert provider(cluster, "openai")["ejections"] == 4
    began = datetime.fromisoformat(provider(cluster, "openai")["ejectedAt"])
    passed = (cluster.operator.clock() - began).total_seconds()
    await asyncio.sleep(250 - passed)  # two of the four are forgotten

    assert await relapse(cluster) == 40
    await asyncio.sleep(600)
    assert await relapse(cluster) == 10


async def test_relapses_are_remembered_over_a_restart(cluster: Cluster) -> None:
    cluster.put(policy(**RELAPSING))
    await asyncio.sleep(5)
    assert [await relapse(cluster) for _ in range(2)] == [10, 20]

    successor = await restart(cluster, policy(**RELAPSING))
    await asyncio.sleep(2)
    assert await relapse(successor) == 40
    await successor.stop()


async def test_a_provider_on_the_blacklist_stays_there_over_a_restart(cluster: Cluster) -> None:
    cluster.put(policy(**{**RELAPSING, "failover": {"blacklistDuration": "300s"}}))
    await asyncio.sleep(5)
    cluster.provider("openai").health_class = HealthClass.SERVER_ERROR
    await asyncio.sleep(2)
    cluster.provider("openai").health_class = HealthClass.HEALTHY
    until = provider(cluster, "openai")["blacklistedUntil"]

    successor = await restart(cluster, policy(**{**RELAPSING, "failover": {"blacklistDuration": "300s"}}))
    await asyncio.sleep(290)
    assert successor.published == "backup"
    assert provider(successor, "openai")["blacklistedUntil"] == until
    await asyncio.sleep(30)
    assert successor.published == "openai"
    await successor.stop()
