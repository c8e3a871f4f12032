"""The story: what is done to the cluster and the providers, and what must be seen each time."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from providerswitch.api.status import HealthState
from providerswitch.demo.expectations import (
    Expectation,
    active,
    conditions,
    consumer_on,
    event,
    left_alone,
    limited_not_blacklisted,
    never_empty,
    published,
    rejected_key,
    state,
)
from providerswitch.demo.fakes import FakeProvider, Fault
from providerswitch.demo.kubectl import Kubectl
from providerswitch.demo.policies import ASSISTANT, PACE_NOTE, POLICIES, SEARCH, SECRET, build_policy
from providerswitch.demo.world import World

RETRY_AFTER_SECONDS: Final = 8
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


@dataclass(frozen=True, slots=True)
class Step:
    """One step.

    Attributes:
        title: what happens, as a sentence.
        shown: the command a user would type, "" for what happens to a provider.
    """

    title: str
    act: Act
    expectations: tuple[Expectation, ...]
    shown: str = ""


async def apply_policies(stage: Stage) -> float:
    """Write the manifests of both policies and apply them."""
    for name in POLICIES:
        path = stage.folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump(build_policy(name, stage.fakes), sort_keys=False))
        await stage.kubectl("apply", "-f", str(path))
    return time.monotonic()


def edit_primary(provider: str) -> Act:
    """Return the act of editing the primary; it takes effect when a watcher sees the edit."""

    async def act(stage: Stage) -> float:
        stored = asyncio.create_task(_primary_seen(stage.world, provider))
        await stage.kubectl("patch", "pswitch", ASSISTANT, "--type=merge", "-p", _primary_patch(provider))
        return await stored

    return act


def _primary_patch(provider: str) -> str:
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


def failed_over(policy: str, to: str, cause: Expectation, sign: str = "ProviderDown") -> tuple[Expectation, ...]:
    """Expect all signs of a failover; `sign` is the reason of the Event that tells the cause."""
    return (
        cause,
        published(policy, to),
        active(policy, to),
        conditions(policy, {"Ready": "True", "FailedOver": "True"}),
        event(policy, sign),
        event(policy, "FailedOver"),
    )


def failed_back(policy: str, to: str, within: float) -> tuple[Expectation, ...]:
    """Expect all signs of a failback."""
    return (
        state(policy, to, HealthState.HEALTHY, within),
        published(policy, to, within),
        active(policy, to, within),
        consumer_on(to, within),
        conditions(policy, {"Ready": "True", "FailedOver": "False"}, within),
        event(policy, "FailedBack", within),
    )


def build_story(fakes: Mapping[str, FakeProvider]) -> tuple[Step, ...]:
    """Return all steps in order."""
    return (
        Step(
            f"Two policies are applied: {PACE_NOTE}.",
            apply_policies,
            (
                *(published(policy, names[0], 15) for policy, names in POLICIES.items()),
                *(conditions(policy, {"Ready": "True", "FailedOver": "False"}, 15) for policy in POLICIES),
                *(state(ASSISTANT, name, HealthState.HEALTHY, 15) for name in POLICIES[ASSISTANT]),
                state(SEARCH, "jina-standby", HealthState.HEALTHY, 15),
                consumer_on("openai", 15),
            ),
            shown="kubectl apply -f assistant.yaml -f search.yaml",
        ),
        Step(
            "A person edits the primary of assistant: openai -> anthropic.",
            edit_primary("anthropic"),
            (
                published(ASSISTANT, "anthropic"),
                consumer_on("anthropic"),
                active(ASSISTANT, "anthropic"),
                event(ASSISTANT, "Switched"),
            ),
            shown=f"kubectl patch pswitch {ASSISTANT} --type=merge -p '{_primary_patch('anthropic')}'",
        ),
        Step(
            "anthropic has an outage: connections are refused.",
            break_provider("anthropic", Fault.REFUSE),
            (
                *failed_over(ASSISTANT, "openai", state(ASSISTANT, "anthropic", HealthState.DOWN)),
                consumer_on("openai"),
            ),
        ),
        Step(
            "anthropic works again: two good probes and the end of its blacklist bring it back.",
            break_provider("anthropic", Fault.HEALTHY),
            failed_back(ASSISTANT, "anthropic", 20),
        ),
        Step(
            f"anthropic limits the rate: 429, Retry-After {RETRY_AFTER_SECONDS} s. That is not an outage.",
            break_provider("anthropic", Fault.RATE_LIMITED, seconds=RETRY_AFTER_SECONDS),
            (
                *failed_over(
                    ASSISTANT,
                    "openai",
                    state(ASSISTANT, "anthropic", HealthState.RATE_LIMITED),
                    sign="ProviderRateLimited",
                ),
                limited_not_blacklisted(ASSISTANT, "anthropic"),
                consumer_on("openai"),
            ),
        ),
        Step(
            "The limit is lifted; anthropic is left alone for as long as it asked, then used again.",
            break_provider("anthropic", Fault.HEALTHY),
            (
                *failed_back(ASSISTANT, "anthropic", 20),
                left_alone(fakes["anthropic"], RETRY_AFTER_SECONDS, 20),
            ),
        ),
        Step(
            "anthropic's key is revoked.",
            revoke_key("anthropic"),
            (
                *failed_over(ASSISTANT, "openai", rejected_key(ASSISTANT, "anthropic")),
                consumer_on("openai"),
            ),
        ),
        Step(
            "The new key is put into the Secret.",
            renew_secret("anthropic"),
            failed_back(ASSISTANT, "anthropic", 20),
            shown=f'kubectl patch secret {SECRET} --type=merge -p \'{{"stringData":{{"anthropic":"..."}}}}\'',
        ),
        Step(
            "jina's proxy answers 502 with an HTML page: the other policy fails over by itself.",
            break_provider("jina", Fault.HTML_PROXY),
            (
                *failed_over(SEARCH, "jina-standby", state(SEARCH, "jina", HealthState.DOWN)),
                never_empty(),
            ),
        ),
    )
