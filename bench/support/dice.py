"""Chance that depends on nothing but a seed and a moment, so that a run can be repeated whatever was asked before."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

MASK: Final = 2**64 - 1
MICROSECOND: Final = timedelta(microseconds=1)
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Dice:
    """Returns a number of 0..1 for a moment."""

    seed: int

    def __call__(self, at: datetime) -> float:
        """Mix seed and moment as SplitMix64 does (Steele, Lea, Flood 2014, Fast Splittable Pseudorandom Generators)."""
        state = (self.seed * 0x9E3779B97F4A7C15 + (at - EPOCH) // MICROSECOND * 0xD1342543DE82EF95) & MASK
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & MASK
        return ((state ^ (state >> 31)) >> 11) / 2**53
