"""Trouble upon trouble: several providers fail, fail again while they are returned to, or come and go."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from tests.support.api_proxy import ApiProxy
from tests.support.control_plane import ControlPlane
from tests.support.emergencies import (
    LONG,
    PROMPT,
    SHORT,
    Sight,
    ask_as_consumer,
    assert_no_key_shows,
    comes,
    is_asked,
    look,
    operating,
    switched,
)
from tests.support.kubectl import Kubectl
from tests.support.operator_process import OperatorProcess, operator_kubeconfig
from tests.support.policies import AT_ONCE
from tests.support.scene import Scene

from providerswitch.demo.fakes import Exchange, FakeProvider, Fault

BLACKLIST = timedelta(seconds=2)
DECIDING = timedelta(milliseconds=100)
"""A blacklist begins with the failed probe, and a switch is dated when it is decided: up to this much later."""
FLAPS = 3
SLOW_FLAPS = 2


async def test_when_two_providers_fail_at_once_consumers_go_straight_to_the_third(scene: Scene) -> None:
    await scene.opens("openai", "backup", "third", healthCheck=PROMPT, failover=SHORT)
    for name in ("openai", "backup"):
        await scene.providers[name].behave(Fault.REFUSE)

    sight = await switched(scene, "Failover", "third", '"openai": down', '"backup": ', "connection refused")

    assert sight.ways == [("Initial", "openai"), ("Failover", "third")]
    assert [each["provider"] for each in sight.newest["rejected"]] == ["openai", "backup"]
    assert await ask_as_consumer(scene) == "third"
    await scene.providers["backup"].behave(Fault.HEALTHY)
    await switched(scene, "Failback", "backup", '"backup" is preferred to "third" and may serve')
    await scene.providers["openai"].behave(Fault.HEALTHY)
    await switched(scene, "Failback", "openai", '"openai" is preferred to "backup" and may serve')


async def test_a_backup_that_has_just_fallen_silent_is_passed_over_without_ever_being_published(scene: Scene) -> None:
    await scene.opens("openai", "backup", "third", healthCheck=PROMPT, failover=LONG)
    await scene.providers["backup"].behave(Fault.HANG)
    await scene.providers["openai"].behave(Fault.SERVER_ERROR)

    sight = await switched(scene, "Failover", "third", '"openai": down', '"backup": ')

    assert sight.ways == [("Initial", "openai"), ("Failover", "third")]
    assert sight.published["LLM_REVISION"] == "2"


async def test_when_the_backup_fails_too_the_next_takes_over_and_the_return_skips_it(scene: Scene) -> None:
    await scene.opens("openai", "backup", "third", healthCheck=PROMPT, failover=SHORT)
    await scene.providers["openai"].behave(Fault.SERVER_ERROR)
    await switched(scene, "Failover", "backup", '"openai": down')
    await scene.providers["backup"].behave(Fault.OVERLOADED)

    sight = await switched(scene, "Failover", "third", '"backup": down', '"openai": down')

    assert [each["provider"] for each in sight.newest["rejected"]] == ["openai", "backup"]
    assert await ask_as_consumer(scene) == "third"
    await scene.providers["openai"].behave(Fault.HEALTHY)
    await switched(scene, "Failback", "openai", '"openai" is preferred to "third" and may serve')


async def test_when_all_fail_and_the_active_one_recovers_nothing_was_ever_switched(scene: Scene) -> None:
    await scene.opens("openai", "backup", healthCheck=PROMPT, failover=SHORT)
    before = (await look(scene)).published
    for provider in scene.providers.values():
        await provider.behave(Fault.SERVER_ERROR)

    sight = await comes(scene, lambda seen: seen.condition("Ready") == ("False", "NoHealthyProvider"))

    assert sight.published == before
    (note,) = sight.notes("NoHealthyProvider")
    assert '"openai": down' in note
    assert note.endswith('"openai" stays published')
    await assert_no_key_shows(scene, sight)
    await scene.providers["openai"].behave(Fault.HEALTHY)
    sight = await comes(scene, lambda seen: seen.condition("Ready") == ("True", "PrimaryHealthy"))
    assert sight.published == before
    assert sight.ways == [("Initial", "openai")]
    assert sight.notes("ProviderRecovered") == ['Provider "openai" may serve again.']
    assert sight.provider("backup")["state"] == "Down"
    assert await ask_as_consumer(scene) == "openai"


@pytest.fixture
async def proxy(installed: ControlPlane) -> AsyncIterator[ApiProxy]:
    made = ApiProxy(installed.url, installed.certificate)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def watched(
    proxy: ApiProxy, installed: ControlPlane, namespace: str, kubectl: Kubectl, tmp_path: Path
) -> AsyncIterator[Scene]:
    """A scene whose every step of a switch can be the moment at which something breaks."""
    kubeconfig = proxy.kubeconfig(operator_kubeconfig(installed, tmp_path), tmp_path / "proxied.kubeconfig")
    flags = ("--namespaces", namespace, "--allow-probe-cidr", "127.0.0.0/8")
    async with operating(OperatorProcess(kubeconfig, flags), namespace, kubectl) as scene:
        yield scene


def at_the_next_publication(proxy: ApiProxy, happens: Callable[[], Awaitable[None]]) -> None:
    """Let something happen when the operator begins to publish, once."""

    async def strike(moment: str, method: str, path: str) -> None:
        if (moment, method) == ("before", "PATCH") and "/configmaps/" in path and not struck:
            struck.append(path)
            await happens()

    struck: list[str] = []
    proxy.tripwire = strike


async def test_a_primary_that_breaks_again_while_it_is_returned_to_is_left_again(
    watched: Scene, proxy: ApiProxy
) -> None:
    scene = watched
    await scene.opens("openai", "backup", healthCheck=PROMPT, failover=SHORT)
    primary = scene.providers["openai"]
    await primary.behave(Fault.SERVER_ERROR)
    first = await switched(scene, "Failover", "backup", '"openai": down')
    at_the_next_publication(proxy, lambda: primary.behave(Fault.OVERLOADED))
    await primary.behave(Fault.HEALTHY)

    await comes(scene, lambda seen: seen.ways[2:3] == [("Failback", "openai")])
    sight = await switched(scene, "Failover", "backup", '"openai": down', "HTTP 503")

    assert sight.ways == [("Initial", "openai"), ("Failover", "backup"), ("Failback", "openai"), ("Failover", "backup")]
    assert sight.published["LLM_REVISION"] == "4"
    assert sight.provider("openai")["blacklistedUntil"] > first.provider("openai")["blacklistedUntil"]
    assert len(sight.notes("ProviderDown")) == 2
    assert await ask_as_consumer(scene) == "backup"


async def test_a_backup_that_breaks_while_it_is_published_hands_on_to_the_next(watched: Scene, proxy: ApiProxy) -> None:
    scene = watched
    await scene.opens("openai", "backup", "third", healthCheck=PROMPT, failover=LONG)
    at_the_next_publication(proxy, lambda: scene.providers["backup"].behave(Fault.RESET))
    await scene.providers["openai"].behave(Fault.SERVER_ERROR)

    sight = await switched(scene, "Failover", "third", '"backup": down', '"openai": down')

    assert sight.ways == [("Initial", "openai"), ("Failover", "backup"), ("Failover", "third")]
    assert sight.condition("Frozen")[0] == "False"
    assert await ask_as_consumer(scene) == "third"


def good(exchange: Exchange) -> bool:
    return exchange.status == 200


async def flaps(provider: FakeProvider, *, answers: int) -> None:
    """Be down until that is beyond doubt, then well for so many answers."""
    await provider.behave(Fault.SERVER_ERROR)
    await is_asked(provider, PROMPT["failureThreshold"], lambda exchange: not good(exchange))
    await provider.behave(Fault.HEALTHY)
    await is_asked(provider, answers, good)


async def test_a_provider_that_flaps_faster_than_it_may_recover_is_left_once_and_stays_away(scene: Scene) -> None:
    hasty = {**AT_ONCE, "blacklistDuration": "0s"}
    await scene.opens("openai", "backup", healthCheck={**PROMPT, "recoveryThreshold": 3}, failover=hasty)
    primary = scene.providers["openai"]
    for _ in range(FLAPS):
        await flaps(primary, answers=1)

    sight = await look(scene)

    assert sight.ways == [("Initial", "openai"), ("Failover", "backup")]
    assert len(sight.notes("ProviderDown")) == 1
    assert await ask_as_consumer(scene) == "backup"
    await switched(scene, "Failback", "openai")


async def test_a_provider_that_flaps_every_few_seconds_is_not_returned_to_before_its_blacklist_is_over(
    scene: Scene,
) -> None:
    await scene.opens("openai", "backup", healthCheck=PROMPT, failover=SHORT)
    primary = scene.providers["openai"]
    for _ in range(SLOW_FLAPS):
        await flaps(primary, answers=PROMPT["recoveryThreshold"] + 1)

    sight = await switched(scene, "Failback", "openai")

    assert 2 < len(sight.ways) <= 1 + 2 * SLOW_FLAPS
    assert min(away(sight)) >= BLACKLIST - DECIDING
    assert len(sight.notes("FailedOver")) == len(sight.notes("ProviderDown"))


def away(sight: Sight) -> list[timedelta]:
    """Return how long each stay with the backup was."""
    times = [datetime.fromisoformat(each["time"]) for each in reversed(sight.status["history"])]
    return [back - gone for gone, back in list(pairwise(times))[1::2]]
