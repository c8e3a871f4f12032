"""Which provider shall serve, and why: the rules one by one, and their order."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.moments import DOWN, LIMITED, NEVER_PROBED, NOON, SUSPECT, WELL, at, case

from providerswitch.api.health import HealthClass
from providerswitch.api.meta import FAILBACK_ANNOTATION
from providerswitch.api.policy import Mode
from providerswitch.api.status import HealthState, Rejection, Switch
from providerswitch.core import decide as rules
from providerswitch.core.case import Case, Decision, Reason, Rejected, Trigger
from providerswitch.core.decide import PRECEDENCE, decide
from providerswitch.core.freeze import Frozen
from providerswitch.core.health import ProviderHealth
from providerswitch.core.wording import LONGEST_WHY, rejection

FROZEN = Frozen(NOON, 2)
OPENAI_IS_DOWN = "down, blacklisted until 12:05:00 UTC: no answer within 10 s"
OPENAI_DOWN = Rejected("openai", OPENAI_IS_DOWN)


def test_the_order_of_the_rules_is_a_promise() -> None:
    """Changing it changes what users were told; the user guide says the same."""
    assert (
        rules.forced,
        rules.hold_in_freeze,
        rules.overridden,
        rules.wait_for_the_first,
        rules.requested,
        rules.released,
        rules.manual,
        rules.hold_failback,
        rules.hold_refused,
        rules.ranked,
        rules.last_resort,
    ) == PRECEDENCE


def test_the_first_rule_with_an_answer_wins() -> None:
    """Every rule has one here, and each is asked only when those before it have none."""
    wish = replace(case("backup", openai=WELL, backup=WELL), acted_primary="backup", failback=Mode.MANUAL)
    calm = replace(wish, acted_primary="openai")
    assert decide(replace(wish, mode=Mode.MANUAL, frozen=FROZEN)).reason is Reason.FROZEN
    assert decide(replace(wish, mode=Mode.MANUAL)).trigger is Trigger.MANUAL_SWITCH
    assert decide(replace(calm, mode=Mode.MANUAL)).reason is Reason.MANUAL
    assert decide(calm).reason is Reason.FAILBACK_HELD
    assert decide(replace(calm, failback=Mode.AUTOMATIC)).trigger is Trigger.FAILBACK
    assert decide(case("openai", openai=DOWN)).reason is Reason.NO_HEALTHY_PROVIDER


class TestFirstChoice:
    def test_it_is_the_primary(self) -> None:
        assert decide(case(None, openai=WELL, backup=WELL)) == Decision(
            "openai", Reason.PRIMARY_HEALTHY, '"openai" is the primary', Trigger.INITIAL
        )

    def test_it_waits_until_the_primary_was_asked_even_when_a_backup_answers_first(self) -> None:
        assert decide(case(None, openai=NEVER_PROBED, backup=WELL)) == Decision(
            None, Reason.WAITING, 'waiting for the first probe of "openai"'
        )

    def test_it_does_not_wait_for_a_primary_whose_answers_cannot_be_read(self) -> None:
        unread = replace(NEVER_PROBED, why="unexpected KeyError", last_probe_at=NOON)
        found = decide(case(None, openai=unread, backup=WELL))
        assert (found.provider, found.trigger) == ("backup", Trigger.INITIAL)
        assert found.rejected == (Rejected("openai", "unexpected KeyError"),)

    def test_it_does_not_wait_for_a_primary_that_cannot_be_asked_with_its_key(self) -> None:
        asked = replace(case(None, openai=NEVER_PROBED, backup=WELL), config_errors={"openai": "no such Secret"})
        assert decide(asked) == Decision(
            "backup", Reason.FAILED_OVER, '"openai": no such Secret', Trigger.INITIAL,
            (Rejected("openai", "no such Secret"),),
        )  # fmt: skip

    def test_it_is_a_backup_when_the_primary_is_not_well(self) -> None:
        found = decide(case(None, openai=SUSPECT, second=NEVER_PROBED, third=WELL))
        assert (found.provider, found.reason, found.trigger) == ("third", Reason.FAILED_OVER, Trigger.INITIAL)
        assert found.why == '"openai": failing: no answer within 10 s; "second": not probed yet'

    def test_it_is_none_when_nobody_may_serve(self) -> None:
        found = decide(case(None, openai=DOWN, backup=LIMITED))
        assert (found.provider, found.reason, found.trigger) == (None, Reason.NO_HEALTHY_PROVIDER, None)
        assert found.why.endswith("nothing is published yet")

    def test_a_freeze_has_nothing_to_hold_and_does_not_forbid_it(self) -> None:
        frozen = replace(case(None, openai=WELL), frozen=FROZEN)
        assert decide(frozen).provider == "openai"


class TestFailover:
    def test_a_dead_primary_is_replaced_by_the_first_backup_that_may_serve(self) -> None:
        assert decide(case("openai", openai=DOWN, anthropic=LIMITED, google=WELL, jina=WELL)) == Decision(
            "google",
            Reason.FAILED_OVER,
            f'"openai": {OPENAI_IS_DOWN}; "anthropic": rate limited, until 12:01:00 UTC: 429',
            Trigger.FAILOVER,
            (OPENAI_DOWN, Rejected("anthropic", "rate limited, until 12:01:00 UTC: 429")),
        )

    @pytest.mark.parametrize("health", [WELL, SUSPECT, NEVER_PROBED], ids=["healthy", "suspect", "unknown"])
    def test_a_primary_that_is_not_out_yet_stays(self, health: ProviderHealth) -> None:
        assert decide(case("openai", openai=health, backup=WELL)) == Decision(
            "openai", Reason.PRIMARY_HEALTHY, 'the primary "openai" serves'
        )

    @pytest.mark.parametrize("health", [SUSPECT, NEVER_PROBED, DOWN, LIMITED])
    def test_nobody_but_a_healthy_provider_takes_over(self, health: ProviderHealth) -> None:
        found = decide(case("openai", openai=DOWN, backup=health))
        assert (found.provider, found.reason, found.trigger) == ("openai", Reason.NO_HEALTHY_PROVIDER, None)

    def test_nobody_whose_configuration_is_wrong_takes_over(self) -> None:
        found = decide(replace(case("openai", openai=DOWN, backup=WELL), config_errors={"backup": "no such key"}))
        assert found.rejected == (OPENAI_DOWN, Rejected("backup", "no such key"))
        assert (found.provider, found.trigger) == ("openai", None)

    def test_an_active_provider_whose_secret_went_missing_stays_while_it_works(self) -> None:
        found = decide(replace(case("openai", openai=WELL, backup=WELL), config_errors={"openai": "no such Secret"}))
        assert (found.provider, found.trigger) == ("openai", None)

    def test_a_rate_limited_primary_is_left_as_well(self) -> None:
        found = decide(case("openai", openai=LIMITED, backup=WELL))
        assert (found.provider, found.trigger) == ("backup", Trigger.FAILOVER)
        assert found.why == '"openai": rate limited, until 12:01:00 UTC: 429'

    def test_from_a_dead_backup_the_way_leads_to_the_best_even_the_primary(self) -> None:
        found = decide(case("backup", openai=WELL, backup=DOWN, third=WELL))
        assert (found.provider, found.reason, found.trigger) == ("openai", Reason.PRIMARY_HEALTHY, Trigger.FAILOVER)
        assert found.why == f'"backup": {OPENAI_IS_DOWN}'

    @pytest.mark.parametrize("failback", Mode)
    def test_a_provider_that_left_the_candidates_is_replaced_however_well_it_is(self, failback: Mode) -> None:
        left = case("gone", openai=DOWN, backup=WELL)
        found = decide(replace(left, healths={**left.healths, "gone": WELL}, failback=failback))
        assert (found.provider, found.trigger) == ("backup", Trigger.SPEC_CHANGE)
        assert found.why == '"gone" is neither the primary nor a backup any more'

    def test_a_blacklist_that_is_over_is_not_mentioned(self) -> None:
        assert rejection(case(now=at(301), openai=DOWN), "openai") == Rejected("openai", "down: no answer within 10 s")

    def test_with_all_down_the_last_good_choice_stays_and_all_are_told(self) -> None:
        found = decide(case("backup", openai=DOWN, backup=DOWN))
        assert (found.provider, found.reason, found.trigger) == ("backup", Reason.NO_HEALTHY_PROVIDER, None)
        assert found.why == f'"openai": {OPENAI_IS_DOWN}; "backup": {OPENAI_IS_DOWN}; "backup" stays published'


class TestFailback:
    def test_the_primary_serves_again_when_it_is_healthy(self) -> None:
        assert decide(case("backup", openai=WELL, backup=WELL)) == Decision(
            "openai", Reason.PRIMARY_HEALTHY, '"openai" is preferred to "backup" and may serve', Trigger.FAILBACK
        )

    def test_a_better_backup_is_returned_to_as_well(self) -> None:
        found = decide(case("third", openai=DOWN, second=WELL, third=WELL))
        assert (found.provider, found.reason, found.trigger) == ("second", Reason.FAILED_OVER, Trigger.FAILBACK)
        assert found.rejected == (OPENAI_DOWN,)

    def test_until_then_the_backup_serves_and_says_why(self) -> None:
        assert decide(case("backup", openai=DOWN, backup=WELL)) == Decision(
            "backup", Reason.FAILED_OVER, f'"backup" serves: "openai": {OPENAI_IS_DOWN}', rejected=(OPENAI_DOWN,)
        )

    def test_with_manual_failback_a_working_backup_stays(self) -> None:
        held = replace(case("backup", openai=WELL, backup=SUSPECT), failback=Mode.MANUAL)
        assert decide(held) == Decision("backup", Reason.FAILBACK_HELD, '"backup" stays: failover.failback is Manual')

    def test_with_manual_failback_a_dead_backup_does_not(self) -> None:
        assert decide(replace(case("backup", openai=WELL, backup=DOWN), failback=Mode.MANUAL)).provider == "openai"

    def test_a_person_may_ask_for_it(self) -> None:
        asked = replace(case("backup", openai=WELL, backup=WELL), failback=Mode.MANUAL, failback_requested=True)
        assert decide(asked) == Decision(
            "openai", Reason.PRIMARY_HEALTHY, 'the return to "openai" was requested', Trigger.MANUAL_SWITCH
        )

    def test_asked_for_where_the_primary_serves_nothing_happens(self) -> None:
        asked = replace(case("openai", openai=WELL, backup=WELL), failback_requested=True)
        assert decide(asked).trigger is None


class TestPersons:
    """What a person asks for is done at once, if that provider may serve."""

    def edited(self, **healths: ProviderHealth) -> Case:
        """Return the case of a primary edited from openai to google."""
        return replace(case("openai", **healths), acted_primary="openai")

    @pytest.mark.parametrize("mode", Mode)
    @pytest.mark.parametrize("failback", Mode)
    def test_an_edited_primary_is_obeyed_in_every_mode(self, mode: Mode, failback: Mode) -> None:
        edited = replace(self.edited(google=WELL, openai=WELL), mode=mode, failback=failback)
        assert decide(edited) == Decision(
            "google", Reason.PRIMARY_HEALTHY, '"google" was made the primary', Trigger.MANUAL_SWITCH
        )

    @pytest.mark.parametrize("mode", Mode)
    @pytest.mark.parametrize("health", [DOWN, LIMITED, SUSPECT, NEVER_PROBED])
    def test_a_switch_to_a_provider_that_may_not_serve_is_refused(self, mode: Mode, health: ProviderHealth) -> None:
        edited = replace(self.edited(google=health, openai=WELL), mode=mode)
        assert (decide(edited).provider, decide(edited).trigger) == ("openai", None)
        assert rules.refused_request(edited) == rejection(edited, "google")

    def test_an_edit_back_is_no_request_any_more(self) -> None:
        back = case("openai", openai=WELL, google=DOWN)
        assert rules.refused_request(back) is None
        assert decide(back).reason is Reason.PRIMARY_HEALTHY


class TestManualMode:
    def manual(self, active: str | None, **healths: ProviderHealth) -> Case:
        return replace(case(active, **healths), mode=Mode.MANUAL)

    def test_the_first_choice_is_the_primary_or_nothing(self) -> None:
        assert decide(self.manual(None, openai=WELL)).trigger is Trigger.INITIAL
        found = decide(self.manual(None, openai=DOWN, backup=WELL))
        assert (found.provider, found.reason, found.rejected) == (None, Reason.NO_HEALTHY_PROVIDER, (OPENAI_DOWN,))

    @pytest.mark.parametrize("health", [WELL, SUSPECT, DOWN, LIMITED])
    def test_no_health_whatever_switches(self, health: ProviderHealth) -> None:
        for active in ("openai", "backup"):
            found = decide(self.manual(active, openai=health, backup=WELL))
            assert (found.provider, found.reason, found.trigger) == (active, Reason.MANUAL, None)

    def test_with_the_active_one_down_it_says_which_edit_helps(self) -> None:
        why = decide(self.manual("openai", openai=DOWN, second=DOWN, third=WELL)).why
        assert why == (
            f'"openai": {OPENAI_IS_DOWN}; failover.mode is Manual: edit spec.primary to "third", which is healthy'
        )

    def test_where_the_primary_is_the_healthy_one_an_edit_would_not_help_and_the_annotation_is_named(self) -> None:
        found = self.manual("backup", openai=WELL, backup=DOWN)
        assert f'"openai" is healthy; set the annotation {FAILBACK_ANNOTATION}' in decide(found).why
        assert decide(replace(found, failback_requested=True)).provider == "openai"

    def test_with_nobody_left_it_says_so(self) -> None:
        assert decide(self.manual("openai", openai=DOWN, backup=LIMITED)).why.endswith("no other provider is healthy")

    def test_a_provider_that_a_person_removed_is_replaced(self) -> None:
        found = decide(self.manual("gone", openai=WELL))
        assert (found.provider, found.trigger) == ("openai", Trigger.SPEC_CHANGE)


class TestFreeze:
    @pytest.mark.parametrize("mode", Mode)
    @pytest.mark.parametrize("active", ["openai", "backup", "gone"])
    def test_it_holds_what_is_whatever_else_is_the_case(self, active: str, mode: Mode) -> None:
        frozen = replace(case(active, openai=DOWN, backup=WELL), frozen=FROZEN, mode=mode, failback_requested=True)
        assert decide(frozen) == Decision(active, Reason.FROZEN, FROZEN.why)


WHYS = st.integers(1, 1024).map("x".__mul__)
NAMES = [f"{index:02}".ljust(63, "n") for index in range(32)]


@st.composite
def healths(draw: st.DrawFn) -> ProviderHealth:
    state = draw(st.sampled_from(HealthState))
    moment = st.none() | st.integers(-400, 400).map(at)
    return ProviderHealth(
        state,
        draw(st.sampled_from(HealthClass)),
        draw(WHYS),
        blacklisted_until=draw(moment) if state is HealthState.DOWN else None,
        limited_until=draw(moment) if state is HealthState.RATE_LIMITED else None,
        last_probe_at=draw(moment),
    )


@st.composite
def cases(draw: st.DrawFn) -> Case:
    known = NAMES[: draw(st.integers(1, 4) | st.just(32))]
    one, some = st.sampled_from([*known, "gone"]), st.sampled_from(known)
    return Case(
        NOON,
        tuple(known),
        draw(st.dictionaries(some, healths())),
        config_errors=draw(st.dictionaries(some, WHYS)),
        mode=draw(st.sampled_from(Mode)),
        failback=draw(st.sampled_from(Mode)),
        active=draw(st.none() | one),
        acted_primary=draw(st.none() | one),
        failback_requested=draw(st.booleans()),
        frozen=draw(st.none() | st.just(FROZEN)),
    )


@given(cases())
def test_promises_of_every_decision(asked: Case) -> None:
    found = decide(asked)
    assert (found.trigger is not None) == (found.provider != asked.active), "only a trigger moves the choice"
    assert found.provider is not None or asked.active is None, "never an empty choice after the first"
    assert found.trigger is None or rejection(asked, found.provider or "") is None, "never to one that may not serve"
    assert found.provider not in {refusal.provider for refusal in found.rejected} - {asked.active}
    assert found.why


@given(cases())
def test_every_decision_fits_the_status(asked: Case) -> None:
    found = decide(asked)
    Switch(
        time=NOON,
        to=found.provider or "nobody",
        revision=1,
        trigger=found.trigger or "Initial",
        reason=found.why,
        switch_millis=0,
        outcome="Succeeded",
        rejected=[Rejection(provider=each.provider, why=each.why[:LONGEST_WHY]) for each in found.rejected],
    )


def test_of_many_rejected_as_many_are_told_as_fit_and_the_rest_is_counted() -> None:
    long_why = replace(DOWN, why="x" * 300)
    why = decide(case(NAMES[0], **dict.fromkeys(NAMES, long_why))).why
    assert why.startswith(f'"{NAMES[0]}": down, blacklisted until 12:05:00 UTC: xxx')
    assert why.endswith(f'; and 31 more; "{NAMES[0]}" stays published')


def test_all_that_fits_is_told() -> None:
    assert "more" not in decide(case("a", a=DOWN, b=DOWN, c=DOWN)).why


def test_an_edit_to_a_provider_that_may_not_serve_moves_nobody_else_either() -> None:
    asked = replace(case("google", anthropic=DOWN, openai=WELL, google=WELL), acted_primary="google")
    assert asked.order == ("anthropic", "openai", "google")
    decision = decide(asked)
    assert (decision.provider, decision.trigger) == ("google", None)


def test_while_a_wish_waits_an_active_provider_that_fails_is_left_for_the_first_that_may_serve() -> None:
    asked = replace(case("google", anthropic=DOWN, openai=WELL, google=DOWN), acted_primary="google")
    decision = decide(asked)
    assert (decision.provider, decision.trigger) == ("openai", Trigger.FAILOVER)


class TestLastResort:
    ANSWERING = replace(DOWN, successes=5, failures=0)

    def test_one_that_is_only_still_blacklisted_serves_where_nobody_else_may(self) -> None:
        decision = decide(case("openai", openai=DOWN, backup=self.ANSWERING))
        assert (decision.provider, decision.reason, decision.trigger) == (
            "backup",
            Reason.LAST_RESORT,
            Trigger.FAILOVER,
        )
        assert decision.rejected == (OPENAI_DOWN,)

    def test_it_stays_while_it_answers_though_a_better_one_answers_too(self) -> None:
        decision = decide(case("backup", openai=self.ANSWERING, backup=self.ANSWERING))
        assert (decision.provider, decision.reason, decision.trigger) == ("backup", Reason.LAST_RESORT, None)

    def test_it_is_left_as_soon_as_anybody_may_serve(self) -> None:
        decision = decide(case("backup", openai=WELL, backup=self.ANSWERING))
        assert (decision.provider, decision.trigger) == ("openai", Trigger.FAILOVER)

    @pytest.mark.parametrize("health", [DOWN, replace(DOWN, successes=4), LIMITED, NEVER_PROBED, SUSPECT])
    def test_one_that_does_not_answer_well_for_long_enough_is_none(self, health: ProviderHealth) -> None:
        assert decide(case("openai", openai=DOWN, backup=health)).reason is Reason.NO_HEALTHY_PROVIDER

    def test_nor_is_one_that_is_unsuitable_or_misconfigured(self) -> None:
        asked = case("openai", openai=DOWN, backup=self.ANSWERING)
        for flaw in ({"misfits": {"backup": "x"}}, {"config_errors": {"backup": "x"}}):
            assert decide(replace(asked, **flaw)).reason is Reason.NO_HEALTHY_PROVIDER
