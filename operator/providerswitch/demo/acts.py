"""What the steps of the story do: to the cluster with kubectl, and to the providers."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from providerswitch.demo.fakes import FakeProvider, Fault
from providerswitch.demo.kubectl import Kubectl
from providerswitch.demo.policies import ASSISTANT, POLICIES, SECRET, build_policy
from providerswitch.demo.world import World

PROMPT_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class Stage:
    """What the steps act on.

    Attributes:
        folder: where manifests are written, for the user to look at.
    """

    kubectl: Kubectl
    fakes: Mapping[str, FakeProvider]
    world: World
    folder: Path


Act = Callable[[Stage], Awaitable[float]]
"""Does something and returns `time.monotonic()` when it took effect."""


async def apply_policies(stage: Stage) -> float:
    """Write the manifests of both policies and apply them."""
    for name in POLICIES:
        path = stage.folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump(build_policy(name, stage.fakes), sort_keys=False))
        await stage.kubectl("apply", "-f", str(path))
    return time.monotonic()


def apply(manifest: Mapping[str, Any]) -> Act:
    """Return the act of writing a manifest and applying it; kubectl's own time counts as part of the effect."""

    async def act(stage: Stage) -> float:
        begun = time.monotonic()
        path = stage.folder / f"{manifest['metadata']['name']}.yaml"
        path.write_text(yaml.safe_dump(dict(manifest), sort_keys=False))
        await stage.kubectl("apply", "-f", str(path))
        return begun

    return act


def remove(kind: str, name: str) -> Act:
    """Return the act of deleting an object; kubectl's own time counts as part of the effect."""

    async def act(stage: Stage) -> float:
        begun = time.monotonic()
        await stage.kubectl("delete", kind, name, "--wait=false")
        return begun

    return act


async def look_on(_: Stage) -> float:
    """Do nothing: what the step is about has begun already."""
    return time.monotonic()


def edit_primary(provider: str) -> Act:
    """Return the act of editing the primary; it takes effect when a watcher sees the edit."""

    async def act(stage: Stage) -> float:
        stored = asyncio.create_task(_primary_seen(stage.world, provider))
        await stage.kubectl("patch", "pswitch", ASSISTANT, "--type=merge", "-p", primary_patch(provider))
        return await stored

    return act


def primary_patch(provider: str) -> str:
    """Return the merge patch that edits the primary."""
    return json.dumps({"spec": {"primary": provider}})


async def _primary_seen(world: World, provider: str) -> float:
    while world.policy(ASSISTANT).primary != provider:
        await world.change(within=PROMPT_SECONDS)
    return time.monotonic()


def break_provider(provider: str, fault: Fault, *, seconds: float = 30.0) -> Act:
    """Return the act of making a provider misbehave, or behave again."""

    async def act(stage: Stage) -> float:
        await stage.fakes[provider].behave(fault, seconds=seconds)
        return time.monotonic()

    return act


def revoke_key(provider: str) -> Act:
    """Return the act of a provider that accepts another key from now on."""

    async def act(stage: Stage) -> float:
        stage.fakes[provider].key = _new_key(provider)
        return time.monotonic()

    return act


def _new_key(provider: str) -> str:
    return f"demo-{provider}-new"


def renew_secret(provider: str) -> Act:
    """Return the act of putting the new key into the Secret."""

    async def act(stage: Stage) -> float:
        patch = json.dumps({"stringData": {provider: _new_key(provider)}})
        await stage.kubectl("patch", "secret", SECRET, "--type=merge", "-p", patch)
        return time.monotonic()

    return act
