"""The status that users, `kubectl wait`, kstatus and Argo CD read."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from tests.core.moments import DOWN, LIMITED, NEVER_PROBED, NOON, SUSPECT, WELL, at, case
from tests.support.statuses import build_failed_over, build_memory, build_switch

from providerswitch.api.policy import Mode
from providerswitch.api.selection import Strategy
from providerswitch.api.status import HISTORY_LIMIT, Condition, ConditionType, HealthState, PolicyStatus
from providerswitch.core.case import Case
from providerswitch.core.decide import decide
from providerswitch.core.freeze import Frozen
from providerswitch.core.memory import SWITCHES_KEPT, Memory, commit
from providerswitch.core.narrate import condition
from providerswitch.core.outcome import Tier
from providerswitch.core.outlook import Outlook
from providerswitch.core.report import Background, Problem, build_status
from providerswitch.core.schedule import Standing

FROZEN = Frozen(NOON, 2)


def report(asked: Case, *problems: Problem, before: PolicyStatus | None = None, generation: int = 1) -> PolicyStatus:
    """Return the status of a case whose decision was enacted."""
    memory = Memory(active=asked.active, acted_primary=asked.acted_primary)
    return build_status(
        asked, decide(asked), memory, problems=problems, generation=generation, before=before or PolicyStatus()
    )


def report_of(memory: Memory) -> PolicyStatus:
    """Return the status of a memory in calm."""
    asked = case("anthropic", anthropic=WELL)
    return build_status(asked, decide(asked), memory, problems=[], generation=1, before=PolicyStatus())


def find(status: PolicyStatus, kind: ConditionType) -> Condition:
    found = condition(status, kind)
    assert found is not None
    return found


def ready(asked: Case, *problems: Problem) -> tuple[str, str]:
    found = find(report(asked, *problems), ConditionType.READY)
    return found.status, found.reason


def failed_over(asked: Case) -> tuple[str, str]:
    found = find(report(asked), ConditionType.FAILED_OVER)
    return found.status, found.reason


EDITED = replace(case("openai", google=DOWN, openai=WELL), acted_primary="openai")
"""A person asks for google, which is down."""
REQUESTED = replace(case("backup", openai=DOWN, backup=WELL), failback_requested=True, failback=Mode.MANUAL)
"""A person asks for the return to openai, which is down."""

CASES: dict[str, tuple[Case, Sequence[str], Sequence[str]]] = {
    "the primary serves": (
        case("openai", openai=WELL, backup=WELL),
        ("True", "PrimaryHealthy"),
        ("False", "PrimaryActive"),
    ),
    "the primary fails, but not often enough yet": (
        case("openai", openai=SUSPECT, backup=WELL),
        ("True", "PrimaryHealthy"),
        ("False", "PrimaryActive"),
    ),
    "after a successful failover Ready stays True": (
        case("backup", openai=DOWN, backup=WELL),
        ("True", "FailedOver"),
        ("True", "FailedOver"),
    ),
    "a failback that waits for a person": (
        replace(case("backup", openai=WELL, backup=WELL), failback=Mode.MANUAL),
        ("True", "FailbackHeld"),
        ("True", "FailbackHeld"),
    ),
    "all are down": (
        case("openai", openai=DOWN, backup=LIMITED),
        ("False", "NoHealthyProvider"),
        ("False", "PrimaryActive"),
    ),
    "all are down and a backup is published": (
        case("backup", openai=DOWN, backup=DOWN),
        ("False", "NoHealthyProvider"),
        ("True", "NoHealthyProvider"),
    ),
    "nothing was probed yet": (
        case(None, openai=NEVER_PROBED),
        ("False", "WaitingForProbes"),
        ("False", "NothingPublished"),
    ),
    "nothing may be published": (
        case(None, openai=DOWN),
        ("False", "NoHealthyProvider"),
        ("False", "NothingPublished"),
    ),
    "in a freeze nobody can tell": (
        replace(case("openai", openai=SUSPECT, backup=SUSPECT), frozen=FROZEN),
        ("Unknown", "Frozen"),
        ("False", "PrimaryActive"),
    ),
    "manual mode, all is well": (
        replace(case("openai", openai=WELL), mode=Mode.MANUAL),
        ("True", "Manual"),
        ("False", "PrimaryActive"),
    ),
    "manual mode, and nobody switches away from a dead provider": (
        replace(case("openai", openai=DOWN, backup=WELL), mode=Mode.MANUAL),
        ("False", "ActiveProviderDown"),
        ("False", "PrimaryActive"),
    ),
    "manual mode, and the edited primary may not serve": (
        replace(EDITED, mode=Mode.MANUAL),
        ("False", "SwitchRefused"),
        ("True", "Manual"),
    ),
    "automatic mode, and the edited primary may not serve": (EDITED, ("True", "FailedOver"), ("True", "SwitchRefused")),
    "a requested failback to a primary that may not serve": (
        REQUESTED,
        ("True", "FailbackHeld"),
        ("True", "SwitchRefused"),
    ),
    "a requested failback in manual mode": (
        replace(REQUESTED, mode=Mode.MANUAL),
        ("False", "SwitchRefused"),
        ("True", "Manual"),
    ),
    "an edited primary, and nobody at all may serve": (
        replace(case("openai", google=DOWN, openai=DOWN), acted_primary="openai"),
        ("False", "NoHealthyProvider"),
        ("True", "NoHealthyProvider"),
    ),
}


@pytest.mark.parametrize(("asked", "is_ready", "is_failed_over"), CASES.values(), ids=CASES)
def test_what_kubectl_wait_reads(asked: Case, is_ready: Sequence[str], is_failed_over: Sequence[str]) -> None:
    assert ready(asked) == is_ready
    assert failed_over(asked) == is_failed_over


def test_what_only_the_user_can_mend_comes_before_everything_else() -> None:
    mend = Problem("SecretNotFound", 'Secret "a" does not exist.'), Problem("NotOwned", "ConfigMap is foreign.")
    found = find(report(case("openai", openai=WELL), *mend), ConditionType.READY)
    assert (found.status, found.reason) == ("False", "SecretNotFound")
    assert found.message == 'Secret "a" does not exist. ConfigMap is foreign.'


class TestRefusals:
    def message(self, asked: Case, kind: ConditionType) -> str:
        return find(report(asked), kind).message

    @pytest.mark.parametrize(
        ("mode", "kind"), [(Mode.MANUAL, ConditionType.READY), (Mode.AUTOMATIC, ConditionType.FAILED_OVER)]
    )
    def test_a_refused_edit_says_who_is_asked_for_why_not_who_stays_and_what_to_do(
        self, mode: Mode, kind: ConditionType
    ) -> None:
        assert self.message(replace(EDITED, mode=mode), kind) == (
            'spec.primary asks for "google", but it may not serve (down, blacklisted until 12:05:00 UTC: no answer '
            'within 10 s); "openai" stays active. The switch is made as soon as "google" is well. Set spec.primary '
            "back to withdraw it."
        )

    def test_a_refused_failback_does_not_talk_of_an_edit(self) -> None:
        told = self.message(REQUESTED, ConditionType.FAILED_OVER)
        assert told.startswith('The return to "openai" was requested, but it may not serve (down')
        assert told.endswith('The switch is made as soon as "openai" is well.')

    def test_what_to_do_is_not_cut_off_by_a_long_cause(self) -> None:
        talkative = replace(EDITED, healths={"google": replace(DOWN, why="x" * 1024), "openai": WELL})
        assert self.message(talkative, ConditionType.FAILED_OVER).endswith("Set spec.primary back to withdraw it.")


class TestTransitions:
    def test_the_time_moves_when_the_status_does(self) -> None:
        before = report(case("openai", openai=WELL))
        after = report(case("openai", now=at(60), openai=DOWN), before=before)
        assert find(after, ConditionType.READY).last_transition_time == at(60)

    def test_it_stays_when_only_reason_message_or_generation_change(self) -> None:
        before = report(case("openai", openai=WELL, backup=WELL))
        after = report(case("backup", now=at(60), openai=DOWN, backup=WELL), before=before, generation=2)
        found = find(after, ConditionType.READY)
        assert (found.reason, found.observed_generation, found.last_transition_time) == ("FailedOver", 2, NOON)
        assert find(after, ConditionType.FAILED_OVER).last_transition_time == at(60)

    def test_it_is_in_whole_seconds_as_the_api_stores_it(self) -> None:
        status = report(case("openai", now=at(0.75), openai=WELL))
        assert {entry.last_transition_time for entry in status.conditions} == {NOON}

    def test_in_calm_a_later_report_is_the_same(self) -> None:
        before = report(case("openai", openai=WELL))
        assert report(case("openai", now=at(3600), openai=WELL), before=before) == before


class TestBounds:
    """The CRD refuses what is longer, and then nothing at all would be told."""

    def test_sentences_are_cut_to_what_the_crd_takes(self) -> None:
        long = replace(DOWN, why="x" * 5000)
        asked = replace(case("openai", openai=long), config_errors={"openai": "y" * 5000})
        status = report(asked, *[Problem("SecretNotFound", "z" * 100)] * 32)
        assert {len(entry.message) for entry in status.conditions} <= set(range(1025))
        assert len(status.providers[0].why or "") == 1024

    def test_thirty_two_providers_in_trouble_fit(self) -> None:
        names = [f"{index:02}".ljust(63, "n") for index in range(32)]
        many = {name: replace(DOWN, why="x" * 1024) for name in names}
        status = report(replace(case(names[-1], **many), failback_requested=True))
        assert len(status.providers) == 32
        assert find(status, ConditionType.READY).message.endswith(f'"{names[-1]}" stays published')

    def test_as_many_switches_as_the_crd_takes_fit_and_fewer_are_kept(self) -> None:
        memory = build_memory(switches=HISTORY_LIMIT)
        assert len(report_of(memory).history) == HISTORY_LIMIT
        full = commit(memory, build_switch(why="x" * 512, rejected=32))
        status = report_of(full)
        assert len(status.history) == SWITCHES_KEPT
        assert len(status.history[0].rejected or []) == 32


class TestProviders:
    def test_each_is_listed_in_order_with_what_was_last_heard(self) -> None:
        status = report(case("openai", openai=WELL, second=DOWN, third=LIMITED, fourth=NEVER_PROBED))
        seen = [(entry.name, entry.state, entry.eligible) for entry in status.providers]
        assert seen == [
            ("openai", HealthState.HEALTHY, True),
            ("second", HealthState.DOWN, False),
            ("third", HealthState.RATE_LIMITED, False),
            ("fourth", HealthState.UNKNOWN, False),
        ]
        assert status.providers[1].blacklisted_until == at(300)
        assert status.providers[2].rate_limited_until == at(60)

    def test_a_wrong_configuration_is_why_a_well_provider_may_not_serve(self) -> None:
        (entry,) = report(replace(case("openai", openai=WELL), config_errors={"openai": "no such key"})).providers
        assert (entry.state, entry.eligible, entry.why) == (HealthState.HEALTHY, False, "no such key")


def test_what_is_remembered_is_told() -> None:
    status = build_failed_over()
    memory = build_memory()
    assert (status.active_provider, status.revision, status.primary) == ("anthropic", 2, "openai")
    assert (status.last_handled_failback, status.last_good_generation) == ("2026-11-01", 1)
    assert tuple(status.history) == memory.history
    assert status.switching == memory.counts.model_copy(update={"success_rate": 0.666667})
    assert [entry.type for entry in status.conditions] == ["Ready", "FailedOver", "Frozen", "Degraded", "Overridden"]


def test_ready_says_what_unbilled_checks_cannot_see() -> None:
    asked = replace(case("openai", openai=WELL), deepest=Tier.LIVENESS)
    message = find(report(asked), ConditionType.READY).message
    assert message == (
        'the primary "openai" serves; unbilled checks cannot see an outage of generation alone, see '
        "healthCheck.generation"
    )
    billed = replace(asked, deepest=Tier.GENERATION)
    assert find(report(billed), ConditionType.READY).message == 'the primary "openai" serves'


def test_a_mistake_in_the_configuration_does_not_hide_what_the_probes_find() -> None:
    asked = replace(case("openai", openai=WELL, backup=DOWN), config_errors={"backup": "no such key."})
    entries = {entry.name: entry.why for entry in report(asked).providers}
    assert entries["backup"] == "no such key. Its probes: no answer within 10 s."


def test_a_schedule_of_which_there_is_nothing_to_say_is_left_out() -> None:
    """An empty object would be refused by the API server: to it, the former one is to be removed."""
    asked = case("openai", openai=WELL)
    nothing = Background(standing=Standing())
    status = build_status(
        asked, decide(asked), Memory(), problems=[], generation=1, before=PolicyStatus(), background=nothing
    )
    assert status.schedule is None


def test_in_manual_mode_the_primary_that_serves_is_no_failover_whatever_the_schedule_says() -> None:
    outlook = Outlook(Strategy.PRIORITY, ("backup", "openai"), ("backup", "openai"), entry="nights", overrules=True)
    asked = replace(case("openai", openai=WELL, backup=WELL), mode=Mode.MANUAL, outlook=outlook)
    assert find(report(asked), ConditionType.FAILED_OVER).status == "False"
