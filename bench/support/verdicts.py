"""What became of consumers: time lost under a policy and under its baselines, and how every failover went.

An episode begins when consumers are with a provider that fails at least half of their requests, and ends when they no
longer are. Where our own network fails, nobody can be reached: that time counts for nothing, and an episode begins anew
after it.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Final

from providerswitch.api.status import HealthState
from providerswitch.core.health import ProviderHealth
from providerswitch.simulate.loop import Move
from providerswitch.simulate.weather import Trouble, Weather
from providerswitch.simulate.world import World
from support.incidents import name_of

WITHIN: Final = timedelta(seconds=60)
"""In which an automatic failover must have happened, counted from the moment at which consumers began to fail."""
BROKEN: Final = 0.5
"""Share of failing requests from which on a provider does not work."""


class Verdict(StrEnum):
    """How an episode ended."""

    SUCCEEDED = "succeeded"
    PASSED = "over by itself before"
    INTERRUPTED = "interrupted by a fault of our own network"
    NO_CANDIDATE = "no other provider worked"
    MISSED = "missed"


@dataclass(frozen=True, slots=True)
class Episode:
    """Consumers were with a provider that did not work.

    Attributes:
        kind: of the incident that began it.
        cause: why it was missed; empty for the others.
    """

    start: datetime
    end: datetime
    provider: str
    kind: str
    verdict: Verdict
    cause: str = ""

    @property
    def seconds(self) -> float:
        """How long it lasted."""
        return (self.end - self.start).total_seconds()


@dataclass(slots=True)
class Toll:
    """Seconds, and seconds lost, by who served; requests come evenly."""

    total: float = 0.0
    policy: float = 0.0
    primary: float = 0.0
    oracle: float = 0.0
    each: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Span:
    """A time in which nothing changes.

    Attributes:
        by_switch: it was begun by a switch.
    """

    start: datetime
    end: datetime
    active: str
    met: Mapping[str, Trouble | None]
    by_switch: bool

    @property
    def ours(self) -> bool:
        """Whether our own network fails."""
        return any(trouble is not None and trouble.ours for trouble in self.met.values())

    def share(self, name: str) -> float:
        """Return the share of a provider's requests that fail."""
        trouble = self.met[name]
        return trouble.share if trouble else 0.0

    @property
    def broken(self) -> bool:
        """Whether the active provider does not work."""
        return self.share(self.active) >= BROKEN


def spans(weathers: Mapping[str, Weather], moves: Sequence[Move], end: datetime) -> Iterator[Span]:
    """Yield the history from the first choice on."""
    switched = {move.at: move.to for move in moves}
    begin, active = moves[0].at, moves[0].to
    edges = {edge for weather in weathers.values() for edge in weather.edges}
    marks = sorted({edge for edge in edges | switched.keys() if begin <= edge < end} | {end})
    for start, until in pairwise(marks):
        active = switched.get(start, active)
        yield Span(start, until, active, {name: each.met(start) for name, each in weathers.items()}, start in switched)


@dataclass(slots=True)
class Judge:
    """Reads one chapter of history."""

    world: World
    weathers: Mapping[str, Weather]
    end: datetime
    toll: Toll = field(default_factory=Toll)
    episodes: list[Episode] = field(default_factory=list)
    _open: Span | None = None

    def read(self) -> None:
        """Take the toll and judge every episode."""
        self.toll.each = dict.fromkeys(self.weathers, 0.0)
        for span in spans(self.weathers, self.world.moves, self.end):
            self._follow(span)
            if not span.ours:
                self._count(span)

    def _count(self, span: Span) -> None:
        seconds, toll = (span.end - span.start).total_seconds(), self.toll
        toll.total += seconds
        for name in toll.each:
            toll.each[name] += seconds * span.share(name)
        toll.policy += seconds * span.share(span.active)
        toll.primary += seconds * span.share(self.world.spec.primary)
        toll.oracle += seconds * min(span.share(name) for name in toll.each)

    def _follow(self, span: Span) -> None:
        if self._open and (span.ours or not span.broken):
            self._close(self._open, span)
            self._open = None
        if self._open is None and span.broken and not span.ours:
            self._open = span

    def _close(self, first: Span, last: Span) -> None:
        verdict, cause = self._judge(first, last), ""
        if verdict is Verdict.MISSED:
            cause = self._explain(first)
        trouble = first.met[first.active]
        kind = name_of(trouble) if trouble else ""
        self.episodes.append(Episode(first.start, last.start, first.active, kind, verdict, cause))

    def _judge(self, first: Span, last: Span) -> Verdict:
        if last.start - first.start > WITHIN:
            return Verdict.MISSED if self._candidates(first, first.start) else Verdict.NO_CANDIDATE
        if last.ours:
            return Verdict.INTERRUPTED
        return Verdict.SUCCEEDED if last.by_switch else Verdict.PASSED

    def _candidates(self, first: Span, since: datetime) -> list[str]:
        """Return who worked at some time from `since` until the end of the time that a failover has."""
        deadline = first.start + WITHIN
        return [name for name in self.weathers if name != first.active and self._worked(name, since, deadline)]

    def _worked(self, name: str, since: datetime, until: datetime) -> bool:
        weather = self.weathers[name]
        moments = [since, *(edge for edge in weather.edges if since < edge <= until)]
        met = [weather.met(moment) for moment in moments]
        return any(trouble is None or (trouble.share < BROKEN and not trouble.ours) for trouble in met)

    def _explain(self, first: Span) -> str:
        """Say why nobody had been switched to when the time was over."""
        deadline = first.start + WITHIN
        if _in_force(self.world.freezes, deadline):
            return "held by a freeze"
        active = _standing(self.world.moves, deadline)
        if self._health(active, deadline).may_stay:
            return self._undetected(active, deadline)
        fit = self._candidates(first, deadline)
        if not fit:
            return "the only candidate failed too within that time"
        reasons = sorted({self._held(self._health(name, deadline), deadline) for name in fit})
        return "; ".join(reasons)

    def _undetected(self, active: str, at: datetime) -> str:
        trouble = self.weathers[active].met(at)
        if trouble and trouble.share < 1:
            return "not detected: a part of the requests succeeds, and so do some probes"
        if trouble and trouble.hidden:
            return "not detected: unbilled probes do not notice"
        return "not detected in time"

    def _held(self, health: ProviderHealth, at: datetime) -> str:
        match health.state:
            case HealthState.DOWN if health.blacklisted_until and health.blacklisted_until > at:
                return "candidate works again, but is blacklisted"
            case HealthState.DOWN:
                return "candidate works again, but has not answered often enough"
            case HealthState.RATE_LIMITED:
                return "candidate works again, but was not asked yet since its rate limit"
            case HealthState.HEALTHY:
                return "not published"
            case _:
                return "candidate in doubt"

    def _health(self, name: str, at: datetime) -> ProviderHealth:
        known = [turn.health for turn in self.world.turns if turn.provider == name and turn.at <= at]
        return known[-1] if known else ProviderHealth()


def _in_force(freezes: Sequence[tuple[datetime, bool]], at: datetime) -> bool:
    index = bisect_right(freezes, at, key=lambda each: each[0])
    return bool(index) and freezes[index - 1][1]


def _standing(moves: Sequence[Move], at: datetime) -> str:
    return moves[bisect_right(moves, at, key=lambda move: move.at) - 1].to
