"""An order of a person on call stands above the rules, and the rules hold again at its end."""

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.core.moments import DOWN, NEVER_PROBED, NOON, SUSPECT, WELL, at, case

from providerswitch.api.policy import Mode
from providerswitch.api.status import OverrideInForce, PolicyStatus, Switch
from providerswitch.core.case import Case, Reason, Trigger, next_look
from providerswitch.core.decide import decide
from providerswitch.core.detours import come_back, depart
from providerswitch.core.flapping import FlapRules
from providerswitch.core.freeze import Frozen
from providerswitch.core.memory import Memory, commit, restore_memory
from providerswitch.core.override import Detour, Override, in_force
from providerswitch.core.override_report import judge_overridden, tell_overrides

ORDER = Override("calm", "uid-1", "backup", at(1800), "latency on the primary", "alice")
FORCED = replace(ORDER, force=True)
FROZEN = Frozen(NOON, 2)


def overridden(active: str | None = "openai", order: Override = ORDER, **changes: object) -> Case:
    found = case(active, openai=WELL, backup=WELL, third=WELL)
    return replace(found, override=order, **changes)  # type: ignore[arg-type]  # fields of a Case


class TestWhileItHolds:
    def test_its_provider_is_preferred_to_the_primary(self) -> None:
        decision = decide(overridden())

        assert (decision.provider, decision.trigger, decision.reason) == (
            "backup",
            Trigger.OVERRIDE,
            Reason.OVERRIDDEN,
        )
        assert decision.why == ('override "calm" of alice until 2026-11-02 12:30:00 UTC: latency on the primary')

    def test_its_provider_stays_once_it_serves(self) -> None:
        decision = decide(overridden("backup"))

        assert (decision.provider, decision.trigger, decision.reason) == ("backup", None, Reason.OVERRIDDEN)

    @pytest.mark.parametrize("rule", [{"mode": Mode.MANUAL}, {"failback": Mode.MANUAL}, {"acted_primary": "third"}])
    def test_no_rule_of_the_policy_stands_against_it(self, rule: dict[str, object]) -> None:
        assert decide(overridden(**rule)).provider == "backup"

    def test_flap_control_does_not_hold_it_back(self) -> None:
        rules = FlapRules(min_dwell=timedelta(hours=1), max_switches_per_hour=1)
        assert decide(overridden(flap_rules=rules, active_since=NOON, recent_switches=(NOON,))).provider == "backup"

    @pytest.mark.parametrize("health", [DOWN, SUSPECT, NEVER_PROBED])
    def test_a_provider_that_may_not_serve_gets_no_consumers(self, health: object) -> None:
        found = replace(overridden(), healths={"openai": WELL, "backup": health, "third": WELL})

        assert decide(found).provider == "openai"
        assert judge_overridden([found]).reason == "OverrideWaits"

    def test_while_its_provider_is_down_the_rules_choose(self) -> None:
        found = replace(overridden("backup"), healths={"openai": WELL, "backup": DOWN, "third": WELL})

        assert (decide(found).provider, decide(found).trigger) == ("openai", Trigger.FAILOVER)

    def test_a_freeze_holds_what_is(self) -> None:
        assert decide(overridden(frozen=FROZEN)).reason is Reason.FROZEN

    def test_it_is_looked_at_again_when_it_ends(self) -> None:
        found = overridden()
        assert next_look(found, decide(found)) == ORDER.until

    def test_it_is_over_at_its_very_end(self) -> None:
        assert in_force({None: ORDER}, None, ORDER.until - timedelta(microseconds=1)) is ORDER
        assert in_force({None: ORDER}, None, ORDER.until) is None
        assert in_force({None: ORDER}, "embed", NOON) is None


class TestForced:
    @pytest.mark.parametrize("health", [DOWN, SUSPECT, NEVER_PROBED])
    def test_it_goes_past_health(self, health: object) -> None:
        found = replace(overridden(order=FORCED), healths={"openai": WELL, "backup": health, "third": WELL})
        assert decide(found).provider == "backup"
        assert decide(replace(found, active="backup")).reason is Reason.OVERRIDDEN

    def test_it_goes_past_a_freeze(self) -> None:
        assert decide(overridden(order=FORCED, frozen=FROZEN)).provider == "backup"

    def test_it_does_not_go_past_what_cannot_work(self) -> None:
        assert decide(overridden(order=FORCED, misfits={"backup": "another embedding space"})).provider == "openai"
        assert decide(overridden(order=FORCED, config_errors={"backup": "no key"})).provider == "openai"


class TestAfterIt:
    def test_the_rules_hold_again_at_once(self) -> None:
        rules = FlapRules(min_dwell=timedelta(hours=1), max_switches_per_hour=1)
        found = replace(
            case("backup", openai=WELL, backup=WELL),
            detour=Detour("openai"),
            flap_rules=rules,
            active_since=NOON,
            recent_switches=(NOON,),
        )

        assert (decide(found).provider, decide(found).trigger) == ("openai", Trigger.OVERRIDE_ENDED)
        assert decide(replace(found, detour=None)).held is not None, "the flap rules would hold it otherwise"

    @pytest.mark.parametrize("rule", ["mode", "failback"])
    def test_who_served_before_serves_again_where_only_a_person_moves_on(self, rule: str) -> None:
        found = replace(case("third", openai=WELL, backup=WELL, third=WELL), detour=Detour("backup"))
        found = replace(found, **{rule: Mode.MANUAL})  # type: ignore[arg-type]  # a field of a Case

        assert decide(found).provider == "backup"

    def test_an_edit_of_the_primary_meanwhile_is_honoured(self) -> None:
        found = replace(case("third", backup=WELL, openai=WELL, third=WELL), detour=Detour("openai"))

        decision = decide(replace(found, mode=Mode.MANUAL, acted_primary="openai"))

        assert (decision.provider, decision.trigger) == ("backup", Trigger.MANUAL_SWITCH)

    def test_nobody_is_sent_to_a_provider_that_is_down(self) -> None:
        found = replace(case("backup", openai=DOWN, backup=WELL), detour=Detour("openai"))

        assert (decide(found).provider, decide(found).trigger) == ("backup", None)

    def test_the_end_of_a_drill_is_told_as_such(self) -> None:
        found = replace(case("backup", openai=WELL, backup=WELL), detour=Detour("openai", drill=True))
        assert decide(found).trigger is Trigger.DRILL_ENDED


def switched(memory: Memory, to: str, trigger: Trigger) -> Memory:
    switch = Switch(
        time=NOON,
        from_provider=memory.active,
        to=to,
        revision=memory.revision + 1,
        trigger=trigger,
        reason="",
        switch_millis=1,
        outcome="Succeeded",
    )
    return commit(memory, switch)


class TestTheWayBack:
    def test_it_leads_to_whoever_served_before_the_first_of_several(self) -> None:
        memory = depart(switched(Memory(active="openai", revision=1), "backup", Trigger.OVERRIDE), ORDER)
        again = depart(switched(memory, "third", Trigger.OVERRIDE), replace(ORDER, name="next", provider="third"))

        assert again.detours[None].origin == "openai"
        assert come_back(again, None).detours == {}

    def test_a_crash_between_switch_and_record_loses_it_not(self) -> None:
        resumed = switched(Memory(active="openai", revision=1), "backup", Trigger.OVERRIDE)
        assert depart(resumed, ORDER).detours[None].origin == "openai"

    def test_an_override_for_whoever_serves_anyway_leads_nowhere_else(self) -> None:
        assert depart(Memory(active="backup", revision=1), ORDER).detours[None].origin == "backup"

    def test_it_survives_in_the_status(self) -> None:
        memory = depart(Memory(active="openai", revision=1), replace(ORDER, task="embed", force=True))
        status = PolicyStatus(overrides=tell_overrides(memory))
        again = restore_memory(PolicyStatus.model_validate(status.model_dump(mode="json", by_alias=True)))

        assert again.detours == memory.detours


def test_the_condition_says_who_why_and_until() -> None:
    assert judge_overridden([case("openai", openai=WELL)]).status == "False"
    told = judge_overridden([overridden("backup")])
    assert (told.status, told.reason) == ("True", "OverrideActive")
    assert told.message == f'"backup" serves by {ORDER.why}'


def test_a_status_that_holds_an_override_names_its_fields_as_the_api_does() -> None:
    (told,) = tell_overrides(depart(Memory(active="openai", revision=1), ORDER))
    assert OverrideInForce.model_dump(told, mode="json", by_alias=True, exclude_none=True) == {
        "name": "calm",
        "uid": "uid-1",
        "provider": "backup",
        "force": False,
        "requestedBy": "alice",
        "reason": "latency on the primary",
        "until": "2026-11-02T12:30:00.000000Z",
        "origin": "openai",
    }
