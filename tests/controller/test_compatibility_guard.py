"""The compatibility guard as users see it: who cannot stand in is told, never chosen, and never offered."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.controller.played_cluster import NAMESPACE, Cluster, played
from tests.controller.what_users_see import condition, counted, document, notes, of, provider, restart, switches
from tests.support.policies import AT_ONCE, build_provider

from providerswitch.api.health import HealthClass
from providerswitch.kube.client import Object

pytestmark = pytest.mark.looptime(start=0)

RULES = {"healthCheck": {"interval": "10s"}, "failover": {**AT_ONCE, "blacklistDuration": "1h"}}
SMALL = {"space": "small", "dimensions": 1536}
EMBEDS = {"capabilities": ["embeddings"]}


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    made = Cluster()
    made.start()
    yield made
    await made.stop()


def wanted(first: Object, second: Object, generation: int = 1, **spec: Any) -> Object:
    """Return a policy over two providers."""
    return of(first, second, generation=generation, **{**RULES, **spec})


def needing(**requirements: Any) -> dict[str, Any]:
    """Return rules that require something of every provider."""
    return {"selection": {"requirements": requirements}}


MISFITS = {
    "another embedding space": (
        played("openai", embedding=SMALL, **EMBEDS),
        played("backup", embedding={"space": "large", "dimensions": 1536}, **EMBEDS),
        {},
        'its embedding space is "large", not "small"',
    ),
    "another length of vectors": (
        played("openai", embedding=SMALL, **EMBEDS),
        played("backup", embedding={"space": "small", "dimensions": 512}, **EMBEDS),
        {},
        "its vectors are of 512 dimensions, not of 1536",
    ),
    "another embedding model": (
        played("openai", model="text-embedding-3-small", **EMBEDS),
        played("backup", model="text-embedding-3-large", **EMBEDS),
        {},
        'its embedding space is "text-embedding-3-large", not "text-embedding-3-small"',
    ),
    "another kind of model": (
        played("openai", capabilities=["chat"]),
        played("backup", **EMBEDS),
        {},
        "it cannot do chat, which is needed",
    ),
    "a missing capability": (
        played("openai", capabilities=["chat", "tools"]),
        played("backup", capabilities=["chat"]),
        needing(capabilities=["tools"]),
        "it cannot do tools, which is needed",
    ),
    "a small context window": (
        played("openai", contextWindow=128_000),
        played("backup", contextWindow=8_000),
        needing(minContextWindow=100_000),
        "its context window of 8000 tokens is too small; 100000 are required",
    ),
    "an unknown context window": (
        played("openai", contextWindow=128_000),
        played("backup"),
        needing(minContextWindow=100_000),
        "its contextWindow is not set; 100000 are required",
    ),
    "another region": (
        played("openai", region="eu"),
        played("backup", region="us"),
        needing(regions=["eu"]),
        'its region is "us"; allowed: eu',
    ),
    "a weaker model": (
        played("openai", quality=0.9),
        played("backup", quality=0.6),
        needing(minQuality=0.8),
        "its quality is 0.60; at least 0.80 is required",
    ),
    "another wire protocol": (
        played("openai"),
        build_provider("backup", "anthropic", baseURL="http://backup.example"),
        {"protocol": "native"},
        "it speaks the protocol anthropic, consumers speak openai",
    ),
}


@pytest.mark.parametrize(("primary", "backup", "rules", "why"), MISFITS.values(), ids=MISFITS)
async def test_a_provider_that_cannot_stand_in_is_told_and_never_takes_over(
    primary: Object, backup: Object, rules: dict[str, Any], why: str, cluster: Cluster
) -> None:
    cluster.put(wanted(primary, backup, **rules))
    await asyncio.sleep(35)
    told = provider(cluster, "backup")
    assert (told["state"], told["eligible"]) == ("Healthy", False)
    assert why in told["why"]
    assert "rank" not in told
    assert document(cluster)["fallbacks"] == []
    assert counted(cluster, "provider_eligible", provider="backup") == 0
    ready = condition(cluster, "Ready")
    assert ready["status"] == "True"
    assert f'no backup may ever take over (redundancy 0): "backup": unsuitable: {why}' in ready["message"]
    assert cluster.status["resilience"]["redundancy"] == 0
    published = document(cluster)

    cluster.provider("openai").health_class = HealthClass.SERVER_ERROR
    await asyncio.sleep(600)
    assert cluster.published == "openai"
    assert document(cluster) == published
    assert switches(cluster) == [(None, "openai", "Initial")]
    ready = condition(cluster, "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "NoHealthyProvider")
    assert why in ready["message"]


async def test_one_that_fits_is_found_behind_one_that_does_not(cluster: Cluster) -> None:
    listed = (played("openai", region="eu"), played("faraway", region="us"), played("near", region="eu"))
    cluster.put(of(*listed, **RULES, **needing(regions=["eu"])))
    await asyncio.sleep(35)
    assert [each["name"] for each in document(cluster)["fallbacks"]] == ["near"]
    assert "redundancy 0" not in condition(cluster, "Ready")["message"]
    assert cluster.status["resilience"]["redundancy"] == 1
    cluster.provider("openai").health_class = HealthClass.SERVER_ERROR
    await asyncio.sleep(15)

    assert cluster.published == "near"
    rejected = {each["provider"]: each["why"] for each in cluster.status["history"][0]["rejected"]}
    assert rejected["faraway"] == 'unsuitable: its region is "us"; allowed: eu'
    assert 'its region is "us"' in notes(cluster, "FailedOver")[0]


async def test_a_requirement_that_the_active_provider_fails_moves_consumers_at_once(cluster: Cluster) -> None:
    listed = (played("openai", region="us"), played("near", region="eu"))
    cluster.put(wanted(*listed))
    await asyncio.sleep(35)
    assert cluster.published == "openai"
    cluster.put(wanted(*listed, generation=2, **needing(regions=["eu"])))
    await asyncio.sleep(1)

    assert cluster.published == "near"
    assert switches(cluster)[-1] == ("openai", "near", "SpecChange")
    assert cluster.status["history"][0]["reason"] == '"openai": unsuitable: its region is "us"; allowed: eu'
    assert document(cluster)["fallbacks"] == []


async def test_a_primary_that_does_not_fit_is_not_even_the_first_choice(cluster: Cluster) -> None:
    cluster.put(wanted(played("openai", region="us"), played("near", region="eu"), **needing(regions=["eu"])))
    await asyncio.sleep(15)

    assert switches(cluster) == [(None, "near", "Initial")]
    assert condition(cluster, "FailedOver")["status"] == "True"


async def test_a_wish_for_one_that_does_not_fit_is_refused_with_the_reason(cluster: Cluster) -> None:
    listed = (played("openai", region="eu"), played("faraway", region="us"))
    cluster.put(wanted(*listed, **needing(regions=["eu"])))
    await asyncio.sleep(35)
    cluster.put(wanted(*listed, generation=2, primary="faraway", **needing(regions=["eu"])))
    await asyncio.sleep(60)

    assert cluster.published == "openai"
    (note,) = notes(cluster, "SwitchRefused")
    assert 'its region is "us"; allowed: eu' in note


@pytest.mark.parametrize("strategy", ["Performance", "Cost", "Weighted", "RoundRobin"])
async def test_no_strategy_chooses_one_that_does_not_fit(strategy: str, cluster: Cluster) -> None:
    cheap = {"inputPerMillionTokens": 0.01}
    listed = (
        played("openai", region="eu", weight=1, cost={"inputPerMillionTokens": 10.0}),
        played("faraway", region="us", weight=100, cost=cheap),
        played("near", region="eu", weight=1, cost={"inputPerMillionTokens": 9.0}),
    )
    cluster.provider("openai").seconds = cluster.provider("near").seconds = 3.0
    selection = {"strategy": strategy, "rotationPeriod": "1m", "requirements": {"regions": ["eu"]}}
    seen: set[str | None] = set()
    cluster.put(of(*listed, **RULES, selection=selection))
    for _ in range(60):
        await asyncio.sleep(10)
        seen.add(cluster.published)
        assert "faraway" not in document(cluster).get("weights", {})

    assert "faraway" not in seen
    assert (
        cluster.value("providerswitch_provider_rank", namespace=NAMESPACE, policy="assistant", provider="faraway")
        is None
    )


async def test_a_window_of_the_schedule_for_one_that_does_not_fit_moves_nobody(cluster: Cluster) -> None:
    always = {"name": "always", "cron": "* * * * *", "duration": "1h", "primary": "faraway"}
    listed = (played("openai", region="eu"), played("faraway", region="us"))
    cluster.put(wanted(*listed, schedule=[always], **needing(regions=["eu"])))
    await asyncio.sleep(600)

    assert cluster.published == "openai"
    assert "faraway" in condition(cluster, "FailedOver")["message"]


async def test_a_restart_does_not_forget_who_does_not_fit(cluster: Cluster) -> None:
    listed = (played("openai", region="eu"), played("faraway", region="us"))
    obj = wanted(*listed, **needing(regions=["eu"]))
    cluster.put(obj)
    await asyncio.sleep(35)
    cluster.provider("openai").health_class = HealthClass.SERVER_ERROR
    successor = await restart(cluster, obj)
    await asyncio.sleep(300)

    assert successor.published == "openai"
    assert provider(successor, "faraway")["eligible"] is False
    await successor.stop()
