"""The routes between policies, targets and Secrets: who is probed for whom, and who has to think again."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from tests.controller.played_cluster import NAMESPACE, POLICY, STATUS, Cluster, played, policy

from providerswitch.api import meta
from providerswitch.api.health import HealthClass
from providerswitch.api.status import HealthState
from providerswitch.controller.registry import Registry
from providerswitch.kube.objects import ObjectKey

pytestmark = pytest.mark.looptime(start=0)

SECRET = f"/api/v1/namespaces/{NAMESPACE}/secrets/llm-keys"
AUTH = {"auth": {"secretKeyRef": {"name": "llm-keys", "key": "k"}}}


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    made = Cluster()
    made.start()
    yield made
    await made.stop()


def store_secret(cluster: Cluster, name: str = "llm-keys", value: str = "azE=", namespace: str = NAMESPACE) -> None:
    """Store a Secret as its base64 text, and let the watch tell of it."""
    path = f"/api/v1/namespaces/{namespace}/secrets/{name}"
    metadata = {"name": name, "namespace": namespace, "annotations": {meta.HOSTS_ANNOTATION: "openai.example"}}
    obj = cluster.api.store(path, {"metadata": metadata, "data": {"k": value}})
    cluster.operator.secrets.listener().changed({"metadata": dict(obj["metadata"])})


def keyed(name: str = POLICY, uid: str = "uid-of-policy") -> dict[str, object]:
    return policy(name=name, uid=uid, providers=[played("openai", **AUTH), played("backup")], primary="openai")


async def test_one_target_of_many_policies_is_probed_once_and_every_one_of_them_hears(cluster: Cluster) -> None:
    for number in range(20):
        cluster.put(policy(name=f"p{number}", uid=f"uid-{number}"))
    await asyncio.sleep(31)

    assert cluster.operator.scheduler.targets == 2
    assert len(cluster.provider("openai").asked) == 2
    entries = list(cluster.operator.registry)
    assert len(entries) == 20
    assert {entry.healths["openai"].state for entry in entries} == {HealthState.HEALTHY}


async def test_a_newcomer_learns_from_the_probes_of_others(cluster: Cluster) -> None:
    cluster.put(policy())
    await asyncio.sleep(15)
    asked = len(cluster.provider("openai").asked)
    cluster.put(policy(name="newcomer", uid="uid-2"))
    await asyncio.sleep(1)

    newcomer = cluster.entry("newcomer")
    assert newcomer
    assert newcomer.memory.active == "openai"
    assert len(cluster.provider("openai").asked) == asked


async def test_each_policy_judges_by_its_own_thresholds(cluster: Cluster) -> None:
    cluster.put(policy(healthCheck={"failureThreshold": 1}))
    cluster.put(policy(name="patient", uid="uid-2", healthCheck={"failureThreshold": 50}))
    await asyncio.sleep(1)
    cluster.provider("openai").health_class = HealthClass.SERVER_ERROR
    await asyncio.sleep(32)

    states = {entry.key.name: entry.healths["openai"].state for entry in cluster.operator.registry}
    assert states == {POLICY: HealthState.DOWN, "patient": HealthState.SUSPECT}


async def test_at_the_first_sign_of_trouble_the_others_are_asked_too(cluster: Cluster) -> None:
    cluster.provider("backup").seconds = 0.1
    cluster.put(policy("openai", "backup", healthCheck={"interval": "1h", "failureThreshold": 50}))
    cluster.put(policy("openai", name="quick", uid="uid-2", healthCheck={"interval": "10s", "failureThreshold": 50}))
    await asyncio.sleep(5)
    assert len(cluster.provider("backup").asked) == 1
    cluster.provider("openai").health_class = HealthClass.SERVER_ERROR
    await asyncio.sleep(6)

    assert [round(at) for at, _ in cluster.provider("backup").asked] == [0, 10]


async def test_another_key_is_another_target_and_a_new_acquaintance(cluster: Cluster) -> None:
    store_secret(cluster)
    cluster.put(keyed())
    await asyncio.sleep(1)
    entry = cluster.entry()
    assert entry
    before = entry.targets["openai"]
    assert entry.healths["openai"].state is HealthState.HEALTHY
    cluster.provider("openai").seconds = 5
    store_secret(cluster, value="azI=")
    await asyncio.sleep(1)

    assert entry.targets["openai"] != before
    assert entry.healths["openai"].state is HealthState.UNKNOWN
    assert entry.healths["backup"].state is HealthState.HEALTHY
    assert cluster.operator.scheduler.last(before) is None


async def test_a_changed_secret_wakes_those_who_use_it_and_nobody_else() -> None:
    woken: list[str] = []
    registry = Registry(lambda entry: woken.append(entry.key.name))
    for name in ("user", "other-user"):
        registry.put(keyed(name, f"uid-{name}"))
    registry.put(policy(name="stranger", uid="uid-stranger"))
    for entry in registry:
        entry.policy = entry.newest
        registry.use_secrets(entry)

    registry.secret_changed(ObjectKey(NAMESPACE, "llm-keys"))
    assert sorted(woken) == ["other-user", "user"]
    woken.clear()
    registry.secret_changed(ObjectKey("team-b", "llm-keys"))
    registry.secret_changed(ObjectKey(NAMESPACE, "other"))
    assert woken == []


async def test_a_secret_that_no_policy_uses_any_more_is_forgotten(cluster: Cluster) -> None:
    store_secret(cluster)
    cluster.put(keyed())
    cluster.put(policy(name="other", uid="uid-2"))
    await asyncio.sleep(1)
    assert cluster.operator.registry.secrets_in_use() == {ObjectKey(NAMESPACE, "llm-keys")}
    cluster.delete(keyed())
    assert cluster.operator.registry.secrets_in_use() == frozenset()


async def test_a_deleted_policy_leaves_nothing_behind(cluster: Cluster) -> None:
    store_secret(cluster)
    cluster.put(keyed())
    await asyncio.sleep(1)
    cluster.delete(keyed())
    await asyncio.sleep(0.1)

    registry = cluster.operator.registry
    assert (len(registry), registry._watchers, registry._secret_users) == (0, {}, {})
    assert cluster.operator.scheduler.targets == 0
    assert all(provider.closed for provider in cluster.providers.values())


async def test_a_policy_made_anew_under_its_old_name_starts_anew(cluster: Cluster) -> None:
    former = cluster.put(policy())
    await asyncio.sleep(1)
    entry = cluster.put(policy(uid="another"))

    assert entry is not former
    assert entry.memory.active is None
    await asyncio.sleep(1)
    assert entry.memory.active == "openai"
    whose = {"namespace": NAMESPACE, "policy": POLICY}
    counted = cluster.value("providerswitch_switches_total", **whose, trigger="Initial", outcome="Succeeded")
    assert counted is None, "what the former left published was taken over, and its counts were dropped"


async def test_our_own_status_updates_wake_nobody(cluster: Cluster) -> None:
    cluster.put(policy())
    await asyncio.sleep(1)
    echo = {**policy(), "status": cluster.status}
    echo["metadata"]["resourceVersion"] = "99"

    assert not cluster.operator.registry.put(echo)
    assert cluster.operator.registry.put(policy(generation=2))


async def test_a_spec_that_cannot_be_read_leaves_the_last_good_one_at_work(cluster: Cluster) -> None:
    entry = cluster.put(policy())
    await asyncio.sleep(1)
    bad = policy(generation=2, primary="nobody")
    assert cluster.operator.registry.put(bad)
    assert not cluster.operator.registry.put(bad), "the same mistake is no news"

    assert entry.policy
    assert entry.policy.spec.primary == "openai"
    assert entry.spec_problem
    cluster.operator.registry.put(policy(generation=3))
    assert entry.spec_problem is None


async def test_an_outcome_that_changes_nothing_wakes_nobody(cluster: Cluster) -> None:
    cluster.put(policy())
    await asyncio.sleep(5)
    before = cluster.value("providerswitch_reconciles_total") or 0
    await asyncio.sleep(3600)
    looks = (cluster.value("providerswitch_reconciles_total") or 0) - before
    assert 40 <= looks <= 60, "about once a minute, whatever the probes say"
    assert len(cluster.provider("openai").asked) > 100


async def test_a_freeze_concerns_every_policy(cluster: Cluster) -> None:
    cluster.put(policy("a", "b"))
    cluster.put(policy("c", name="other", uid="uid-2"))
    await asyncio.sleep(5)
    for name in "abc":
        cluster.provider(name).health_class = HealthClass.CONNECT_REFUSED
    await asyncio.sleep(120)

    assert cluster.value("providerswitch_frozen") == 1
    reasons = {entry.status.reason for entry in cluster.operator.registry}
    assert reasons == {"Frozen"}
    assert cluster.published == "a"


async def test_a_freeze_ends_for_the_others_when_the_policy_it_rests_on_goes(cluster: Cluster) -> None:
    cluster.put(policy("a"))
    cluster.put(policy("b", name="other", uid="uid-2"))
    await asyncio.sleep(5)
    for name in "ab":
        cluster.provider(name).health_class = HealthClass.CONNECT_REFUSED
    await asyncio.sleep(30)
    assert cluster.value("providerswitch_frozen") == 1
    cluster.delete(policy("a"))
    await asyncio.sleep(0.1)

    assert cluster.value("providerswitch_frozen") == 0
    other = cluster.entry("other")
    assert other
    assert other.status.reason != "Frozen"


async def test_a_silent_host_stays_so_while_another_target_on_it_is_probed(cluster: Cluster) -> None:
    twice = [played("a"), played("again", baseURL="http://a.example/v1", headers={"X": "1"}), played("b")]
    cluster.put(policy(providers=twice, primary="a"))
    await asyncio.sleep(5)
    for name in "ab":
        cluster.provider(name).health_class = HealthClass.CONNECT_REFUSED
    await asyncio.sleep(30)
    assert cluster.value("providerswitch_frozen") == 1
    cluster.put(policy(providers=[twice[0], twice[2]], primary="a", generation=2))
    await asyncio.sleep(0.1)

    assert cluster.operator.scheduler.targets == 2
    assert cluster.operator.registry.networks.any_frozen


async def test_a_lasting_rate_limit_is_reported_once_and_not_at_every_probe(cluster: Cluster) -> None:
    cluster.put(policy())
    await asyncio.sleep(5)
    limited = cluster.provider("openai")
    limited.health_class, limited.retry_after = HealthClass.RATE_LIMITED, timedelta(seconds=1)
    await asyncio.sleep(60)
    assert cluster.status["activeProvider"] == "backup"
    before = len(cluster.api.times("PATCH", STATUS))
    await asyncio.sleep(600)
    assert len(limited.asked) > 500
    assert len(cluster.api.times("PATCH", STATUS)) <= before + 2, "for a threshold, and for measured values"


async def test_a_key_that_was_missing_for_a_while_makes_no_new_acquaintance(cluster: Cluster) -> None:
    store_secret(cluster)
    cluster.put(keyed())
    await asyncio.sleep(5)
    cluster.provider("openai").health_class = HealthClass.SERVER_ERROR
    await asyncio.sleep(60)
    until = cluster.status["providers"][0]["blacklistedUntil"]
    cluster.provider("openai").health_class = HealthClass.HEALTHY
    gone = cluster.api.objects.pop(SECRET)
    cluster.operator.secrets.listener().deleted({"metadata": {**gone["metadata"], "resourceVersion": "998"}})
    await asyncio.sleep(2)
    store_secret(cluster)
    await asyncio.sleep(30)
    assert cluster.status["activeProvider"] == "backup"
    assert cluster.status["providers"][0]["blacklistedUntil"] == until


async def test_an_edited_failure_domain_counts_at_once_and_keeps_what_is_known(cluster: Cluster) -> None:
    cluster.put(policy("openai", "backup"))
    await asyncio.sleep(5)
    for name in ("openai", "backup"):
        cluster.provider(name).health_class = HealthClass.CONNECT_REFUSED
    await asyncio.sleep(60)
    assert cluster.value("providerswitch_frozen") == 1
    providers = [played(name, failureDomain="gateway") for name in ("openai", "backup")]
    cluster.put(policy(providers=providers, primary="openai", generation=2))
    await asyncio.sleep(60)
    assert cluster.value("providerswitch_frozen") == 0, "two hosts on one domain are no two witnesses"
    assert cluster.operator.registry.hosts() == {"gateway"}
    assert cluster.status["activeProvider"] == "openai"
