"""Which outages are measured, and how what came of them is summed up."""

from collections import Counter

import pytest
from tests.bench.shared import haproxy, outages

from providerswitch.demo.fakes import Fault

PLAN = outages.plan_outages(1)


def tally(**seconds: float | None) -> outages.Tally:
    """Return a tally in which every outage took 2 s, but for these."""
    return outages.Tally({each: seconds.get(each.fault.name.lower(), 2.0) for each in PLAN})


def values(*found: object) -> dict[str, float]:
    return {each.name: each.value for each in found}  # type: ignore[attr-defined]  # bench/ is untyped here


def test_every_fault_but_a_slow_answer_is_an_outage_and_is_repeated_as_often() -> None:
    counts = Counter(each.fault for each in outages.plan_outages(4))

    assert counts == dict.fromkeys(set(Fault) - {Fault.HEALTHY, Fault.SLOW}, 4)


def test_each_fault_meets_each_wire_format() -> None:
    met = {(each.fault, each.kind) for each in outages.plan_outages(len(outages.KINDS))}

    assert len(met) == len(outages.OUTAGES) * len(outages.KINDS)


def test_names_are_unique() -> None:
    plan = outages.plan_outages(10)

    assert len({each.name for each in plan}) == len(plan)


def test_haproxy_has_a_check_for_each_wire_format() -> None:
    assert haproxy.CHECKS.keys() == set(outages.KINDS)


def test_an_outage_that_moved_nobody_is_told_and_does_not_make_the_times_better() -> None:
    found = {each.name: each for each in outages.sum_up(tally(hang=None), aim=2.5)}

    assert found["operator, outages missed"].value == 1
    assert found["operator, outages missed"].holds is False
    assert "operator p50, hang" not in found


def test_the_slowest_outage_breaks_the_aim() -> None:
    found = {each.name: each for each in outages.sum_up(tally(hang=2.6), aim=2.5)}

    assert found["operator p99"].holds is False


def test_the_peer_is_compared_only_where_both_sides_notice() -> None:
    ours, peer = tally(truncated=0.5), tally(truncated=None, hang=22.0)
    found = values(*outages.sum_up_peer(ours, peer))

    assert found["HAProxy, kinds of outage not noticed (truncated)"] == 1
    assert found["operator p50, outages that both notice"] == 2
    assert found["operator p99 / HAProxy p99"] == pytest.approx(2 / 22)
    assert found["operator p99 / HAProxy p99, without hang"] == 1
