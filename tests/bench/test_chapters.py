"""A chapter of history is played alike each time, and its account adds up."""

from datetime import timedelta

import pytest
from tests.bench.shared import chapters, statistics, verdicts

SETUP = chapters.Setup("3-providers")


def play(number: int, *, days: int = 60, skip: bool = True) -> chapters.Account:
    return chapters.Chapter(SETUP, 1, number, timedelta(days=days), skip=skip).play()


def test_the_same_chapter_comes_out_the_same() -> None:
    assert play(1) == play(1) != play(2)


def test_a_chapter_comes_out_the_same_without_skipping() -> None:
    skipping, patient = play(1, days=5), play(1, days=5, skip=False)

    assert patient.probes > 5 * skipping.probes
    assert (patient.episodes, patient.toll, patient.moves) == (skipping.episodes, skipping.toll, skipping.moves)


def test_an_oracle_loses_least_and_the_primary_alone_most() -> None:
    toll = play(1, days=200).toll

    assert toll.oracle <= toll.policy < toll.primary
    assert toll.primary == pytest.approx(toll.each["first"])


def test_chapters_are_summed_up_by_seed_and_altogether() -> None:
    accounts = [chapters.Chapter(SETUP, seed, 1, timedelta(days=90)).play() for seed in (1, 2)]
    result = statistics.Result("3-providers")
    for account in accounts:
        result.add(account)

    whole = result.whole
    assert whole.chapters == 2
    assert result.seeds.keys() == {1, 2}
    assert whole.toll.total == sum(account.toll.total for account in accounts)
    assert sum(whole.verdicts.values()) == sum(len(account.episodes) for account in accounts)
    assert whole.judged() == whole.judged(whole=True) + whole.judged(whole=False)
    assert len(whole.misses) == whole.count(verdicts.Verdict.MISSED)
    assert len(whole.elsewhere) == whole.count(verdicts.Verdict.SUCCEEDED)


def test_a_missed_outage_breaks_its_aim() -> None:
    result = statistics.Result("3-providers")
    account = play(1)
    account.episodes = [
        verdicts.Episode(chapters.BEGIN, chapters.BEGIN + timedelta(minutes=9), "first", "hang", how, "because")
        for how in (verdicts.Verdict.MISSED, *[verdicts.Verdict.SUCCEEDED] * 9)
    ]
    result.add(account)
    found = {figure.name: figure for figure in statistics.headline(result, missed=0.1)}

    assert found["3-providers: outages missed"].value == 10
    assert found["3-providers: outages missed"].holds is False
    assert [figure.name for figure in statistics.causes(result)] == ["3-providers: missed, hang: because"]
