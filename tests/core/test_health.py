"""The health state machine of one provider: what each class of outcome does to it, and when it comes back."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.moments import DOWN, LIMITED, NEVER_PROBED, RULES, SUSPECT, WELL, after, at, outcome

from providerswitch.api.health import ALIVE, TRIPS_AT_ONCE, TRIPS_WHEN_CONFIRMED, HealthClass
from providerswitch.api.status import HealthState
from providerswitch.core.flapping import LONGEST_FACTOR
from providerswitch.core.health import HealthRules, ProviderHealth, acquit, clamp_retry_after, observe, witness
from providerswitch.core.outcome import Outcome, Tier

C = HealthClass
S = HealthState
COUNTED = sorted(set(C) - ALIVE - TRIPS_AT_ONCE - TRIPS_WHEN_CONFIRMED - {C.CONFIG_INVALID, C.RATE_LIMITED, C.UNKNOWN})
SHORT, LONG = 5, 31
"""Retry-After in seconds, within and beyond the patience of 30 s."""


def states(health: ProviderHealth, *outcomes: Outcome, rules: HealthRules = RULES) -> list[HealthState]:
    """Return the states that a health goes through."""
    return [after(health, *outcomes[: count + 1], rules=rules).state for count in range(len(outcomes))]


def good(*seconds: float, tier: Tier = Tier.LIVENESS) -> list[Outcome]:
    return [outcome(C.HEALTHY, second, tier=tier) for second in seconds]


def bad(*seconds: float, kind: HealthClass = C.SERVER_ERROR, tier: Tier = Tier.LIVENESS) -> list[Outcome]:
    return [outcome(kind, second, tier=tier) for second in seconds]


def limited(*seconds: float, retry_after: float | None = SHORT) -> list[Outcome]:
    return [outcome(C.RATE_LIMITED, second, retry_after=retry_after) for second in seconds]


@pytest.mark.parametrize("kind", sorted(ALIVE))
def test_the_first_answer_of_a_living_provider_makes_it_healthy(kind: HealthClass) -> None:
    health = observe(NEVER_PROBED, outcome(kind, 1), RULES)
    assert (health.state, health.health_class, health.since, health.last_probe_at) == (S.HEALTHY, kind, at(1), at(1))


@pytest.mark.parametrize("start", [NEVER_PROBED, WELL], ids=["never probed", "healthy"])
@pytest.mark.parametrize("kind", COUNTED)
def test_it_takes_failure_threshold_failures_to_go_down(kind: HealthClass, start: ProviderHealth) -> None:
    assert states(start, *bad(0, 1, 2, kind=kind)) == [S.SUSPECT, S.SUSPECT, S.DOWN]


def test_failures_of_different_kinds_count_together() -> None:
    assert states(WELL, *bad(0, kind=C.DNS), *bad(1), *bad(2, kind=C.TIMEOUT)) == [S.SUSPECT, S.SUSPECT, S.DOWN]


def test_one_success_clears_the_failures_before() -> None:
    assert states(WELL, *bad(0, 1), *good(2), *bad(3, 4))[-3:] == [S.HEALTHY, S.SUSPECT, S.SUSPECT]


@pytest.mark.parametrize("kind", sorted(TRIPS_AT_ONCE))
def test_some_classes_trip_at_once(kind: HealthClass) -> None:
    health = observe(WELL, outcome(kind, 7), RULES)
    assert (health.state, health.health_class, health.blacklisted_until) == (S.DOWN, kind, at(307))


@pytest.mark.parametrize("kind", sorted(TRIPS_WHEN_CONFIRMED))
def test_a_refused_key_trips_after_one_confirmation(kind: HealthClass) -> None:
    assert states(WELL, *bad(0, 1, kind=kind)) == [S.SUSPECT, S.DOWN]


def test_with_a_threshold_of_one_a_refused_key_needs_no_confirmation() -> None:
    assert states(WELL, *bad(0, kind=C.AUTH_INVALID), rules=replace(RULES, failure_threshold=1)) == [S.DOWN]


def test_an_outcome_that_could_not_be_read_changes_nothing_but_the_time_of_the_last_probe() -> None:
    for health in (WELL, SUSPECT, DOWN, LIMITED):
        assert observe(health, outcome(C.UNKNOWN, 9), RULES) == replace(health, last_probe_at=at(9))


def test_an_outcome_that_could_not_be_read_neither_breaks_nor_lengthens_a_row_of_failures() -> None:
    assert states(WELL, *bad(0, 1), *bad(2, kind=C.UNKNOWN), *bad(3)) == [S.SUSPECT, S.SUSPECT, S.SUSPECT, S.DOWN]


def test_a_provider_of_which_nothing_else_is_known_says_what_the_unreadable_outcome_was() -> None:
    health = observe(NEVER_PROBED, outcome(C.UNKNOWN, 9), RULES)
    assert (health.state, health.why, health.since) == (S.UNKNOWN, "HTTP: Unknown", None)


def test_since_moves_only_with_the_state() -> None:
    assert after(WELL, *bad(1, 2)).since == at(1)
    assert after(WELL, *bad(1, 2, 3, 4)).since == at(3)
    assert after(WELL, *good(5)).since == WELL.since


def test_detection_counts_from_the_first_failed_probe_whatever_comes_between() -> None:
    down = after(WELL, *bad(1), *bad(2, kind=C.UNKNOWN), *limited(3), *bad(4))
    assert (down.state, down.first_failure_at) == (S.DOWN, at(1))
    assert after(down, *good(31), *bad(61)).first_failure_at == at(1)
    assert after(WELL, *bad(1), *good(2), *bad(3)).first_failure_at == at(3)


class TestRecovery:
    """recoveryThreshold good probes in a row, and the blacklist over."""

    def test_both_the_good_probes_and_the_blacklist_are_needed(self) -> None:
        assert states(DOWN, *good(100, 110, 120, 130, 140, 299.9, 300))[-3:] == [S.DOWN, S.DOWN, S.HEALTHY]

    def test_the_blacklist_being_over_does_not_replace_the_good_probes(self) -> None:
        assert states(DOWN, *good(300, 301, 302, 303, 304)) == [S.DOWN] * 4 + [S.HEALTHY]

    @pytest.mark.parametrize("spoiler", [C.TIMEOUT, C.RATE_LIMITED, C.CONFIG_INVALID])
    def test_anything_bad_in_between_starts_the_count_anew(self, spoiler: HealthClass) -> None:
        outcomes = [*good(300, 301, 302, 303), outcome(spoiler, 304), *good(305, 306, 307, 308, 309)]
        assert states(DOWN, *outcomes)[-2:] == [S.DOWN, S.HEALTHY]

    def test_an_unreadable_outcome_in_between_does_not(self) -> None:
        assert after(DOWN, *good(300, 301, 302, 303), outcome(C.UNKNOWN, 304), *good(305)).state is S.HEALTHY

    def test_further_failures_do_not_lengthen_the_blacklist(self) -> None:
        assert after(DOWN, *bad(100, 200, 299)).blacklisted_until == at(300)

    def test_who_recovered_has_a_clean_record(self) -> None:
        health = after(DOWN, *good(300, 301, 302, 303, 304))
        well = ProviderHealth(S.HEALTHY, C.HEALTHY, "HTTP: Healthy", since=at(304), last_probe_at=at(304))
        assert health == replace(well, back_since=at(304)), "but for what a ramp begins with"

    def test_a_blacklist_of_no_time_leaves_only_the_good_probes(self) -> None:
        rules = replace(RULES, blacklist_duration=timedelta(0))
        assert states(WELL, *bad(0, 1, 2), *good(3, 4, 5, 6, 7), rules=rules)[-2:] == [S.DOWN, S.HEALTHY]

    def test_a_mended_configuration_serves_at_the_first_good_probe(self) -> None:
        down = observe(WELL, outcome(C.CONFIG_INVALID, 0), RULES)
        assert (down.state, down.blacklisted_until) == (S.DOWN, None)
        assert states(down, *good(1)) == [S.HEALTHY]

    def test_a_mistake_in_the_configuration_does_not_shorten_an_outage(self) -> None:
        assert states(DOWN, outcome(C.CONFIG_INVALID, 400), *good(401)) == [S.DOWN, S.DOWN]

    def test_a_loading_model_is_left_but_not_blacklisted(self) -> None:
        """It cannot serve, and says itself that this passes."""
        down = after(WELL, *bad(0, 1, 2, kind=C.MODEL_LOADING))
        assert (down.state, down.blacklisted_until) == (S.DOWN, None)
        assert states(down, *good(3, 4, 5, 6, 7)) == [S.DOWN] * 4 + [S.HEALTHY]

    def test_a_model_that_is_loaded_soon_is_not_left(self) -> None:
        assert states(WELL, *bad(0, 1, kind=C.MODEL_LOADING), *good(2)) == [S.SUSPECT, S.SUSPECT, S.HEALTHY]


class TestRateLimits:
    """A rate limited provider is not down: a short limit is waited out, a long or lasting one moves consumers."""

    def test_a_short_one_is_waited_out(self) -> None:
        health = after(WELL, *limited(0))
        assert (health.state, health.may_stay, health.limited_until) == (S.SUSPECT, True, at(SHORT))
        assert after(health, *good(SHORT)).state is S.HEALTHY

    def test_one_as_long_as_the_interval_is_still_short(self) -> None:
        assert after(WELL, *limited(0, retry_after=30)).may_stay
        assert after(WELL, *limited(0, retry_after=None)).limited_until == at(30)

    def test_a_long_one_moves_consumers_at_once(self) -> None:
        health = after(WELL, *limited(0, retry_after=LONG))
        assert (health.state, health.may_stay, health.limited_until) == (S.RATE_LIMITED, False, at(LONG))

    def test_short_ones_that_do_not_end_move_consumers_at_the_failure_threshold(self) -> None:
        assert states(WELL, *limited(0, 5, 10)) == [S.SUSPECT, S.SUSPECT, S.RATE_LIMITED]

    def test_none_ever_blacklists(self) -> None:
        health = after(WELL, *limited(*range(0, 500, 5)), *limited(500, retry_after=LONG))
        assert (health.state, health.blacklisted_until) == (S.RATE_LIMITED, None)

    def test_the_first_good_probe_ends_it(self) -> None:
        assert after(LIMITED, *good(60)).state is S.HEALTHY

    def test_a_shorter_one_does_not_end_a_longer_one(self) -> None:
        assert after(LIMITED, *limited(60)).state is S.RATE_LIMITED

    def test_another_failure_does_not_make_a_limited_provider_fitter(self) -> None:
        """As a suspect it might stay active, and Ready would turn True because things got worse."""
        health = after(WELL, *limited(0, retry_after=LONG), *bad(31))
        assert (health.state, health.health_class, health.limited_until) == (S.RATE_LIMITED, C.RATE_LIMITED, at(LONG))
        assert after(health, *bad(32)).state is S.DOWN

    def test_it_does_not_lift_an_outage(self) -> None:
        assert after(DOWN, *limited(10)).blacklisted_until == DOWN.blacklisted_until
        assert after(DOWN, *limited(10)).state is S.DOWN

    @pytest.mark.parametrize(
        ("asked", "honoured"),
        [(None, 30.0), (0.0, 1.0), (-5.0, 1.0), (1.0, 1.0), (90.0, 90.0), (3600.0, 3600.0), (86400.0, 3600.0)],
    )
    def test_retry_after_is_honoured_within_a_second_and_an_hour(self, asked: float | None, honoured: float) -> None:
        span = None if asked is None else timedelta(seconds=asked)
        assert clamp_retry_after(span, RULES.patience) == timedelta(seconds=honoured)
        assert after(WELL, *limited(0, retry_after=asked)).limited_until == at(honoured)


class TestTiers:
    """What a deep probe found, a shallow one cannot disprove."""

    def test_a_good_liveness_probe_does_not_clear_a_failed_generation(self) -> None:
        suspect = after(WELL, *bad(0, tier=Tier.GENERATION))
        assert after(suspect, *good(1)) == replace(suspect, last_probe_at=at(1))
        assert after(suspect, *good(1), *bad(2, 3, tier=Tier.GENERATION)).state is S.DOWN

    def test_a_good_generation_clears_a_failed_liveness_probe(self) -> None:
        assert after(WELL, *bad(0), *good(1, tier=Tier.GENERATION)).state is S.HEALTHY

    def test_without_a_good_generation_nobody_recovers_from_failed_ones(self) -> None:
        down = after(WELL, *bad(0, 1, 2, tier=Tier.GENERATION))
        assert after(down, *good(*range(310, 330))).state is S.DOWN

    @pytest.mark.parametrize("failures", [1, 3], ids=["suspect", "down"])
    def test_when_generation_is_not_probed_any_more_liveness_decides(self, failures: int) -> None:
        """Or turning billed probes off would leave a provider out for good."""
        out = after(WELL, *bad(*range(failures), tier=Tier.GENERATION))
        rules = replace(RULES, deepest=Tier.LIVENESS)
        assert after(out, *good(310, 340, 370, 400, 430), rules=rules).state is S.HEALTHY

    def test_after_one_good_generation_unbilled_probes_count_towards_recovery(self) -> None:
        """Generation is asked every ten minutes at most: five of them would be most of an hour."""
        down = after(WELL, *bad(0, 1, 2, tier=Tier.GENERATION))
        assert states(down, *good(310, tier=Tier.GENERATION), *good(340, 370, 400, 430)) == [S.DOWN] * 4 + [S.HEALTHY]

    @pytest.mark.parametrize("kind", [C.SERVER_ERROR, C.RATE_LIMITED])
    def test_a_generation_that_fails_while_down_is_not_disproved_by_liveness(self, kind: HealthClass) -> None:
        down = after(DOWN, *bad(10, kind=kind, tier=Tier.GENERATION))
        assert after(down, *good(*range(310, 330))).state is S.DOWN

    def test_a_generation_that_fails_under_a_rate_limit_is_not_disproved_by_liveness(self) -> None:
        health = after(LIMITED, *bad(61, tier=Tier.GENERATION))
        assert after(health, *good(62)).state is S.RATE_LIMITED


class TestSilenceOfAll:
    """What a provider's health makes of a silence that our own network may explain."""

    def test_it_makes_a_suspect_and_counts_once(self) -> None:
        health = WELL
        for second in range(20):
            health = witness(health, outcome(C.TIMEOUT, second), RULES)
        assert (health.state, health.failures, health.last_probe_at) == (S.SUSPECT, 1, at(19))

    def test_a_suspect_stays_two_failures_short(self) -> None:
        frozen = witness(SUSPECT, outcome(C.TIMEOUT, 5), RULES)
        assert states(frozen, *bad(6, 7)) == [S.SUSPECT, S.DOWN]

    def test_a_threshold_of_one_is_not_reached_by_it(self) -> None:
        health = witness(WELL, outcome(C.TIMEOUT, 5), replace(RULES, failure_threshold=1))
        assert health.state is S.HEALTHY

    @pytest.mark.parametrize("health", [DOWN, LIMITED], ids=["down", "rate limited"])
    def test_who_is_out_already_stays_as_he_is(self, health: ProviderHealth) -> None:
        assert witness(health, outcome(C.DNS, 5), RULES) == replace(health, last_probe_at=at(5))


OUTCOMES = st.builds(
    outcome,
    st.sampled_from(C),
    tier=st.sampled_from(Tier),
    retry_after=st.none() | st.floats(-10, 100_000, allow_nan=False),
)
SOME_RULES = st.builds(
    HealthRules,
    failure_threshold=st.integers(1, 5),
    recovery_threshold=st.integers(1, 5),
    blacklist_duration=st.integers(0, 600).map(lambda seconds: timedelta(seconds=seconds)),
    patience=st.integers(1, 600).map(lambda seconds: timedelta(seconds=seconds)),
)


def spread(outcomes: list[Outcome], seconds: list[int]) -> list[Outcome]:
    """Return the outcomes one after another in time."""
    moment, placed = at(0), []
    for each, pause in zip(outcomes, seconds, strict=False):
        moment += timedelta(seconds=pause)
        placed.append(replace(each, started_at=moment, ended_at=moment))
    return placed


@given(st.lists(OUTCOMES, max_size=40), st.lists(st.integers(0, 200), min_size=40, max_size=40), SOME_RULES)
def test_promises_of_the_state_machine(outcomes: list[Outcome], pauses: list[int], rules: HealthRules) -> None:
    health, row, blacklist = NEVER_PROBED, 0, None
    for each in spread(outcomes, pauses):
        before, health = health, observe(health, each, rules)
        counts = not each.alive and each.health_class is not C.UNKNOWN
        cleared = health.state is S.HEALTHY and each.alive
        row = 0 if cleared else row + counts
        blacklist = health.blacklisted_until if health.state is S.DOWN else None
        _check(before, health, each)
        assert health.may_stay == (health.state not in {S.DOWN, S.RATE_LIMITED})
        assert row < rules.failure_threshold or not health.may_stay, "the threshold was reached, and it may stay"
        assert blacklist is None or blacklist <= each.ended_at + rules.blacklist_duration * LONGEST_FACTOR


def _check(before: ProviderHealth, after_it: ProviderHealth, each: Outcome) -> None:
    became_healthy = after_it.state is S.HEALTHY and before.state is not S.HEALTHY
    assert not became_healthy or each.alive, "only a good probe makes healthy"
    assert not became_healthy or _over(before.blacklisted_until, each.ended_at), "the blacklist is respected"
    assert each.alive or before.may_stay or not after_it.may_stay, "a failure makes nobody fitter"
    assert each.health_class is not C.RATE_LIMITED or after_it.blacklisted_until == before.blacklisted_until
    assert after_it.state is not S.RATE_LIMITED or after_it.limited_until is not None, "an Event tells until when"
    assert (after_it.since != before.since) <= (after_it.state is not before.state), "since moves with the state"


def _over(moment: datetime | None, now: datetime) -> bool:
    return moment is None or moment <= now


class TestAcquittal:
    """Everybody fell silent, one a little earlier than the others."""

    ACCUSED = after(WELL, *(outcome(C.CONNECT_REFUSED, second) for second in (10, 11, 12)))

    def test_who_went_down_in_a_silence_of_all_is_a_suspect_again(self) -> None:
        health = acquit(self.ACCUSED, at(5))
        assert (health.state, health.blacklisted_until, health.ejections) == (S.SUSPECT, None, 0)
        assert after(health, outcome(C.HEALTHY, 20)).state is S.HEALTHY

    def test_it_is_no_longer_one_of_all_once_somebody_answered_meanwhile(self) -> None:
        assert acquit(self.ACCUSED, at(11)) == self.ACCUSED

    def test_who_answered_with_an_error_stays_down(self) -> None:
        rejected = after(WELL, *(outcome(C.SERVER_ERROR, second) for second in (10, 11, 12)))
        assert acquit(rejected, at(5)) == rejected

    def test_where_nobody_ever_answered_the_silence_is_everybodys(self) -> None:
        assert acquit(self.ACCUSED, None).state is S.SUSPECT
