"""Requests of consumers over days, and how each way to choose among the providers serves the very same ones."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from statistics import fmean
from typing import Final

from providerswitch.simulate.loop import Move
from providerswitch.simulate.world import World
from support.dice import Dice
from support.figures import percentile
from support.moods import Mood, MoodyProvider, draw_mood, spread
from support.product import build_loop, build_spec

BEGIN: Final = datetime(2026, 1, 1, tzinfo=UTC)
WARM_UP: Final = timedelta(hours=1)
"""Before the first request, in which the first values are measured."""
BETWEEN: Final = timedelta(seconds=2)
"""Requests come evenly."""
NAMES: Final = ("first", "second", "third", "fourth")
HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Served:
    """How requests fared.

    Attributes:
        mean, p95: seconds, of the requests that were answered.
        failed: share of the requests.
        switches: an hour.
    """

    mean: float
    p95: float
    failed: float
    switches: float = 0.0


@dataclass(frozen=True, slots=True)
class Days:
    """Some days in the life of a few providers.

    Attributes:
        moments: when requests come.
        times: by provider, what each request would take there; None where it would fail.
    """

    moods: Mapping[str, Mood]
    moments: Sequence[datetime]
    times: Mapping[str, Sequence[float | None]]
    seed: int

    @property
    def end(self) -> datetime:
        """When the last request has been sent."""
        return self.moments[-1]

    def serve(self, chosen: Sequence[str], switches: int = 0) -> Served:
        """Return how the requests fare if each goes to the provider chosen for it."""
        found = [self.times[name][index] for index, name in enumerate(chosen)]
        answered = [seconds for seconds in found if seconds is not None]
        hours = (self.end - self.moments[0]) / HOUR
        return Served(
            mean=fmean(answered),
            p95=percentile(answered, 95),
            failed=1 - len(answered) / len(found),
            switches=switches / hours,
        )

    def fixed(self, name: str) -> Served:
        """Every request goes to one provider."""
        return self.serve([name] * len(self.moments))

    def round_robin(self) -> Served:
        """Each request goes to the next provider."""
        names = tuple(self.moods)
        return self.serve([names[index % len(names)] for index in range(len(self.moments))])

    def oracle(self) -> Served:
        """Each request goes where the response time is shortest at this moment, noise apart, and fewest fail."""
        return self.serve([self._best(moment) for moment in self.moments])

    def _best(self, at: datetime) -> str:
        return min(self.moods, key=lambda name: (self.moods[name].failing_share(at), self.moods[name].seconds(at)))

    def policy(self, **spec: object) -> Served:
        """Requests go to the provider that a policy has published; its operator lives through the same days."""
        made = build_spec(*self.moods, **spec)
        providers = {
            name: MoodyProvider(mood, Dice(self.seed * 64 + index), Dice(self.seed * 64 + 32 + index))
            for index, (name, mood) in enumerate(self.moods.items())
        }
        world = World(made, providers, build_loop(made), BEGIN)
        world.run(self.end)
        switched = [move for move in world.moves if move.at >= self.moments[0]]
        return self.serve(list(_actives(world.moves, self.moments)), len(switched))


def _actives(moves: Sequence[Move], moments: Sequence[datetime]) -> Iterator[str]:
    """Yield who is published at each moment; the first choice was made before the first moment."""
    coming = iter(moves)
    active, following = next(coming).to, next(coming, None)
    for moment in moments:
        while following is not None and following.at <= moment:
            active, following = following.to, next(coming, None)
        yield active


def draw_days(seed: int, providers: int, days: float, *, alike: bool = False) -> Days:
    """Return days of providers that depend on nothing but these arguments."""
    random, begin = Random(f"{providers}:{seed}"), BEGIN + WARM_UP
    end = begin + timedelta(days=days)
    moods = {name: draw_mood(random, BEGIN, end, alike=alike) for name in NAMES[:providers]}
    moments = [begin + BETWEEN * index for index in range(int((end - begin) / BETWEEN))]
    return Days(moods, moments, {name: list(_times(mood, moments, random)) for name, mood in moods.items()}, seed)


def _times(mood: Mood, moments: Sequence[datetime], random: Random) -> Iterator[float | None]:
    for moment in moments:
        seconds = mood.seconds(moment) * spread(random.random())
        yield None if random.random() < mood.failing_share(moment) else seconds
