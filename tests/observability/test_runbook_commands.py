"""What the runbooks tell people to type works, on a policy of which no provider works any more."""

import asyncio
import shlex

import pytest
from tests.observability.test_runbooks import RUNBOOKS, blocks_of
from tests.support.scene import POLICY, Scene

from providerswitch.demo.fakes import Fault

pytestmark = pytest.mark.e2e

NEEDS_A_NODE = {"logs", "scale"}
"""They are about Pods; there is no node here to run some."""


def commands() -> list[str]:
    lines = {line for page in RUNBOOKS for line in blocks_of(page, "sh") if line.startswith("kubectl ")}
    return sorted(line for line in lines if line.split()[1] not in NEEDS_A_NODE)


async def test_every_command_of_every_runbook_is_answered(scene: Scene) -> None:
    await scene.opens("openai", "backup")
    for provider in scene.providers.values():
        await provider.behave(Fault.SERVER_ERROR)
    await scene.becomes("Ready", "False", "NoHealthyProvider")
    answers = {}
    for command in commands():
        told = command.replace("NAMESPACE", scene.namespace).replace("POLICY", POLICY).replace("PROVIDER", "backup")
        answers[command] = await asyncio.to_thread(scene.kubectl.ok, *shlex.split(told)[1:])

    def of(part: str) -> str:
        return next(answer for command, answer in answers.items() if part in command)

    assert '"openai"' in of('@.type=="Ready"')
    assert "openai\tDown\tServerError\t" in of(".status.providers[*]")
    assert "\t\topenai\tSucceeded\t" in of(".status.history[*]")
    assert "llm-keys" in of(".auth")
    assert "NoHealthyProvider" in of("events.events.k8s.io")
    assert "assistant" in of("get pswitch -A")
    assert len(answers) > 15
