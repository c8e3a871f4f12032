"""What counts as seen, and when."""

import time

import pytest
from tests.demo import seen

from providerswitch.api.drill import DrillState
from providerswitch.api.status import HealthState
from providerswitch.demo import expectations
from providerswitch.demo.expectations import Checklist, Expectation
from providerswitch.demo.fakes import Exchange, FakeProvider, Fault
from providerswitch.demo.world import World

DOWN = seen.policy(active="openai", states={"openai": "Healthy", "anthropic": "Down AuthInvalid"},
                   conditions={"Ready": "True", "FailedOver": "True"})  # fmt: skip
LIMITED = seen.policy(states={"anthropic": "RateLimited RateLimited"})

MET = {
    "the status names the active provider": expectations.active("assistant", "openai"),
    "a provider is in a state": expectations.state("assistant", "anthropic", HealthState.DOWN),
    "all conditions hold at a time": expectations.conditions("assistant", {"Ready": "True", "FailedOver": "True"}),
    "a provider is down because of its key": expectations.rejected_key("assistant", "anthropic"),
    "no ConfigMap was blank": expectations.never_empty(),
}
UNMET = {
    "another provider is active": expectations.active("assistant", "google"),
    "the policy was not seen": expectations.active("search", "jina"),
    "the provider is in another state": expectations.state("assistant", "anthropic", HealthState.HEALTHY),
    "the provider is not in the status": expectations.state("assistant", "google", HealthState.HEALTHY),
    "one of the conditions differs": expectations.conditions("assistant", {"Ready": "True", "FailedOver": "False"}),
    "a condition is missing": expectations.conditions("assistant", {"Frozen": "False"}),
    "nothing is published": expectations.published("assistant", "openai"),
    "the consumer was not answered": expectations.consumer_on("openai"),
    "a provider that is down is not rate limited": expectations.limited_not_blacklisted("assistant", "anthropic"),
}


@pytest.mark.parametrize("expectation", MET.values(), ids=MET)
def test_it_is_seen_when(expectation: Expectation) -> None:
    assert expectation.check(seen.world_with(DOWN), 0)


@pytest.mark.parametrize("expectation", UNMET.values(), ids=UNMET)
def test_it_is_not_seen_when(expectation: Expectation) -> None:
    assert not expectation.check(seen.world_with(DOWN), 0)


def test_a_drill_is_seen_when_it_has_passed() -> None:
    world, passed = World(), expectations.drilled("rehearsal", DrillState.PASSED, 1)
    assert not passed.check(world, 0)
    for state in ("Running", "Failed"):
        world.take_drill({"metadata": {"name": "rehearsal", "namespace": "n"}, "status": {"state": state}})
        assert not passed.check(world, 0)
    world.take_drill({"metadata": {"name": "rehearsal", "namespace": "n"}, "status": {"state": "Passed"}})
    assert passed.check(world, 0)


def test_what_is_published_and_who_answers_the_consumer_are_looked_at_themselves() -> None:
    world = World()
    world.take_published("assistant", seen.config_map("google"))
    world.take_call(seen.call("google"))
    assert expectations.published("assistant", "google").check(world, 0)
    assert expectations.consumer_on("google").check(world, 0)


def test_a_published_configmap_without_an_address_is_held_against_the_operator() -> None:
    world = World()
    world.take_published("assistant", seen.config_map("google", url=""))
    world.take_published("assistant", seen.config_map("google"))
    assert not expectations.never_empty().check(world, 0)


def test_an_event_of_an_earlier_step_does_not_count() -> None:
    world = World()
    world.take_event(seen.event("FailedOver"))
    expectation = expectations.event("assistant", "FailedOver")
    assert not expectation.check(world, time.monotonic())
    assert expectation.check(world, 0)


@pytest.mark.parametrize(("until", "free"), [({}, True), ({"blacklistedUntil": "2026-11-24T00:00:00Z"}, False)])
def test_a_rate_limited_provider_must_not_be_blacklisted(until: dict[str, str], *, free: bool) -> None:
    limited = seen.policy(states={"anthropic": "RateLimited RateLimited"})
    limited["status"]["providers"][0].update(until)
    assert expectations.limited_not_blacklisted("assistant", "anthropic").check(seen.world_with(limited), 0) is free


@pytest.mark.parametrize(("times", "kept"), [((1, 9), True), ((1, 2, 9), False), ((1,), False)])
def test_a_provider_that_asked_for_eight_seconds_must_be_left_alone(times: tuple[int, ...], *, kept: bool) -> None:
    fake = FakeProvider("openai")
    faults = [Fault.RATE_LIMITED] + [Fault.HEALTHY] * (len(times) - 1)
    fake.log.extend(Exchange(at, fault, "GET") for at, fault in zip(times, faults, strict=True))
    fake.log.append(Exchange(1.5, Fault.RATE_LIMITED, "POST"))
    assert expectations.left_alone(fake, 8, 20).check(World(), 0) is kept


def checklist(*, within: float = 10) -> Checklist:
    return Checklist((expectations.active("assistant", "openai", within),), begun=100)


def test_what_is_seen_is_ticked_off_once_and_timed_from_the_cause() -> None:
    listed = checklist()
    listed.look(World(), 101)
    assert not listed.complete
    listed.look(seen.world_with(DOWN), 103)
    listed.look(seen.world_with(DOWN), 104)
    listed.cause = 102.5
    assert [observation.after for observation in listed.observations()] == [0.5]


def test_what_is_seen_before_the_deed_is_reported_counts_as_at_once() -> None:
    listed = checklist()
    listed.look(seen.world_with(DOWN), 101)
    listed.cause = 102
    assert [observation.after for observation in listed.observations()] == [0]


def test_what_comes_too_late_is_not_seen() -> None:
    listed = checklist(within=1)
    listed.cause = 100
    listed.look(seen.world_with(DOWN), 101.5)
    assert listed.settled(101.5)
    assert [observation.after for observation in listed.observations()] == [None]


def test_looking_goes_on_until_the_deed_is_done() -> None:
    listed = checklist()
    listed.look(seen.world_with(DOWN), 101)
    assert not listed.settled(999)
    listed.cause = 101
    assert listed.settled(101)
