"""Whatever happens, whenever: consumers are never left with a dead provider while another one may serve."""

from datetime import datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.bench.shared import product
from tests.simulate.scenery import NAMES, USUAL_MILLIS, at

from providerswitch.api.health import HealthClass
from providerswitch.api.status import HealthState
from providerswitch.core.outcome import Outcome, Tier
from providerswitch.simulate.weather import Trouble, TroubledProvider, Weather
from providerswitch.simulate.world import World

WELL = HealthClass.HEALTHY
FAULTS = [
    WELL,
    HealthClass.SERVER_ERROR,
    HealthClass.TIMEOUT,
    HealthClass.CONNECT_REFUSED,
    HealthClass.AUTH_INVALID,
    HealthClass.QUOTA_EXHAUSTED,
]
NOTICED = timedelta(seconds=30 + 10 + 2 * 1.5 + 2 + 1)
"""Interval, timeout, two more probes in doubt, patience with a candidate, and a second to look again."""

names = st.integers(0, len(NAMES) - 1).map(NAMES.__getitem__)


class Changeable:
    """A provider that is told how to fare, and fares so until it is told otherwise."""

    def __init__(self, millis: float) -> None:
        self._usual = timedelta(milliseconds=millis)
        self.kind = WELL

    def answer(self, at: datetime, tier: Tier, deadline: timedelta) -> Outcome:
        troubles = [] if self.kind is WELL else [Trouble(at, at + deadline, self.kind)]
        return TroubledProvider(Weather(troubles), lambda _at: 0.0, self._usual).answer(at, tier, deadline)

    def same_until(self, at: datetime) -> datetime:
        return at


class AnyWeather(RuleBasedStateMachine):
    """One policy of two to four providers."""

    @initialize(count=st.integers(2, 4))
    def begins(self, count: int) -> None:
        self.providers = {name: Changeable(USUAL_MILLIS[index]) for index, name in enumerate(NAMES[:count])}
        spec = product.build_spec(*self.providers)
        self.world = World(spec, self.providers, product.build_loop(spec), at(0))
        self.world.run(at(5))
        self.changed_at = self.world.now

    @rule(name=names, kind=st.sampled_from(FAULTS))
    def fares(self, name: str, kind: HealthClass) -> None:
        if name in self.providers:
            self.providers[name].kind = kind
            self.changed_at = self.world.now

    @rule(seconds=st.one_of(st.floats(0.1, 5), st.floats(5, 120), st.floats(120, 3600)))
    def time_passes(self, seconds: float) -> None:
        self.world.run(self.world.now + timedelta(seconds=seconds))

    @invariant()
    def somebody_is_published(self) -> None:
        assert self.world.active in self.providers

    @invariant()
    def nobody_stays_with_a_dead_provider_while_another_may_serve(self) -> None:
        world = self.world
        if world.now - self.changed_at < NOTICED or world.loop.network.frozen:
            return
        fit = [name for name, health in world.healths.items() if health.state is HealthState.HEALTHY]
        working = [name for name in fit if self.providers[name].kind is WELL]
        active = world.active or ""
        assert not working or self.providers[active].kind is WELL, f"{active} is dead, and {working[0]} could serve"

    @invariant()
    def whoever_has_worked_for_long_serves_in_the_users_order(self) -> None:
        if self.world.now - self.changed_at < timedelta(hours=2):
            return
        working = [name for name in self.providers if self.providers[name].kind is WELL]
        assert not working or self.world.active == working[0]


AnyWeather.TestCase.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
TestAnyWeather = AnyWeather.TestCase
