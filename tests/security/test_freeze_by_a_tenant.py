"""Hosts of another namespace, that answer and fall silent at will, hold back nobody."""

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest
from tests.controller.played_cluster import Cluster, policy
from tests.support.virtual_time import PlayedProvider, elapsed, loop_clock

from providerswitch.api.health import HealthClass

pytestmark = pytest.mark.looptime(start=0)


@dataclass
class Hostile(PlayedProvider):
    """Answers and falls silent by turns; silent while there is a freeze, which the attacker's own status tells."""

    cluster: Any = None
    turn: bool = False

    def _next(self) -> HealthClass:
        frozen = self.cluster.operator.registry.networks.any_frozen
        self.turn = not frozen and not self.turn
        return HealthClass.HEALTHY if self.turn else HealthClass.CONNECT_REFUSED


@pytest.mark.parametrize("hosts", [0, 2, 4, 12])
async def test_a_namespace_cannot_freeze_another(hosts: int) -> None:
    cluster = Cluster()
    cluster.start()
    cluster.put(policy("openai", "backup"))
    await asyncio.sleep(60)
    names = [f"x{index}" for index in range(hosts)]
    for name in names:
        cluster.providers[name] = Hostile(loop_clock, cluster=cluster)
    if names:
        made = policy(*names, name="theirs", uid="other", healthCheck={"interval": "1s", "fastInterval": "100ms"})
        made["metadata"]["namespace"] = "team-b"
        cluster.operator.on_policy("MODIFIED", made)
    await asyncio.sleep(30)
    began = elapsed()
    cluster.provider("openai").health_class = HealthClass.TIMEOUT
    cluster.provider("openai").seconds = 100
    while elapsed() - began < 3600 and cluster.published != "backup":  # noqa: ASYNC110  # virtual time
        await asyncio.sleep(0.1)
    took, to = elapsed() - began, cluster.published
    await cluster.stop()
    assert to == "backup"
    assert took < 60
