"""What every strategy looks at, and what it answers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from providerswitch.api.selection import Selection
from providerswitch.core.measures import Measures
from providerswitch.core.score import Score


@dataclass(frozen=True, slots=True)
class Contender:
    """A provider among which is chosen.

    Attributes:
        degraded: it exceeds a threshold.
        score: None while too little is known.
        weight: its part of the traffic under Weighted, relative to the others; >= 0.
        back_since: when it came back after it had been away; None where it never was.
    """

    name: str
    may_serve: bool
    degraded: bool
    measures: Measures
    score: Score | None
    weight: int = 100
    back_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Field:
    """All that a ranking rests on.

    Attributes:
        contenders: in the user's order, the primary first.
        active: the provider that serves now; it need not be among the contenders.
    """

    now: datetime
    contenders: tuple[Contender, ...]
    active: str | None
    selection: Selection


@dataclass(frozen=True, slots=True)
class Ranking:
    """The contenders in order.

    Attributes:
        names: best first, every contender once.
        why: a phrase for users that says why the first one is the first.
        shares: under Weighted, the percentage of the traffic of each that takes part, summing to 100; else empty.
        turns_at: when the ranking may change although nothing else happens; None for never.
    """

    names: tuple[str, ...]
    why: str
    shares: Mapping[str, int] = field(default_factory=dict)
    turns_at: datetime | None = None


Group = tuple[Contender, ...]
"""Contenders that are equally fit to serve, in the user's order; never empty."""

Ranker = Callable[[Field, Group], Ranking]
"""A strategy: puts the contenders of a group, and no others, in order."""
