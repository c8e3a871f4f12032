"""Weighted: each serves its part of the traffic, and whoever comes back is eased in.

A provider that had been away gets 10, 25 and 50 % of its weight for one `selection.rampInterval` each, then all of it.
The weights of those that take part are brought to whole percents by the largest remainder: each share is rounded down,
and what is missing to 100 goes, one by one, to those that lost most by rounding, at a tie in the user's order.

The most loaded provider is the first; where a gateway cannot split traffic, it is the one that is published.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from providerswitch.core.strategies.field import Contender, Field, Group, Ranking

RAMP: Final = (10, 25, 50)
"""Percent of its weight that a provider gets in the first, second and third interval after its return."""
WHOLE: Final = 100


def by_weight(field: Field, group: Group) -> Ranking:
    """Put the largest share first; the active one stays before an equal one."""
    loads = _loads(field, group)
    places = sorted(range(len(group)), key=lambda place: (-loads[place], group[place].name != field.active))
    shares = _percents(loads)
    return Ranking(
        tuple(group[place].name for place in places),
        f"the largest share of traffic ({shares[places[0]]} %)",
        {each.name: share for each, share in zip(group, shares, strict=True)},
        _next_step(field, group),
    )


def _loads(field: Field, group: Group) -> list[int]:
    """Return each one's part in hundredths of a weight. Weights that are all zero count as equal ones."""
    weights = [each.weight for each in group]
    known = weights if any(weights) else [1] * len(group)
    return [weight * _ramp(field, each) for weight, each in zip(known, group, strict=True)]


def _ramp(field: Field, contender: Contender) -> int:
    if contender.back_since is None:
        return WHOLE
    step = max(0, (field.now - contender.back_since) // field.selection.ramp_interval)
    return RAMP[step] if step < len(RAMP) else WHOLE


def _percents(loads: Sequence[int]) -> list[int]:
    total = sum(loads)
    shares = [WHOLE * load // total for load in loads]
    losses = [WHOLE * load % total for load in loads]
    most_lost = sorted(range(len(loads)), key=lambda place: -losses[place])
    for place in most_lost[: WHOLE - sum(shares)]:
        shares[place] += 1
    return shares


def _next_step(field: Field, group: Group) -> datetime | None:
    interval = field.selection.ramp_interval
    returns = [each.back_since for each in group if each.back_since is not None] if len(group) > 1 else []
    steps = (back + number * interval for back in returns for number in range(1, len(RAMP) + 1))
    return min((step for step in steps if step > field.now), default=None)
