"""What a policy remembers, how it survives a restart, and what is believed when the status is lost."""

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.core.moments import DOWN, LIMITED, NEVER_PROBED, NOON, SUSPECT, WELL, after, at, case, outcome
from tests.support.statuses import build_failed_over, build_memory, build_switch

from providerswitch.api.health import HealthClass
from providerswitch.api.status import HealthState, PolicyStatus, ProviderStatus, SwitchCounts
from providerswitch.core.case import Trigger
from providerswitch.core.decide import decide
from providerswitch.core.health import ProviderHealth
from providerswitch.core.memory import (
    SWITCHES_KEPT,
    Memory,
    Publication,
    adopt,
    commit,
    restore_memory,
    settle_requests,
    unfinished,
)
from providerswitch.core.outcome import Tier
from providerswitch.core.report import build_status


def stored(status: PolicyStatus) -> PolicyStatus:
    """Return a status as it comes back from the API server."""
    return PolicyStatus.model_validate(status.model_dump(mode="json", by_alias=True, exclude_none=True))


def restarted(memory: Memory, **healths: ProviderHealth) -> Memory:
    """Return what a new process knows of a policy with these healths."""
    asked = replace(case(memory.active, **healths), acted_primary=memory.acted_primary)
    status = build_status(asked, decide(asked), memory, problems=[], generation=1, before=PolicyStatus())
    return restore_memory(stored(status))


class TestRestart:
    def test_everything_but_the_healths_comes_back_as_it_was(self) -> None:
        memory = build_memory(switches=3)
        assert replace(restarted(memory, anthropic=WELL), healths={}) == memory

    @pytest.mark.parametrize("health", [WELL, DOWN, LIMITED], ids=["healthy", "down", "rate limited"])
    def test_where_a_provider_stands_comes_back_to_the_microsecond(self, health: ProviderHealth) -> None:
        until = NOON + timedelta(microseconds=300_000_001)
        exact = replace(health, blacklisted_until=until if health is DOWN else None)
        assert restarted(build_memory(), anthropic=exact).healths == {"anthropic": exact}

    def test_what_a_billed_probe_found_is_not_disproved_by_an_unbilled_one_after_a_restart(self) -> None:
        health = restarted(build_memory(), openai=replace(DOWN, failing_tier=Tier.GENERATION)).healths["openai"]
        probes = [outcome(HealthClass.HEALTHY, 300 + second) for second in range(10)]
        assert after(health, *probes).state is HealthState.DOWN

    def test_a_blacklist_is_respected_by_the_next_process(self) -> None:
        health = restarted(build_memory(), openai=DOWN, anthropic=WELL).healths["openai"]
        probes = [outcome(HealthClass.HEALTHY, second) for second in (290, 292, 294, 296, 298, 299)]
        assert after(health, *probes).state is HealthState.DOWN
        assert after(health, *probes, outcome(HealthClass.HEALTHY, 300)).state is HealthState.HEALTHY

    def test_good_probes_seen_before_do_not_count_twice_nor_failures_less(self) -> None:
        health = restarted(build_memory(), openai=replace(DOWN, successes=4)).healths["openai"]
        assert after(health, outcome(HealthClass.HEALTHY, 400)).state is HealthState.DOWN
        suspect = restarted(build_memory(), openai=replace(SUSPECT, failures=2)).healths["openai"]
        assert suspect.may_stay
        assert after(suspect, *(outcome(HealthClass.DNS, second) for second in range(3))).state is HealthState.DOWN

    def test_one_that_was_never_probed_says_so_again(self) -> None:
        assert restarted(build_memory(), openai=NEVER_PROBED).healths == {"openai": NEVER_PROBED}

    @pytest.mark.parametrize("state", HealthState)
    def test_a_status_of_another_release_without_a_why_can_be_read(self, state: HealthState) -> None:
        entry = ProviderStatus(name="openai", state=state, health_class=HealthClass.TIMEOUT, eligible=False)
        health = restore_memory(PolicyStatus(providers=[entry])).healths["openai"]
        assert (health.state, health.why) == (state, "not probed yet" if state == "Unknown" else "Timeout")

    def test_nothing_stored_is_an_empty_memory(self) -> None:
        assert restore_memory(stored(PolicyStatus())) == Memory()

    def test_a_status_in_much_trouble_comes_back_whole(self) -> None:
        assert stored(build_failed_over()) == build_failed_over()


class TestCommit:
    def test_a_finished_switch_is_what_is_active_now(self) -> None:
        switch = build_switch()
        memory = commit(Memory(active="openai", active_since=at(-60), revision=1, acted_primary="openai"), switch)
        assert (memory.active, memory.active_since, memory.revision) == ("anthropic", NOON, 2)
        assert (memory.acted_primary, memory.history) == ("openai", (switch,))
        assert memory.counts == SwitchCounts(total=1, succeeded=1)

    def test_an_undone_switch_is_remembered_and_changes_nothing_else(self) -> None:
        before = Memory(active="openai", active_since=at(-60), revision=1)
        undone = build_switch().model_copy(update={"outcome": "RolledBack"})
        memory = commit(before, undone)
        assert replace(memory, history=(), counts=SwitchCounts()) == before
        assert (memory.history, memory.counts) == ((undone,), SwitchCounts(total=1, rolled_back=1))

    def test_the_history_is_newest_first_and_capped_while_the_counts_go_on(self) -> None:
        memory = Memory()
        for revision in range(1, SWITCHES_KEPT + 11):
            memory = commit(memory, build_switch().model_copy(update={"revision": revision}))
        assert [switch.revision for switch in memory.history] == list(range(SWITCHES_KEPT + 10, 10, -1))
        assert (len(memory.history), memory.counts.total) == (10, 20)


PUBLISHED = Publication("anthropic", 7, primary="openai", previous="openai", trigger="Failover", decided_at=at(5))


class TestWhatIsPublished:
    def test_nothing_published_or_nothing_newer_leaves_nothing_to_finish(self) -> None:
        assert unfinished(Memory(revision=7), None) is None
        assert unfinished(Memory(revision=7), PUBLISHED) is None

    def test_a_newer_revision_is_a_switch_that_a_crash_left_uncommitted(self) -> None:
        assert unfinished(Memory(revision=6), PUBLISHED) == PUBLISHED

    def test_with_the_status_lost_what_is_published_stays(self) -> None:
        memory = adopt(Memory(), PUBLISHED)
        assert (memory.active, memory.active_since, memory.revision) == ("anthropic", at(5), 7)
        unheard = replace(case("anthropic", openai=NEVER_PROBED, anthropic=NEVER_PROBED), acted_primary="openai")
        assert decide(unheard).provider == "anthropic"

    def test_the_same_provider_under_a_newer_revision_is_active_since_before(self) -> None:
        before = Memory(active="anthropic", active_since=NOON, revision=6)
        assert adopt(before, PUBLISHED).active_since == NOON

    def test_with_the_status_lost_an_edited_primary_is_still_told_from_the_one_there_was(self) -> None:
        memory = adopt(Memory(), PUBLISHED)
        edited = replace(case("anthropic", google=WELL, anthropic=WELL), acted_primary=memory.acted_primary)
        assert decide(edited).trigger is Trigger.MANUAL_SWITCH

    def test_a_wish_that_was_never_granted_outlives_a_crash(self) -> None:
        asked = Memory(active="openai", revision=6, acted_primary="openai")
        assert adopt(asked, replace(PUBLISHED, primary="google")).acted_primary == "openai"

    def test_a_wish_that_was_published_is_granted(self) -> None:
        asked = Memory(active="openai", revision=6, acted_primary="openai")
        assert adopt(asked, replace(PUBLISHED, primary="anthropic")).acted_primary == "anthropic"


class TestRequests:
    def test_they_are_done_with_when_the_primary_serves(self) -> None:
        memory = settle_requests(Memory(active="google", acted_primary="openai"), "google", "now")
        assert (memory.acted_primary, memory.handled_failback) == ("google", "now")

    def test_without_a_new_annotation_the_last_one_stays_handled(self) -> None:
        done = Memory(active="google", handled_failback="then")
        assert settle_requests(done, "google", None).handled_failback == "then"

    def test_until_then_they_stand(self) -> None:
        waiting = Memory(active="openai", acted_primary="openai", handled_failback="then")
        assert settle_requests(waiting, "google", "now") == waiting

    def test_nothing_is_asked_for_before_the_first_choice(self) -> None:
        assert settle_requests(Memory(), "openai", "now") == Memory()

    def test_a_first_choice_of_a_backup_makes_the_next_edit_a_request(self) -> None:
        """Or a policy that began with a dead primary and manual failback would never obey an edit."""
        memory = settle_requests(Memory(active="backup"), "openai", None)
        edited = replace(case("backup", google=WELL, backup=WELL), acted_primary=memory.acted_primary)
        assert decide(edited).trigger is Trigger.MANUAL_SWITCH
