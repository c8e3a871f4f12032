"""What strategy, schedule and measured values make of the candidates of a policy or task: part of a `Case`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from providerswitch.api.selection import Strategy
from providerswitch.core.measures import Measures
from providerswitch.core.recommend import Advice
from providerswitch.core.score import Score


@dataclass(frozen=True, slots=True)
class Outlook:
    """The view of the candidates.

    Attributes:
        strategy: the one in force; a schedule may bring another than the policy's.
        names: candidates, best first; those that may not serve, and those that are left for being degraded, come last.
        ideal: candidates, best first, as if all were well.
        why: phrase that says what speaks for the first of `names`.
        leaves_degraded: whether a degraded provider is left for one that is not.
        degraded: sentence for each provider that exceeds a threshold.
        shares: percent of the traffic, under strategy Weighted.
        entry: name of the entry of the schedule that is in force.
        overrules: whether the schedule goes before a person's edit of the primary: until its window ends.
        turns_at: when this view changes though nothing else happens; None where never.
        advice: the provider with the best score, where that is not the active one.
    """

    strategy: Strategy
    names: tuple[str, ...]
    ideal: tuple[str, ...]
    why: str = ""
    leaves_degraded: bool = False
    degraded: Mapping[str, str] = field(default_factory=dict)
    measures: Mapping[str, Measures] = field(default_factory=dict)
    scores: Mapping[str, Score | None] = field(default_factory=dict)
    shares: Mapping[str, int] = field(default_factory=dict)
    entry: str | None = None
    overrules: bool = False
    turns_at: datetime | None = None
    advice: Advice | None = None
