"""Figures say what was measured and whether the aim was met."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.bench.shared import figures

SAMPLES = st.lists(st.floats(0, 1e6), min_size=1)


def test_p99_of_200_leaves_out_two() -> None:
    assert figures.percentile(range(1, 201), 99) == 198


def test_the_median_of_an_even_number_is_a_sample_that_was_measured() -> None:
    assert figures.percentile([4, 1, 3, 2], 50) == 2


def test_one_sample_is_every_percentile() -> None:
    assert [figures.percentile([7.0], percent) for percent in (0, 50, 100)] == [7, 7, 7]


def test_nothing_measured_has_no_percentile() -> None:
    with pytest.raises(ValueError, match="no samples"):
        figures.percentile([], 50)


def test_a_percentile_beyond_100_is_refused() -> None:
    with pytest.raises(ValueError, match=r"within 0\.\.100, not at 101"):
        figures.percentile([1.0], 101)


@given(SAMPLES, st.integers(1, 100))
def test_at_least_that_share_does_not_exceed_it_and_less_is_below_it(samples: list[float], percent: int) -> None:
    found = figures.percentile(samples, percent)

    assert found in samples
    assert sum(sample <= found for sample in samples) * 100 >= percent * len(samples)
    assert sum(sample < found for sample in samples) * 100 < percent * len(samples)


def test_an_aim_that_is_just_reached_holds() -> None:
    assert figures.Figure("p99", 2.5, "s", 2.5).holds is True


def test_a_missed_aim_is_told_even_where_rounding_would_hide_it() -> None:
    assert figures.Figure("p99", 2.500001, "s", 2.5).to_json() == {
        "name": "p99",
        "value": 2.5,
        "unit": "s",
        "aim": 2.5,
        "holds": False,
    }


def test_a_figure_without_an_aim_has_no_verdict() -> None:
    assert figures.Figure("CPU", 3, "s").to_json()["holds"] is None


def test_a_comparison_tells_both_sides_and_judges_only_the_ratio() -> None:
    found = figures.compare("1 policy", [0.03], [0.01], {50: 1.5})

    assert [(each.value, each.unit, each.holds) for each in found] == [
        (30, "ms", None),
        (10, "ms", None),
        (pytest.approx(3), "x", False),
    ]
