"""All strategies in one table, and what they have in common: the fit come before the unfit."""

from collections.abc import Mapping
from typing import Final

from providerswitch.api.selection import Strategy
from providerswitch.core.strategies.cost import by_cost
from providerswitch.core.strategies.field import Contender, Field, Group, Ranker, Ranking
from providerswitch.core.strategies.performance import by_performance
from providerswitch.core.strategies.priority import by_priority
from providerswitch.core.strategies.round_robin import by_turn
from providerswitch.core.strategies.weighted import by_weight

RANKERS: Final[Mapping[Strategy, Ranker]] = {
    Strategy.PRIORITY: by_priority,
    Strategy.PERFORMANCE: by_performance,
    Strategy.COST: by_cost,
    Strategy.WEIGHTED: by_weight,
    Strategy.ROUND_ROBIN: by_turn,
}


def rank(field: Field, strategy: Strategy, *, leaves_degraded: bool) -> Ranking:
    """Return all contenders in order: the fit, then the degraded, then those that may not serve.

    The strategy orders each of these groups by itself, so that nobody is held against one that may not serve.

    Unless `leaves_degraded`, the degraded rank among the fit.
    """
    groups = [group for group in _groups(field, leaves_degraded=leaves_degraded) if group]
    rankings = [RANKERS[strategy](field, group) for group in groups]
    names = tuple(name for ranking in rankings for name in ranking.names)
    if not groups or not groups[0][0].may_serve:
        return Ranking(names, "no provider may serve")
    head = rankings[0]
    why = f"{head.why}; all that may serve are degraded" if leaves_degraded and groups[0][0].degraded else head.why
    return Ranking(names, why, head.shares, head.turns_at)


def _groups(field: Field, *, leaves_degraded: bool) -> tuple[Group, Group, Group]:
    def is_left(contender: Contender) -> bool:
        return leaves_degraded and contender.degraded

    fit = tuple(each for each in field.contenders if each.may_serve and not is_left(each))
    degraded = tuple(each for each in field.contenders if each.may_serve and is_left(each))
    unfit = tuple(each for each in field.contenders if not each.may_serve)
    return fit, degraded, unfit
