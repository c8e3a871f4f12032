"""Who leads, in virtual time: never two at once, whatever the network does, and soon another when one is gone."""

import asyncio
import logging
import random
from collections.abc import Callable
from datetime import UTC, datetime

import looptime
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from tests.kube.played_leases import KEY, TIMING, Candidate, Fate, Line, Store
from tests.support.virtual_time import elapsed

from providerswitch.kube.client import Object
from providerswitch.kube.lease import Record, build_lease, read_record

pytestmark = pytest.mark.looptime(start=0)


def candidates(store: Store, *names: str) -> list[Candidate]:
    made = [Candidate(name, Line(store)) for name in names]
    for each in made:
        each.start()
    return made


async def leader_among(made: list[Candidate], within: float) -> Candidate:
    async with asyncio.timeout(within):
        while not any(each.leads for each in made):  # noqa: ASYNC110  # virtual time
            await asyncio.sleep(0.01)
    (leader,) = (each for each in made if each.leads)
    return leader


async def test_the_first_to_come_leads_at_once_and_goes_on_leading() -> None:
    store = Store()
    made = candidates(store, "a", "b")
    leader = await leader_among(made, 0.1)
    await asyncio.sleep(600)
    assert [each.terms for each in made if each is leader] == [["begin"]]
    assert [each.leads for each in made] == [each is leader for each in made]
    assert store.holder == leader.name


async def test_a_leader_that_steps_down_is_followed_within_moments() -> None:
    store = Store()
    made = candidates(store, "a", "b")
    leader = await leader_among(made, 0.1)
    await asyncio.sleep(5)
    await leader.stop()
    (other,) = (each for each in made if each is not leader)
    assert await leader_among([other], 0.1) is other
    assert not leader.leads
    assert store.lease
    assert store.lease["spec"]["leaseTransitions"] == 1


async def test_a_leader_that_vanishes_is_replaced_when_its_lease_has_run_out_and_not_before() -> None:
    store = Store()
    made = candidates(store, "a", "b")
    leader = await leader_among(made, 0.1)
    await asyncio.sleep(5)
    gone = elapsed()
    leader.crash()
    (other,) = (each for each in made if each is not leader)
    await leader_among([other], 2 * TIMING.lease)
    assert TIMING.lease - TIMING.renewal <= elapsed() - gone <= TIMING.lease + 1


async def test_a_leader_that_is_cut_off_may_no_longer_write_well_before_another_leads() -> None:
    store = Store()
    made = candidates(store, "a", "b")
    leader = await leader_among(made, 0.1)
    await asyncio.sleep(5)
    leader.line.fate = lambda _method: Fate(there=3600)
    async with asyncio.timeout(TIMING.deadline + 0.1):
        while leader.leads:  # noqa: ASYNC110  # virtual time
            await asyncio.sleep(0.01)
    closed = elapsed()
    (other,) = (each for each in made if each is not leader)
    await leader_among([other], TIMING.lease)
    assert elapsed() - closed >= TIMING.lease - TIMING.deadline - 0.1
    assert leader.terms == ["begin", "end"]


async def test_short_troubles_of_the_api_server_cost_nobody_the_lease() -> None:
    store = Store()
    made = candidates(store, "a", "b")
    leader = await leader_among(made, 0.1)
    for _ in range(20):
        leader.line.fate = lambda _method: Fate(lost="back")
        await asyncio.sleep(TIMING.deadline - TIMING.renewal - 1)
        leader.line.fate = lambda _method: Fate()
        await asyncio.sleep(TIMING.renewal + 1)
    assert leader.terms == ["begin"]


async def test_after_an_outage_for_all_the_lease_is_taken_as_soon_as_the_api_server_is_back() -> None:
    store = Store()
    made = candidates(store, "a", "b")
    await leader_among(made, 0.1)
    for each in made:
        each.line.fate = lambda _method: Fate(lost="there")
    await asyncio.sleep(600)
    assert not any(each.leads for each in made)
    asked = store.asked
    await asyncio.sleep(60)
    assert store.asked - asked <= 2 * 60 / TIMING.retry + 4, "a hot loop"
    for each in made:
        each.line.fate = lambda _method: Fate()
    await leader_among(made, 1)


async def test_a_wall_clock_that_is_wrong_changes_nothing() -> None:
    store = Store()
    long_ago = build_lease(KEY, Record("a-dead-one", TIMING.lease), datetime(1999, 1, 1, tzinfo=UTC))
    await store.keep(long_ago)
    began = elapsed()
    await leader_among(candidates(store, "b"), 2 * TIMING.lease)
    assert elapsed() - began >= TIMING.lease


async def test_an_emptied_lease_is_free_and_a_deleted_one_is_made_again() -> None:
    store = Store()
    made = candidates(store, "a")
    await leader_among(made, 0.1)
    store.lease = None
    await asyncio.sleep(TIMING.renewal + 0.1)
    assert store.holder == "a"
    assert made[0].leads
    await made[0].stop()
    assert store.lease
    await store.keep({**store.lease, "spec": {}})
    assert read_record(store.lease, 7.0) == Record("", 7.0, version=str(store.version))
    await leader_among(candidates(store, "b"), 1)


async def test_a_lease_deleted_under_a_leader_makes_nobody_else_lead() -> None:
    store = Store()
    made = candidates(store, "a", "b")
    leader = await leader_among(made, 0.1)
    await asyncio.sleep(TIMING.renewal + 0.1)
    await store.delete()
    for _ in range(100):
        await asyncio.sleep(TIMING.lease / 50)
        assert [each for each in made if each.leads] == [leader]
    assert store.holder == leader.name


async def test_a_lease_deleted_after_its_leader_vanished_is_made_when_it_would_have_run_out() -> None:
    store = Store()
    made = candidates(store, "a", "b")
    leader = await leader_among(made, 0.1)
    (other,) = (each for each in made if each is not leader)
    await asyncio.sleep(5)
    leader.crash()
    await store.delete()
    began = elapsed()
    assert await leader_among([other], TIMING.lease + 1) is other
    assert elapsed() - began > TIMING.deadline


async def test_a_lease_that_cannot_be_had_is_a_warning_and_a_leader_elsewhere_is_none(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    made = candidates(Store(), "a", "b")
    await leader_among(made, 0.1)
    await asyncio.sleep(5)
    assert {each.levelname for each in caplog.records if "standing by" in each.message} == {"INFO"}
    for each in made:
        each.line.fate = lambda _method: Fate(lost="there")
    await asyncio.sleep(60)
    told = {each.levelname for each in caplog.records if "tried again" in each.message}
    assert told == {"WARNING"}


@pytest.mark.parametrize(
    "odd",
    [{}, {"metadata": None}, {"metadata": {}}, {"metadata": {"resourceVersion": "1"}, "spec": ["holderIdentity"]},
     {"metadata": {"resourceVersion": "1"}, "spec": {"leaseDurationSeconds": "long"}}],
)  # fmt: skip
@pytest.mark.parametrize("leads", [True, False])
async def test_an_answer_that_is_no_lease_is_trouble_like_any_other(odd: Object, leads: bool) -> None:  # noqa: FBT001  # a parameter of the test
    made = candidates(Store(), "a", "b")
    leader = await leader_among(made, 0.1)
    await asyncio.sleep(5)
    (victim,) = (each for each in made if (each is leader) is leads)
    victim.line.odd = odd
    await asyncio.sleep(60)
    assert (await leader_among(made, 0.1) is victim) is False
    victim.line.odd = None
    await asyncio.sleep(60)
    await leader_among(made, 0.1)
    assert all(each.task and not each.task.done() for each in made)


async def test_a_beginning_that_fails_ends_the_election_loudly() -> None:
    async def fails() -> None:
        raise ZeroDivisionError

    made = Candidate("a", Line(Store()))
    with pytest.raises(ZeroDivisionError):
        await made.election.run(fails, lambda: None)
    assert not made.leads


def weather(seed: int, badness: float) -> Callable[[str], Fate]:
    """Return a network that is bad for a while and good for a while."""
    dice = random.Random(seed)

    def fate(_method: str) -> Fate:
        bad = dice.random() < badness
        slow = dice.choice([0.001, 0.01, 0.5, 2.0, 4.0, 9.0, 30.0]) if bad else 0.001
        return Fate(
            there=slow * dice.random(), back=slow * dice.random(), lost=dice.choice(["", "there", "back"]) * bad
        )

    return fate


@given(st.integers(0, 2**32), st.floats(0, 0.9), st.integers(2, 4))
@settings(max_examples=15, phases=[Phase.reuse, Phase.generate])
@pytest.mark.looptime(False)
def test_never_may_two_write_whatever_the_network_does(seed: int, badness: float, count: int) -> None:
    async def play() -> int:
        store, terms = Store(), 0
        made = [Candidate(f"r{number}", Line(store, weather(seed + number, badness))) for number in range(count)]
        for each in made:
            each.start()
        for _ in range(1500):
            await asyncio.sleep(0.1)
            leading = [each.name for each in made if each.leads]
            assert len(leading) <= 1, (elapsed(), leading)
            terms += bool(leading)
        await asyncio.gather(*(each.stop() for each in made))
        return terms

    loop = looptime.new_event_loop(start=0)
    try:
        assert loop.run_until_complete(play()) > 0
    finally:
        loop.close()
