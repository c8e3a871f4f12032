"""What a hint leads to: the whole operator in virtual time."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.controller.played_cluster import Cluster, policy
from tests.support.eventually import eventually
from tests.support.virtual_time import elapsed, loop_clock

from providerswitch.api.health import HealthClass
from providerswitch.controller.hints.following import FollowUp
from providerswitch.core.hints import Answer, Hint

pytestmark = pytest.mark.looptime(start=0)

HINT = Hint("team-a", "assistant")
QUICK = {"interval": "30s", "fastInterval": "1s"}


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    made = Cluster()
    made.start()
    yield made
    await made.stop()


def hint(cluster: Cluster, given: Hint = HINT) -> Answer:
    operator = cluster.operator
    counted = operator.metrics.hints.labels("consumer").inc
    return FollowUp(operator.registry, operator.scheduler, loop_clock, counted)(given)


def asked(cluster: Cluster, name: str) -> int:
    return len(cluster.provider(name).asked)


async def test_a_true_hint_brings_the_failover_forward_by_what_the_interval_would_have_taken(cluster: Cluster) -> None:
    cluster.put(policy(healthCheck={**QUICK, "interval": "1h"}))
    await asyncio.sleep(600)
    cluster.provider("openai").health_class = HealthClass.SERVER_ERROR
    assert hint(cluster) == Answer(202, {"probing": ["openai"], "inMillis": 0})
    await eventually(lambda: cluster.published == "backup")
    assert elapsed() == pytest.approx(602, abs=0.2)
    assert cluster.status["history"][0]["trigger"] == "Failover"
    assert cluster.value("providerswitch_hints_total", source="consumer") == 1


async def test_a_thousand_hints_a_second_switch_nothing_and_cost_a_few_probes(
    cluster: Cluster,
) -> None:
    cluster.put(policy(healthCheck=QUICK))
    await asyncio.sleep(31)
    before = asked(cluster, "openai")
    for _ in range(60_000):
        assert hint(cluster).status == 202
        await asyncio.sleep(0.001)
    assert cluster.published == "openai"
    assert len(cluster.status["history"]) == 1
    assert before + 2 < asked(cluster, "openai") <= before + 9
    assert asked(cluster, "backup") <= before + 2


async def test_hints_neither_probe_a_dead_provider_more_nor_bring_it_back_sooner(
    cluster: Cluster,
) -> None:
    health = {"interval": "10s", "fastInterval": "1s", "recoveryThreshold": 5}
    cluster.put(policy(healthCheck=health, failover={"blacklistDuration": "1s", "minDwell": "0s"}))
    await asyncio.sleep(11)
    cluster.provider("openai").health_class = HealthClass.SERVER_ERROR
    await asyncio.sleep(20)
    assert cluster.published == "backup"
    cluster.provider("openai").health_class = HealthClass.HEALTHY
    about = Hint("team-a", "assistant", "openai")
    before, answers = asked(cluster, "openai"), set()
    for _ in range(300):
        answers.add(str(hint(cluster, about).body))
        await asyncio.sleep(0.1)
    assert answers == {"{'probing': [], 'why': 'openai is known to be down'}"}
    assert asked(cluster, "openai") <= before + 3
    assert cluster.published == "backup"


async def test_a_hint_is_about_the_active_provider_unless_it_names_another(cluster: Cluster) -> None:
    cluster.put(policy())
    await asyncio.sleep(10)
    assert hint(cluster).body["probing"] == ["openai"]
    assert hint(cluster, Hint("team-a", "assistant", "backup")).body["probing"] == ["backup"]
    await asyncio.sleep(1)
    assert (asked(cluster, "openai"), asked(cluster, "backup")) == (2, 2)


async def test_a_hint_about_a_task_is_about_its_own_active_provider(cluster: Cluster) -> None:
    cluster.put(policy(tasks=[{"name": "embed", "primary": "backup"}]))
    await asyncio.sleep(10)
    assert hint(cluster, Hint("team-a", "assistant", task="embed")).body["probing"] == ["backup"]


@pytest.mark.parametrize(("given", "error"), [
    (Hint("team-a", "other"), 'There is no policy "other" in namespace "team-a" that is served.'),
    (Hint("team-b", "assistant"), 'There is no policy "assistant" in namespace "team-b" that is served.'),
    (Hint("team-a", "assistant", "google"), 'The policy "assistant" has no provider "google".'),
    (Hint("team-a", "assistant", task="embed"), 'The policy "assistant" has no task "embed".'),
], ids=str)  # fmt: skip
async def test_what_is_not_there_is_told(cluster: Cluster, given: Hint, error: str) -> None:
    cluster.put(policy())
    await asyncio.sleep(10)
    assert hint(cluster, given) == Answer(404, {"error": error})


async def test_before_the_first_choice_nobody_is_active(cluster: Cluster) -> None:
    cluster.provider("openai").seconds = 5
    cluster.provider("backup").seconds = 5
    cluster.put(policy())
    await asyncio.sleep(0.5)
    assert hint(cluster).body == {"probing": [], "why": "no provider is active yet"}


async def test_a_policy_that_cannot_be_read_says_where_to_look(cluster: Cluster) -> None:
    cluster.put(policy(primary="nobody"))
    await asyncio.sleep(5)
    assert hint(cluster).body == {"probing": [], "why": "the policy is not served; its condition Ready says why"}


async def test_a_provider_that_is_neither_primary_nor_backup_is_not_probed(cluster: Cluster) -> None:
    cluster.put(policy("openai", "backup", "spare", backups=["backup"]))
    await asyncio.sleep(10)
    answer = hint(cluster, Hint("team-a", "assistant", "spare"))
    assert answer.body == {"probing": [], "why": "spare is not probed: it is neither the primary nor a backup"}
    assert asked(cluster, "spare") == 0


async def test_one_that_asked_to_be_left_alone_is_left_alone(cluster: Cluster) -> None:
    cluster.put(policy(healthCheck=QUICK))
    await asyncio.sleep(29)
    cluster.provider("openai").health_class = HealthClass.RATE_LIMITED
    await asyncio.sleep(2)
    about = Hint("team-a", "assistant", "openai")
    assert hint(cluster, about).body == {"probing": [], "why": "openai asked to be left alone for a while"}


async def test_a_hint_that_brings_no_probe_forward_is_not_counted_as_one_that_did(cluster: Cluster) -> None:
    cluster.put(policy(healthCheck=QUICK))
    await asyncio.sleep(10)
    for _ in range(50):
        hint(cluster)
    assert cluster.value("providerswitch_hints_total", source="consumer") == 1
