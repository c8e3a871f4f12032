"""Providers that are slower at some times than at others: days, slow episodes, error episodes, and noise.

docs/benchmarks.md tells how they are drawn.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from statistics import NormalDist, fmean
from typing import Final

from providerswitch.api.health import HealthClass
from providerswitch.core.outcome import Outcome, Tier
from support.dice import Dice
from support.incidents import LogNormal

DAY: Final = timedelta(days=1)
NOISE: Final = 0.4
"""Standard deviation of the logarithm of a response time, all else being equal."""
PROBE: Final = {Tier.LIVENESS: 0.2, Tier.GENERATION: 0.4}
"""Time that a probe takes, as a part of the time of a consumer's request."""
USUAL_SECONDS: Final = (0.8, 1.3)
SWING: Final = (0.1, 0.4)
"""By how much a provider is slower than its average at its busiest time of the day, and quicker at its quietest."""
SLOW_GAP: Final = timedelta(hours=8)
SLOW: Final = LogNormal(timedelta(minutes=25), timedelta(hours=2))
SLOW_FACTOR: Final = (1.5, 5.0)
FAILING_GAP: Final = timedelta(hours=60)
FAILING: Final = LogNormal(timedelta(minutes=12), timedelta(hours=1))
FAILING_SHARE: Final = (0.1, 1.0)
NORMAL: Final = NormalDist()
LEAST: Final = 1e-9
"""Keeps a chance of 0 or 1 from meaning an infinite time."""


@dataclass(frozen=True, slots=True)
class Spell:
    """A time in which a provider is slow, or fails requests.

    Attributes:
        level: factor of the response time, or share of the requests that fail.
    """

    start: datetime
    end: datetime
    level: float


@dataclass(frozen=True, slots=True)
class Spells:
    """Spells that do not overlap, in their order."""

    spells: Sequence[Spell]
    _starts: list[datetime] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self._starts.extend(spell.start for spell in self.spells)

    def level(self, at: datetime, otherwise: float) -> float:
        """Return the level of a moment."""
        index = bisect_right(self._starts, at) - 1
        return self.spells[index].level if index >= 0 and at < self.spells[index].end else otherwise


@dataclass(frozen=True, slots=True)
class Mood:
    """How a provider does over time.

    Attributes:
        usual: median response time of consumers' requests over a day, in seconds.
        peak: time of the day at which it is busiest.
    """

    usual: float
    swing: float
    peak: timedelta
    slow: Spells
    failing: Spells

    def seconds(self, at: datetime) -> float:
        """Return the median response time of a moment."""
        angle = 2 * math.pi * (((at - at.replace(hour=0, minute=0, second=0, microsecond=0)) - self.peak) / DAY)
        return self.usual * (1 + self.swing * math.cos(angle)) * self.slow.level(at, 1.0)

    def failing_share(self, at: datetime) -> float:
        """Return the share of requests that fail."""
        return self.failing.level(at, 0.0)


@dataclass(frozen=True, slots=True)
class MoodyProvider:
    """A provider as probes meet it."""

    mood: Mood
    noise: Dice
    luck: Dice

    def answer(self, at: datetime, tier: Tier, deadline: timedelta) -> Outcome:
        """Return what comes of a probe."""
        seconds = self.mood.seconds(at) * PROBE[tier] * spread(self.noise(at))
        took = min(timedelta(seconds=seconds), deadline)
        if self.luck(at) < self.mood.failing_share(at):
            return self._told(HealthClass.SERVER_ERROR, at, took, tier)
        return self._told(HealthClass.HEALTHY if took < deadline else HealthClass.TIMEOUT, at, took, tier)

    def _told(self, kind: HealthClass, at: datetime, took: timedelta, tier: Tier) -> Outcome:
        return Outcome(kind, kind.value, at, at + took, tier=tier, replied=kind is not HealthClass.TIMEOUT)

    def same_until(self, at: datetime) -> datetime:
        """No two probes fare alike."""
        return at


def spread(chance: float) -> float:
    """Return the factor by which noise makes a response time longer or shorter; 1 in the median."""
    return math.exp(NOISE * NORMAL.inv_cdf(min(max(chance, LEAST), 1 - LEAST)))


def draw_mood(random: Random, begin: datetime, end: datetime, *, alike: bool) -> Mood:
    """Return how a provider does from one moment to another; `alike` ones differ in nothing but their spells."""
    return Mood(
        usual=fmean(USUAL_SECONDS) if alike else random.uniform(*USUAL_SECONDS),
        swing=0 if alike else random.uniform(*SWING),
        peak=DAY * random.random(),
        slow=_draw_spells(random, begin, end, SLOW_GAP, SLOW, SLOW_FACTOR),
        failing=_draw_spells(random, begin, end, FAILING_GAP, FAILING, FAILING_SHARE),
    )


def _draw_spells(
    random: Random, begin: datetime, end: datetime, gap: timedelta, lasting: LogNormal, level: tuple[float, float]
) -> Spells:
    spells: list[Spell] = []
    at = begin
    while (at := at + gap * random.expovariate(1)) < end:
        spells.append(Spell(at, at + lasting.draw(random), random.uniform(*level)))
        at = spells[-1].end
    return Spells(spells)
