"""Rate limits, which pass, and empty accounts, which do not: told apart, and answered differently."""

from datetime import datetime
from itertools import pairwise

import pytest
from tests.support.emergencies import (
    LONG,
    PROMPT,
    SHORT,
    ask_as_consumer,
    asked,
    assert_no_key_shows,
    comes,
    is_asked,
    look,
    switched,
)
from tests.support.eventually import eventually
from tests.support.scene import Scene

from providerswitch.demo.fakes import Exchange, Fault

TIMER_SLACK = 0.2
REFUSED_SECONDS = 4
QUOTA_SAYS = {"openai": "HTTP 429", "anthropic": "HTTP 400"}


def limited(exchange: Exchange) -> bool:
    return exchange.fault is Fault.RATE_LIMITED


def pauses(exchanges: list[Exchange]) -> list[float]:
    """Return the seconds from each rate-limited answer to the next request."""
    return [later.at - one.at for one, later in pairwise(exchanges) if limited(one)]


async def test_a_short_rate_limit_is_waited_out_and_moves_nobody(scene: Scene) -> None:
    await scene.opens("openai", "backup", healthCheck=PROMPT, failover=LONG)
    primary = scene.providers["openai"]
    before = (await look(scene)).published
    await primary.behave(Fault.RATE_LIMITED, seconds=1)
    await eventually(lambda: asked(primary, limited))
    await primary.behave(Fault.HEALTHY)

    await is_asked(primary, 2)

    sight = await comes(scene, lambda seen: seen.provider("openai")["state"] == "Healthy")
    assert sight.published == before
    assert sight.ways == [("Initial", "openai")]
    assert sight.condition("Ready") == ("True", "PrimaryHealthy")
    assert [reason for reason, _ in sight.events] == ["Activated"]
    assert pauses(asked(primary))
    assert min(pauses(asked(primary))) >= 1 - TIMER_SLACK


async def test_a_rate_limit_that_stays_though_each_is_short_moves_consumers_until_it_ends(scene: Scene) -> None:
    await scene.opens("openai", "backup", healthCheck=PROMPT, failover=LONG)
    primary = scene.providers["openai"]
    await primary.behave(Fault.RATE_LIMITED, seconds=1)

    sight = await switched(scene, "Failover", "backup", '"openai": rate limited, until', "HTTP 429")

    assert len(asked(primary, limited)) >= PROMPT["failureThreshold"]
    assert sight.notes("ProviderDown") == []
    assert "blacklistedUntil" not in sight.provider("openai")
    await primary.behave(Fault.HEALTHY)
    await switched(scene, "Failback", "openai", '"openai" is preferred to "backup" and may serve')


async def test_a_long_rate_limit_is_respected_to_its_end_and_the_provider_then_serves_again(scene: Scene) -> None:
    await scene.opens("openai", "backup", healthCheck=PROMPT, failover=LONG)
    primary = scene.providers["openai"]
    await primary.behave(Fault.RATE_LIMITED, seconds=REFUSED_SECONDS)

    away = await switched(scene, "Failover", "backup", '"openai": rate limited, until')

    assert away.condition("FailedOver") == ("True", "FailedOver")
    until = away.provider("openai")["rateLimitedUntil"]
    assert until[11:19] in away.notes("ProviderRateLimited")[0]
    await primary.behave(Fault.HEALTHY)
    back = await switched(scene, "Failback", "openai")
    assert datetime.fromisoformat(back.newest["time"]) >= datetime.fromisoformat(until)
    (pause,) = pauses(asked(primary))
    assert pause >= REFUSED_SECONDS - TIMER_SLACK
    assert "rateLimitedUntil" not in back.provider("openai")


@pytest.mark.parametrize("kind", QUOTA_SAYS)
async def test_an_empty_account_is_left_at_the_first_answer_and_returned_to_when_it_is_filled(
    scene: Scene, kind: str
) -> None:
    rare = {**PROMPT, "fastInterval": "1s"}
    await scene.provider("first", kind)
    await scene.provider("backup")
    await scene.apply(scene.secret(), scene.policy(healthCheck=rare, failover=SHORT))
    await scene.serves("first")
    await scene.providers["first"].behave(Fault.QUOTA_EXHAUSTED)

    sight = await switched(scene, "Failover", "backup", '"first": down, blacklisted until', QUOTA_SAYS[kind])

    assert sight.newest["detectMillis"] < 1000, "a second probe was waited for"
    assert sight.provider("first")["healthClass"] == "QuotaExhausted"
    (note,) = sight.notes("ProviderDown")
    assert note.startswith('Provider "first" is down (QuotaExhausted)')
    assert sight.notes("ProviderRateLimited") == []
    assert await ask_as_consumer(scene) == "backup"

    await scene.providers["first"].behave(Fault.HEALTHY)
    await switched(scene, "Failback", "first")


async def test_with_everybody_rate_limited_consumers_are_left_where_they_are(scene: Scene) -> None:
    await scene.opens("openai", "backup", healthCheck=PROMPT, failover=LONG)
    before = (await look(scene)).published
    for provider in scene.providers.values():
        await provider.behave(Fault.RATE_LIMITED, seconds=REFUSED_SECONDS)

    sight = await comes(scene, lambda seen: seen.condition("Ready") == ("False", "NoHealthyProvider"))

    assert sight.published == before
    (note,) = sight.notes("NoHealthyProvider")
    assert '"openai": rate limited, until' in note
    assert '"backup": rate limited, until' in note
    assert note.endswith('"openai" stays published')
    await assert_no_key_shows(scene, sight)
    for provider in scene.providers.values():
        await provider.behave(Fault.HEALTHY)
    sight = await comes(scene, lambda seen: seen.condition("Ready") == ("True", "PrimaryHealthy"))
    assert sight.document["active"]["name"] == "openai"
