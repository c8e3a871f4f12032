"""What goes wrong with a provider, and what a probe of it meets."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from providerswitch.api.health import NETWORK, HealthClass
from providerswitch.core.outcome import Outcome, Tier

FOREVER: Final = datetime.max.replace(tzinfo=UTC)
LOST_AT_ONCE: Final = 6
"""A name, a connection or a certificate that is no good is found out in this part of the time of an answer."""


class Played(Protocol):
    """A provider in virtual time."""

    def answer(self, at: datetime, tier: Tier, deadline: timedelta) -> Outcome:
        """Return what comes of a probe that starts `at` a moment."""

    def same_until(self, at: datetime) -> datetime:
        """Return until when every probe of one tier fares as one `at` this moment does; `at` if nobody can tell."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """One incident.

    Attributes:
        kind: what a request that fails is told; Timeout stands for no answer at all.
        share: of the requests that fail, 0..1.
        retry_after: whether a rate limit says how long it will last.
        hidden: whether unbilled probes do not notice.
        ours: a fault of our own network, in which no provider has a part.
    """

    start: datetime
    end: datetime
    kind: HealthClass
    share: float = 1.0
    retry_after: bool = False
    hidden: bool = False
    ours: bool = False


@dataclass(slots=True)
class Weather:
    """Incidents; where several overlap, a fault of our own network is met first, then the one that began last."""

    troubles: Sequence[Trouble]
    _edges: list[datetime] = field(init=False)
    _met: list[Trouble | None] = field(init=False)

    def __post_init__(self) -> None:
        edges = {each.start for each in self.troubles} | {each.end for each in self.troubles}
        self._edges = sorted(edges)
        self._met = [self._newest(moment) for moment in self._edges]

    def _newest(self, moment: datetime) -> Trouble | None:
        present = [each for each in self.troubles if each.start <= moment < each.end]
        return max(present, key=lambda each: (each.ours, each.start), default=None)

    def met(self, at: datetime) -> Trouble | None:
        """Return the incident of a moment."""
        index = bisect_right(self._edges, at)
        return self._met[index - 1] if index else None

    def between(self, start: datetime, end: datetime) -> list[Trouble]:
        """Return the incidents that are met at some time from `start` to `end`, in their order."""
        first, last = bisect_right(self._edges, start), bisect_right(self._edges, end)
        return [trouble for trouble in self._met[max(0, first - 1) : last] if trouble]

    def next_edge(self, at: datetime) -> datetime:
        """Return when the next incident begins or ends."""
        index = bisect_right(self._edges, at)
        return self._edges[index] if index < len(self._edges) else FOREVER

    @property
    def edges(self) -> Sequence[datetime]:
        """Every moment at which something begins or ends."""
        return self._edges


@dataclass(slots=True)
class TroubledProvider:
    """A provider that answers alike every time, but for its incidents.

    Args:
        chance: returns a number of 0..1 for a moment, always the same for the same one; asked while a part of the
            requests fails.
        usual: how long a good answer takes. Let it differ between providers: what is due at the same moment happens in
            the order in which it was planned, and that order is not the same when probes are skipped.
    """

    weather: Weather
    chance: Callable[[datetime], float]
    usual: timedelta = timedelta(milliseconds=300)

    def answer(self, at: datetime, tier: Tier, deadline: timedelta) -> Outcome:
        """Return what comes of a probe."""
        trouble = self.weather.met(at)
        if trouble is None or (trouble.hidden and tier is Tier.LIVENESS) or not self._hit(trouble, at):
            return self._told(HealthClass.HEALTHY, at, tier, self.usual, deadline)
        if trouble.kind is HealthClass.TIMEOUT:
            return self._told(HealthClass.TIMEOUT, at, tier, deadline - self.usual / 1000, deadline)
        took = self.usual / LOST_AT_ONCE if trouble.kind in NETWORK else self.usual
        wait = trouble.end - at if trouble.retry_after else None
        return self._told(trouble.kind, at, tier, took, deadline, wait)

    def _hit(self, trouble: Trouble, at: datetime) -> bool:
        return trouble.share >= 1 or self.chance(at) < trouble.share

    def _told(
        self,
        kind: HealthClass,
        at: datetime,
        tier: Tier,
        took: timedelta,
        deadline: timedelta,
        wait: timedelta | None = None,
    ) -> Outcome:
        if took > deadline:
            kind, took = HealthClass.TIMEOUT, deadline
        return Outcome(kind, kind.value, at, at + took, wait, tier, replied=kind not in NETWORK)

    def same_until(self, at: datetime) -> datetime:
        """Return until when nothing changes; what depends on chance, or on how long a limit still lasts, does."""
        trouble = self.weather.met(at)
        if trouble and (trouble.share < 1 or trouble.retry_after):
            return at
        return self.weather.next_edge(at)
