"""Incidents of LLM providers, drawn at random in the shape of public incident histories.

docs/benchmarks.md tells which histories those are, and where this is only an approximation.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Final

from providerswitch.api.health import HealthClass
from providerswitch.simulate.weather import Trouble

TOWARDS_P95: Final = 1.6449
"""Standard deviations between median and 95th percentile of a normal distribution."""
PARTIAL: Final = "brownout"
"""The kind of incident in which only a part of the requests fails."""
PART: Final = (0.1, 0.9)
"""Share of requests that fail in a brownout."""
SHORT_LIMIT_SECONDS: Final = (3.0, 25.0)
"""A limit per minute, met in the middle of one; shorter than the probe interval, so policies wait it out."""
TOGETHER_SECONDS: Final = 120.0
"""Time within which an incident that two providers share strikes the second."""


@dataclass(frozen=True, slots=True)
class LogNormal:
    """A span of time whose logarithm is normally distributed."""

    median: timedelta
    p95: timedelta

    @property
    def sigma(self) -> float:
        """Standard deviation of the logarithm."""
        return math.log(self.p95 / self.median) / TOWARDS_P95

    @property
    def mean(self) -> timedelta:
        """Return the average."""
        return self.median * math.exp(self.sigma**2 / 2)

    def draw(self, random: Random) -> timedelta:
        """Return one."""
        return self.median * math.exp(self.sigma * random.gauss(0, 1))


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of incident.

    Attributes:
        weight: of all incidents, relative to the other kinds.
        partial: only a part of the requests fails.
        retry_after: a rate limit that tells when it ends.
        short: a rate limit that is over within seconds.
    """

    name: str
    health_class: HealthClass
    weight: float
    partial: bool = False
    retry_after: bool = False
    short: bool = False


KINDS: Final = (
    Kind("server errors", HealthClass.SERVER_ERROR, 29),
    Kind("overloaded", HealthClass.OVERLOADED, 15),
    Kind(PARTIAL, HealthClass.SERVER_ERROR, 15, partial=True),
    Kind("hang", HealthClass.TIMEOUT, 10),
    Kind("rate limit, no end told", HealthClass.RATE_LIMITED, 6),
    Kind("rate limit, end told", HealthClass.RATE_LIMITED, 5, retry_after=True),
    Kind("short rate limit", HealthClass.RATE_LIMITED, 4, retry_after=True, short=True),
    Kind("connection refused", HealthClass.CONNECT_REFUSED, 3),
    Kind("connection reset", HealthClass.RESET, 3),
    Kind("DNS", HealthClass.DNS, 2),
    Kind("TLS", HealthClass.TLS, 1),
    Kind("key rejected", HealthClass.AUTH_INVALID, 3),
    Kind("quota exhausted", HealthClass.QUOTA_EXHAUSTED, 2),
    Kind("model unavailable", HealthClass.MODEL_UNAVAILABLE, 2),
)
OURS: Final = (HealthClass.DNS, HealthClass.TIMEOUT, HealthClass.CONNECT_REFUSED)


@dataclass(frozen=True, slots=True)
class Climate:
    """How often things go wrong, and for how long.

    Attributes:
        availability: of each provider: the share of requests that succeed in the long run.
        short_share: share of the incidents that are short.
        together: share of the incidents that strike another provider too.
        hidden: share of the incidents that unbilled probes do not notice.
        network_gap: average time between two faults of our own network.
    """

    availability: float = 0.995
    short: LogNormal = LogNormal(timedelta(minutes=3), timedelta(minutes=15))
    long: LogNormal = LogNormal(timedelta(minutes=40), timedelta(hours=4))
    short_share: float = 0.3
    together: float = 0.05
    hidden: float = 0.0
    network_gap: timedelta = timedelta(days=30)
    network: LogNormal = LogNormal(timedelta(minutes=1), timedelta(minutes=10))

    @property
    def duration(self) -> timedelta:
        """Average duration of an incident."""
        return self.short.mean * self.short_share + self.long.mean * (1 - self.short_share)

    @property
    def gap(self) -> timedelta:
        """Average time between the end of an incident and the next one, so that availability comes out right."""
        weights = sum(kind.weight for kind in KINDS)
        whole = sum(kind.weight for kind in KINDS if not kind.partial and not kind.short) / weights
        part = sum(kind.weight for kind in KINDS if kind.partial) / weights * sum(PART) / 2
        brief = sum(kind.weight for kind in KINDS if kind.short) / weights
        lasting = self.duration * (1 - brief) + timedelta(seconds=sum(SHORT_LIMIT_SECONDS) / 2) * brief
        lost = self.duration * (whole + part) + timedelta(seconds=sum(SHORT_LIMIT_SECONDS) / 2) * brief
        return lost * (1 + self.together) / (1 - self.availability) - lasting


@dataclass(frozen=True, slots=True)
class Forecast:
    """Draws the incidents of one chapter of history."""

    climate: Climate
    random: Random
    begin: datetime
    end: datetime

    def draw(self, names: Sequence[str]) -> Mapping[str, list[Trouble]]:
        """Return the incidents of each provider, faults of our own network in all of them."""
        drawn: dict[str, list[Trouble]] = {name: [] for name in names}
        for name in names:
            for trouble in self._renewal():
                drawn[name].append(trouble)
                if len(names) > 1 and self.random.random() < self.climate.together:
                    drawn[self.random.choice([other for other in names if other != name])].append(self._echo(trouble))
        for trouble in self._faults_of_ours():
            for name in names:
                drawn[name].append(trouble)
        return drawn

    def _renewal(self) -> list[Trouble]:
        """Return one provider's own incidents, which come independently of how long ago the last one was."""
        troubles: list[Trouble] = []
        at = self.begin
        while (at := at + self.climate.gap * self.random.expovariate(1)) < self.end:
            troubles.append(self._incident(at))
            at = troubles[-1].end
        return troubles

    def _incident(self, at: datetime) -> Trouble:
        kind = self.random.choices(KINDS, [each.weight for each in KINDS])[0]
        share = self.random.uniform(*PART) if kind.partial else 1.0
        lasting = timedelta(seconds=self.random.uniform(*SHORT_LIMIT_SECONDS)) if kind.short else self._duration()
        hidden = self.random.random() < self.climate.hidden
        return Trouble(at, at + lasting, kind.health_class, share, kind.retry_after, hidden)

    def _duration(self) -> timedelta:
        short = self.random.random() < self.climate.short_share
        return (self.climate.short if short else self.climate.long).draw(self.random)

    def _echo(self, trouble: Trouble) -> Trouble:
        """Return what another provider has of it: a cloud, a CDN or a sudden load that both depend on."""
        return self._incident(trouble.start + timedelta(seconds=self.random.uniform(0, TOGETHER_SECONDS)))

    def _faults_of_ours(self) -> list[Trouble]:
        troubles: list[Trouble] = []
        at = self.begin
        while (at := at + self.climate.network_gap * self.random.expovariate(1)) < self.end:
            kind = self.random.choice(OURS)
            troubles.append(Trouble(at, at + self.climate.network.draw(self.random), kind, ours=True))
            at = troubles[-1].end
        return troubles


def name_of(trouble: Trouble) -> str:
    """Return the name of an incident's kind."""
    if trouble.ours:
        return "own network"
    if trouble.share < 1:
        return PARTIAL
    short = trouble.end - trouble.start <= timedelta(seconds=SHORT_LIMIT_SECONDS[1])
    alike = [kind for kind in KINDS if kind.health_class is trouble.kind and not kind.partial]
    return min(alike, key=lambda kind: (kind.retry_after is not trouble.retry_after, kind.short is not short)).name
