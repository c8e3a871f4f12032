"""The reconcile loop in virtual time: retries, order, and who may be switched to."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import pairwise

import pytest
from tests.controller.played_cluster import CONFIG_MAP, NAMESPACE, POLICY, SERVICE, STATUS, Cluster, policy
from tests.support.virtual_time import elapsed

from providerswitch.api.errors import InvariantError
from providerswitch.api.health import HealthClass
from providerswitch.core.outcome import Tier

pytestmark = pytest.mark.looptime(start=0)


MANUAL = {"namespace": NAMESPACE, "policy": POLICY, "trigger": "ManualSwitch"}


def decisions(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.getMessage() == "decision"]


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    made = Cluster()
    made.start()
    yield made
    await made.stop()


async def test_the_first_choice_is_published_reported_and_told(cluster: Cluster) -> None:
    cluster.put(policy())
    await asyncio.sleep(1)

    assert cluster.published == "openai"
    assert (cluster.status["activeProvider"], cluster.status["revision"]) == ("openai", 1)
    assert cluster.api.events() == ["Activated"]


async def test_nothing_happens_before_it_is_known_what_is_published() -> None:
    cluster = Cluster()
    cluster.put(policy())
    await asyncio.sleep(60)
    assert cluster.api.asked == []
    assert cluster.providers == {}
    cluster.start()
    await asyncio.sleep(1)
    assert cluster.published == "openai"
    await cluster.stop()


async def test_in_calm_nothing_is_asked_of_the_api_server(cluster: Cluster) -> None:
    """But once for the first measured values, when there are enough of them."""
    cluster.put(policy())
    await asyncio.sleep(5)
    asked = len(cluster.api.asked)
    await asyncio.sleep(600)
    assert cluster.api.asked[asked:] == [(pytest.approx(360, abs=61), "PATCH", STATUS)]
    asked = len(cluster.api.asked)
    await asyncio.sleep(3600)
    assert len(cluster.api.asked) == asked
    assert len(cluster.provider("openai").asked) > 100


async def test_an_api_server_in_trouble_is_asked_again_ever_more_rarely(cluster: Cluster) -> None:
    cluster.api.trouble = lambda method, path: 503 if path == CONFIG_MAP else None
    cluster.put(policy())
    await asyncio.sleep(115)

    times = cluster.api.times("GET", CONFIG_MAP)
    gaps = [round(later - earlier, 1) for earlier, later in pairwise(times)]
    assert gaps == [0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 30.0, 30.0]
    assert cluster.value("providerswitch_reconcile_errors_total", error="ApiServerError") == len(times)
    cluster.api.trouble = lambda _method, _path: None
    await asyncio.sleep(30)
    assert cluster.published == "openai"


async def test_after_a_success_the_first_retry_is_quick_again(cluster: Cluster) -> None:
    entry = cluster.put(policy())
    await asyncio.sleep(1)
    for _ in range(2):
        cluster.api.trouble = lambda _method, path: 0 if path in {CONFIG_MAP, STATUS} else None
        started = elapsed()
        cluster.put(policy(generation=entry.policy.generation + 1 if entry.policy else 0, primary="backup"))
        await asyncio.sleep(0.05)
        cluster.api.trouble = lambda _method, _path: None
        await asyncio.sleep(0.2)
        assert cluster.published == "backup"
        assert elapsed() - started < 0.3
        cluster.put(policy(generation=9, primary="openai"))
        await asyncio.sleep(1)


@pytest.mark.parametrize(
    ("error", "counted"), [(InvariantError("broken"), "InvariantError"), (RuntimeError("a bug"), "Unexpected")]
)
async def test_a_bug_of_ours_is_counted_told_and_survived(
    error: Exception, counted: str, cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    cluster.put(policy())
    await asyncio.sleep(1)
    cluster.api.trouble = lambda method, path: error if (method, path) == ("PATCH", CONFIG_MAP) else None
    cluster.put(policy(generation=2, primary="backup"))
    await asyncio.sleep(1)

    assert cluster.published == "openai"
    assert (cluster.value("providerswitch_reconcile_errors_total", error=counted) or 0) >= 2
    assert any(record.exc_info for record in caplog.records)
    cluster.api.trouble = lambda _method, _path: None
    await asyncio.sleep(5)
    assert cluster.published == "backup"


async def test_trouble_with_one_policy_is_none_of_anothers(cluster: Cluster) -> None:
    cluster.api.seconds = lambda path: 15 if f"{POLICY}-provider" in path else 0.001
    cluster.put(policy())
    cluster.put(policy(name="other", uid="uid-of-other"))
    await asyncio.sleep(1)

    assert f"/api/v1/namespaces/{NAMESPACE}/configmaps/other-provider" in cluster.api.objects
    assert cluster.published is None


async def test_wake_ups_during_a_reconcile_amount_to_one_more(cluster: Cluster) -> None:
    entry = cluster.put(policy())
    await asyncio.sleep(1)
    before = cluster.value("providerswitch_reconciles_total") or 0
    cluster.api.seconds = lambda _path: 1
    cluster.put(policy(generation=2, primary="backup"))
    await asyncio.sleep(0.5)
    for _ in range(100):
        cluster.operator.reconciler.wake(entry)
    await asyncio.sleep(60)

    assert (cluster.value("providerswitch_reconciles_total") or 0) - before == 2


async def test_two_reconciles_of_a_policy_never_overlap(cluster: Cluster) -> None:
    under_way, most = 0, 0
    patch = cluster.api.request

    async def counting(method: str, path: str, **rest: object) -> object:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        try:
            return await patch(method, path, **rest)  # type: ignore[arg-type]
        finally:
            under_way -= 1

    cluster.api.request = counting  # type: ignore[method-assign, assignment]
    cluster.api.seconds = lambda _path: 0.3
    for number in range(1, 20):
        cluster.put(policy(generation=number, primary=("openai", "backup")[number % 2]))
        await asyncio.sleep(0.1)
    await asyncio.sleep(60)
    assert most == 1
    assert cluster.published == "backup"


async def test_a_deleted_policy_is_left_in_the_middle_of_its_reconcile(cluster: Cluster) -> None:
    cluster.api.seconds = lambda path: 5 if path == CONFIG_MAP else 0.001
    cluster.put(policy())
    await asyncio.sleep(1)
    cluster.delete(policy())
    await asyncio.sleep(60)

    assert cluster.published is None
    assert cluster.operator.scheduler.targets == 0
    assert "activeProvider" not in cluster.status


async def test_no_retry_is_left_behind_by_a_deleted_policy(cluster: Cluster) -> None:
    cluster.api.trouble = lambda _method, path: 503 if path == CONFIG_MAP else None
    cluster.put(policy())
    await asyncio.sleep(5)
    cluster.delete(policy())
    asked = len(cluster.api.asked)
    await asyncio.sleep(120)
    assert len(cluster.api.asked) == asked


async def test_a_default_policy_fails_over_two_fast_intervals_after_the_first_sign(cluster: Cluster) -> None:
    cluster.put(policy())
    await asyncio.sleep(45)
    cluster.provider("openai").health_class = HealthClass.SERVER_ERROR
    await asyncio.sleep(16)  # the probe at 60 s fails
    assert cluster.published == "openai"
    await asyncio.sleep(1.1)
    assert cluster.published == "backup"
    entry = cluster.status["history"][0]
    assert (entry["trigger"], entry["detectMillis"]) == ("Failover", 2000)
    assert cluster.value("providerswitch_detection_duration_seconds_sum") == pytest.approx(2)


async def test_a_candidate_is_asked_anew_once_the_trouble_has_begun(cluster: Cluster) -> None:
    cluster.provider("backup").seconds = 0.5
    cluster.put(policy())
    await asyncio.sleep(59)
    cluster.provider("openai").health_class = HealthClass.SERVER_ERROR
    await asyncio.sleep(5)

    first_failure, switched = 60.0, cluster.api.times("PATCH", CONFIG_MAP)[-1]
    answered = [at + 0.5 for at, _ in cluster.provider("backup").asked if at + 0.5 >= first_failure]
    assert answered
    assert min(answered) <= switched


async def test_a_candidate_that_died_unnoticed_is_never_published(cluster: Cluster) -> None:
    quick = {"failureThreshold": 1}
    cluster.put(policy("backup", name="earlier", uid="uid-2", healthCheck=quick))  # probes it at 0, 30 and 60 s
    await asyncio.sleep(15)
    cluster.put(policy("openai", "backup", "third", healthCheck=quick))
    await asyncio.sleep(50)
    for name in ("openai", "backup"):
        cluster.provider(name).health_class = HealthClass.SERVER_ERROR
    seen: set[str | None] = set()
    cluster.api.mutate = lambda obj: seen.add(obj.get("data", {}).get("LLM_PROVIDER"))
    await asyncio.sleep(11)  # openai's probe at 75 s fails; backup's last answer was good and 15 s old

    assert cluster.published == "third"
    assert "backup" not in seen
    rejected = {each["provider"]: each["why"] for each in cluster.status["history"][0]["rejected"]}
    assert rejected.keys() == {"openai", "backup"}


async def test_a_silent_candidate_is_passed_over_after_two_seconds(cluster: Cluster) -> None:
    cluster.put(policy("openai", "backup", "third"))
    await asyncio.sleep(45)
    cluster.provider("openai").health_class = HealthClass.SERVER_ERROR
    cluster.provider("backup").seconds = 3600
    await asyncio.sleep(15)
    assert cluster.published == "openai"
    await asyncio.sleep(4.5)  # three failures in 2 s, and 2 s of patience with the candidate

    assert cluster.published == "third"
    rejected = {each["provider"]: each["why"] for each in cluster.status["history"][0]["rejected"]}
    assert rejected["backup"] == "no answer to its validation probe yet"


async def test_a_candidate_that_answers_late_is_taken_when_it_does(cluster: Cluster) -> None:
    cluster.put(policy("openai", "backup"))
    await asyncio.sleep(45)
    cluster.provider("openai").health_class = HealthClass.SERVER_ERROR
    cluster.provider("backup").seconds = 6
    await asyncio.sleep(19.5)
    assert cluster.published == "openai"
    await asyncio.sleep(5)
    assert cluster.published == "backup"


async def test_a_rate_limited_candidate_is_not_probed_to_validate_it(cluster: Cluster) -> None:
    cluster.put(policy("openai", "backup"))
    await asyncio.sleep(1)
    provider = cluster.provider("backup")
    provider.health_class, provider.retry_after = HealthClass.RATE_LIMITED, timedelta(seconds=60)
    await asyncio.sleep(31)
    asked = len(provider.asked)
    cluster.put(policy("openai", "backup", generation=2, primary="backup"))
    await asyncio.sleep(10)
    assert len(provider.asked) == asked
    assert cluster.published == "openai"


async def test_a_lasting_refusal_is_tried_again_every_ten_seconds_and_told_once(
    cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "providerswitch")
    service = {"service": {"name": "llm"}}
    cluster.put(policy(publish=service))
    await asyncio.sleep(1)
    refused = {("PATCH", SERVICE): 403}
    cluster.api.trouble = lambda method, path: refused.get((method, path))
    cluster.put(policy(publish=service, generation=2, primary="backup"))
    await asyncio.sleep(601)

    assert cluster.published == "openai"
    assert len(cluster.api.times("PATCH", SERVICE)) == pytest.approx(61, abs=2)
    history = [(entry["to"], entry["outcome"]) for entry in cluster.status["history"]]
    assert history == [("backup", "RolledBack"), ("openai", "Succeeded")]
    counts = cluster.status["switching"]
    assert (counts["total"], counts["succeeded"], counts["rolledBack"], counts["successRate"]) == (2, 1, 1, 0.5)
    assert cluster.api.events().count("SwitchRolledBack") == 1
    assert cluster.value("providerswitch_switches_total", **MANUAL, outcome="RolledBack") == 1
    assert [record.__dict__["trigger"] for record in decisions(caplog)].count("ManualSwitch") == 1
    refused.clear()
    await asyncio.sleep(11)
    assert cluster.published == "backup"
    assert cluster.status["history"][0]["outcome"] == "Succeeded"


async def test_each_decision_is_one_line_in_the_log(cluster: Cluster, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "providerswitch")
    cluster.put(policy())
    await asyncio.sleep(45)
    cluster.provider("openai").health_class = HealthClass.SERVER_ERROR
    await asyncio.sleep(3000)

    told = decisions(caplog)
    triggers = [record.__dict__["trigger"] for record in told if record.__dict__["trigger"]]
    assert triggers == ["Initial", "Failover"]
    assert len(told) < 10
    (failover,) = (record.__dict__ for record in told if record.__dict__["trigger"] == "Failover")
    assert (failover["policy"], failover["namespace"], failover["active"]) == (POLICY, NAMESPACE, "backup")
    assert failover["rejected"].keys() == {"openai"}
    json.dumps({name: failover[name] for name in ("active", "revision", "decision", "trigger", "why", "rejected")})


async def test_billed_probes_do_not_stand_in_the_way_of_a_validation(cluster: Cluster) -> None:
    cluster.put(policy(healthCheck={"generation": {"interval": "10m"}}))
    await asyncio.sleep(100)
    cluster.put(policy(healthCheck={"generation": {"interval": "10m"}}, generation=2, primary="backup"))
    await asyncio.sleep(2)
    assert cluster.published == "backup"
    assert sum(tier is Tier.GENERATION for _, tier in cluster.provider("backup").asked) == 1


async def test_a_host_that_has_long_been_dead_does_not_hold_up_a_failover(cluster: Cluster) -> None:
    cluster.provider("dead").health_class = HealthClass.CONNECT_REFUSED
    cluster.put(policy("openai", "backup", "dead"))
    await asyncio.sleep(95)
    cluster.provider("openai").health_class = HealthClass.CONNECT_REFUSED
    before = len(cluster.provider("openai").asked)
    await asyncio.sleep(28)
    failed = cluster.provider("openai").asked[before][0]
    assert cluster.published == "backup"
    assert "Frozen" not in cluster.api.events()
    switched = cluster.api.times("PATCH", CONFIG_MAP)[-1]
    assert switched - failed < 2.5


async def test_what_is_still_silent_when_a_freeze_ends_is_left_as_quickly_as_ever(cluster: Cluster) -> None:
    cluster.put(policy("openai", "backup", "third"))
    await asyncio.sleep(95)
    for name in ("openai", "backup", "third"):
        cluster.provider(name).health_class = HealthClass.CONNECT_REFUSED
    await asyncio.sleep(100)
    assert cluster.value("providerswitch_frozen") == 1
    assert cluster.published == "openai"
    cluster.provider("backup").health_class = HealthClass.HEALTHY
    before = len(cluster.provider("backup").asked)
    await asyncio.sleep(35)
    thawed = cluster.provider("backup").asked[before][0]
    assert cluster.published == "backup"
    assert cluster.api.times("PATCH", CONFIG_MAP)[-1] - thawed < 3


async def test_a_policy_that_cannot_be_honoured_from_the_start_is_told_by_event_log_and_metric(
    cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    bad = policy()
    bad["spec"]["primary"] = "nobody"
    cluster.put(bad)
    await asyncio.sleep(60)
    assert cluster.api.events() == ["SpecInvalid"]
    assert [record for record in caplog.records if "nobody" in record.getMessage()]
    assert cluster.value("providerswitch_policy_ready", namespace=NAMESPACE, policy=POLICY) == 0
