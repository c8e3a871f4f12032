"""The alert rules and the dashboard in a real Prometheus, which scrapes a real operator while a provider dies."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from tests.observability.promtool import RULES
from tests.observability.queries import filled_in, queries
from tests.support.eventually import eventually
from tests.support.prometheus import scraping
from tests.support.scene import POLICY, QUICK, Scene

from providerswitch.demo.fakes import Fault

import dashboard  # isort: skip  # tests.support.repository puts hack/ on the path

FOR = re.compile(r"^( +)for: \w+$", re.MULTILINE)
WITHIN = 60
"""Two scrapes, two evaluations and what `for` asks: some seconds; on a busy machine several times as long."""
EMPTY = {
    "Share of the traffic A": "only under strategy Weighted",
    "Golden prompts A": "only with qualityChecks",
    "Switches held back A": "flap control held nothing back",
    "Hints A": "only with a status page that tells of trouble",
    "Overrides in force A": "nobody made one",
}
"""Queries that rightly have no result in this scene, and why."""
BILLED = {**QUICK, "generation": {"interval": "10s"}, "budget": {"probesPerDay": 1000, "costPerDay": 100}}
PRICED = {"quality": 0.9, "cost": {"inputPerMillionTokens": 1, "outputPerMillionTokens": 2}}


@dataclass(frozen=True, slots=True)
class Watch:
    """A Prometheus and its HTTP API."""

    client: httpx.AsyncClient
    url: str

    async def get(self, path: str, **parameters: str) -> Any:
        """Return the data of an answer."""
        answer = (await self.client.get(f"{self.url}/api/v1/{path}", params=parameters)).json()
        assert answer["status"] == "success", answer
        return answer["data"]

    async def value_of(self, query: str) -> list[dict[str, Any]]:
        """Return the samples that a query has now."""
        return list((await self.get("query", query=query))["result"])

    async def alerts(self, state: str) -> dict[str, dict[str, Any]]:
        """Return the alerts in a state by name."""
        found = (await self.get("alerts"))["alerts"]
        return {alert["labels"]["alertname"]: alert for alert in found if alert["state"] == state}

    async def comes(self, condition: Callable[[], Awaitable[Any]]) -> Any:
        """Wait for what Prometheus will see soon."""
        return await eventually(condition, within=WITHIN)

    async def fires(self, name: str) -> dict[str, Any]:
        """Wait until an alert fires, and return it."""

        async def firing() -> dict[str, Any] | None:
            return (await self.alerts("firing")).get(name)

        return dict(await self.comes(firing))

    async def is_calm(self) -> None:
        """Wait until nothing fires."""

        async def calm() -> bool:
            assert await self.alerts("firing") == {}
            return True

        await self.comes(calm)

    async def is_over(self, name: str) -> None:
        """Wait until an alert neither fires nor is about to."""

        async def gone() -> bool:
            return name not in {**await self.alerts("pending"), **await self.alerts("firing")}

        await self.comes(gone)


@asynccontextmanager
async def watched(scene: Scene, folder: Path, duration: str) -> AsyncIterator[Watch]:
    """Let a Prometheus scrape the operator, with our rules; each `for` is as short as the test can wait."""
    rules = folder / "alerts.yaml"
    rules.write_text(FOR.sub(rf"\1for: {duration}", RULES.read_text()).replace("interval: 5m", "interval: 1s"))
    with scraping(f"127.0.0.1:{scene.operator.port}", folder, rules=rules) as prometheus:
        async with httpx.AsyncClient(trust_env=False) as client:
            yield Watch(client, prometheus.url)


async def breaks(scene: Scene, *names: str) -> None:
    for name in names:
        await scene.providers[name].behave(Fault.SERVER_ERROR)


async def test_an_alert_is_pending_then_fires_says_what_to_do_and_resolves(scene: Scene, tmp_path: Path) -> None:
    await scene.opens("openai", "backup")
    async with watched(scene, tmp_path, "4s") as watch:
        await watch.comes(lambda: watch.value_of(f'providerswitch_policy_ready{{policy="{POLICY}"}} == 1'))
        await watch.is_calm()
        await breaks(scene, "openai", "backup")

        async def pending() -> Any:
            return (await watch.alerts("pending")).get("ProviderSwitchNoHealthyProvider")

        await watch.comes(pending)
        alert = await watch.fires("ProviderSwitchNoHealthyProvider")
        assert alert["labels"]["policy"] == POLICY
        assert alert["labels"]["reason"] == "NoHealthyProvider"
        assert alert["labels"]["severity"] == "critical"
        assert f"kubectl describe pswitch {POLICY} -n {scene.namespace}" in alert["annotations"]["description"]
        await watch.fires("ProviderSwitchProviderDown")
        for provider in scene.providers.values():
            await provider.behave(Fault.HEALTHY)
        await watch.is_over("ProviderSwitchNoHealthyProvider")
        await watch.is_over("ProviderSwitchProviderDown")


async def test_every_query_of_the_dashboard_has_a_result_after_a_failover(scene: Scene, tmp_path: Path) -> None:
    for name in ("openai", "backup"):
        await scene.provider(name)
    providers = [{**scene.listed(name), **PRICED} for name in scene.providers]
    policy = scene.policy(healthCheck=BILLED, providers=providers, selection={"minSamples": 1})
    await scene.apply(scene.secret(), policy)
    await scene.serves("openai")
    async with watched(scene, tmp_path, "1s") as watch:
        await watch.comes(lambda: watch.value_of("providerswitch_policy_ready == 1"))
        await scene.run(
            "patch", "configmap", f"{POLICY}-provider", "--type=merge", "-p", '{"data":{"LLM_PROVIDER":"x"}}'
        )
        await breaks(scene, "openai")
        await scene.serves("backup")
        await watch.fires("ProviderSwitchProviderDown")

        async def all_have_results() -> bool:
            assert await without_result(watch) == EMPTY.keys()
            return True

        await watch.comes(all_have_results)


async def without_result(watch: Watch) -> set[str]:
    """Return the queries of the dashboard that have none."""
    shown = list(queries(json.loads(dashboard.DASHBOARD.read_text())))
    asked = [filled_in(query.expression, __rate_interval="1m") for query in shown]
    found = await asyncio.gather(*(watch.value_of(expression) for expression in asked))
    return {str(query) for query, result in zip(shown, found, strict=True) if not result}
