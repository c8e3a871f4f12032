"""Figures: what a benchmark measured, and what it should have been."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

PLACES = 4


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure.

    Attributes:
        aim: the value it should have at most; None where it is only told.
    """

    name: str
    value: float
    unit: str
    aim: float | None = None

    @property
    def holds(self) -> bool | None:
        """Whether the aim is met; None without one."""
        return None if self.aim is None else self.value <= self.aim

    def to_json(self) -> dict[str, object]:
        """Return it as results are stored. The verdict is that of the value before it is rounded."""
        return {
            "name": self.name,
            "value": round(self.value, PLACES),
            "unit": self.unit,
            "aim": self.aim,
            "holds": self.holds,
        }


def percentile(samples: Iterable[float], percent: float) -> float:
    """Return the smallest sample that at least `percent` of all samples do not exceed (nearest rank).

    Raises:
        ValueError: there are no samples, or `percent` is not within 0..100.
    """
    ordered = sorted(samples)
    if not ordered:
        raise ValueError("no samples: a percentile of nothing means nothing")
    if not 0 <= percent <= 100:
        raise ValueError(f"a percentile lies within 0..100, not at {percent:g}")
    return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]


def compare(name: str, ours: Sequence[float], floor: Sequence[float], aims: dict[int, float]) -> list[Figure]:
    """Return both sides and their ratio at each percentile.

    Args:
        name: of the case, after the figure's own name.
        ours: seconds.
        floor: seconds.
        aims: the ratio to have at most, by percentile.
    """
    figures: list[Figure] = []
    for percent, aim in aims.items():
        ours_here, floor_here = percentile(ours, percent), percentile(floor, percent)
        figures += [
            Figure(f"operator p{percent}, {name}", ours_here * 1000, "ms"),
            Figure(f"floor p{percent}, {name}", floor_here * 1000, "ms"),
            Figure(f"operator p{percent} / floor p{percent}, {name}", ours_here / floor_here, "x", aim),
        ]
    return figures
