"""What a drill plays: the outcome that each fault has at a moment. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from providerswitch.api.drill import Fault
from providerswitch.api.health import HealthClass

TURNS: Final = 8
"""A flapping provider fails and answers by turns, so many in the whole fault; it begins with a failure."""
TIMES_TOO_SLOW: Final = 3
"""A degraded provider takes so many times what selection.thresholds.responseTime allows."""
SHARE_OF_TIMEOUT: Final = 0.9
"""But no longer than this part of healthCheck.timeout: beyond it, it would not be slow but silent."""


@dataclass(frozen=True, slots=True)
class PlayedFault:
    """A failure that is played to the probes of one policy.

    Attributes:
        drill: uid of the run, so that no two share a target.
        name: of the drill, for what users read.
        begins, ends: the second is exclusive; then the provider itself is asked.
        slow: how long a degraded provider takes to answer.
    """

    drill: str
    name: str
    fault: Fault
    begins: datetime
    ends: datetime
    slow: timedelta

    @property
    def duration(self) -> timedelta:
        """How long it lasts."""
        return self.ends - self.begins


@dataclass(frozen=True, slots=True)
class Played:
    """What one probe finds.

    Attributes:
        takes: how long the answer takes; None for as long as the probe waits.
        replied: whether it is an answer, and not silence.
        retry_after: what a rate limit asks for.
    """

    health_class: HealthClass
    why: str
    takes: timedelta | None = timedelta(0)
    replied: bool = True
    retry_after: timedelta | None = None


def play(played: PlayedFault, now: datetime) -> Played | None:
    """Return what a probe finds that is sent now; None once the provider itself is to be asked."""
    if now >= played.ends:
        return None
    return PLAYS[played.fault](played, now)


def is_bad(fault: Fault, health_class: HealthClass, took: timedelta, limit: timedelta) -> bool:
    """Tell whether an outcome shows the fault; `limit` is the response time that is still good."""
    if fault is Fault.DEGRADATION:
        return took > limit
    return health_class not in {HealthClass.HEALTHY, HealthClass.SLOW}


def too_slow(limit: timedelta, timeout: timedelta) -> timedelta:
    """Return how long a degraded provider takes, beyond a limit and within a timeout where there is room between."""
    return min(limit * TIMES_TOO_SLOW, max(limit, timeout * SHARE_OF_TIMEOUT))


def _outage(played: PlayedFault, _now: datetime) -> Played:
    return Played(HealthClass.SERVER_ERROR, f"HTTP 503, {_by(played)}")


def _rate_limit(played: PlayedFault, now: datetime) -> Played:
    rest = played.ends - now
    return Played(HealthClass.RATE_LIMITED, f"HTTP 429, {_by(played)}", retry_after=rest)


def _auth_failure(played: PlayedFault, _now: datetime) -> Played:
    return Played(HealthClass.AUTH_INVALID, f"HTTP 401, {_by(played)}")


def _network(played: PlayedFault, _now: datetime) -> Played:
    return Played(HealthClass.TIMEOUT, f"no answer, {_by(played)}", takes=None, replied=False)


def _degradation(played: PlayedFault, _now: datetime) -> Played:
    return Played(HealthClass.HEALTHY, f"slow answer, {_by(played)}", takes=played.slow)


def _flapping(played: PlayedFault, now: datetime) -> Played:
    turn = int((now - played.begins) / played.duration * TURNS)
    if turn % 2 == 0:
        return _outage(played, now)
    return Played(HealthClass.HEALTHY, f"HTTP 200, {_by(played)}")


def _by(played: PlayedFault) -> str:
    return f'played by drill "{played.name}"'


PLAYS: Final[Mapping[Fault, Callable[[PlayedFault, datetime], Played]]] = {
    Fault.OUTAGE: _outage,
    Fault.RATE_LIMIT: _rate_limit,
    Fault.AUTH_FAILURE: _auth_failure,
    Fault.NETWORK: _network,
    Fault.DEGRADATION: _degradation,
    Fault.FLAPPING: _flapping,
}
