"""Providers that work, but badly: too slow, or failing too often without ever failing long enough to be down."""

from tests.support.emergencies import (
    LONG,
    PROMPT,
    ask_as_consumer,
    asked,
    assert_no_key_shows,
    comes,
    is_asked,
    switched,
)
from tests.support.scene import Scene

from providerswitch.demo.fakes import Exchange, FakeProvider, Fault

NARROW = {"switchOnDegradation": True, "window": "10s", "minSamples": 3}
"""The shortest memory that the API server lets a policy have."""
PATIENT = {**PROMPT, "timeout": "5s"}
UNHURRIED = {**PROMPT, "fastInterval": "1s", "failureThreshold": 5}
"""So slow that a test can mend a provider before it is asked again."""
SLOW_SECONDS = 1.0
TOO_SLOW = {"responseTime": "700ms"}


def failed(exchange: Exchange) -> bool:
    return exchange.fault is not Fault.HEALTHY


async def fails_every_other_time(provider: FakeProvider, times: int) -> None:
    """Fail, and be well again before anybody can be sure."""
    for _ in range(times):
        await provider.behave(Fault.SERVER_ERROR)
        await is_asked(provider, 1, failed)
        await provider.behave(Fault.HEALTHY)
        await is_asked(provider, 1)


async def test_a_provider_that_became_slow_is_left_for_a_quicker_one_until_it_is_quick_again(scene: Scene) -> None:
    selection = {**NARROW, "thresholds": TOO_SLOW}
    await scene.opens("openai", "backup", healthCheck=PATIENT, failover=LONG, selection=selection)
    await scene.providers["openai"].behave(Fault.SLOW, seconds=SLOW_SECONDS)

    sight = await switched(scene, "Degradation", "backup", '"openai" is degraded: ')

    slow = sight.provider("openai")
    assert slow["state"] == "Healthy"
    assert slow["responseTime"]["p95Millis"] >= SLOW_SECONDS * 1000
    assert "blacklistedUntil" not in slow
    (note,) = sight.notes("ProviderDegraded")
    assert note == f'"openai" is degraded: {slow["degraded"]}'
    assert sight.notes("ProviderDown") == []
    assert sight.condition("FailedOver") == ("True", "LessDegraded")
    assert await ask_as_consumer(scene) == "backup"

    await scene.providers["openai"].behave(Fault.HEALTHY)
    sight = await switched(scene, "Failback", "openai", within=30)
    assert sight.notes("ProviderNotDegraded") == ['"openai" is within all thresholds again.']


async def test_a_provider_that_fails_too_often_though_never_long_enough_is_left(scene: Scene) -> None:
    selection = {**NARROW, "thresholds": {"errorRate": 0.3, "availability": 0}}
    await scene.opens("openai", "backup", healthCheck=UNHURRIED, failover=LONG, selection=selection)
    await fails_every_other_time(scene.providers["openai"], 4)

    sight = await switched(scene, "Degradation", "backup", '"openai" is degraded: ')

    assert sight.provider("openai")["errorRate"] > 0.3
    assert sight.notes("ProviderDown") == []
    assert len(asked(scene.providers["openai"], failed)) >= 4


async def test_where_degradation_is_only_told_nobody_is_moved(scene: Scene) -> None:
    selection = {**NARROW, "switchOnDegradation": False, "thresholds": TOO_SLOW}
    await scene.opens("openai", "backup", healthCheck=PATIENT, failover=LONG, selection=selection)
    await scene.providers["openai"].behave(Fault.SLOW, seconds=SLOW_SECONDS)
    await is_asked(scene.providers["openai"], 5, failed)
    await scene.edit(failover={"maxSwitchesPerHour": 11})  # or it would be told within a minute

    sight = await comes(scene, lambda seen: seen.condition("Degraded")[0] == "True")

    assert sight.ways == [("Initial", "openai")]
    assert sight.condition("Ready")[0] == "True"
    assert sight.condition("FailedOver")[0] == "False"
    assert sight.published["LLM_PROVIDER"] == "openai"
    assert len(sight.notes("ProviderDegraded")) == 1
    await assert_no_key_shows(scene, sight)
