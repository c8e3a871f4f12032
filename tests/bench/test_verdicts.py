"""What became of consumers is judged by what really worked, not by what the operator believed."""

from collections.abc import Callable, Mapping, Sequence

import pytest
from tests.bench.shared import verdicts
from tests.simulate.scenery import at, build_world, trouble

from providerswitch.api.health import HealthClass
from providerswitch.simulate.loop import Publication
from providerswitch.simulate.weather import Trouble

END = at(4000)
Verdict = verdicts.Verdict
Troubles = Mapping[str, Sequence[Trouble]]


def judge(troubles: Troubles, publish: Callable[..., Publication] | None = None, **spec: object) -> verdicts.Judge:
    world = build_world(troubles, **spec)
    if publish:
        world.publish = publish
    world.run(END)
    weathers = {name: provider.weather for name, provider in world.providers.items()}  # type: ignore[attr-defined]  # a TroubledProvider
    made = verdicts.Judge(world, weathers, END)
    made.read()
    return made


def found(troubles: Troubles, **spec: object) -> list[tuple[verdicts.Verdict, str]]:
    return [(episode.verdict, episode.cause) for episode in judge(troubles, **spec).episodes]


def test_a_failover_in_time_has_succeeded() -> None:
    assert found({"openai": [trouble(100, 2000)], "anthropic": []}) == [(Verdict.SUCCEEDED, "")]


def test_an_outage_that_is_over_sooner_than_it_can_be_noticed_needs_no_failover() -> None:
    limit = trouble(101, 111, HealthClass.RATE_LIMITED, retry_after=True)

    assert found({"openai": [limit], "anthropic": []}) == [(Verdict.PASSED, "")]


def test_where_nobody_works_nobody_is_to_blame() -> None:
    assert found({"openai": [trouble(100, 2000)], "anthropic": [trouble(50, 2100)]}) == [(Verdict.NO_CANDIDATE, "")]


def test_an_outage_that_unbilled_probes_do_not_notice_is_missed() -> None:
    hidden = {"openai": [trouble(100, 2000, hidden=True)], "anthropic": []}

    assert found(hidden) == [(Verdict.MISSED, "not detected: unbilled probes do not notice")]
    assert found(hidden, healthCheck={"generation": {"interval": "30s"}}) == [(Verdict.SUCCEEDED, "")]


def test_a_brownout_that_probes_come_through_is_missed() -> None:
    ((verdict, cause),) = found({"openai": [trouble(100, 1200, share=0.5)], "anthropic": []}) or [(None, "")]

    assert verdict is Verdict.MISSED
    assert "a part of the requests succeeds" in cause


def test_a_candidate_that_is_still_blacklisted_is_named_as_the_cause() -> None:
    troubles = {"openai": [trouble(300, 2000)], "anthropic": [trouble(100, 250)]}

    assert found(troubles) == [(Verdict.MISSED, "candidate works again, but is blacklisted")]


def test_what_could_not_be_published_is_named_as_the_cause() -> None:
    troubles = {"openai": [trouble(100, 2000)], "anthropic": []}
    judged = judge(troubles, lambda moment: Publication.SUCCEEDED if moment < at(90) else Publication.REFUSED)

    assert [(each.verdict, each.cause) for each in judged.episodes] == [(Verdict.MISSED, "not published")]
    assert judged.toll.policy == pytest.approx(1900)


def test_a_fault_of_our_own_network_is_nobodys_outage() -> None:
    ours = trouble(100, 700, HealthClass.DNS, ours=True)
    judged = judge({"openai": [ours], "anthropic": [ours]})

    assert judged.episodes == []
    assert judged.toll.policy == 0
    assert judged.toll.total == pytest.approx((END - at(0.31)).total_seconds() - 600, abs=1)


def test_the_toll_is_that_of_the_policy_of_the_primary_alone_and_of_an_oracle() -> None:
    toll = judge({"openai": [trouble(100, 2000)], "anthropic": [trouble(50, 150, share=0.5)]}).toll

    assert toll.primary == pytest.approx(1900)
    assert toll.oracle == pytest.approx(25)
    assert 25 < toll.policy < 60
    assert toll.each == {"openai": pytest.approx(1900), "anthropic": pytest.approx(50)}


def test_an_outage_in_which_our_own_network_fails_begins_anew_after_it() -> None:
    ours = trouble(105, 400, HealthClass.DNS, ours=True)
    judged = judge({"openai": [ours, trouble(100, 2000)], "anthropic": [ours]})

    assert judged.episodes[0].verdict is Verdict.INTERRUPTED
    assert [episode.start for episode in judged.episodes] == [at(100), at(400)]
