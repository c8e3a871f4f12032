"""Look at the candidates: degraded ones, scores, the order that strategy and schedule make of them. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from providerswitch.api.selection import ScheduleEntry, Selection, Strategy
from providerswitch.api.status import HealthState
from providerswitch.core.case import Case
from providerswitch.core.degradation import judge_again
from providerswitch.core.measures import Measures
from providerswitch.core.outlook import Outlook
from providerswitch.core.recommend import Advice, recommend
from providerswitch.core.score import Score, score_all
from providerswitch.core.strategies.field import Contender, Field, Ranking
from providerswitch.core.strategies.registry import rank


@dataclass(frozen=True, slots=True)
class Prospects:
    """What is known of the candidates besides their health.

    Attributes:
        selection: the rules of the policy, or of a task.
        weights: by provider, for strategy Weighted.
        were_degraded: sentence for each provider that exceeded a threshold at the last look.
        entry: the entry of the schedule that is in force.
        turn: the provider whose turn it is under a rotating entry.
        changes_at: when another entry comes into force.
    """

    selection: Selection
    measures: Mapping[str, Measures] = field(default_factory=dict)
    weights: Mapping[str, int] = field(default_factory=dict)
    were_degraded: Mapping[str, str] = field(default_factory=dict)
    entry: ScheduleEntry | None = None
    turn: str | None = None
    changes_at: datetime | None = None

    @property
    def strategy(self) -> Strategy:
        """The strategy in force."""
        entry = self.entry
        if entry is None:
            return self.selection.strategy
        return entry.strategy or Strategy.PRIORITY

    @property
    def leaves_degraded(self) -> bool:
        """Whether a degraded provider is left for one that is not, under the strategy in force."""
        return self.selection.model_copy(update={"strategy": self.strategy}).leaves_degraded


def look_out(case: Case, prospects: Prospects) -> Outlook:
    """Return the view of the candidates."""
    selection, order = prospects.selection, _in_order(case.order, prospects)
    measures = {name: prospects.measures.get(name, Measures()) for name in order}
    degraded = _judge_all(measures, prospects)
    fit = tuple(name for name in order if case.may_serve(name))
    suitable = {name: each for name, each in measures.items() if name not in case.misfits}
    scores = {**dict.fromkeys(order), **score_all(suitable, selection.weights)}
    leaves = prospects.leaves_degraded
    contenders = _contenders(case, prospects, order, degraded, scores)
    ranking = _rank(case, prospects, contenders, leaves=leaves)
    ideal = _ideal(case, prospects, contenders)
    return Outlook(
        strategy=prospects.strategy,
        names=ranking.names,
        ideal=ideal.names,
        why=ranking.why,
        leaves_degraded=leaves,
        degraded=degraded,
        measures=measures,
        scores=scores,
        shares=ranking.shares or ideal.shares,
        entry=prospects.entry.name if prospects.entry else None,
        overrules=prospects.entry is not None and not prospects.entry.rotate,
        turns_at=_earliest((ranking.turns_at, prospects.changes_at)),
        advice=_advise(case, selection, scores, measures, tuple(n for n in fit if not (leaves and n in degraded))),
    )


def _in_order(order: tuple[str, ...], prospects: Prospects) -> tuple[str, ...]:
    """Return the user's order as the schedule changes it."""
    entry = prospects.entry
    head = prospects.turn if entry and entry.rotate else entry.primary if entry else None
    if head not in order:
        return order
    if entry and entry.rotate:
        place = order.index(head)
        return order[place:] + order[:place]
    return (head, *(name for name in order if name != head))


def _judge_all(measures: Mapping[str, Measures], prospects: Prospects) -> dict[str, str]:
    selection = prospects.selection
    before, hysteresis = prospects.were_degraded, selection.hysteresis
    judged = {
        name: judge_again(before.get(name), each, selection.thresholds, hysteresis=hysteresis)
        for name, each in measures.items()
    }
    return {name: why for name, why in judged.items() if why}


def _contenders(
    case: Case,
    prospects: Prospects,
    order: tuple[str, ...],
    degraded: Mapping[str, str],
    scores: Mapping[str, Score | None],
) -> tuple[Contender, ...]:
    return tuple(
        Contender(
            name,
            may_serve=case.may_serve(name) or (prospects.strategy is Strategy.WEIGHTED and _in_doubt(case, name)),
            degraded=name in degraded,
            measures=prospects.measures.get(name, Measures()),
            score=scores[name],
            weight=prospects.weights.get(name, 100),
            back_since=case.health(name).back_since,
        )
        for name in order
    )


def _in_doubt(case: Case, name: str) -> bool:
    """A failed probe too few to be down takes nobody's part of the traffic away."""
    return case.suits(name) and case.health(name).state is HealthState.SUSPECT


def _rank(case: Case, prospects: Prospects, contenders: tuple[Contender, ...], *, leaves: bool) -> Ranking:
    field = Field(case.now, contenders, case.active, prospects.selection)
    return rank(field, prospects.strategy, leaves_degraded=leaves)


def _ideal(case: Case, prospects: Prospects, contenders: tuple[Contender, ...]) -> Ranking:
    """Rank as if all were well, so that it shows who is passed over."""
    return _rank(case, prospects, tuple(replace(each, may_serve=True) for each in contenders), leaves=False)


def _advise(
    case: Case,
    selection: Selection,
    scores: Mapping[str, Score | None],
    measures: Mapping[str, Measures],
    fit: tuple[str, ...],
) -> Advice | None:
    return recommend(scores, measures, active=case.active, candidates=fit, at_least=selection.hysteresis)


def _earliest(moments: Iterable[datetime | None]) -> datetime | None:
    return min((moment for moment in moments if moment), default=None)
