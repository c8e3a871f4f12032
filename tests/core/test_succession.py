"""What a replica that begins to lead believes of a provider: its own probes, and what only the former leader knew."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from providerswitch.api.health import HealthClass
from providerswitch.api.status import HealthState
from providerswitch.core.health import ProviderHealth, succeed
from providerswitch.core.outcome import Tier

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
WELL = ProviderHealth(HealthState.HEALTHY, HealthClass.HEALTHY, "answers", NOW - timedelta(hours=1), last_probe_at=NOW)
DOWN = ProviderHealth(
    HealthState.DOWN,
    HealthClass.SERVER_ERROR,
    "HTTP 500",
    NOW - timedelta(minutes=1),
    blacklisted_until=NOW - timedelta(seconds=1),
    ejections=2,
    ejected_at=NOW - timedelta(minutes=1),
    last_probe_at=NOW,
)


def test_of_a_provider_that_was_not_recorded_the_own_probes_are_all_there_is() -> None:
    assert succeed(WELL, None) == WELL


def test_before_the_first_own_probe_what_was_recorded_stands() -> None:
    assert succeed(ProviderHealth(), DOWN) == DOWN


def test_own_probes_are_newer_than_what_was_recorded() -> None:
    assert succeed(DOWN, replace(WELL, last_probe_at=None)).state is HealthState.DOWN
    back = succeed(WELL, DOWN)
    assert back.state is HealthState.HEALTHY
    assert back.why == "answers"


def test_ejections_that_only_the_former_leader_saw_are_not_forgotten() -> None:
    back = succeed(WELL, DOWN)
    assert (back.ejections, back.ejected_at) == (2, DOWN.ejected_at)


def test_a_blacklist_that_is_not_over_stands_though_the_own_probes_saw_no_trouble() -> None:
    recorded = replace(DOWN, blacklisted_until=NOW + timedelta(minutes=4))
    assert succeed(WELL, recorded) == recorded


def test_a_failure_that_only_billed_probes_find_stands_until_they_disprove_it() -> None:
    recorded = replace(DOWN, failing_tier=Tier.GENERATION)
    assert succeed(WELL, recorded) == recorded


def test_a_rate_limit_that_only_billed_probes_meet_stands_too() -> None:
    recorded = replace(DOWN, state=HealthState.RATE_LIMITED, failing_tier=Tier.GENERATION, blacklisted_until=None)
    assert succeed(WELL, recorded) == recorded


def test_a_billed_failure_of_an_earlier_term_says_less_than_what_was_recorded_since() -> None:
    recorded = replace(WELL, last_probe_at=None)
    assert succeed(replace(DOWN, failing_tier=Tier.GENERATION), recorded) == recorded


def test_of_two_blacklists_the_longer_one_holds() -> None:
    own = replace(DOWN, blacklisted_until=NOW + timedelta(seconds=5))
    assert succeed(own, DOWN).blacklisted_until == own.blacklisted_until


def test_a_state_that_both_saw_is_as_old_as_the_older_sight_of_it() -> None:
    recorded = replace(WELL, since=NOW - timedelta(days=2), last_probe_at=None)
    assert succeed(WELL, recorded).since == recorded.since
