"""`make bench-selection`: everybody serves the same requests, and a small run says what a large one would."""

import io
from datetime import timedelta
from random import Random

import pytest
from rich.console import Console
from tests.bench.shared import contest, dice, figures, moods, product, progress, selection

from providerswitch.core.outcome import Tier

DAYS = contest.draw_days(1, 3, 0.25)
TIMEOUT = timedelta(seconds=10)


def mood(**fields: object) -> moods.Mood:
    plain = {"usual": 1.0, "swing": 0.0, "peak": timedelta(0), "slow": moods.Spells([]), "failing": moods.Spells([])}
    return moods.Mood(**{**plain, **fields})


def spell(level: float) -> moods.Spells:
    return moods.Spells([moods.Spell(contest.BEGIN, contest.BEGIN + timedelta(hours=1), level)])


def test_a_provider_is_slow_in_a_slow_spell_and_at_its_busiest_time_of_the_day() -> None:
    busy = mood(swing=0.3, peak=timedelta(hours=6))
    at = contest.BEGIN

    assert mood(slow=spell(3)).seconds(at) == 3
    assert mood(slow=spell(3)).seconds(at + timedelta(hours=1)) == 1
    assert busy.seconds(at + timedelta(hours=6)) == pytest.approx(1.3)
    assert busy.seconds(at + timedelta(hours=18)) == pytest.approx(0.7)
    assert busy.seconds(at + timedelta(days=3)) == pytest.approx(1.0)


def test_noise_has_the_median_one_and_the_spread_that_was_asked_for() -> None:
    random = Random(1)
    drawn = [moods.spread(random.random()) for _ in range(20_000)]

    assert figures.percentile(drawn, 50) == pytest.approx(1, rel=0.03)
    assert figures.percentile(drawn, 95) == pytest.approx(1.93, rel=0.03)


def test_a_probe_meets_what_consumers_meet_in_less_time() -> None:
    provider = moods.MoodyProvider(mood(failing=spell(0.25)), dice.Dice(1), dice.Dice(2))
    moments = [contest.BEGIN + timedelta(seconds=second) for second in range(2000)]
    outcomes = [provider.answer(at, Tier.GENERATION, TIMEOUT) for at in moments]

    assert sum(not outcome.alive for outcome in outcomes) / 2000 == pytest.approx(0.25, abs=0.03)
    assert figures.percentile([outcome.took.total_seconds() for outcome in outcomes], 50) == pytest.approx(
        0.4, rel=0.05
    )


def test_round_robin_spreads_what_each_provider_would_have_served() -> None:
    fixed = [DAYS.fixed(name) for name in DAYS.moods]

    assert DAYS.round_robin().mean == pytest.approx(sum(each.mean for each in fixed) / 3, rel=0.05)


def test_nobody_beats_the_oracle() -> None:
    oracle = DAYS.oracle()
    others = [DAYS.round_robin(), *(DAYS.fixed(name) for name in DAYS.moods), DAYS.policy()]

    assert all(oracle.mean < other.mean * 1.001 for other in others)
    assert all(oracle.failed <= other.failed for other in others)


def test_a_policy_of_priority_in_calm_serves_like_its_primary_alone() -> None:
    calm = contest.Days({name: mood() for name in ("first", "second")}, DAYS.moments[:500], DAYS.times, 1)

    assert calm.policy() == calm.fixed("first")


def test_the_same_seed_draws_the_same_days() -> None:
    assert contest.draw_days(3, 2, 0.02) == contest.draw_days(3, 2, 0.02) != contest.draw_days(4, 2, 0.02)


def test_a_small_run_tells_everybody_side_by_side() -> None:
    setup = selection.Setup("3 providers", 3, (selection.OURS,))
    report, contests = selection.run_all(
        [selection.Run(setup, seed, 0.1) for seed in (1, 2)], progress.Progress(Console(file=io.StringIO()))
    )
    told = Console(width=120, record=True, file=io.StringIO())
    told.print(contests[0].table())

    text = told.export_text()
    for who in (selection.ROUND_ROBIN, selection.PRIMARY, selection.BEST, selection.ORACLE, selection.OURS):
        assert who in text
    names = [figure.name for figure in report.figures]
    assert len(names) == len(set(names))
    assert {figure.aim for figure in report.figures if figure.aim} == {selection.QUICKER, selection.NO_WORSE}


def test_every_policy_of_the_contest_is_a_valid_one() -> None:
    for policy in selection.POLICIES.values():
        assert product.build_spec("first", "second", **policy).selection.strategy == "Performance"
