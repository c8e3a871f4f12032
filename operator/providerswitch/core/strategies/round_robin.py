"""RoundRobin: each in turn, for one `selection.rotationPeriod`.

Turns are counted from 1970-01-01 UTC, so that they need no memory and all policies of one period turn together. Who may
not serve in its turn is skipped; the turns of the others stay where they were.
"""

from datetime import UTC, datetime
from typing import Final

from providerswitch.core.strategies.field import Field, Group, Ranking

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def by_turn(field: Field, group: Group) -> Ranking:
    """Begin with the one whose turn it is, and go on in the user's order."""
    period, everyone = field.selection.rotation_period, [each.name for each in field.contenders]
    turn = (field.now - EPOCH) // period
    first = turn % len(everyone)
    taking_part = {each.name for each in group}
    names = tuple(name for name in (*everyone[first:], *everyone[:first]) if name in taking_part)
    why = "its turn" if names[0] == everyone[first] else f'the next in order after "{everyone[first]}"'
    next_turn = EPOCH + (turn + 1) * period if len(group) > 1 else None
    return Ranking(names, why, turns_at=next_turn)
