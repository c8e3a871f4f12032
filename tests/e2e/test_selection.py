"""How the best of several working providers is found: real providers, a real API server, the operator as a process."""

import json
from typing import Any

import pytest
from tests.support.emergencies import PROMPT, SHORT, asked, comes
from tests.support.eventually import eventually
from tests.support.evidence import document, eager_scene, explain, status_pages
from tests.support.policies import AT_ONCE, Manifest
from tests.support.scene import Scene

from providerswitch.demo.fakes import Exchange, Fault, Scope

__all__ = ["eager_scene"]  # a fixture

BY_SPEED: Manifest = {
    "strategy": "Performance",
    "minSamples": 2,
    "weights": {"latency": 1, "accuracy": 0, "cost": 0, "availability": 0},
}
BY_ACCURACY: Manifest = {
    "strategy": "Performance",
    "minSamples": 1,
    "weights": {"latency": 0, "accuracy": 1, "cost": 0, "availability": 0},
}
CHECKS: Manifest = {"prompts": [{"prompt": "What is the capital of France?", "expect": {"contains": "Paris"}}]}
DEAR: Manifest = {"inputPerMillionTokens": 3, "outputPerMillionTokens": 15}
CHEAP: Manifest = {"inputPerMillionTokens": 0.1, "outputPerMillionTokens": 0.4}
RARELY: Manifest = {**PROMPT, "interval": "1h"}


def billed(exchange: Exchange) -> bool:
    return exchange.method == "POST"


def told(status: dict[str, Any], name: str) -> dict[str, Any]:
    return dict(next((each for each in status.get("providers", []) if each["name"] == name), {}))


async def opens(scene: Scene, *names: str, fields: dict[str, Manifest] | None = None, **spec: Any) -> Manifest:
    """Start providers that are not running yet, and a policy that takes the better one at once."""
    for name in names:
        await scene.provider(name)
    providers = [{**scene.listed(name), **(fields or {}).get(name, {})} for name in scene.providers]
    policy = scene.policy(**{"healthCheck": PROMPT, "failover": AT_ONCE, "providers": providers, **spec})
    await scene.apply(scene.secret(), policy)
    return policy


async def test_under_performance_the_quicker_of_two_servers_serves_and_it_is_explained(scene: Scene) -> None:
    far = await scene.provider("far")
    await far.behave(Fault.SLOW, seconds=0.4)
    await opens(scene, "near", selection=BY_SPEED)
    data = await scene.serves("near")

    sight = await comes(scene, lambda seen: seen.provider("far").get("score") is not None)
    assert (sight.newest["trigger"], sight.newest["to"]) == ("Performance", "near")
    assert 'best score (1.00; "far" 0.' in sight.newest["reason"]
    assert sight.condition("Ready") == ("True", "BestScore")
    assert sight.condition("FailedOver") == ("False", "PreferredActive")
    slow, quick = sight.provider("far"), sight.provider("near")
    assert slow["responseTime"]["p95Millis"] >= 400 > quick["responseTime"]["p95Millis"]
    assert (quick["rank"], slow["rank"], slow["state"]) == (1, 2, "Healthy")
    assert quick["scoreParts"]["latency"] == 1
    assert data["LLM_MODEL"] == "model-of-near"
    assert [name for name, _ in sight.events].count("SwitchedToBetter") == 1

    text = await explain(await scene.run("get", "pswitch", "assistant", "-o", "yaml"))
    assert '"near" is active since' in text
    assert 'best score (1.00; "far" 0.' in text
    assert "far -> near  Performance  Succeeded" in text
    listed = json.loads(await explain(await scene.run("get", "pswitch", "-o", "json"), "-o", "json"))
    (explained,) = listed["policies"]
    candidates = next(section for section in explained["sections"] if section["key"] == "candidates")
    assert [row[:3] for row in candidates["table"]["rows"]] == [["near", "1", "active"], ["far", "2", "primary"]]


async def test_under_cost_the_cheapest_serves_and_a_new_price_moves_consumers(scene: Scene) -> None:
    fields = {"dear": {"cost": DEAR}, "cheap": {"cost": CHEAP}}
    await opens(scene, "dear", "cheap", fields=fields, selection={"strategy": "Cost"})
    await scene.serves("cheap")
    sight = await comes(scene, lambda seen: seen.condition("Ready") == ("True", "Cheapest"))
    assert "the cheapest (0.175 per million tokens" in sight.newest["reason"]

    raised = [{**scene.listed("dear"), "cost": DEAR}, {**scene.listed("cheap"), "cost": {"inputPerMillionTokens": 99}}]
    await scene.edit(providers=raised)
    await scene.serves("dear")
    status = await scene.status()
    assert (status["history"][0]["trigger"], status["reason"]) == ("Cost", "Cheapest")


async def test_under_weighted_the_shares_are_published_and_those_of_a_dead_one_go_to_the_others(scene: Scene) -> None:
    fields: dict[str, Manifest] = {"one": {"weight": 60}, "two": {"weight": 30}, "three": {"weight": 10}}
    await opens(scene, "one", "two", "three", fields=fields, selection={"strategy": "Weighted"})

    async def shares() -> Any:
        return (await document(scene, "assistant")).get("weights")

    async def are(**wanted: int) -> bool:
        found = await shares()
        assert found == wanted
        return True

    await eventually(lambda: are(one=60, two=30, three=10), within=15)
    await scene.serves("one")
    await scene.providers["one"].behave(Fault.SERVER_ERROR)
    await eventually(lambda: are(two=75, three=25), within=15)
    await scene.serves("two")
    assert {each["name"]: each.get("weight") for each in (await scene.status())["providers"]}["three"] == 25


async def test_an_entry_of_the_schedule_that_is_in_force_decides_until_it_is_taken_away(scene: Scene) -> None:
    always = {"name": "always", "cron": "* * * * *", "duration": "1m", "primary": "backup"}
    await opens(scene, "openai", "backup", schedule=[always])
    await scene.serves("backup")
    status = await scene.status()
    assert (status["reason"], status["schedule"]["active"]) == ("Scheduled", "always")
    assert 'the schedule "always" is in force' in status["history"][0]["reason"]

    await scene.edit(schedule=None)
    await scene.serves("openai")
    assert "schedule" not in await scene.status()


async def test_health_goes_before_the_schedule(scene: Scene) -> None:
    backup = await scene.provider("backup")
    await backup.behave(Fault.SERVER_ERROR)
    always = {"name": "always", "cron": "* * * * *", "duration": "1m", "primary": "backup"}
    await opens(scene, "openai", schedule=[always], primary="openai", failover=SHORT)
    await scene.serves("openai")
    await backup.behave(Fault.HEALTHY)
    await scene.serves("backup")


async def test_a_task_has_a_provider_of_its_own_beside_the_policys(scene: Scene) -> None:
    await scene.provider("openai")
    await scene.provider("vectors")
    await scene.provider("spare")
    able: dict[str, Manifest] = {
        "openai": {"capabilities": ["chat"]},
        "vectors": {"capabilities": ["chat", "embeddings"], "embedding": {"space": "s"}},
        "spare": {"capabilities": ["chat", "embeddings"], "embedding": {"space": "s"}},
    }
    await opens(scene, fields=able, tasks=[{"name": "embed", "requirements": {"capabilities": ["embeddings"]}}])
    await scene.serves("openai")

    async def embeds() -> str | None:
        data: dict[str, str] = (await scene.look("configmap", "assistant-provider"))["data"]
        assert data["LLM_PROVIDER"] == "openai"
        return data.get("LLM_EMBED_PROVIDER")

    async def embeds_with(name: str) -> bool:
        assert await embeds() == name
        return True

    await eventually(lambda: embeds_with("vectors"), within=15)
    await scene.providers["vectors"].behave(Fault.SERVER_ERROR)
    await eventually(lambda: embeds_with("spare"), within=15)
    sight = await comes(scene, lambda seen: seen.status["tasks"][0].get("activeProvider") == "spare")
    assert (sight.newest.get("task"), sight.newest["trigger"]) == ("embed", "Failover")
    assert sight.document["tasks"]["embed"]["name"] == "spare"


@pytest.mark.parametrize("selection", [BY_ACCURACY, {"thresholds": {"quality": 0.8}, "switchOnDegradation": True}])
async def test_a_provider_that_answers_prompt_nonsense_loses(selection: Manifest, eager_scene: Scene) -> None:
    scene = eager_scene
    for name in ("openai", "backup"):
        await scene.provider(name)
    await scene.providers["openai"].behave(Fault.NONSENSE)
    declared: dict[str, Manifest] = {name: {"quality": 0.9} for name in scene.providers}
    await opens(scene, fields=declared, selection=selection, qualityChecks=CHECKS)
    await scene.serves("backup")

    status = await scene.status()
    # The declared 0.9 counts as five answers: (0.9 * 5 + 0) / 6 and (0.9 * 5 + 1) / 6.
    assert told(status, "openai")["state"] == "Healthy"
    assert (await scene.operator.metric("providerswitch_provider_quality_ratio", provider="openai")) == 0.75
    assert (await scene.operator.metric("providerswitch_quality_checks_total", verdict="bad")) == 1
    assert len(asked(scene.providers["openai"], billed)) == 1


async def test_when_the_budget_is_used_up_only_unbilled_probes_go_on(scene: Scene) -> None:
    """Without a budget, a generation that fails is asked for again until there are three failures."""
    openai = await scene.provider("openai")
    await openai.behave(Fault.SERVER_ERROR, scope=Scope.GENERATION)
    budget = {"generation": {"interval": "10s"}, "budget": {"probesPerDay": 1}}
    await opens(scene, healthCheck={**PROMPT, **budget})
    sight = await comes(scene, lambda seen: seen.condition("BudgetExhausted") == ("True", "BudgetExhausted"))
    unbilled = len(openai.log)
    await eventually(lambda: len(openai.log) >= unbilled + 3, within=10)

    assert len(asked(openai, billed)) == 1
    assert sight.status["budget"]["probes"] == 1
    assert len(sight.notes("BudgetExhausted")) == 1
    assert "Raise spec.healthCheck.budget" in sight.notes("BudgetExhausted")[0]


async def test_trouble_on_a_status_page_has_a_provider_probed_at_once(eager_scene: Scene) -> None:
    scene = eager_scene
    await opens(scene, "openai", "backup", healthCheck=RARELY)
    await scene.serves("openai")
    openai = scene.providers["openai"]
    async with status_pages(calm="none", troubled="major") as pages:

        async def names(page: str) -> None:
            listed = [{**scene.listed("openai"), "statusPage": f"{pages.url}/{page}"}, scene.listed("backup")]
            await scene.edit(providers=listed)
            await eventually(lambda: pages.asked[page], within=10)

        before = len(openai.log)
        await names("calm")
        await openai.behave(Fault.SERVER_ERROR)
        assert len(openai.log) == before
        await names("troubled")
        await scene.serves("backup")

    status = await scene.status()
    assert status["history"][0]["trigger"] == "Failover"
    assert "openai" in status["history"][0]["reason"]
    assert await scene.operator.metric("providerswitch_hints_total", source="statuspage") == 1


async def test_trouble_on_a_status_page_alone_moves_nobody(eager_scene: Scene) -> None:
    scene = eager_scene
    async with status_pages(troubled="critical") as pages:
        page: Manifest = {"statusPage": f"{pages.url}/troubled"}
        await opens(scene, "openai", "backup", fields={"openai": page}, healthCheck=RARELY)
        await scene.serves("openai")
        await eventually(lambda: pages.asked["troubled"], within=10)
        await eventually(lambda: len(scene.providers["openai"].log) >= 2, within=10)
    assert len((await scene.status())["history"]) == 1
    assert told(await scene.status(), "openai")["state"] == "Healthy"
