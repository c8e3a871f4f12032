"""A provider that works no more, in the ways that no status code tells: seen, left, and returned to."""

import pytest
from tests.support.emergencies import LONG, PROMPT, SHORT, ask_as_consumer, comes, headed_by, switched
from tests.support.eventually import eventually
from tests.support.played_streams import DONE, event, streaming
from tests.support.scene import Scene

from providerswitch.demo.fakes import Fault, Scope

NO_ANSWERS = {
    Fault.ERROR_IN_200: ("ServerError", "HTTP 200: "),
    Fault.HTML_PROXY: ("Protocol", "HTTP 502: an HTML page instead of an answer"),
}
BILLED = {**PROMPT, "generation": {"interval": "10s"}}
SLOWEST_DETECTION_MILLIS = 5000
"""Three silences of a second each, and some time for a busy machine."""


@pytest.mark.parametrize("fault", NO_ANSWERS, ids=[fault.value for fault in NO_ANSWERS])
async def test_an_answer_that_is_none_fails_over_and_says_what_was_wrong(scene: Scene, fault: Fault) -> None:
    health_class, says = NO_ANSWERS[fault]
    await scene.opens("openai", "backup", healthCheck=PROMPT, failover=SHORT)
    await scene.providers["openai"].behave(fault)

    sight = await switched(scene, "Failover", "backup", '"openai": down, blacklisted until', says)

    assert sight.provider("openai")["healthClass"] == health_class
    (note,) = sight.notes("ProviderDown")
    assert note == f'Provider "openai" is down ({health_class}): {sight.provider("openai")["why"]}'
    assert await ask_as_consumer(scene) == "backup"

    await scene.providers["openai"].behave(Fault.HEALTHY)
    sight = await switched(scene, "Failback", "openai", '"openai" is preferred to "backup" and may serve')
    assert sight.notes("ProviderRecovered") == ['Provider "openai" may serve again.']
    assert await ask_as_consumer(scene) == "openai"


async def test_an_outage_that_changes_its_face_is_one_outage(scene: Scene) -> None:
    await scene.opens("openai", "backup", healthCheck=PROMPT, failover=LONG)
    primary = scene.providers["openai"]
    for fault in (Fault.SERVER_ERROR, Fault.RESET, Fault.HANG):
        await primary.behave(fault)
        await eventually(lambda: primary.first_failure_at)
    await switched(scene, "Failover", "backup", '"openai": down')
    await primary.behave(Fault.REFUSE)
    await comes(scene, lambda seen: seen.provider("openai")["healthClass"] == "ConnectRefused")
    await primary.behave(Fault.OVERLOADED)
    sight = await comes(scene, lambda seen: seen.provider("openai")["healthClass"] == "Overloaded")

    assert sight.ways == [("Initial", "openai"), ("Failover", "backup")]
    assert len(sight.notes("ProviderDown")) == 1
    assert sight.condition("FailedOver") == ("True", "FailedOver")


async def test_a_provider_that_falls_silent_is_left_as_soon_as_three_probes_can_tell(scene: Scene) -> None:
    await scene.opens("openai", "backup", healthCheck=PROMPT, failover=LONG)
    await scene.providers["openai"].behave(Fault.HANG)

    sight = await switched(scene, "Failover", "backup", "timed out during read-headers")

    assert sight.newest["detectMillis"] < SLOWEST_DETECTION_MILLIS


async def test_an_outage_of_generation_alone_is_seen_where_billed_probes_are_made(scene: Scene) -> None:
    primary = await scene.provider("openai")
    await scene.provider("backup")
    await primary.behave(Fault.SERVER_ERROR, scope=Scope.GENERATION)
    await scene.apply(scene.secret(), scene.policy(healthCheck=BILLED, failover=SHORT))

    sight = await switched(scene, "Failover", "backup", '"openai": down', "HTTP 500")

    assert sight.ways[0] == ("Initial", "openai")
    assert await ask_as_consumer(scene) == "backup"
    await primary.behave(Fault.HEALTHY)
    await switched(scene, "Failback", "openai")
    assert await ask_as_consumer(scene) == "openai"


BROKEN_STREAMS = {
    "an error": (
        event({"error": {"message": "Internal failure", "type": "server_error", "code": None}}),
        "ServerError",
    ),
    "a reset": (None, "Reset"),
}


@pytest.mark.parametrize("case", BROKEN_STREAMS)
async def test_a_stream_that_breaks_after_its_first_event_is_an_outage(scene: Scene, case: str) -> None:
    rest, health_class = BROKEN_STREAMS[case]
    await scene.provider("backup")
    async with streaming() as stream:
        stream.rest = rest
        await scene.apply(scene.secret(), headed_by(scene, stream.listed("streamer"), healthCheck=BILLED))

        sight = await switched(scene, "Failover", "backup", '"streamer": down')

        assert sight.ways[0] == ("Initial", "streamer")
        assert sight.provider("streamer")["healthClass"] == health_class
        stream.rest = DONE
        await switched(scene, "Failback", "streamer")
