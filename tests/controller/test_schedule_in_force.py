"""The schedule as users see it: windows begin and end, turns are taken, clocks change, and health wins."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.controller.played_cluster import Cluster, played, policy
from tests.controller.what_users_see import (
    condition,
    counted,
    document,
    keys,
    notes,
    of,
    provider,
    restart,
    since_epoch,
    switches,
)
from tests.support.policies import AT_ONCE

from providerswitch.api.health import HealthClass
from providerswitch.kube.client import Object

pytestmark = pytest.mark.looptime(start=since_epoch(2026, 1, 1, 20, 50))

MINUTE = 60
HOUR = 3600
NIGHTS = {"name": "nights", "cron": "0 22 * * *", "duration": "1h", "timeZone": "Europe/Berlin", "primary": "google"}
"""From 21:00 to 22:00 UTC in winter; every test begins at 20:50 UTC unless it says otherwise."""


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    made = Cluster()
    made.start()
    yield made
    await made.stop()


def wanted(*entries: Object, generation: int = 1, **spec: Any) -> Object:
    """Return a policy over openai, google and third with a schedule."""
    rules = {"failover": {**AT_ONCE, "blacklistDuration": "5s"}, "healthCheck": {"interval": "20s"}, **spec}
    return policy("openai", "google", "third", generation=generation, schedule=list(entries), **rules)


async def served(cluster: Cluster, minutes: int) -> dict[int, str | None]:
    """Return who serves from which minute on, over so many minutes; each is looked at in its middle."""
    seen: dict[int, str | None] = {}
    for minute in range(minutes):
        await asyncio.sleep(MINUTE / 2)
        if not seen or cluster.published != list(seen.values())[-1]:
            seen[minute] = cluster.published
        await asyncio.sleep(MINUTE / 2)
    return seen


async def test_a_window_prefers_its_provider_from_its_first_minute_to_its_last(cluster: Cluster) -> None:
    cluster.put(wanted(NIGHTS))
    assert await served(cluster, 90) == {0: "openai", 10: "google", 70: "openai"}


async def test_the_beginning_of_a_window_is_told_as_what_it_is(cluster: Cluster) -> None:
    cluster.put(wanted(NIGHTS))
    await asyncio.sleep(11 * MINUTE)

    assert (cluster.published, document(cluster)["trigger"]) == ("google", "Schedule")
    assert switches(cluster)[-1] == ("openai", "google", "Schedule")
    assert cluster.status["history"][0]["time"].startswith("2026-01-01T21:00:00")
    assert cluster.status["history"][0]["reason"] == 'the schedule "nights" is in force'
    assert cluster.status["reason"] == "Scheduled"
    assert len(notes(cluster, "SwitchedBySchedule")) == 1
    assert counted(cluster, "switches_total", trigger="Schedule", outcome="Succeeded") == 1
    failed_over = condition(cluster, "FailedOver")
    assert (failed_over["status"], failed_over["reason"]) == ("False", "PreferredActive")
    assert condition(cluster, "Ready")["status"] == "True"


async def test_the_end_of_a_window_returns_to_the_primary(cluster: Cluster) -> None:
    cluster.put(wanted(NIGHTS))
    await asyncio.sleep(71 * MINUTE)

    assert (cluster.published, cluster.status["reason"]) == ("openai", "PrimaryHealthy")
    assert cluster.status["history"][0]["time"].startswith("2026-01-01T22:00:00")
    assert condition(cluster, "FailedOver")["reason"] == "PrimaryActive"


async def test_manual_failback_does_not_keep_what_a_window_brought(cluster: Cluster) -> None:
    cluster.put(wanted(NIGHTS, failover={**AT_ONCE, "failback": "Manual"}))
    assert await served(cluster, 90) == {0: "openai", 10: "google", 70: "openai"}


async def test_the_next_change_is_told(cluster: Cluster) -> None:
    cluster.put(wanted(NIGHTS))
    await asyncio.sleep(MINUTE)
    before = cluster.status["schedule"]
    await asyncio.sleep(10 * MINUTE)
    during = cluster.status["schedule"]
    await asyncio.sleep(HOUR)
    after = cluster.status["schedule"]

    assert before == {"nextChangeAt": "2026-01-01T21:00:00Z", "nextChange": '"nights" begins'}
    assert during == {"active": "nights", "nextChangeAt": "2026-01-01T22:00:00Z", "nextChange": '"nights" ends'}
    assert after == {"nextChangeAt": "2026-01-02T21:00:00Z", "nextChange": '"nights" begins'}


async def test_a_restart_in_a_window_changes_nothing(cluster: Cluster) -> None:
    cluster.put(wanted(NIGHTS))
    await asyncio.sleep(30 * MINUTE)
    before = keys(cluster)
    successor = await restart(cluster, wanted(NIGHTS))
    await asyncio.sleep(10 * MINUTE)
    assert keys(successor) == before
    assert await served(successor, 40) == {0: "google", 30: "openai"}
    await successor.stop()


EARLY = {"name": "early", "duration": "2h", "timeZone": "Europe/Berlin", "primary": "google"}


@pytest.mark.looptime(start=since_epoch(2026, 3, 29))
async def test_a_window_lasts_its_hours_though_the_clocks_skip_one(cluster: Cluster) -> None:
    cluster.put(wanted({**EARLY, "cron": "30 1 * * *"}))  # 00:30 UTC; on the wall from 1:30 to 4:30
    assert await served(cluster, 180) == {0: "openai", 30: "google", 150: "openai"}


@pytest.mark.looptime(start=since_epoch(2026, 3, 29))
async def test_a_window_whose_beginning_the_clocks_skip_begins_after_the_gap(cluster: Cluster) -> None:
    cluster.put(wanted({**EARLY, "cron": "30 2 * * *"}))  # there is no 2:30; 3:00 is 01:00 UTC
    assert await served(cluster, 210) == {0: "openai", 60: "google", 180: "openai"}


@pytest.mark.looptime(start=since_epoch(2026, 4, 4, 15))
async def test_a_window_that_begins_in_an_hour_that_is_lived_twice_begins_once(cluster: Cluster) -> None:
    twice = {**EARLY, "timeZone": "Australia/Sydney", "cron": "30 2 * * *", "duration": "30m"}
    cluster.put(wanted(twice))  # at 15:30 UTC, and not at 16:30 UTC again, when the clocks have gone back
    assert await served(cluster, 150) == {0: "openai", 30: "google", 60: "openai"}


async def test_the_first_of_two_windows_wins(cluster: Cluster) -> None:
    long = {"name": "long", "cron": "0 21 * * *", "duration": "1h", "primary": "google"}
    short = {"name": "short", "cron": "20 21 * * *", "duration": "20m", "primary": "third"}
    cluster.put(wanted(short, long))
    assert await served(cluster, 90) == {0: "openai", 10: "google", 30: "third", 50: "google", 70: "openai"}


async def test_a_window_may_bring_another_strategy(cluster: Cluster) -> None:
    prices = {"openai": 10.0, "google": 1.0}
    listed = [played(name, cost={"inputPerMillionTokens": price}) for name, price in prices.items()]
    cheap = {"name": "cheap-hour", "cron": "0 21 * * *", "duration": "1h", "strategy": "Cost"}
    cluster.put(of(*listed, schedule=[cheap], failover=AT_ONCE))
    await asyncio.sleep(11 * MINUTE)

    assert cluster.published == "google"
    assert switches(cluster)[-1] == ("openai", "google", "Schedule")
    assert cluster.status["reason"] == "Scheduled"
    why = cluster.status["history"][0]["reason"]
    assert why == 'the schedule "cheap-hour" is in force; the cheapest (0.75 per million tokens; "openai" 7.50)'
    await asyncio.sleep(HOUR)
    assert cluster.published == "openai"


async def test_health_wins_over_the_schedule(cluster: Cluster) -> None:
    cluster.provider("google").health_class = HealthClass.SERVER_ERROR
    cluster.put(wanted(NIGHTS))
    await asyncio.sleep(15 * MINUTE)
    assert cluster.published == "openai"
    assert condition(cluster, "FailedOver")["status"] == "True"
    assert '"google": down' in condition(cluster, "FailedOver")["message"]

    cluster.provider("google").health_class = HealthClass.HEALTHY
    await asyncio.sleep(5 * MINUTE)
    assert switches(cluster)[-1] == ("openai", "google", "Schedule")

    cluster.provider("google").health_class = HealthClass.SERVER_ERROR
    await asyncio.sleep(MINUTE)
    assert switches(cluster)[-1] == ("google", "openai", "Failover")
    assert cluster.status["reason"] == "FailedOver"


async def test_an_edit_of_the_primary_during_a_window_is_obeyed_when_it_ends(cluster: Cluster) -> None:
    cluster.put(wanted(NIGHTS))
    await asyncio.sleep(30 * MINUTE)
    cluster.put(wanted(NIGHTS, generation=2, primary="third"))
    await asyncio.sleep(5 * MINUTE)
    assert cluster.published == "google"
    assert condition(cluster, "Ready")["status"] == "True"
    await asyncio.sleep(36 * MINUTE)

    assert cluster.published == "third"
    assert switches(cluster)[-1] == ("google", "third", "ManualSwitch")
    assert cluster.status["primary"] == "third"


async def test_minimum_dwell_holds_for_the_schedule_too(cluster: Cluster) -> None:
    cluster.put(wanted(NIGHTS, failover={"minDwell": "15m"}))
    assert await served(cluster, 30) == {0: "openai", 15: "google"}
    assert len(notes(cluster, "SwitchHeld")) == 1
    assert counted(cluster, "switches_held_total", trigger="Schedule") == 1


ROTATING = {"name": "turns", "cron": "0 * * * *", "rotate": True}


async def test_each_provider_takes_its_turn(cluster: Cluster) -> None:
    cluster.put(wanted(ROTATING))
    assert await served(cluster, 200) == {0: "openai", 10: "google", 70: "third", 130: "openai", 190: "google"}
    assert {trigger for *_, trigger in switches(cluster)[1:]} == {"Schedule"}
    assert cluster.status["schedule"]["rotatedTo"] == "google"
    assert cluster.status["schedule"]["rotatedAt"] == "2026-01-02T00:00:00Z"


async def test_a_turn_is_taken_once_whatever_restarts(cluster: Cluster) -> None:
    cluster.put(wanted(ROTATING))
    await asyncio.sleep(15 * MINUTE)
    assert cluster.published == "google"
    successor = await restart(cluster, wanted(ROTATING))
    assert await served(successor, 60) == {0: "google", 55: "third"}
    await successor.stop()


async def test_who_is_down_misses_its_turn(cluster: Cluster) -> None:
    cluster.put(wanted(ROTATING))
    await asyncio.sleep(5 * MINUTE)
    cluster.provider("google").health_class = HealthClass.SERVER_ERROR
    assert await served(cluster, 130) == {0: "openai", 5: "third", 65: "openai", 125: "third"}


async def test_a_person_interrupts_a_rotation_and_it_goes_on_from_there(cluster: Cluster) -> None:
    cluster.put(wanted(ROTATING))
    await asyncio.sleep(15 * MINUTE)
    assert cluster.published == "google"
    cluster.put(wanted(ROTATING, generation=2, primary="third"))
    await asyncio.sleep(MINUTE)
    assert cluster.published == "third"
    await asyncio.sleep(HOUR)
    assert cluster.published == "openai"


async def test_a_time_zone_that_does_not_exist_is_told_and_all_else_goes_on(cluster: Cluster) -> None:
    mistaken = {**NIGHTS, "name": "on-mars", "timeZone": "Mars/Olympus", "primary": "third"}
    cluster.put(wanted(mistaken, NIGHTS))
    await asyncio.sleep(5 * MINUTE)
    ready = condition(cluster, "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "ScheduleInvalid")
    assert 'spec.schedule "on-mars"' in ready["message"]
    assert "Mars/Olympus" in ready["message"]
    assert notes(cluster, "ScheduleInvalid") == [ready["message"]]
    assert cluster.published == "openai"

    await asyncio.sleep(6 * MINUTE)
    assert cluster.published == "google", "the other entry is followed"
    cluster.provider("google").health_class = HealthClass.SERVER_ERROR
    await asyncio.sleep(MINUTE)
    assert cluster.published == "openai", "and providers are watched"
    assert provider(cluster, "google")["state"] == "Down"

    cluster.put(wanted(NIGHTS, generation=2))
    await asyncio.sleep(MINUTE)
    assert condition(cluster, "Ready")["status"] == "True"


async def test_providers_that_are_well_stay_where_an_unreadable_cron_line_says_nothing(cluster: Cluster) -> None:
    cluster.put(wanted({"name": "never", "cron": "61 * * * *", "duration": "1h", "primary": "third"}))
    assert await served(cluster, 70) == {0: "openai"}
    assert condition(cluster, "Ready")["reason"] == "ScheduleInvalid"
