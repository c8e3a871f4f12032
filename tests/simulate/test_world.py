"""Stories of one policy in virtual time."""

from datetime import datetime, timedelta
from itertools import pairwise

from tests.simulate.scenery import at, build_world, trouble

from providerswitch.api.health import HealthClass
from providerswitch.core.case import Reason
from providerswitch.simulate.loop import Move, Publication
from providerswitch.simulate.world import World

Told = tuple[str | None, str, str]


def told(moves: list[Move]) -> list[Told]:
    return [(move.origin, move.to, str(move.trigger)) for move in moves]


def after(world: World, seconds: float) -> World:
    """Let a world come to a second."""
    world.run(at(seconds))
    return world


def test_a_primary_that_dies_is_left_within_its_interval_and_two_seconds_and_returned_to_when_it_is_well() -> None:
    world = after(build_world({"openai": [trouble(100, 700)], "anthropic": []}), 2000)

    assert told(world.moves) == [
        (None, "openai", "Initial"),
        ("openai", "anthropic", "Failover"),
        ("anthropic", "openai", "Failback"),
    ]
    left, back = world.moves[1:]
    assert timedelta(0) < left.at - at(100) < timedelta(seconds=33)
    assert timedelta(0) < back.at - at(700) < timedelta(seconds=30 * 6)
    assert left.first_failure_at is not None
    assert timedelta(seconds=1.9) < left.decided_at - left.first_failure_at < timedelta(seconds=2.1)


def test_when_nobody_works_the_last_choice_stays() -> None:
    world = after(build_world({"openai": [trouble(100, 1000)], "anthropic": [trouble(90, 1000)]}), 900)

    assert told(world.moves) == [(None, "openai", "Initial")]
    assert world.decisions[-1][1].reason is Reason.NO_HEALTHY_PROVIDER


def test_a_fault_of_our_own_network_moves_nobody() -> None:
    ours = trouble(100, 400, HealthClass.DNS, ours=True)
    world = after(build_world({"openai": [ours], "anthropic": [ours], "google": [ours]}), 1000)

    assert told(world.moves) == [(None, "openai", "Initial")]
    assert [frozen for _, frozen in world.freezes] == [True, False]


def test_an_outage_that_shows_at_the_end_of_a_fault_of_our_own_is_found() -> None:
    ours = trouble(100, 400, HealthClass.DNS, ours=True)
    world = after(build_world({"openai": [ours, trouble(300, 2000)], "anthropic": [ours]}), 1000)

    assert told(world.moves)[1:] == [("openai", "anthropic", "Failover")]
    assert world.moves[1].at - at(400) < timedelta(seconds=35)


def test_a_short_rate_limit_is_waited_out_and_a_long_one_is_not() -> None:
    def limited(seconds: float) -> World:
        limit = trouble(100, 100 + seconds, HealthClass.RATE_LIMITED, retry_after=True)
        return after(build_world({"openai": [limit], "anthropic": []}), 300)

    assert told(limited(20).moves)[1:] == []
    assert told(limited(3600).moves)[1:] == [("openai", "anthropic", "Failover")]


def test_a_publication_that_got_no_answer_is_tried_again_ever_more_slowly_until_it_succeeds() -> None:
    asked: list[datetime] = []

    def publish(moment: datetime) -> Publication:
        asked.append(moment)
        return Publication.UNANSWERED if len(asked) in {2, 3, 4} else Publication.SUCCEEDED

    world = build_world({"openai": [trouble(100, 700)], "anthropic": []})
    world.publish = publish
    after(world, 300)

    gaps = [round((later - earlier).total_seconds(), 2) for earlier, later in pairwise(asked[1:])]
    assert gaps == [0.11, 0.51, 1.01]
    assert world.active == "anthropic"


def test_a_publication_that_is_refused_is_tried_again_after_ten_seconds_and_counted_once() -> None:
    world = build_world({"openai": [trouble(100, 700)], "anthropic": []})
    world.publish = lambda moment: Publication.REFUSED if at(100) < moment < at(160) else Publication.SUCCEEDED
    after(world, 300)

    gaps = {round((later - earlier).total_seconds()) for earlier, later in pairwise(world.refusals)}
    assert len(world.refusals) > 2
    assert gaps == {10}
    assert world.memory.counts.rolled_back == 1
    assert world.active == "anthropic"


def test_a_slow_provider_is_left_for_a_quicker_one_under_performance() -> None:
    world = build_world(
        {"openai": [], "anthropic": []},
        selection={"strategy": "Performance", "minSamples": 3, "window": "2m"},
        failover={"minDwell": "10s"},
    )
    world.providers["openai"].usual = timedelta(seconds=2)  # type: ignore[attr-defined]  # it is a TroubledProvider
    after(world, 600)

    assert told(world.moves)[-1] == ("openai", "anthropic", "Performance")


def test_a_brownout_is_left_where_the_policy_leaves_degraded_providers() -> None:
    troubles = {"openai": [trouble(100, 4000, share=0.5)], "anthropic": []}
    world = after(build_world(troubles, selection={"switchOnDegradation": True}), 400)

    assert world.active == "anthropic"
    assert world.moves[1].trigger in {"Degradation", "Failover"}
