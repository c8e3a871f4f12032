"""What is asked besides the probes, in virtual time: golden prompts, status pages, a metrics source."""

import asyncio
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from tests.controller.played_cluster import KEY, NAMESPACE, POLICY, Cluster, PlayedSources, played, policy
from tests.controller.what_users_see import restart
from tests.support.policies import AT_ONCE, Manifest
from tests.support.virtual_time import elapsed, loop_clock

from providerswitch.api.health import HealthClass
from providerswitch.api.selection import PrometheusSource
from providerswitch.core.metrics_source import SourceValues
from providerswitch.core.outcome import Usage
from providerswitch.probes.golden_answer import Asked
from providerswitch.probes.status_page import Indicator, PageStatus

pytestmark = pytest.mark.looptime(start=0)

DAY = 86_400
WHOSE = {"namespace": NAMESPACE, "policy": POLICY}
PAGE = "https://status.example"
TROUBLE = PageStatus(Indicator.MAJOR, "Partial System Outage")
CHECKS: Manifest = {"prompts": [{"prompt": "What is the capital of France?", "expect": {"contains": "Paris"}}]}
BY_ACCURACY: Manifest = {
    "strategy": "Performance",
    "minSamples": 1,
    "weights": {"latency": 0, "accuracy": 1, "cost": 0, "availability": 0},
}
BY_SPEED: Manifest = {
    "strategy": "Performance",
    "minSamples": 1,
    "weights": {"latency": 1, "accuracy": 0, "cost": 0, "availability": 0},
}
SOURCE: Manifest = {"prometheus": {"url": "http://prometheus.example:9090", "queries": {"responseTime": "seconds"}}}


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    made = Cluster()
    made.start()
    yield made
    await made.stop()


def condition(cluster: Cluster, kind: str) -> tuple[str, str]:
    found = next(each for each in cluster.status["conditions"] if each["type"] == kind)
    return found["status"], found["reason"]


def told(cluster: Cluster, name: str) -> dict[str, Any]:
    return dict(next(each for each in cluster.status["providers"] if each["name"] == name))


def newest(cluster: Cluster) -> tuple[str, str]:
    last = cluster.status["history"][0]
    return last["trigger"], last["to"]


def questioned(cluster: Cluster) -> set[str]:
    """Return the hosts that golden prompts are asked of."""
    return {target.host.removesuffix(".example") for target in cluster.quality.wanted[KEY]}


async def answers(cluster: Cluster, name: str, *verdicts: bool | None, usage: Usage | None = None) -> None:
    """Let a provider answer golden prompts, each the checks that are wanted now."""
    (target, checks), *_ = [
        (target, checks) for target, checks in cluster.quality.wanted[KEY].items() if target.host == f"{name}.example"
    ]
    for passed in verdicts:
        cluster.operator.on_answer(target, checks, Asked(passed, "", usage))
    await asyncio.sleep(0.1)


async def test_golden_prompts_are_asked_of_every_provider_that_has_its_key(cluster: Cluster) -> None:
    locked = played("locked", auth={"secretKeyRef": {"name": "missing", "key": "k"}})
    cluster.put(policy(providers=[played("openai"), played("backup"), locked], qualityChecks=CHECKS))
    await asyncio.sleep(1)
    assert questioned(cluster) == {"openai", "backup"}


async def test_without_quality_checks_nobody_is_asked(cluster: Cluster) -> None:
    cluster.put(policy())
    await asyncio.sleep(1)
    assert questioned(cluster) == set()


async def test_a_provider_that_answers_nonsense_loses_under_performance(cluster: Cluster) -> None:
    listed = [played("openai", quality=0.9), played("backup", quality=0.7)]
    cluster.put(policy(providers=listed, qualityChecks=CHECKS, selection=BY_ACCURACY, failover=AT_ONCE))
    await asyncio.sleep(60)
    assert cluster.published == "openai"
    await answers(cluster, "openai", *[False] * 5)
    await answers(cluster, "backup", *[True] * 5)
    assert cluster.published == "backup"
    await asyncio.sleep(600)

    assert cluster.published == "backup"
    assert newest(cluster) == ("Performance", "backup")
    assert (told(cluster, "openai")["quality"], told(cluster, "backup")["quality"]) == (0.45, 0.85)
    assert told(cluster, "openai")["qualityConfidence"] == 0.5
    assert told(cluster, "backup")["scoreParts"]["accuracy"] == 0.85
    assert told(cluster, "openai")["state"] == "Healthy"
    assert cluster.value("providerswitch_provider_quality_ratio", **WHOSE, provider="openai") == 0.45


@pytest.mark.parametrize(("leaves", "served"), [(True, "backup"), (False, "openai")])
async def test_quality_below_its_threshold_degrades_a_provider(leaves: bool, served: str, cluster: Cluster) -> None:  # noqa: FBT001  # a parameter of the test
    selection = {"thresholds": {"quality": 0.6}, "switchOnDegradation": leaves}
    listed = [played("openai", quality=0.9), played("backup", quality=0.7)]
    cluster.put(policy(providers=listed, qualityChecks=CHECKS, selection=selection, failover=AT_ONCE))
    await asyncio.sleep(300)
    await answers(cluster, "openai", *[False] * 5)

    assert cluster.published == served
    assert told(cluster, "openai")["degraded"] == "quality 0.45 is under 0.6"
    assert condition(cluster, "Degraded")[0] == ("False" if leaves else "True")
    assert newest(cluster) == (("Degradation", "backup") if leaves else ("Initial", "openai"))
    assert "ProviderDegraded" in cluster.api.events()
    await answers(cluster, "openai", *[True] * 20)
    assert cluster.published == "openai"
    assert condition(cluster, "Degraded") == ("False", "WithinThresholds")


async def test_answers_that_could_not_be_had_say_nothing_of_quality(cluster: Cluster) -> None:
    cluster.put(policy(providers=[played("openai", quality=0.9), played("backup")], qualityChecks=CHECKS))
    await asyncio.sleep(1)
    await answers(cluster, "openai", *[None] * 20)
    await asyncio.sleep(600)

    assert told(cluster, "openai")["quality"] == 0.9
    assert "qualityConfidence" not in told(cluster, "openai")
    answered = {"type": "openai-compatible", "host": "openai.example"}
    assert cluster.value("providerswitch_quality_checks_total", **answered, verdict="none") == 20


async def test_other_prompts_begin_with_a_clean_slate(cluster: Cluster) -> None:
    cluster.put(policy(providers=[played("openai", quality=0.9)], qualityChecks=CHECKS))
    await asyncio.sleep(1)
    await answers(cluster, "openai", *[False] * 20)
    await asyncio.sleep(600)
    assert told(cluster, "openai")["quality"] == 0.18
    other = {"prompts": [{"prompt": "What is the capital of Italy?", "expect": {"contains": "Rome"}}]}
    cluster.put(policy(generation=2, providers=[played("openai", quality=0.9)], qualityChecks=other))
    await asyncio.sleep(1)

    assert told(cluster, "openai")["quality"] == 0.9


async def test_a_restart_does_not_bring_nonsense_back(cluster: Cluster) -> None:
    listed = [played("openai", quality=0.9), played("backup", quality=0.7)]
    common: Manifest = {"providers": listed, "selection": BY_ACCURACY, "failover": AT_ONCE}
    obj = policy(**common, qualityChecks=CHECKS)
    cluster.put(obj)
    await asyncio.sleep(60)
    await answers(cluster, "openai", *[False] * 20)
    await answers(cluster, "backup", *[True] * 20)
    await asyncio.sleep(600)
    heir = await restart(cluster, obj)
    await asyncio.sleep(600)

    assert heir.published == "backup"
    assert (told(heir, "openai")["quality"], told(heir, "openai")["qualityConfidence"]) == (0.18, 0.8)
    await answers(heir, "openai", *[True] * 50)
    await asyncio.sleep(600)
    assert told(heir, "openai")["quality"] > 0.9
    await heir.stop()


async def test_verdicts_on_prompts_that_were_changed_during_a_restart_are_forgotten(cluster: Cluster) -> None:
    listed = [played("openai", quality=0.9), played("backup", quality=0.7)]
    cluster.put(policy(providers=listed, qualityChecks=CHECKS))
    await asyncio.sleep(60)
    await answers(cluster, "openai", *[False] * 20)
    await asyncio.sleep(600)
    other: Manifest = {"prompts": [{"prompt": "What is the capital of Italy?", "expect": {"contains": "Rome"}}]}
    heir = await restart(cluster, policy(generation=2, providers=listed, qualityChecks=other))
    await asyncio.sleep(600)
    assert told(heir, "openai")["quality"] == 0.9
    await heir.stop()


@pytest.mark.looptime(start=DAY - 1800)
async def test_golden_prompts_are_paid_from_the_budget_and_end_with_it(cluster: Cluster) -> None:
    costly = played("openai", cost={"inputPerMillionTokens": 1000, "outputPerMillionTokens": 1000})
    check = {"budget": {"costPerDay": 1}}
    cluster.put(policy(providers=[costly, played("backup")], qualityChecks=CHECKS, healthCheck=check))
    await asyncio.sleep(1)
    await answers(cluster, "openai", True, usage=Usage(400, 100))
    assert questioned(cluster) == {"openai", "backup"}
    await answers(cluster, "openai", True, usage=Usage(400, 100))

    assert questioned(cluster) == set()
    assert condition(cluster, "BudgetExhausted") == ("True", "BudgetExhausted")
    assert cluster.status["budget"]["cost"] == pytest.approx(1)
    await asyncio.sleep(DAY - elapsed() + 61)
    assert questioned(cluster) == {"openai", "backup"}


async def test_prompts_that_were_not_asked_cost_nothing(cluster: Cluster) -> None:
    cluster.put(policy(qualityChecks=CHECKS, healthCheck={"budget": {"probesPerDay": 2}}))
    await asyncio.sleep(1)
    await answers(cluster, "openai", None, None, None)
    assert questioned(cluster) == {"openai", "backup"}
    assert condition(cluster, "BudgetExhausted")[0] == "False"


async def test_mistaken_quality_checks_are_told_and_not_asked(cluster: Cluster) -> None:
    mistaken = {"prompts": [{"prompt": "Hello", "expect": {"regex": "("}}]}
    cluster.put(policy(qualityChecks=mistaken))
    await asyncio.sleep(1)
    assert condition(cluster, "Ready") == ("False", "QualityChecksInvalid")
    assert questioned(cluster) == set()
    assert cluster.published == "openai"
    cluster.put(policy(generation=2, qualityChecks=CHECKS))
    await asyncio.sleep(1)

    assert condition(cluster, "Ready")[0] == "True"
    assert questioned(cluster) == {"openai", "backup"}


async def test_a_policy_that_goes_has_nothing_asked_any_more(cluster: Cluster) -> None:
    obj = policy(
        providers=[played("openai", statusPage=PAGE)], qualityChecks=CHECKS, selection={"metricsSource": SOURCE}
    )
    cluster.put(obj)
    await asyncio.sleep(1)
    assert cluster.pages.wanted[KEY] == {PAGE}
    assert cluster.sources.wanted[KEY] is not None
    cluster.delete(obj)

    assert (cluster.quality.wanted[KEY], cluster.pages.wanted[KEY], cluster.sources.wanted[KEY]) == ({}, set(), None)


async def test_a_hint_leads_to_a_probe_at_once_and_to_no_switch(cluster: Cluster) -> None:
    slow = {"interval": "1h"}
    cluster.put(policy(providers=[played("openai", statusPage=PAGE), played("backup")], healthCheck=slow))
    await asyncio.sleep(600)
    assert [len(cluster.provider(name).asked) for name in ("openai", "backup")] == [1, 1]
    cluster.operator.on_page(PAGE, TROUBLE)
    await asyncio.sleep(1)

    assert [len(cluster.provider(name).asked) for name in ("openai", "backup")] == [2, 1]
    assert cluster.published == "openai"
    assert len(cluster.status["history"]) == 1
    assert told(cluster, "openai")["state"] == "Healthy"
    assert cluster.value("providerswitch_hints_total", source="statuspage") == 1


async def test_a_hint_that_is_true_brings_the_failover_forward(cluster: Cluster) -> None:
    slow = {"interval": "1h"}
    cluster.put(policy(providers=[played("openai", statusPage=PAGE), played("backup")], healthCheck=slow))
    await asyncio.sleep(600)
    cluster.provider("openai").health_class = HealthClass.SERVER_ERROR
    cluster.operator.on_page(PAGE, TROUBLE)
    await asyncio.sleep(3)

    assert cluster.published == "backup"
    assert newest(cluster) == ("Failover", "backup")


async def test_a_hint_concerns_the_providers_of_every_policy_that_names_the_page_and_no_others(
    cluster: Cluster,
) -> None:
    slow = {"interval": "1h"}
    cluster.put(policy(providers=[played("one", statusPage=PAGE)], primary="one", healthCheck=slow))
    cluster.put(policy(name="b", uid="b", providers=[played("two", statusPage=PAGE)], primary="two", healthCheck=slow))
    cluster.put(policy("three", name="c", uid="c", healthCheck=slow))
    await asyncio.sleep(10)
    cluster.operator.on_page(PAGE, TROUBLE)
    cluster.operator.on_page("https://status.elsewhere", TROUBLE)
    await asyncio.sleep(1)

    assert [len(cluster.provider(name).asked) for name in ("one", "two", "three")] == [2, 2, 1]


async def test_a_provider_that_asked_to_be_left_alone_is_so_whatever_its_page_says(cluster: Cluster) -> None:
    cluster.provider("openai").health_class = HealthClass.RATE_LIMITED
    cluster.provider("openai").retry_after = timedelta(minutes=30)
    cluster.put(policy(providers=[played("openai", statusPage=PAGE), played("backup")]))
    await asyncio.sleep(10)
    cluster.operator.on_page(PAGE, TROUBLE)
    await asyncio.sleep(60)
    assert len(cluster.provider("openai").asked) == 1


def seconds(value: float, *, age: timedelta = timedelta(0)) -> SourceValues:
    return SourceValues(loop_clock() - age, response_time=value)


def heard(cluster: Cluster) -> None:
    """Let a round of the metrics source be done."""
    source = cluster.sources.wanted[KEY]
    assert source
    cluster.operator.registry.hear_source(source)


async def test_what_a_metrics_source_says_takes_the_place_of_what_probes_measured(cluster: Cluster) -> None:
    cluster.put(policy(selection={**BY_SPEED, "metricsSource": SOURCE}, failover=AT_ONCE))
    cluster.provider("backup").seconds = 0.5
    await asyncio.sleep(60)
    assert cluster.published == "openai"
    cluster.sources.says = {"openai": seconds(3), "backup": seconds(1)}
    heard(cluster)
    await asyncio.sleep(0.1)

    assert cluster.published == "backup"
    assert newest(cluster) == ("Performance", "backup")
    assert [told(cluster, name)["responseTime"]["p95Millis"] for name in ("openai", "backup")] == [3000, 1000]


async def test_a_provider_of_which_the_source_says_nothing_is_judged_by_its_probes(cluster: Cluster) -> None:
    cluster.put(policy(selection={**BY_SPEED, "metricsSource": SOURCE}, failover=AT_ONCE))
    cluster.provider("backup").seconds = 0.5
    await asyncio.sleep(60)
    cluster.sources.says = {"openai": seconds(3)}
    heard(cluster)
    await asyncio.sleep(0.1)
    assert cluster.published == "backup"
    assert told(cluster, "backup")["responseTime"]["p95Millis"] == 500


async def test_values_that_grew_old_do_not_count(cluster: Cluster) -> None:
    cluster.put(policy(selection={**BY_SPEED, "metricsSource": SOURCE}, failover=AT_ONCE))
    cluster.provider("backup").seconds = 0.5
    await asyncio.sleep(60)
    cluster.sources.says = {"openai": seconds(3, age=timedelta(minutes=4)), "backup": seconds(1)}
    heard(cluster)
    await asyncio.sleep(600)
    assert cluster.published == "openai"


async def test_a_source_that_falls_silent_gives_way_to_the_probes(cluster: Cluster) -> None:
    cluster.put(policy(selection={**BY_SPEED, "metricsSource": SOURCE}, failover=AT_ONCE))
    cluster.provider("backup").seconds = 0.5
    await asyncio.sleep(60)
    cluster.sources.says = {"openai": seconds(3), "backup": seconds(1)}
    heard(cluster)
    await asyncio.sleep(150)
    assert cluster.published == "backup"
    await asyncio.sleep(120)
    assert cluster.published == "openai"


async def test_a_metrics_source_that_is_no_longer_wanted_says_nothing(cluster: Cluster) -> None:
    cluster.put(policy(selection={**BY_SPEED, "metricsSource": SOURCE}, failover=AT_ONCE))
    await asyncio.sleep(60)
    cluster.sources.says = {"openai": seconds(3), "backup": seconds(1)}
    cluster.put(policy(generation=2, selection=BY_SPEED, failover=AT_ONCE))
    await asyncio.sleep(60)
    assert cluster.sources.wanted[KEY] is None
    assert cluster.published == "openai"


@dataclass(slots=True)
class Troubled(PlayedSources):
    """A metrics source that cannot be read.

    Attributes:
        share: an error rate of more than all, which moves.
    """

    share: float = 1.5

    def problem(self, _source: PrometheusSource, _providers: Collection[str]) -> str | None:
        return f'errorRate of "openai" is {self.share:g}, which is no share from 0 to 1'


async def test_what_is_wrong_with_a_metrics_source_is_told_in_the_status() -> None:
    cluster = Cluster(sources=Troubled())
    cluster.start()
    cluster.put(policy(selection={"metricsSource": SOURCE}))
    await asyncio.sleep(1)
    assert cluster.status["metricsSource"] == 'errorRate of "openai" is 1.5, which is no share from 0 to 1'
    assert condition(cluster, "Ready")[0] == "True"
    cluster.put(policy(generation=2))
    await asyncio.sleep(1)
    assert "metricsSource" not in cluster.status
    await cluster.stop()


async def test_a_complaint_that_only_quotes_another_number_is_not_written_each_round() -> None:
    sources = Troubled()
    cluster = Cluster(sources=sources)
    cluster.start()
    cluster.put(policy(selection={"metricsSource": SOURCE}))
    await asyncio.sleep(600)
    written = len(cluster.api.asked)
    for _ in range(30):
        sources.share += 0.1
        heard(cluster)
        await asyncio.sleep(60)
    assert len(cluster.api.asked) == written
    await cluster.stop()
