"""The plan and the figures of the hints benchmark."""

import pytest
from tests.bench.shared import hints, outages

from providerswitch.demo.fakes import Fault


def test_every_kind_of_outage_strikes_as_often_as_any_other_under_a_name_of_its_own() -> None:
    planned = hints.plan(3)
    assert len({outage.name for outage in planned}) == len(planned) == 3 * (len(hints.ANSWERING) + 1)
    assert {outage.fault for outage in planned} == {*hints.ANSWERING, Fault.HANG}


def times(seconds: float, *, hang: float = 12.0) -> dict[outages.Outage, float | None]:
    return {outage: hang if outage.fault is Fault.HANG else seconds for outage in hints.plan(2)}


def test_the_ratio_is_over_outages_that_show_at_once_and_hanging_is_told_apart() -> None:
    figures = {figure.name: figure for figure in hints.sum_up(times(0.25), times(15.0, hang=20.0))}
    assert figures["with hints p99"].value == pytest.approx(250)
    assert figures["with hints p99"].holds
    assert figures["with hints p50 / without p50"].value == pytest.approx(0.25 / 15)
    assert figures["with hints p50, hang"].value == pytest.approx(12_000)
    assert figures["without hints p50, hang"].value == pytest.approx(20_000)


def test_an_outage_that_moved_nobody_is_missed_and_no_time() -> None:
    hinted = times(0.25)
    lost = next(iter(hinted))
    figures = {figure.name: figure for figure in hints.sum_up({**hinted, lost: None}, times(15.0))}
    assert (figures["outages missed, of both runs"].value, figures["outages missed, of both runs"].holds) == (1, False)
    assert figures["with hints p99"].value == pytest.approx(250)
