"""Overrides as a person on call sees them: made, judged, in force, over."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from tests.controller.played_cluster import Cluster, policy
from tests.controller.what_users_see import condition, restart, switches
from tests.support.policies import AT_ONCE
from tests.support.virtual_time import EPOCH

from providerswitch.api.health import HealthClass
from providerswitch.controller.retrying import RETRY_SECONDS
from providerswitch.core.override_rules import LOOKED_AT
from providerswitch.kube.client import Object

pytestmark = pytest.mark.looptime(start=0)

HOUR = 3600


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    made = Cluster()
    made.start()
    yield made
    await made.stop()


def wanted(**spec: Any) -> Object:
    rules = {"failover": {**AT_ONCE, "blacklistDuration": "5s"}, "healthCheck": {"interval": "20s"}, **spec}
    return policy("openai", "google", "third", **rules)


async def opened(cluster: Cluster, **spec: Any) -> Cluster:
    cluster.put(wanted(**spec))
    await asyncio.sleep(1)
    assert cluster.published == "openai"
    return cluster


def stands(cluster: Cluster, name: str) -> tuple[str | None, str | None]:
    told = cluster.standing(name)
    return told.get("state"), told.get("reason")


async def test_an_override_is_in_force_at_once_and_ends_to_the_second(cluster: Cluster) -> None:
    await opened(cluster)
    cluster.override("calm", "google", "90s", requestedBy="alice")
    await asyncio.sleep(0.1)
    assert cluster.published == "google"
    assert stands(cluster, "calm") == ("Active", "InForce")
    assert condition(cluster, "Overridden")["status"] == "True"

    await asyncio.sleep(89.8)
    assert cluster.published == "google"
    await asyncio.sleep(0.2)
    assert cluster.published == "openai"
    assert stands(cluster, "calm") == ("Expired", "Expired")
    assert condition(cluster, "Overridden")["status"] == "False"
    told = {reason for reason in cluster.api.events() if reason.startswith("Overrid")}
    assert told == {"Overridden", "OverrideActive", "OverrideEnded", "OverrideExpired"}


async def test_one_that_is_deleted_ends_at_once(cluster: Cluster) -> None:
    await opened(cluster)
    cluster.override("calm", "google")
    await asyncio.sleep(1)
    cluster.clear("calm")
    await asyncio.sleep(0.1)
    assert cluster.published == "openai"
    assert "OverrideCleared" in cluster.api.events()


async def test_the_newest_holds_and_the_older_never_comes_back(cluster: Cluster) -> None:
    await opened(cluster)
    cluster.override("first", "google", "1h")
    await asyncio.sleep(2)
    cluster.override("second", "third", "1m")
    await asyncio.sleep(1)
    assert cluster.published == "third"
    assert stands(cluster, "first") == ("Superseded", "NewerOverride")
    await asyncio.sleep(60)
    assert cluster.published == "openai"


async def test_of_two_of_the_same_second_the_later_holds(cluster: Cluster) -> None:
    await opened(cluster)
    cluster.override("zulu", "google")
    cluster.override("alpha", "third")
    await asyncio.sleep(1)
    assert cluster.published == "third"
    assert stands(cluster, "zulu") == ("Superseded", "NewerOverride")


REFUSED: list[tuple[str, dict[str, Any], str, str]] = [
    ("nobody", {}, "ProviderNotFound", "It lists: openai, google, third."),
    ("google", {"task": "embed"}, "TaskNotFound", "It has none; leave spec.task out."),
    ("google", {"policyRef": {"name": "other"}}, "PolicyNotFound", "kubectl get pswitch"),
]


@pytest.mark.parametrize(("provider", "spec", "reason", "advice"), REFUSED, ids=[case[2] for case in REFUSED])
async def test_what_cannot_be_is_rejected_with_what_to_do(
    cluster: Cluster, provider: str, spec: dict[str, Any], reason: str, advice: str
) -> None:
    await opened(cluster)
    cluster.override("wrong", provider, **spec)
    await asyncio.sleep(6)
    assert stands(cluster, "wrong") == ("Rejected", reason)
    assert advice in cluster.standing("wrong")["message"]
    assert cluster.published == "openai"
    assert "OverrideRejected" in cluster.api.events()


async def test_a_provider_that_is_down_is_refused_unless_forced(cluster: Cluster) -> None:
    await opened(cluster)
    cluster.provider("google").health_class = HealthClass.SERVER_ERROR
    await asyncio.sleep(60)
    cluster.override("wish", "google")
    await asyncio.sleep(1)
    assert stands(cluster, "wish") == ("Rejected", "ProviderUnhealthy")
    assert "force: true" in cluster.standing("wish")["message"]
    cluster.override("order", "google", force=True)
    await asyncio.sleep(1)
    assert cluster.published == "google"


async def test_an_outage_that_a_person_chose_counts_from_the_choice_and_as_no_detection(cluster: Cluster) -> None:
    await opened(cluster)
    cluster.provider("google").health_class = HealthClass.SERVER_ERROR
    await asyncio.sleep(100)
    cluster.override("order", "google", "30s", force=True)
    await asyncio.sleep(60)
    assert cluster.published == "openai"
    assert [each.get("detectMillis") for each in cluster.status["history"]] == [None, None, None]
    assert cluster.status["resilience"]["observed"]["downSeconds"] == 30


async def test_one_that_is_too_long_is_rejected() -> None:
    cluster = Cluster(longest_override=timedelta(minutes=5))
    cluster.start()
    await opened(cluster)
    cluster.override("long", "google", "6m")
    await asyncio.sleep(1)
    assert stands(cluster, "long") == ("Rejected", "DurationTooLong")
    assert "--max-override-duration" in cluster.standing("long")["message"]
    await cluster.stop()


async def test_a_provider_that_nobody_probes_is_probed_for_it(cluster: Cluster) -> None:
    await opened(cluster, backups=["google"])
    assert cluster.provider("third").asked == []
    cluster.override("calm", "third")
    await asyncio.sleep(1)
    assert cluster.published == "third"
    assert stands(cluster, "calm") == ("Active", "InForce")


async def test_while_its_provider_fails_the_rules_choose_and_then_it_holds_again(cluster: Cluster) -> None:
    await opened(cluster)
    cluster.override("calm", "google")
    await asyncio.sleep(1)
    cluster.provider("google").health_class = HealthClass.SERVER_ERROR
    await asyncio.sleep(60)
    assert cluster.published == "openai"
    assert stands(cluster, "calm") == ("Active", "InForce")
    assert condition(cluster, "Overridden")["reason"] == "OverrideWaits"
    cluster.provider("google").health_class = HealthClass.HEALTHY
    await asyncio.sleep(200)
    assert cluster.published == "google"


async def test_policy_and_override_may_come_in_any_order(cluster: Cluster) -> None:
    cluster.override("calm", "google")
    await asyncio.sleep(3)
    assert stands(cluster, "calm") == ("Pending", "PolicyNotFound")
    cluster.put(wanted())
    await asyncio.sleep(3)
    assert cluster.published == "google"
    assert stands(cluster, "calm") == ("Active", "InForce")


async def test_with_its_policy_gone_it_is_over(cluster: Cluster) -> None:
    await opened(cluster)
    cluster.override("calm", "google")
    await asyncio.sleep(1)
    cluster.delete(wanted())
    await asyncio.sleep(6)
    assert stands(cluster, "calm") == ("Rejected", "PolicyNotFound")


async def test_finished_ones_are_removed_in_time(cluster: Cluster) -> None:
    await opened(cluster)
    made = cluster.override("calm", "google", "1m")
    await asyncio.sleep(23 * HOUR)
    assert any(path.endswith("/calm") for path in cluster.api.objects)
    await asyncio.sleep(2 * HOUR)
    assert not any(path.endswith("/calm") for path in cluster.api.objects), made


async def test_no_more_than_a_few_are_looked_at(cluster: Cluster) -> None:
    await opened(cluster)
    for number in range(LOOKED_AT + 5):
        cluster.override(f"o{number:02}", "google")
        await asyncio.sleep(0)
    await asyncio.sleep(5)
    told = [stands(cluster, f"o{number:02}") for number in range(LOOKED_AT + 5)]
    assert told.count(("Active", "InForce")) == 1
    assert told[-1] == ("Active", "InForce")
    assert ("Superseded", "TooMany") in told


async def test_a_status_that_is_refused_is_written_later_and_holds_nothing_up(cluster: Cluster) -> None:
    await opened(cluster)
    cluster.api.trouble = lambda method, path: 500 if method == "PATCH" and path.endswith("/calm/status") else None
    cluster.override("calm", "google")
    await asyncio.sleep(1)
    assert cluster.published == "google"
    cluster.api.trouble = lambda _method, _path: None
    await asyncio.sleep(RETRY_SECONDS[3])
    assert stands(cluster, "calm") == ("Active", "InForce")
    assert cluster.api.events().count("OverrideActive") == 1


async def test_one_whose_status_is_refused_for_good_holds_up_no_other(cluster: Cluster) -> None:
    await opened(cluster)
    cluster.api.trouble = lambda method, path: 422 if method == "PATCH" and path.endswith("/bad/status") else None
    cluster.override("bad", "nobody")
    cluster.override("good", "google")
    await asyncio.sleep(5)
    assert stands(cluster, "good") == ("Active", "InForce")


async def test_nothing_is_written_while_an_override_holds(cluster: Cluster) -> None:
    await opened(cluster)
    cluster.override("calm", "google")
    await asyncio.sleep(60)
    before = len(cluster.api.asked)
    await asyncio.sleep(200)
    assert [asked for asked in cluster.api.asked[before:] if "overrides" in asked[2]] == []


async def test_an_edit_that_drops_its_provider_rejects_it(cluster: Cluster) -> None:
    await opened(cluster)
    cluster.override("calm", "third")
    await asyncio.sleep(1)
    cluster.put(policy("openai", "google", generation=2, failover=AT_ONCE, healthCheck={"interval": "20s"}))
    await asyncio.sleep(3)
    assert stands(cluster, "calm") == ("Rejected", "ProviderNotFound")
    assert cluster.published == "openai"


async def test_who_is_overridden_and_until_when_is_a_metric(cluster: Cluster) -> None:
    await opened(cluster)
    cluster.override("calm", "google", "1m")
    await asyncio.sleep(1)
    labels = {"namespace": "team-a", "policy": "assistant", "task": ""}
    assert cluster.value("providerswitch_override_active", **labels) == EPOCH.timestamp() + 61
    await asyncio.sleep(60)
    assert cluster.value("providerswitch_override_active", **labels) is None
    assert cluster.value("providerswitch_overrides_total", result="Expired") == 1
    assert switches(cluster)


async def test_a_restart_moves_no_expiry(cluster: Cluster) -> None:
    await opened(cluster)
    cluster.override("calm", "google", "60s")
    await asyncio.sleep(30)
    successor = await restart(cluster, wanted())
    await asyncio.sleep(29.9)
    assert successor.published == "google"
    await asyncio.sleep(0.3)
    assert successor.published == "openai"
    assert stands(successor, "calm") == ("Expired", "Expired")
    await successor.stop()


async def test_one_whose_status_was_lost_ends_when_it_would_have(cluster: Cluster) -> None:
    await opened(cluster)
    cluster.override("calm", "google", "60s")
    await asyncio.sleep(30)
    cluster.api.objects = {path: obj for path, obj in cluster.api.objects.items() if not path.endswith("calm/status")}
    successor = await restart(cluster, wanted())
    await asyncio.sleep(29.9)
    assert successor.published == "google"
    await asyncio.sleep(0.3)
    assert successor.published == "openai"
    await successor.stop()


async def test_one_that_expired_while_no_operator_ran_is_never_applied(cluster: Cluster) -> None:
    await opened(cluster)
    await cluster.stop()
    cluster.override("calm", "google", "30s", seen=False)
    await asyncio.sleep(40)
    successor = await restart(cluster, wanted())
    await asyncio.sleep(1)
    assert successor.published == "openai"
    assert stands(successor, "calm") == ("Expired", "NeverApplied")
    assert successor.status["switching"]["total"] == 1
    await successor.stop()


async def test_one_that_expired_in_force_while_no_operator_ran_is_undone_by_the_next(cluster: Cluster) -> None:
    await opened(cluster)
    cluster.override("calm", "google", "30s")
    await asyncio.sleep(1)
    await cluster.stop()
    await asyncio.sleep(40)
    successor = await restart(cluster, wanted())
    await asyncio.sleep(3)
    assert successor.published == "openai"
    assert stands(successor, "calm") == ("Expired", "Expired")
    await successor.stop()


async def test_one_that_was_deleted_while_no_operator_ran_is_undone_by_the_next(cluster: Cluster) -> None:
    await opened(cluster)
    cluster.override("calm", "google")
    await asyncio.sleep(1)
    await cluster.stop()
    cluster.clear("calm", seen=False)
    successor = await restart(cluster, wanted())
    await asyncio.sleep(3)
    assert successor.published == "openai"
    assert successor.status.get("overrides") is None or successor.status["overrides"] == []
    await successor.stop()


async def test_a_superseded_one_stays_so_after_a_restart(cluster: Cluster) -> None:
    await opened(cluster)
    cluster.override("first", "google")
    await asyncio.sleep(2)
    cluster.override("second", "third", "20s")
    await asyncio.sleep(1)
    successor = await restart(cluster, wanted())
    await asyncio.sleep(30)
    assert successor.published == "openai"
    assert stands(successor, "first") == ("Superseded", "NewerOverride")
    await successor.stop()


async def test_a_status_that_somebody_else_changed_is_put_right(cluster: Cluster) -> None:
    await opened(cluster)
    made = cluster.override("calm", "google")
    await asyncio.sleep(1)
    edited = {**made, "metadata": {**made["metadata"], "resourceVersion": "999"}, "status": {"state": "Rejected"}}
    cluster.operator.overrides.see(edited)
    before = len(cluster.api.asked)
    await asyncio.sleep(1)
    written = [asked for asked in cluster.api.asked[before:] if asked[2].endswith("/calm/status")]
    assert len(written) == 1
    assert cluster.published == "google"
