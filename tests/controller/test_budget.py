"""The budget of billed requests, in virtual time: what it ends, what goes on, and when there is room again."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.controller.played_cluster import KEY, NAMESPACE, POLICY, Cluster, played, policy
from tests.controller.what_users_see import restart
from tests.support.policies import AT_ONCE, Manifest, build_policy
from tests.support.virtual_time import PlayedProvider, elapsed, loop_clock

from providerswitch.api.health import HealthClass
from providerswitch.core.outcome import Outcome, Tier, Usage

pytestmark = pytest.mark.looptime(start=0)

DAY = 86_400
LATE = DAY - 7200
"""Two hours before midnight."""
WHOSE = {"namespace": NAMESPACE, "policy": POLICY}
PRICE = {"inputPerMillionTokens": 25_000, "outputPerMillionTokens": 25_000}
"""An answer of 20 + 16 tokens, which is what one that tells no usage counts, costs 0.90."""


class Billing(PlayedProvider):
    """A provider that tells what it bills, and that may fail in generation alone."""

    usage: Usage | None = None
    generates = True

    async def probe(self, tier: Tier, deadline: timedelta) -> Outcome:
        found = await super().probe(tier, deadline)
        if tier is Tier.LIVENESS:
            return found
        kind = found.health_class if self.generates else HealthClass.SERVER_ERROR
        return replace(found, usage=self.usage, health_class=kind)


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    made = Cluster()
    made.start()
    yield made
    await made.stop()


def check(interval: str = "30s", generation: str | None = "10m", **budget: float) -> Manifest:
    billed = {"generation": {"interval": generation}} if generation else {}
    return {"interval": interval, **billed, **({"budget": budget} if budget else {})}


def asked(cluster: Cluster, tier: Tier, *names: str) -> list[float]:
    """Return when providers were asked so deeply."""
    return sorted(at for name in names for at, each in cluster.provider(name).asked if each is tier)


def billed(cluster: Cluster, *names: str) -> list[float]:
    return asked(cluster, Tier.GENERATION, *(names or ("openai", "backup")))


def condition(cluster: Cluster, kind: str) -> dict[str, Any]:
    found = (each for each in cluster.status["conditions"] if each["type"] == kind)
    return dict(next(found, {}))


def answer(cluster: Cluster, name: str, **fields: Any) -> Billing:
    made = Billing(loop_clock)
    for field, value in fields.items():
        setattr(made, field, value)
    cluster.providers[name] = made
    return made


async def test_when_the_requests_of_a_day_are_made_only_unbilled_probes_go_on(cluster: Cluster) -> None:
    cluster.put(policy(healthCheck=check(probesPerDay=4)))
    await asyncio.sleep(3600)

    assert len(billed(cluster)) == 4
    last = billed(cluster)[-1]
    later = [at for at in asked(cluster, Tier.LIVENESS, "openai") if at > last]
    assert len(later) == pytest.approx((3600 - last) / 30, abs=2)
    assert cluster.status["budget"] == {"day": "2026-01-01", "probes": 4, "cost": 0.0}


async def test_users_are_told_once_that_the_budget_is_used_up_and_what_to_do(cluster: Cluster) -> None:
    cluster.put(policy(healthCheck=check(probesPerDay=4)))
    await asyncio.sleep(300)
    room = condition(cluster, "BudgetExhausted")
    assert (room["status"], room["reason"]) == ("False", "WithinBudget")
    await asyncio.sleep(billed(cluster)[0] + 601 - elapsed())

    told = condition(cluster, "BudgetExhausted")
    assert (told["status"], told["reason"]) == ("True", "BudgetExhausted")
    assert (
        "4 billed requests of 4 (probesPerDay). Until 2026-01-02 00:00 UTC only unbilled checks go on"
        in (told["message"])
    )
    assert "Raise spec.healthCheck.budget" in told["message"]
    await asyncio.sleep(7200)
    assert cluster.api.events().count("BudgetExhausted") == 1
    assert condition(cluster, "Ready")["status"] == "True"
    assert cluster.value("providerswitch_policy_budget_probes", **WHOSE) == 4


async def test_a_policy_without_a_budget_has_no_such_condition_and_no_end(cluster: Cluster) -> None:
    cluster.put(policy(healthCheck=check()))
    await asyncio.sleep(3600)

    assert len(billed(cluster)) == 12
    assert condition(cluster, "BudgetExhausted") == {}
    assert "budget" not in cluster.status


async def test_money_runs_out_by_the_price_of_the_request_that_reaches_the_limit(cluster: Cluster) -> None:
    priced = [played("openai", cost=PRICE), played("backup")]
    cluster.put(policy(providers=priced, healthCheck=check(costPerDay=2)))
    await asyncio.sleep(3600)

    assert len(billed(cluster, "openai")) == 3
    assert cluster.status["budget"]["cost"] == pytest.approx(2.7)
    assert cluster.value("providerswitch_policy_budget_cost", **WHOSE) == pytest.approx(2.7)
    assert "2.7 of 2 spent (costPerDay)" in condition(cluster, "BudgetExhausted")["message"]


async def test_requests_under_way_when_the_budget_runs_out_are_counted_and_are_the_last(cluster: Cluster) -> None:
    names = ("a", "b", "c", "d")
    cluster.put(policy(*names, healthCheck=check(probesPerDay=2)))
    await asyncio.sleep(3600)

    assert len(billed(cluster, *names)) == 4
    assert cluster.status["budget"]["probes"] == 4


async def test_what_an_answer_says_it_cost_is_believed(cluster: Cluster) -> None:
    answer(cluster, "openai", usage=Usage(1000, 200))
    costly = {"inputPerMillionTokens": 100, "outputPerMillionTokens": 1000}
    cluster.put(policy(providers=[played("openai", cost=costly)], healthCheck=check(costPerDay=100)))
    await asyncio.sleep(700)

    assert (cluster.status["budget"]["probes"], cluster.status["budget"]["cost"]) == (2, pytest.approx(0.6))


async def test_requests_to_a_provider_of_unknown_price_never_use_up_money(cluster: Cluster) -> None:
    cluster.put(policy(healthCheck=check(costPerDay=0.000001)))
    await asyncio.sleep(3600)
    assert len(billed(cluster)) == 12


async def test_a_budget_of_nothing_allows_no_billed_request(cluster: Cluster) -> None:
    cluster.put(policy(healthCheck=check(probesPerDay=0)))
    await asyncio.sleep(3600)

    assert billed(cluster) == []
    assert condition(cluster, "BudgetExhausted")["status"] == "True"
    assert cluster.published == "openai"


@pytest.mark.looptime(start=LATE)
async def test_a_new_day_in_utc_brings_a_new_budget(cluster: Cluster) -> None:
    cluster.put(policy(healthCheck=check(probesPerDay=4)))
    await asyncio.sleep(DAY - 60 - elapsed())
    assert len(billed(cluster)) == 4
    assert condition(cluster, "BudgetExhausted")["status"] == "True"
    await asyncio.sleep(60 + 180)

    tomorrow = [at for at in billed(cluster) if at >= DAY]
    assert len(tomorrow) == 2
    assert condition(cluster, "BudgetExhausted")["status"] == "False"
    assert (cluster.status["budget"]["day"], cluster.status["budget"]["probes"]) == ("2026-01-02", 0)
    await asyncio.sleep(3600)
    assert len([at for at in billed(cluster) if at >= DAY]) == 4
    assert cluster.api.events().count("BudgetExhausted") == 2


@pytest.mark.looptime(start=LATE)
async def test_what_was_used_up_yesterday_is_not_shown_as_todays(cluster: Cluster) -> None:
    cluster.put(policy(healthCheck=check(probesPerDay=4)))
    await asyncio.sleep(3600)
    cluster.put(policy(generation=2, healthCheck=check(generation=None, probesPerDay=4)))
    await asyncio.sleep(DAY + 600 - elapsed())

    assert cluster.status["budget"] == {"day": "2026-01-02", "probes": 0, "cost": 0.0}
    assert cluster.value("providerswitch_policy_budget_probes", **WHOSE) == 0


async def test_a_restart_brings_no_second_budget(cluster: Cluster) -> None:
    obj = policy(healthCheck=check(probesPerDay=4))
    cluster.put(obj)
    await asyncio.sleep(3600)
    since = condition(cluster, "BudgetExhausted")["lastTransitionTime"]
    heir = await restart(cluster, obj)
    await asyncio.sleep(3600)

    assert len(billed(heir)) == 4
    assert condition(heir, "BudgetExhausted")["lastTransitionTime"] == since
    assert heir.api.events().count("BudgetExhausted") == 1
    await heir.stop()


async def test_more_budget_has_billed_probes_made_again_at_once(cluster: Cluster) -> None:
    cluster.put(policy(healthCheck=check(probesPerDay=2)))
    await asyncio.sleep(1800)
    assert len(billed(cluster)) == 2
    cluster.put(policy(generation=2, healthCheck=check(probesPerDay=6)))
    await asyncio.sleep(60)

    assert len(billed(cluster)) == 4
    assert condition(cluster, "BudgetExhausted")["status"] == "False"


@pytest.mark.looptime(start=LATE)
async def test_what_fails_in_generation_alone_stays_down_while_nobody_can_pay_to_see_it_well(cluster: Cluster) -> None:
    openai = answer(cluster, "openai", generates=False)
    failover = {**AT_ONCE, "blacklistDuration": "60s"}
    cluster.put(policy(healthCheck=check("30s", "1h", probesPerDay=4), failover=failover))
    await asyncio.sleep(3600)
    assert condition(cluster, "BudgetExhausted")["status"] == "True"
    openai.generates = True
    await asyncio.sleep(3000)

    assert cluster.published == "backup"
    assert {each["name"]: each["state"] for each in cluster.status["providers"]}["openai"] == "Down"
    assert len(asked(cluster, Tier.LIVENESS, "openai")) > 100
    await asyncio.sleep(DAY - elapsed() + 600)
    assert cluster.published == "openai"


async def test_policies_that_share_a_target_each_pay_until_their_own_budget_is_used_up(cluster: Cluster) -> None:
    cluster.put(policy(healthCheck=check(probesPerDay=2)))
    cluster.put(policy(name="rich", uid="uid-of-rich", healthCheck=check(probesPerDay=100)))
    cluster.put(policy(name="free", uid="uid-of-free", healthCheck=check(generation=None, probesPerDay=100)))
    await asyncio.sleep(3600)

    spent = {name: entry.memory.spending for name in (POLICY, "rich", "free") if (entry := cluster.entry(name))}
    assert [each.probes if each else 0 for each in spent.values()] == [2, 12, 0]
    assert len(billed(cluster)) == 12
    assert condition(cluster, "BudgetExhausted")["status"] == "True"


async def test_a_neighbour_that_asks_more_often_does_not_use_up_my_budget(cluster: Cluster) -> None:
    cluster.put(policy(healthCheck=check(probesPerDay=100)))
    cluster.put(policy(name="eager", uid="uid-of-eager", healthCheck=check(generation="30s")))
    await asyncio.sleep(3600)

    assert len(billed(cluster)) > 200
    assert cluster.status["budget"]["probes"] == 12
    assert condition(cluster, "BudgetExhausted")["status"] == "False"


async def test_two_names_on_one_target_pay_for_its_request_once(cluster: Cluster) -> None:
    shared = {"baseURL": "http://same.example/v1"}
    cluster.put(policy(providers=[played("openai", **shared), played("backup", **shared)],
                       healthCheck=check(probesPerDay=100)))  # fmt: skip
    await asyncio.sleep(3600)

    assert cluster.status["budget"]["probes"] == len(billed(cluster, "same")) == 6


async def test_a_billed_probe_that_was_made_a_little_early_is_paid(cluster: Cluster) -> None:
    cluster.put(policy(healthCheck=check(probesPerDay=100)))
    await asyncio.sleep(300)
    entry = cluster.entry()
    assert entry
    first = max(billed(cluster))
    await asyncio.sleep(first + 590 - elapsed())
    for target in entry.targets.values():
        cluster.operator.scheduler.hasten(target)
    await asyncio.sleep(300)

    assert len([at for at in billed(cluster) if at < first + 600]) == 4
    assert cluster.status["budget"]["probes"] == 4


async def test_a_provider_that_another_policy_pays_to_see_fail_is_down_for_both(cluster: Cluster) -> None:
    answer(cluster, "openai", generates=False)
    cluster.put(policy(healthCheck=check(probesPerDay=0)))
    cluster.put(policy(name="rich", uid="uid-of-rich", healthCheck=check()))
    await asyncio.sleep(300)

    assert cluster.published == "backup"
    assert cluster.status["budget"]["probes"] == 0


async def test_a_policy_that_goes_leaves_no_billed_probes(cluster: Cluster) -> None:
    obj = build_policy(POLICY, NAMESPACE, played("openai"), healthCheck=check())
    obj["metadata"].update({"uid": "uid-of-policy", "generation": 1, "resourceVersion": "1"})
    cluster.put(obj)
    await asyncio.sleep(700)
    made = len(billed(cluster))
    cluster.delete(obj)
    await asyncio.sleep(3600)

    assert made == 2
    assert len(billed(cluster)) == made
    assert cluster.operator.registry.get(KEY) is None
    assert cluster.value("providerswitch_policy_budget_probes", **WHOSE) is None
