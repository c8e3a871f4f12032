"""Incidents and worlds for the tests of the simulator: one policy of up to four providers, told in seconds."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from random import Random

from tests.bench.shared import dice, incidents, product
from tests.support.virtual_time import EPOCH

from providerswitch.api.health import HealthClass
from providerswitch.simulate.weather import Trouble, TroubledProvider, Weather
from providerswitch.simulate.world import World

NAMES = ("openai", "anthropic", "google", "jina")
USUAL_MILLIS = (300, 313.71, 331.93, 348.77)
"""No two providers answer equally fast, so that nothing happens at the same moment."""
STORMY = incidents.Climate(
    availability=0.7,
    short=incidents.LogNormal(timedelta(minutes=1), timedelta(minutes=5)),
    long=incidents.LogNormal(timedelta(minutes=10), timedelta(minutes=30)),
    together=0.3,
    network_gap=timedelta(hours=1),
)


def at(seconds: float) -> datetime:
    """Return the moment so many seconds after the beginning."""
    return EPOCH + timedelta(seconds=seconds)


def trouble(start: float, end: float, kind: HealthClass = HealthClass.SERVER_ERROR, **fields: object) -> Trouble:
    """Return an incident from one second to another."""
    return Trouble(at(start), at(end), kind, **fields)  # type: ignore[arg-type]  # the fields of a Trouble


def play(troubles: Mapping[str, Sequence[Trouble]]) -> dict[str, TroubledProvider]:
    """Return the providers that have these incidents."""
    return {
        name: TroubledProvider(Weather(troubles[name]), dice.Dice(index), timedelta(milliseconds=millis))
        for index, (name, millis) in enumerate(zip(troubles, USUAL_MILLIS, strict=False))
    }


def build_world(troubles: Mapping[str, Sequence[Trouble]], *, skip: bool = True, **spec: object) -> World:
    """Return a policy of these providers, with its operator; all first probes come at once.

    Args:
        spec: more fields of the policy, named as in YAML.
    """
    made = product.build_spec(*troubles, **spec)
    return World(made, play(troubles), product.build_loop(made), EPOCH, skip=skip, spread=timedelta(0))


def storm(seed: int, providers: int, hours: float) -> dict[str, list[Trouble]]:
    """Return incidents that are never long in coming, the same for the same seed."""
    forecast = incidents.Forecast(STORMY, Random(seed), at(60), at(hours * 3600))
    return {name: list(troubles) for name, troubles in forecast.draw(NAMES[:providers]).items()}
