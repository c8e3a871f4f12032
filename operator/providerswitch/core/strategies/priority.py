"""Priority: the user's order."""

from providerswitch.core.strategies.field import Field, Group, Ranking


def by_priority(field: Field, group: Group) -> Ranking:
    """Leave the contenders in the user's order."""
    is_primary = group[0].name == field.contenders[0].name
    return Ranking(tuple(each.name for each in group), "the primary" if is_primary else "the first in order")
