"""How many Events a policy may cause: a provider that comes and goes every second is no reason to flood etcd. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from providerswitch.core.bucket import drain

BURST: Final = 100
"""All 32 providers of a policy may go down and come back, and switches with them, without one being left out."""
REFILL: Final = timedelta(seconds=30)
"""Once the burst is used up, one Event in so long. client-go is stricter: 25, then one in five minutes."""


@dataclass(frozen=True, slots=True)
class EventRoom:
    """How many Events may be written.

    Attributes:
        used: of the burst; it shrinks with time.
        at: when that was so.
    """

    used: float
    at: datetime

    def take(self, now: datetime) -> "EventRoom | None":
        """Return what is left after one more Event, or None where there is no room for it."""
        used = drain(self.used, (now - self.at) / REFILL) + 1
        return EventRoom(used, now) if used <= BURST else None
