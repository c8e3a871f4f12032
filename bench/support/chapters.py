"""One chapter of history: a year of incidents, the policy that lived through it, and what became of its consumers."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final

from typing_extensions import override

from providerswitch.api.policy import PolicySpec
from providerswitch.core.case import Trigger
from providerswitch.simulate.loop import Move, Publication
from providerswitch.simulate.weather import TroubledProvider, Weather
from providerswitch.simulate.world import World
from support.dice import Dice
from support.incidents import Climate, Forecast
from support.product import build_loop, build_spec
from support.verdicts import WITHIN, Episode, Judge, Toll

BEGIN: Final = datetime(2026, 1, 1, tzinfo=UTC)
CALM: Final = timedelta(minutes=10)
"""At the beginning of a chapter, in which the first choice is made."""
NAMES: Final = ("first", "second", "third", "fourth")
USUAL_MILLIS: Final = (300, 313.71, 331.93, 348.77)
"""No two providers answer equally fast, so that nothing happens at the same moment."""
LATELY: Final = timedelta(hours=1)
"""A provider that went down in this time may still be on the blacklist, and is left for one that may serve."""
UNANSWERED: Final = 0.01
REFUSED: Final = 0.001
"""Shares of the attempts to publish that the API server does not answer, or refuses."""


@dataclass(frozen=True, slots=True)
class Setup:
    """A policy in a climate.

    Attributes:
        name: a word, part of every trace id.
        spec: more fields of the policy, named as in YAML.
        part: of the chapters that others get, for one that takes long to play.
    """

    name: str
    providers: int = 3
    spec: Mapping[str, object] = field(default_factory=dict)
    climate: Climate = field(default_factory=Climate)
    part: float = 1.0

    def policy(self) -> PolicySpec:
        """Return the spec."""
        return build_spec(*NAMES[: self.providers], **self.spec)


@dataclass(frozen=True, slots=True)
class Trace:
    """Names one chapter, so that it can be played again."""

    setup: str
    seed: int
    chapter: int

    @override
    def __str__(self) -> str:
        return f"{self.setup}:{self.seed}:{self.chapter}"


@dataclass(slots=True)
class Account:
    """What came of a chapter.

    Attributes:
        reacting: seconds from the end of the first failed probe to each decision to leave a provider.
        publishing: seconds from each decision to its publication.
        moves: how many switches there were, by trigger.
        needless: switches away from a provider that worked, by whether our own network had failed.
    """

    trace: Trace
    toll: Toll
    episodes: list[Episode]
    reacting: list[float]
    publishing: list[float]
    moves: Counter[str]
    needless: Counter[str]
    probes: int


@dataclass(frozen=True, slots=True)
class Chapter:
    """A chapter that can be played.

    Attributes:
        skip: whether probes that only confirm are skipped.
    """

    setup: Setup
    seed: int
    number: int
    lasting: timedelta = timedelta(days=365)
    skip: bool = True

    @property
    def trace(self) -> Trace:
        """What it is called."""
        return Trace(self.setup.name, self.seed, self.number)

    @property
    def end(self) -> datetime:
        """When it ends."""
        return BEGIN + self.lasting

    def weathers(self) -> dict[str, Weather]:
        """Return what goes wrong with each provider."""
        random = Random(f"{self.setup.providers}:{self.seed}:{self.number}")
        forecast = Forecast(self.setup.climate, random, BEGIN + CALM, self.end)
        drawn = forecast.draw(NAMES[: self.setup.providers])
        return {name: Weather(troubles) for name, troubles in drawn.items()}

    def world(self, weathers: Mapping[str, Weather]) -> World:
        """Return the policy among its providers, before anything has happened."""
        spec, chance = self.setup.policy(), self.seed * 1_000_003 + self.number * len(NAMES)
        providers = {
            name: TroubledProvider(weather, Dice(chance + index), timedelta(milliseconds=USUAL_MILLIS[index]))
            for index, (name, weather) in enumerate(weathers.items())
        }
        luck = Dice(-1 - chance)
        return World(spec, providers, build_loop(spec), BEGIN, lambda at: _publish(luck(at)), skip=self.skip)

    def play(self) -> Account:
        """Let the policy live through it, and account for it."""
        return self.account(*self.live())

    def live(self) -> tuple[World, dict[str, Weather]]:
        """Return the policy after it has lived through it, and what went wrong with its providers."""
        weathers = self.weathers()
        world = self.world(weathers)
        world.run(self.end)
        return world, weathers

    def account(self, world: World, weathers: Mapping[str, Weather]) -> Account:
        """Return what came of it."""
        judge = Judge(world, weathers, self.end)
        judge.read()
        left = [move for move in world.moves if move.trigger == Trigger.FAILOVER]
        return Account(
            trace=self.trace,
            toll=judge.toll,
            episodes=judge.episodes,
            reacting=[_seconds(move.decided_at, move.first_failure_at) for move in left if move.first_failure_at],
            publishing=[_seconds(move.at, move.decided_at) for move in left],
            moves=Counter(str(move.trigger) for move in world.moves),
            needless=Counter(why for move in left if (why := _needless(move, weathers[move.origin or ""]))),
            probes=world.probes,
        )


def _publish(luck: float) -> Publication:
    if luck < REFUSED:
        return Publication.REFUSED
    return Publication.UNANSWERED if luck < REFUSED + UNANSWERED else Publication.SUCCEEDED


def _seconds(later: datetime, earlier: datetime) -> float:
    return (later - earlier).total_seconds()


def _needless(move: Move, weather: Weather) -> str:
    """Say why nobody had to leave a provider; empty where it had failed requests in the minute before."""
    if any(not trouble.ours for trouble in weather.between(move.at - WITHIN, move.at)):
        return ""
    if any(trouble.ours for trouble in weather.between(move.at - WITHIN, move.at)):
        return "our own network had failed"
    lately = any(not trouble.ours for trouble in weather.between(move.at - LATELY, move.at))
    return "it had failed, and worked again already" if lately else "nothing was wrong"
