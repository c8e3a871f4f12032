"""Emergencies as their victims see them: what consumers read, what `kubectl` shows, and what must show nowhere."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
from tests.support.eventually import eventually
from tests.support.kubectl import Kubectl
from tests.support.operator_process import OperatorProcess
from tests.support.policies import AT_ONCE, Manifest
from tests.support.scene import POLICY, Scene

from providerswitch.api import meta
from providerswitch.demo.fakes import Exchange, FakeProvider

PROMPT: Final[Manifest] = {
    "interval": "1s",
    "fastInterval": "100ms",
    "timeout": "1s",
    "failureThreshold": 3,
    "recoveryThreshold": 2,
}
"""The quickest probing that the API server lets a policy have."""
SHORT: Final[Manifest] = {**AT_ONCE, "blacklistDuration": "2s"}
"""A failover that is over soon after the trouble is."""
LONG: Final[Manifest] = {**AT_ONCE, "blacklistDuration": "1h"}
"""A failover that no test sees the end of, if the provider is blacklisted."""

SHOWN: Final = "pswitch,configmaps,events.events.k8s.io"
SWITCH_EVENTS: Final = {
    "Failover": "FailedOver",
    "Failback": "FailedBack",
    "ManualSwitch": "Switched",
    "Degradation": "SwitchedFromDegraded",
}
"""Reason of the Event by the trigger of the switch it tells of."""


@dataclass(frozen=True, slots=True)
class Sight:
    """All that a user can look at, at one time.

    Attributes:
        published: data of the ConfigMap.
        events: reason and note of each Event, oldest first.
        text: everything together, the operator's log included.
    """

    published: Mapping[str, str]
    status: Mapping[str, Any]
    events: tuple[tuple[str, str], ...]
    text: str = field(repr=False)

    @property
    def newest(self) -> dict[str, Any]:
        """The last switch."""
        return dict(self.status["history"][0])

    @property
    def ways(self) -> list[tuple[str, str]]:
        """Trigger and target of each switch, oldest first."""
        return [(each["trigger"], each["to"]) for each in reversed(self.status["history"])]

    @property
    def document(self) -> dict[str, Any]:
        """What programs read that want more than environment variables."""
        return dict(json.loads(self.published["provider.json"]))

    def condition(self, kind: str) -> tuple[str | None, str | None]:
        """Return status and reason of a condition."""
        conditions: list[dict[str, str]] = self.status.get("conditions", [])
        found = next((each for each in conditions if each["type"] == kind), {})
        return found.get("status"), found.get("reason")

    def provider(self, name: str) -> dict[str, Any]:
        """Return what the status says about a provider; nothing if it is not in it."""
        return dict(next((each for each in self.status.get("providers", []) if each["name"] == name), {}))

    def notes(self, reason: str) -> list[str]:
        """Return the notes of all Events of a reason."""
        return [note for found, note in self.events if found == reason]


async def look(scene: Scene) -> Sight:
    """Look at everything."""
    text = await scene.run("get", SHOWN, "-o", "json")
    items: list[dict[str, Any]] = json.loads(text)["items"]
    published: dict[str, Any] = next((each for each in items if each["metadata"]["name"] == f"{POLICY}-provider"), {})
    policy: dict[str, Any] = next((each for each in items if each["kind"] == meta.POLICY_KIND), {})
    events = sorted((each for each in items if each["kind"] == "Event"), key=lambda each: str(each["eventTime"]))
    told = tuple((each["reason"], each["note"]) for each in events)
    return Sight(published.get("data", {}), policy.get("status", {}), told, text + scene.operator.text)


async def comes(scene: Scene, wanted: Callable[[Sight], object], within: float = 15) -> Sight:
    """Look until what is wanted is seen."""

    async def seen() -> Sight | None:
        sight = await look(scene)
        return sight if wanted(sight) else None

    try:
        found = await eventually(seen, within)
    except AssertionError as error:
        sight = await look(scene)
        raise AssertionError(f"not seen within {within:g} s: {sight}\n{scene.operator.text}") from error
    assert found
    return found


async def switched(scene: Scene, trigger: str, target: str, *says: str, within: float = 20) -> Sight:
    """Wait for a switch, and compare all that tells of it: ConfigMap, status, conditions, Event and history.

    Args:
        trigger: as in the history.
        says: parts of the reason that users are given.
        within: seconds.
    """
    sight = await comes(scene, lambda seen: _arrived(seen, trigger, target), within)
    newest = sight.newest
    for reason in (newest["reason"], sight.document["reason"], _note(sight)):
        assert all(part in reason for part in says), reason
    assert newest["outcome"] == "Succeeded"
    assert ("detectMillis" in newest) is (trigger == "Failover"), newest
    assert sight.published["LLM_REVISION"] == str(newest["revision"]) == str(sight.status["revision"])
    assert sight.document["active"]["name"] == target
    assert sight.condition("Ready")[0] == "True"
    away = target != sight.document["primary"]
    assert sight.condition("FailedOver")[0] == str(away)
    await assert_no_key_shows(scene, sight)
    return sight


def _arrived(sight: Sight, trigger: str, target: str) -> bool:
    told = sight.published.get("LLM_PROVIDER") == sight.status.get("activeProvider") == target
    return told and (sight.newest["trigger"], sight.newest["to"]) == (trigger, target)


def _note(sight: Sight) -> str:
    """Return the note of the one Event that tells of the last switch."""
    newest = sight.newest
    way = f'Switched from "{newest["from"]}" to "{newest["to"]}" (revision {newest["revision"]})'
    (note,) = (note for note in sight.notes(SWITCH_EVENTS[newest["trigger"]]) if note.startswith(way))
    return note


def headed_by(scene: Scene, primary: Manifest, **spec: Any) -> Manifest:
    """Return a policy with a primary of the test's own before the scene's providers."""
    providers = [primary, *(scene.listed(name) for name in scene.providers)]
    common = {"healthCheck": PROMPT, "failover": SHORT}
    return scene.policy(**{**common, "primary": primary["name"], "providers": providers, **spec})


async def assert_no_key_shows(scene: Scene, sight: Sight) -> None:
    """Look for every key, the Secret's and those that the providers accept, in all objects and in the log."""
    data = (await scene.look("secret", "llm-keys")).get("data", {})
    keys = {base64.b64decode(value).decode() for value in data.values()}
    keys |= {provider.key for provider in scene.providers.values() if provider.key}
    assert keys
    assert not [key for key in keys if key in sight.text]


async def ask_as_consumer(scene: Scene) -> str:
    """Ask the published provider as a workload does; return the name of who answered well."""
    published = (await scene.look("configmap", f"{POLICY}-provider"))["data"]
    secret = (await scene.look("secret", published["LLM_SECRET_NAME"]))["data"]
    key = base64.b64decode(secret[published["LLM_SECRET_KEY"]]).decode()
    body = {"model": published["LLM_MODEL"], "messages": [{"role": "user", "content": "ping"}]}
    async with httpx.AsyncClient(trust_env=False, headers={"authorization": f"Bearer {key}"}) as client:
        reply = await client.post(f"{published['LLM_BASE_URL']}/chat/completions", json=body)
    assert reply.json()["choices"], reply.text
    return reply.headers["server"]


def asked(provider: FakeProvider, wanted: Callable[[Exchange], bool] = lambda _: True) -> list[Exchange]:
    """Return the exchanges of a provider that are wanted, oldest first."""
    return [exchange for exchange in provider.log if wanted(exchange)]


async def is_asked(provider: FakeProvider, times: int, wanted: Callable[[Exchange], bool] = lambda _: True) -> None:
    """Wait until a provider has had so many more exchanges that are wanted."""
    before = len(asked(provider, wanted))
    await eventually(lambda: len(asked(provider, wanted)) >= before + times, within=20)


@asynccontextmanager
async def operating(operator: OperatorProcess, namespace: str, kubectl: Kubectl) -> AsyncIterator[Scene]:
    """Open a scene whose operator is made to measure."""
    scene = Scene(namespace, kubectl, operator)
    async with scene.stack:
        await operator.start()
        try:
            await operator.ready()
            yield scene
            await asyncio.to_thread(kubectl, "delete", "pswitch", "--all", "-n", namespace, "--timeout=10s")
        finally:
            await operator.stop()
