"""The simulator is no model: on the same incidents, the operator itself switches to the same providers as soon."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.controller.played_cluster import Cluster, policy
from tests.simulate.scenery import build_world, play, storm, trouble
from tests.support.virtual_time import EPOCH, loop_clock

from providerswitch.api.health import HealthClass
from providerswitch.core.outcome import Outcome, Tier
from providerswitch.simulate.weather import Played, Trouble

pytestmark = pytest.mark.looptime(start=0)

HOURS = 2
REQUESTS = timedelta(milliseconds=100)
"""What the real operator may take more: it talks to an API server, and the simulator only adds up."""

POLICIES: tuple[tuple[dict[str, Any], int], ...] = (
    ({}, 4),
    ({"selection": {"switchOnDegradation": True}}, 2),
    ({"dryRun": True}, 1),
    ({"selection": {"strategy": "Performance"}, "healthCheck": {"generation": {"interval": "30s"}}}, 2),
)
"""Fields of the spec, and in how many storms they are tried."""

Switched = tuple[datetime, str | None, str, str]


@dataclass(slots=True)
class Prober:
    """Asks a played provider in the virtual time of the event loop."""

    provider: Played
    clock: Callable[[], datetime] = loop_clock

    async def probe(self, tier: Tier, deadline: timedelta) -> Outcome:
        outcome = self.provider.answer(self.clock(), tier, deadline)
        await asyncio.sleep(outcome.took.total_seconds())
        return outcome

    async def aclose(self) -> None:
        pass


async def run_operator(troubles: dict[str, list[Trouble]], seconds: float, **spec: Any) -> list[Switched]:
    """Return the switches of the operator, oldest first."""
    cluster = Cluster()
    cluster.providers.update({name: Prober(each) for name, each in play(troubles).items()})  # type: ignore[misc]  # has what is used of a PlayedProvider
    entry = cluster.put(policy(*troubles, **spec))
    cluster.start()
    seen: dict[int, Switched] = {}
    while loop_clock() < EPOCH + timedelta(seconds=seconds):
        await asyncio.sleep(60)
        seen |= {each.revision: (each.time, each.from_provider, each.to, each.trigger) for each in entry.memory.history}
    await cluster.stop()
    return [seen[revision] for revision in sorted(seen)]


def run_simulator(troubles: dict[str, list[Trouble]], seconds: float, **spec: Any) -> list[Switched]:
    """Return the switches of the simulator, oldest first."""
    world = build_world(troubles, **spec)
    world.run(EPOCH + timedelta(seconds=seconds))
    return [(move.at, move.origin, move.to, move.trigger) for move in world.moves]


def compare(operator: list[Switched], simulator: list[Switched]) -> None:
    """Check that the same switches were made, at about the same time."""
    assert [each[1:] for each in operator] == [each[1:] for each in simulator]
    for real, simulated in zip(operator, simulator, strict=True):
        assert abs(real[0] - simulated[0]) < REQUESTS, (real, simulated)


@pytest.mark.parametrize(("seed", "spec"), [(seed, spec) for spec, seeds in POLICIES for seed in range(seeds)], ids=str)
async def test_in_any_weather_the_operator_does_what_the_simulator_says(seed: int, spec: dict[str, Any]) -> None:
    troubles = storm(seed, 2 + seed % 3, HOURS)
    operator = await run_operator(troubles, HOURS * 3600, **spec)

    compare(operator, run_simulator(troubles, HOURS * 3600, **spec))
    assert len(operator) > 2, "weather in which nothing is decided proves nothing"


async def test_a_candidate_that_hangs_is_passed_over_alike() -> None:
    troubles = {
        "openai": [trouble(100, 1000)],
        "anthropic": [trouble(101, 1000, HealthClass.TIMEOUT)],
        "google": [],
    }
    operator = await run_operator(troubles, 1200)

    compare(operator, run_simulator(troubles, 1200))
    assert [to for _, _, to, _ in operator][:2] == ["openai", "google"]
