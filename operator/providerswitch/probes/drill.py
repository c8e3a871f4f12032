"""Probe a provider that seems to fail: the fault is played until it ends, then the provider itself is asked."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

from providerswitch.api.health import HealthClass
from providerswitch.core.drill import Played, PlayedFault, play
from providerswitch.core.outcome import Outcome, Tier


class RealProber(Protocol):
    """Asks the provider itself."""

    async def probe(self, tier: Tier, deadline: timedelta) -> Outcome:
        """Ask once; back by the deadline."""

    async def aclose(self) -> None:
        """Close the connection."""


class DrillProber:
    """Plays a fault.

    Args:
        real: asks the provider once the fault is over; closed with this one.
    """

    def __init__(self, fault: PlayedFault, real: RealProber, clock: Callable[[], datetime]) -> None:
        self._fault = fault
        self._real = real
        self._clock = clock

    async def probe(self, tier: Tier, deadline: timedelta) -> Outcome:
        """Play one probe, or make a real one."""
        started = self._clock()
        played = play(self._fault, started)
        if played is None:
            return await self._real.probe(tier, deadline)
        takes = deadline if played.takes is None else min(played.takes, deadline)
        await asyncio.sleep(takes.total_seconds())
        return _outcome(played, started, self._clock(), tier, late=played.takes is not None and played.takes > deadline)

    async def aclose(self) -> None:
        """Close the connection to the provider itself."""
        await self._real.aclose()


def _outcome(played: Played, started: datetime, ended: datetime, tier: Tier, *, late: bool) -> Outcome:
    """What takes longer than a probe waits is a silence."""
    return Outcome(
        HealthClass.TIMEOUT if late else played.health_class,
        played.why,
        started,
        ended,
        retry_after=played.retry_after,
        tier=tier,
        replied=played.replied and not late,
    )
