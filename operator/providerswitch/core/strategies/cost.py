"""Cost: the cheapest. Whoever exceeds a threshold comes after those that do not, as under every strategy."""

from collections.abc import Sequence

from providerswitch.core.measures import tell_price
from providerswitch.core.strategies.field import Contender, Field, Group, Ranking
from providerswitch.core.strategies.performance import order_by_score


def by_cost(field: Field, group: Group) -> Ranking:
    """Put the lowest price first and unknown prices last; at the same price the score decides, as under Performance."""
    prices = [*sorted({each.measures.cost for each in group if each.measures.cost is not None}), None]
    ordered = [each for price in prices for each in order_by_score(field, _at_price(group, price))]
    return Ranking(tuple(each.name for each in ordered), _why(ordered))


def _at_price(group: Group, price: float | None) -> list[Contender]:
    return [each for each in group if each.measures.cost == price]


def _why(ordered: Sequence[Contender]) -> str:
    head, rivals = ordered[0], [each for each in ordered[1:] if each.measures.cost is not None]
    if head.measures.cost is None:
        return "no price is known"
    own = f"{tell_price(head.measures.cost)} per million tokens"
    if not rivals or rivals[0].measures.cost is None:
        return f"the cheapest ({own})"
    if rivals[0].measures.cost == head.measures.cost:
        return f'as cheap as "{rivals[0].name}" ({own}), and before it by score or order'
    return f'the cheapest ({own}; "{rivals[0].name}" {tell_price(rivals[0].measures.cost)})'
