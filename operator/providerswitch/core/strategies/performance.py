"""Performance: the best score. The active provider is only left for one that is clearly better."""

from collections.abc import Sequence
from typing import Final

from providerswitch.core.strategies.field import Contender, Field, Group, Ranking

NOISE: Final = 9
"""Decimals to which scores are compared, so that 0.8 is not more than 0.1 above 0.7."""


def by_performance(field: Field, group: Group) -> Ranking:
    """Put the best score first and unknown scores last."""
    ordered = order_by_score(field, group)
    return Ranking(tuple(each.name for each in ordered), _why(field, ordered))


def order_by_score(field: Field, group: Sequence[Contender]) -> list[Contender]:
    """Return the best first; the active one keeps the first place until it is clearly beaten, or while unknown."""
    ordered = sorted(group, key=_total, reverse=True)
    active = next((each for each in ordered if each.name == field.active), None)
    if active is None or _is_beaten(active, ordered[0], field.selection.hysteresis):
        return ordered
    return [active, *(each for each in ordered if each is not active)]


def _total(contender: Contender) -> float:
    """An unknown score is below every known one."""
    return -1 if contender.score is None else contender.score.total


def _is_beaten(active: Contender, best: Contender, hysteresis: float) -> bool:
    if active.score is None or best.score is None:
        return False
    return round(best.score.total - active.score.total, NOISE) > hysteresis


def _why(field: Field, ordered: Sequence[Contender]) -> str:
    head, others = ordered[0], ordered[1:]
    if head.score is None:
        return "its score is not known yet" if head.name == field.active else "the first in order, as no score is known"
    rival = max(others, key=_total, default=None)
    if rival is None or rival.score is None:
        return f"best score ({head.score.total:.2f})"
    own, other = _tell_apart(head.score.total, rival.score.total)
    if rival.score.total > head.score.total:
        return f'score {own}; "{rival.name}" has {other}, not more than {field.selection.hysteresis:g} above it'
    return f'best score ({own}; "{rival.name}" {other})'


def _tell_apart(one: float, other: float) -> tuple[str, str]:
    decimals = 2 if f"{one:.2f}" != f"{other:.2f}" else 4
    return f"{one:.{decimals}f}", f"{other:.{decimals}f}"
