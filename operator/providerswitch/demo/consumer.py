"""A consumer as users write them: follows the published ConfigMap and calls whatever provider stands there.

It knows nothing of providerswitch but the names of the environment keys. Runs as a process of its own, with a
ServiceAccount that may read ConfigMaps and one Secret, and prints a JSON line for each call.
"""

import argparse
import asyncio
import base64
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx

from providerswitch.api import meta
from providerswitch.demo.api_server import connected
from providerswitch.kube.client import KubeClient, Object
from providerswitch.kube.objects import CONFIG_MAPS, SECRETS, ObjectKey, fetch
from providerswitch.kube.watch import Listener, Watched, watch_forever

PERIOD_SECONDS: Final = 0.2
TIMEOUT_SECONDS: Final = 2.0


@dataclass(slots=True)
class Settings:
    """What the ConfigMap says, and a bell that rings when it says something new."""

    current: Mapping[str, str] = field(default_factory=dict)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def listener(self) -> Listener:
        """Return what a watch of the ConfigMap has to feed. A deleted one leaves the last settings in force."""
        return Listener(self._replaced, self._take, lambda _: None)

    def _replaced(self, found: list[Object]) -> None:
        for obj in found:
            self._take(obj)

    def _take(self, obj: Object) -> None:
        data = obj.get("data") or {}
        if data != self.current:
            self.current = data
            self.changed.set()


async def call(client: httpx.AsyncClient, settings: Mapping[str, str], key: str) -> dict[str, object]:
    """Ask the published provider one question and return what came of it."""
    begun = time.monotonic()
    body = {"model": settings["LLM_MODEL"], "messages": [{"role": "user", "content": "ping"}], "max_tokens": 8}
    try:
        reply = await client.post(
            f"{settings['LLM_BASE_URL']}/chat/completions", json=body, headers={"authorization": f"Bearer {key}"}
        )
        outcome: dict[str, object] = {"status": reply.status_code, "server": reply.headers.get("server", "")}
        outcome["ok"] = reply.is_success and bool(reply.json()["choices"])
    except (httpx.TransportError, ValueError, KeyError) as error:
        outcome = {"ok": False, "error": type(error).__name__}
    return {"at": begun, "provider": settings["LLM_PROVIDER"], "millis": (time.monotonic() - begun) * 1000, **outcome}


async def read_key(kube: KubeClient, namespace: str, settings: Mapping[str, str]) -> str:
    """Read the API key that belongs to the settings."""
    secret = await fetch(kube, SECRETS, ObjectKey(namespace, settings["LLM_SECRET_NAME"]))
    data = (secret or {}).get("data", {})
    return base64.b64decode(data.get(settings["LLM_SECRET_KEY"], "")).decode()


async def consume(kube: KubeClient, namespace: str, policy: str) -> None:
    """Call for ever; a change of the settings is used at once."""
    settings = Settings()
    watched = Watched(CONFIG_MAPS.collection(namespace), f"{meta.POLICY_LABEL}={policy}")
    async with asyncio.TaskGroup() as tasks, httpx.AsyncClient(timeout=TIMEOUT_SECONDS, trust_env=False) as client:
        tasks.create_task(watch_forever(kube, watched, settings.listener()))
        await settings.changed.wait()
        while True:
            settings.changed.clear()
            key = await read_key(kube, namespace, settings.current)
            print(json.dumps(await call(client, settings.current, key)), flush=True)
            await _pause(settings)


async def _pause(settings: Settings) -> None:
    try:
        await asyncio.wait_for(settings.changed.wait(), PERIOD_SECONDS)
    except TimeoutError:
        return


async def main() -> None:
    """Consume what the command line names."""
    parser = argparse.ArgumentParser(prog="python -m providerswitch.demo.consumer", description=__doc__)
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument("--namespace", required=True)
    parser.add_argument("--policy", required=True)
    options = parser.parse_args()
    async with connected(options.kubeconfig) as kube:
        await consume(kube, options.namespace, options.policy)


if __name__ == "__main__":
    asyncio.run(main())
