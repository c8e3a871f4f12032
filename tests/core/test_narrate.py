"""What is worth an Event: told once, in words for people, under a reason for programs."""

from typing import Any

import pytest
from tests.core.moments import DOWN, LIMITED, NEVER_PROBED, SUSPECT, WELL, at
from tests.support.statuses import build_failed_over, build_refused, build_switch

from providerswitch.api.status import Condition, ConditionType, PolicyStatus, ProviderStatus, Switch
from providerswitch.core.case import Reason, Trigger
from providerswitch.core.health import ProviderHealth
from providerswitch.core.narrate import PolicyEvent, condition, tell_changes, tell_switch


def switch(**changes: Any) -> Switch:
    return build_switch().model_copy(update=changes)


def provider(health: ProviderHealth, name: str = "openai", since: float = 0) -> ProviderStatus:
    return ProviderStatus(
        name=name,
        state=health.state,
        health_class=health.health_class,
        since=at(since),
        rate_limited_until=health.limited_until,
        eligible=health is WELL,
        why=health.why,
    )


def saw(*healths: ProviderHealth) -> PolicyStatus:
    return PolicyStatus(providers=[provider(health, f"p{index}") for index, health in enumerate(healths)])


def told(kind: ConditionType, status: Any, reason: str, *, since: float = 0, generation: int = 1) -> PolicyStatus:
    one = Condition(
        type=kind,
        status=status,
        reason=reason,
        message=f"told: {reason}",
        last_transition_time=at(since),
        observed_generation=generation,
    )
    return PolicyStatus(conditions=[one])


class TestSwitches:
    def test_a_failover_is_a_warning_with_cause_revision_and_times(self) -> None:
        assert tell_switch(switch()) == PolicyEvent(
            "Warning",
            "FailedOver",
            'Switched from "openai" to "anthropic" (revision 2): openai is down: Timeout. Published and verified in '
            "40 ms, 2100 ms after the first failed probe.",
            "2",
        )

    @pytest.mark.parametrize(
        ("trigger", "reason"),
        [
            (Trigger.INITIAL, "Activated"),
            (Trigger.MANUAL_SWITCH, "Switched"),
            (Trigger.FAILBACK, "FailedBack"),
            (Trigger.SPEC_CHANGE, "Switched"),
        ],
    )
    def test_any_other_switch_is_normal(self, trigger: Trigger, reason: str) -> None:
        event = tell_switch(switch(trigger=trigger, detect_millis=None))
        assert (event.type, event.reason) == ("Normal", reason)
        assert event.note.endswith("Published and verified in 40 ms.")

    def test_the_first_choice_comes_from_nowhere(self) -> None:
        note = tell_switch(switch(trigger=Trigger.INITIAL, from_provider=None)).note
        assert note.startswith('"anthropic" is the first choice (revision 2)')

    def test_an_undone_switch_is_a_warning_that_says_what_holds(self) -> None:
        event = tell_switch(switch(outcome="RolledBack"))
        assert (event.type, event.reason) == ("Warning", "SwitchRolledBack")
        assert "undone, the former choice is published again" in event.note

    def test_a_switch_that_another_release_began_is_told_too(self) -> None:
        assert tell_switch(switch(trigger="Sabbatical", outcome="Resumed")).reason == "Switched"

    def test_the_same_switch_told_again_after_a_crash_is_the_same_event(self) -> None:
        resumed = tell_switch(switch(outcome="Resumed", switch_millis=9000))
        assert (resumed.reason, resumed.identity) == (tell_switch(switch()).reason, tell_switch(switch()).identity)

    def test_two_switches_are_two_events(self) -> None:
        assert tell_switch(switch(revision=3)).identity != tell_switch(switch()).identity


class TestProviders:
    def test_one_that_goes_down_is_a_warning_with_class_and_cause(self) -> None:
        (event,) = tell_changes(saw(SUSPECT), saw(DOWN))
        assert (event.type, event.reason) == ("Warning", "ProviderDown")
        assert event.note == 'Provider "p0" is down (Timeout): no answer within 10 s'

    def test_one_that_is_rate_limited_is_a_warning_with_the_end(self) -> None:
        (event,) = tell_changes(saw(WELL), saw(LIMITED))
        assert (event.type, event.reason) == ("Warning", "ProviderRateLimited")
        assert event.note == 'Provider "p0" is rate limited until 12:01:00 UTC: 429'

    @pytest.mark.parametrize("health", [DOWN, LIMITED], ids=["down", "rate limited"])
    def test_one_that_comes_back_is_told(self, health: ProviderHealth) -> None:
        (event,) = tell_changes(saw(health), saw(WELL))
        assert (event.type, event.reason) == ("Normal", "ProviderRecovered")

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            (NEVER_PROBED, WELL),
            (WELL, SUSPECT),
            (SUSPECT, WELL),
            (DOWN, DOWN),
            (LIMITED, LIMITED),
            (DOWN, NEVER_PROBED),
        ],
    )
    def test_what_concerns_nobody_is_not_told(self, before: ProviderHealth, after: ProviderHealth) -> None:
        assert tell_changes(saw(before), saw(after)) == ()

    def test_a_newcomer_that_is_down_is_told_and_one_that_works_is_not(self) -> None:
        assert [event.note[:13] for event in tell_changes(saw(), saw(WELL, DOWN))] == ['Provider "p1"']

    def test_one_that_left_is_not_told(self) -> None:
        assert tell_changes(saw(WELL, WELL), saw(WELL)) == ()

    def test_each_outage_is_an_event_of_its_own(self) -> None:
        first = tell_changes(PolicyStatus(), PolicyStatus(providers=[provider(DOWN, since=0)]))
        second = tell_changes(PolicyStatus(), PolicyStatus(providers=[provider(DOWN, since=600)]))
        assert first[0].identity != second[0].identity


class TestFreeze:
    def test_its_begin_and_its_end_are_told(self) -> None:
        thawed = told(ConditionType.FROZEN, "False", "NetworkWorks", since=60)
        frozen = told(ConditionType.FROZEN, "True", "LocalNetworkFault")
        assert [event.reason for event in tell_changes(PolicyStatus(), frozen)] == ["Frozen"]
        assert [event.reason for event in tell_changes(frozen, thawed)] == ["Thawed"]

    def test_where_there_was_none_nothing_is_told(self) -> None:
        works = told(ConditionType.FROZEN, "False", "NetworkWorks")
        assert tell_changes(PolicyStatus(), works) == tell_changes(works, works) == ()


class TestReadiness:
    def not_ready(self, reason: str = Reason.NO_HEALTHY_PROVIDER, since: float = 0) -> PolicyStatus:
        return told(ConditionType.READY, "False", reason, since=since)

    def test_a_policy_that_is_not_ready_says_why_once(self) -> None:
        ready = told(ConditionType.READY, "True", Reason.PRIMARY_HEALTHY)
        (event,) = tell_changes(ready, self.not_ready())
        assert (event.type, event.reason) == ("Warning", "NoHealthyProvider")
        assert event.note == "told: NoHealthyProvider"
        assert tell_changes(self.not_ready(), self.not_ready()) == ()

    def test_another_cause_is_told_again(self) -> None:
        assert [event.reason for event in tell_changes(self.not_ready(), build_refused())] == ["SecretNotFound"]

    def test_waiting_for_the_first_probe_is_no_news(self) -> None:
        assert tell_changes(PolicyStatus(), self.not_ready(Reason.WAITING)) == ()

    @pytest.mark.parametrize("status", ["True", "Unknown"])
    def test_what_is_ready_or_cannot_be_told_is_no_event_of_its_own(self, status: str) -> None:
        assert tell_changes(self.not_ready(), told(ConditionType.READY, status, "Any")) == ()


class TestRefusals:
    def refused(self, generation: int = 1) -> PolicyStatus:
        return told(ConditionType.FAILED_OVER, "True", "SwitchRefused", generation=generation)

    def test_a_wish_that_is_not_granted_is_told(self) -> None:
        (event,) = tell_changes(PolicyStatus(), self.refused())
        assert (event.type, event.reason, event.note) == ("Warning", "SwitchRefused", "told: SwitchRefused")

    def test_it_is_told_once_for_each_edit(self) -> None:
        assert tell_changes(self.refused(), self.refused()) == ()
        assert len(tell_changes(self.refused(), self.refused(generation=2))) == 1

    def test_a_failover_by_itself_is_told_by_its_switch(self) -> None:
        assert tell_changes(PolicyStatus(), told(ConditionType.FAILED_OVER, "True", Reason.FAILED_OVER)) == ()


def test_a_condition_is_found_by_its_type() -> None:
    ready = condition(build_failed_over(), ConditionType.READY)
    assert ready is not None
    assert ready.type == "Ready"
    assert condition(PolicyStatus(), ConditionType.READY) is None


def test_a_status_that_is_written_again_tells_nothing() -> None:
    assert tell_changes(build_failed_over(), build_failed_over()) == ()
