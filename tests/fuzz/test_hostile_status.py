"""Somebody else wrote the status: after a restart the operator serves all the same, and can store what it writes."""

import asyncio
import math
from typing import Any

import looptime
import pytest
from hypothesis import example, given, settings
from tests.controller.played_cluster import Cluster, policy
from tests.fuzz.crd_specs import status_schema, values

from providerswitch.api.health import HealthClass

FUTURE = "9999-12-31T23:59:59Z"


def numbers(value: Any) -> list[float]:
    if isinstance(value, dict | list):
        return [each for inner in (value.values() if isinstance(value, dict) else value) for each in numbers(inner)]
    return [value] if isinstance(value, int | float) else []


async def serve(status: dict[str, Any]) -> Cluster:
    """Start with a status, lose the primary, and stop."""
    cluster = Cluster()
    cluster.start()
    tasks = {"tasks": [{"name": "embed"}], "schedule": [{"name": "n", "cron": "0 0 * * *", "rotate": True}]}
    cluster.put({**policy("openai", "backup", **tasks), "status": status})
    await asyncio.sleep(60)
    cluster.provider("openai").health_class = HealthClass.SERVER_ERROR
    await asyncio.sleep(600)
    await cluster.stop()
    return cluster


def in_virtual_time(status: dict[str, Any]) -> Cluster:
    loop = looptime.new_event_loop(start=0)
    try:
        return loop.run_until_complete(serve(status))
    finally:
        loop.close()


@given(values(status_schema()))
@example({"activeProvider": "openai", "activeSince": FUTURE, "revision": 3})
@example({"activeProvider": "backup", "activeSince": FUTURE, "revision": 3, "primary": "openai"})
@example({"activeProvider": "openai", "revision": 2**63 - 1})
@example({"activeProvider": "gone", "revision": 7, "switching": {"total": 2**63 - 1, "lastHour": [FUTURE]}})
@settings(max_examples=40, derandomize=True)
def test_any_status_lets_policies_be_served(status: dict[str, Any]) -> None:
    cluster = in_virtual_time(status)

    assert not cluster.value("providerswitch_reconcile_errors_total", error="Unexpected")
    assert cluster.published == "backup"
    found = numbers(cluster.status)
    assert all(math.isfinite(number) and abs(number) < 2**63 for number in found)


@pytest.mark.looptime(start=0)
async def test_without_the_active_provider_in_the_spec_and_any_other_that_works_users_are_told() -> None:
    cluster = Cluster()
    cluster.start()
    cluster.put(policy("openai", "backup"))
    await asyncio.sleep(60)
    cluster.provider("new").health_class = HealthClass.SERVER_ERROR

    cluster.put(policy("new", generation=2))
    await asyncio.sleep(120)

    (ready,) = (each for each in cluster.status["conditions"] if each["type"] == "Ready")
    assert not cluster.value("providerswitch_reconcile_errors_total", error="Unexpected")
    assert (ready["status"], ready["observedGeneration"]) == ("False", 2)
    assert cluster.published == "openai"
    await cluster.stop()
