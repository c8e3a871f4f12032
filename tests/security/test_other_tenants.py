"""What a policy of one namespace cannot do to those of another, played in virtual time."""

import asyncio
from typing import Any

import pytest
from tests.controller.played_cluster import Cluster, played, policy

pytestmark = pytest.mark.looptime(start=0)


def theirs(*providers: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """Return a policy of another namespace."""
    made = policy("x", name="theirs", uid="uid-of-theirs", **spec)
    made["metadata"]["namespace"] = "team-b"
    made["spec"].update({"providers": [*providers], "primary": providers[0]["name"]})
    return made


async def test_an_impatient_policy_does_not_make_a_shared_provider_silent_for_others() -> None:
    cluster = Cluster()
    cluster.start()
    cluster.provider("openai").seconds = 0.5
    cluster.put(policy("openai", "backup"))
    await asyncio.sleep(60)

    impatient = theirs(played("openai"), healthCheck={"timeout": "100ms", "interval": "1s"})
    cluster.operator.on_policy("MODIFIED", impatient)
    await asyncio.sleep(120)

    assert cluster.published == "openai"
    assert cluster.status["providers"][0]["state"] == "Healthy"
    await cluster.stop()
