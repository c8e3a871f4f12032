"""What the demo makes of the objects and lines it sees."""

from tests.demo import seen

from providerswitch.demo.world import Calls, World, describe


def test_the_consumer_is_counted_by_who_answered() -> None:
    calls = Calls()
    for line in (seen.call("openai"), seen.call("openai"), seen.failed_call("openai", 2), seen.call("google", 5)):
        calls.take(line)
    assert (calls.good, calls.failed, calls.success_rate) == (3, 1, 0.75)
    assert (dict(calls.served), calls.last_server) == ({"openai": 2, "google": 1}, "google")


def test_an_outage_lasts_from_the_first_failed_call_to_the_next_good_one() -> None:
    calls = Calls()
    for line in (seen.failed_call("a", 10), seen.failed_call("a", 11), seen.call("b", 12.5), seen.failed_call("b", 20)):
        calls.take(line)
    calls.take(seen.call("b", 20.5))
    assert calls.longest_outage == 2.5


async def test_whoever_waits_is_woken_by_a_change() -> None:
    world = World()
    assert not await world.change(within=0.01)
    world.ring()
    assert not await world.change(within=0.01)


def test_what_is_seen_is_described_for_who_expected_otherwise() -> None:
    world = seen.world_with(seen.policy(states={"openai": "Down AuthInvalid"}, conditions={"Ready": "False"}))
    text = describe(world, "assistant")
    assert "openai Down (AuthInvalid)" in text
    assert "Ready=False R: m" in text
    assert "published nothing" in text
    assert "no conditions" in describe(World(), "assistant")
