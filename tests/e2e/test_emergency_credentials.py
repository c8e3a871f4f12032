"""Keys that are rejected: confirmed, told, left alone, and believed again at once when their Secret is corrected."""

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
from tests.support.scene import Scene, key_of

from providerswitch.demo.fakes import Exchange, Fault

RARE = {**PROMPT, "interval": "1h"}
"""Nothing that happens within a test happens because a probe was due."""
REVOKED = "sk-revoked-0123456789abcdef"
SLOW_FACTOR = 5
CONFIRMED = 2
TIMER_SLACK = 0.2


def rejected(exchange: Exchange) -> bool:
    return exchange.status == 401


async def test_a_rejected_key_is_confirmed_once_and_its_correction_is_seen_at_once(scene: Scene) -> None:
    await scene.opens("openai", "backup", healthCheck=RARE, failover=LONG)
    primary = scene.providers["openai"]
    await scene.apply(scene.secret(openai=REVOKED))

    sight = await switched(scene, "Failover", "backup", '"openai": down', "HTTP 401")

    assert sight.provider("openai")["healthClass"] == "AuthInvalid"
    (note,) = sight.notes("ProviderDown")
    assert note.startswith('Provider "openai" is down (AuthInvalid)')
    assert len(asked(primary, rejected)) == CONFIRMED
    assert REVOKED not in sight.text
    assert await ask_as_consumer(scene) == "backup"

    await scene.apply(scene.secret())
    await switched(scene, "Failback", "openai", within=5)
    assert len(asked(primary, rejected)) == CONFIRMED
    assert await ask_as_consumer(scene) == "openai"


async def test_a_key_that_is_rejected_once_is_a_whim_of_the_provider(scene: Scene) -> None:
    await scene.opens("openai", "backup", healthCheck={**PROMPT, "fastInterval": "1s"}, failover=LONG)
    primary = scene.providers["openai"]
    await primary.behave(Fault.BAD_KEY)
    await eventually(lambda: primary.first_failure_at)
    await primary.behave(Fault.HEALTHY)
    await is_asked(primary, 2)

    sight = await comes(scene, lambda seen: seen.provider("openai")["state"] == "Healthy")

    assert len(asked(primary, rejected)) == 1
    assert sight.ways == [("Initial", "openai")]
    assert sight.notes("ProviderDown") == []


async def test_a_rejected_key_is_asked_about_rarely_and_returned_to_when_the_provider_takes_it_again(
    scene: Scene,
) -> None:
    await scene.opens("openai", "backup", healthCheck=PROMPT, failover=SHORT)
    primary = scene.providers["openai"]
    primary.key = "sk-somebody-elses-0123456789abcdef"
    await switched(scene, "Failover", "backup", '"openai": down', "HTTP 401")
    primary.key = key_of("openai")

    await switched(scene, "Failback", "openai", within=SLOW_FACTOR + 15)

    first, second = asked(primary, rejected)
    accepted = next(exchange for exchange in asked(primary) if exchange.at > second.at)
    assert second.at - first.at < 1
    assert accepted.at - second.at >= SLOW_FACTOR - TIMER_SLACK


async def test_with_every_key_rejected_the_last_choice_stays_and_one_good_key_is_enough(scene: Scene) -> None:
    await scene.opens("openai", "backup", healthCheck=RARE, failover=LONG)
    before = (await look(scene)).published
    await scene.apply(scene.secret(openai=REVOKED, backup=REVOKED))

    sight = await comes(scene, lambda seen: seen.condition("Ready") == ("False", "NoHealthyProvider"))

    assert sight.published == before
    assert sight.ways == [("Initial", "openai")]
    (note,) = sight.notes("NoHealthyProvider")
    assert '"openai": down' in note
    assert '"backup": ' in note
    assert note.endswith('"openai" stays published')
    await assert_no_key_shows(scene, sight)
    await scene.apply(scene.secret(openai=REVOKED))
    await switched(scene, "Failover", "backup", '"openai": down', within=5)
    await scene.apply(scene.secret())
    await switched(scene, "Failback", "openai", within=5)


async def test_a_new_key_that_works_moves_nobody(scene: Scene) -> None:
    await scene.opens("openai", "backup", healthCheck=RARE, failover=LONG)
    primary = scene.providers["openai"]
    before = (await look(scene)).published
    primary.key = "sk-rotated-0123456789abcdef"
    await scene.apply(scene.secret(openai=primary.key))

    await eventually(lambda: len(asked(primary)) == 2)

    sight = await comes(scene, lambda seen: seen.provider("openai")["state"] == "Healthy")
    assert sight.published == before
    assert sight.ways == [("Initial", "openai")]
    assert sight.condition("Ready") == ("True", "PrimaryHealthy")
    assert await ask_as_consumer(scene) == "openai"
    await assert_no_key_shows(scene, sight)
