"""A tug of war: somebody else changes a published object again and again. Putting it right is bounded. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from providerswitch.core.bucket import drain

BURST: Final = 10
"""So many repairs of a policy are made at once."""
REFILL: Final = timedelta(seconds=10)
"""Once these are used up, one repair in so long."""
CALM: Final = BURST / 2
"""A contest is over when no more than this is left of the burst in use: after 50 s without another repair."""


@dataclass(frozen=True, slots=True)
class Contest:
    """How often the objects of a policy were put right lately.

    Attributes:
        used: of the burst; it shrinks with time.
        at: when that was so.
        hot: whether the burst was used up and calm has not come since.
    """

    used: float
    at: datetime
    hot: bool = False

    def look(self, now: datetime) -> "Contest":
        """Return how it stands now."""
        used = drain(self.used, (now - self.at) / REFILL)
        return Contest(used, max(now, self.at), self.hot and used > CALM)

    def take(self, now: datetime) -> "Contest | None":
        """Return what is left after one more repair, or None where it has to wait."""
        seen = self.look(now)
        return replace(seen, used=seen.used + 1) if seen.used + 1 <= BURST else None
