"""What a step of the story must bring about, and the checking of it: against the world as seen, with times."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from providerswitch.api.drill import DrillState
from providerswitch.api.health import HealthClass
from providerswitch.api.status import HealthState
from providerswitch.demo.fakes import FakeProvider, Fault
from providerswitch.demo.world import World

TIMER_SLACK_SECONDS: Final = 0.2

Check = Callable[[World, float], bool]
"""Gets the world and `time.monotonic()` at the beginning of the step."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """One thing that has to be seen.

    Attributes:
        what: a phrase for people.
        within: seconds from the step's cause.
    """

    what: str
    check: Check
    within: float = 10.0


@dataclass(frozen=True, slots=True)
class Observation:
    """An expectation and when it was met.

    Attributes:
        after: seconds from the step's cause; None when it was not met.
    """

    what: str
    within: float
    after: float | None


@dataclass(slots=True)
class Checklist:
    """The expectations of one step; each is ticked off at the first look that meets it.

    Attributes:
        begun: `time.monotonic()` at the beginning of the step.
        cause: `time.monotonic()` when what the step does took effect; None while it is being done.
        met: when each was seen, by its place in the list.
    """

    expectations: tuple[Expectation, ...]
    begun: float
    cause: float | None = None
    met: dict[int, float] = field(default_factory=dict)

    def look(self, world: World, now: float) -> None:
        """Tick off what is seen now and is not overdue."""
        for index, expectation in enumerate(self.expectations):
            overdue = self.cause is not None and now - self.cause > expectation.within
            if index not in self.met and not overdue and expectation.check(world, self.begun):
                self.met[index] = now

    @property
    def complete(self) -> bool:
        """Whether everything was seen."""
        return len(self.met) == len(self.expectations)

    def settled(self, now: float) -> bool:
        """Tell whether looking on is of no use: the deed is done, and all was seen or something is overdue."""
        return self.cause is not None and (self.complete or self.remaining(now) <= 0)

    def remaining(self, now: float) -> float:
        """Return the seconds until the first deadline of something not seen; <= 0 when one has passed."""
        limits = [entry.within for index, entry in enumerate(self.expectations) if index not in self.met]
        return (self.begun if self.cause is None else self.cause) + min(limits, default=0.0) - now

    def observations(self) -> tuple[Observation, ...]:
        """Return all expectations with their times; one met while the step was being done counts as 0 s after it."""
        return tuple(
            Observation(entry.what, entry.within, self._after(index)) for index, entry in enumerate(self.expectations)
        )

    def _after(self, index: int) -> float | None:
        seen, cause = self.met.get(index), self.begun if self.cause is None else self.cause
        return None if seen is None else max(0.0, seen - cause)


def published(policy: str, provider: str, within: float = 10.0) -> Expectation:
    """Expect the published ConfigMap to name a provider."""
    return Expectation(
        f"ConfigMap {policy}-provider says {provider}",
        lambda world, _: world.published.get(policy, {}).get("LLM_PROVIDER") == provider,
        within,
    )


def active(policy: str, provider: str, within: float = 10.0) -> Expectation:
    """Expect the status to name a provider as active."""
    return Expectation(
        f"status of {policy} says {provider}",
        lambda world, _: world.policy(policy).status.active_provider == provider,
        within,
    )


def consumer_on(provider: str, within: float = 10.0) -> Expectation:
    """Expect the consumer to have got a good answer from a provider."""
    return Expectation(
        f"the consumer is answered by {provider}", lambda world, _: world.calls.last_server == provider, within
    )


def conditions(policy: str, wanted: Mapping[str, str], within: float = 10.0) -> Expectation:
    """Expect conditions to have these statuses, all at a time."""

    def check(world: World, _begun: float) -> bool:
        found = {entry.type: entry.status for entry in world.policy(policy).status.conditions}
        return all(found.get(kind) == status for kind, status in wanted.items())

    spelled = ", ".join(f"{kind}={status}" for kind, status in wanted.items())
    return Expectation(f"{policy} has {spelled}", check, within)


def state(policy: str, provider: str, wanted: HealthState, within: float = 10.0) -> Expectation:
    """Expect a provider to be in a state."""

    def check(world: World, _begun: float) -> bool:
        found = world.policy(policy).provider(provider)
        return found is not None and found.state is wanted

    return Expectation(f"{provider} is {wanted}", check, within)


def event(policy: str, reason: str, within: float = 10.0) -> Expectation:
    """Expect an Event with a reason that arrives during the step."""

    def check(world: World, begun: float) -> bool:
        return any(seen.policy == policy and seen.reason == reason and seen.at >= begun for seen in world.events)

    return Expectation(f"Event {reason}", check, within)


def drilled(name: str, wanted: DrillState, within: float) -> Expectation:
    """Expect a drill to come to an end of this kind."""

    def check(world: World, _begun: float) -> bool:
        found = world.drills.get(name)
        return found is not None and found.state is wanted

    return Expectation(f"drill {name} has {wanted}", check, within)


def limited_not_blacklisted(policy: str, provider: str) -> Expectation:
    """Expect a rate limited provider to be free of a blacklist."""

    def check(world: World, _begun: float) -> bool:
        found = world.policy(policy).provider(provider)
        return found is not None and found.state is HealthState.RATE_LIMITED and found.blacklisted_until is None

    return Expectation(f"{provider} is not blacklisted", check)


def rejected_key(policy: str, provider: str) -> Expectation:
    """Expect a provider to be down because of its key."""

    def check(world: World, _begun: float) -> bool:
        found = world.policy(policy).provider(provider)
        return found is not None and (found.state, found.health_class) == (HealthState.DOWN, HealthClass.AUTH_INVALID)

    return Expectation(f"{provider} is Down (AuthInvalid)", check)


def left_alone(fake: FakeProvider, seconds: float, within: float) -> Expectation:
    """Expect no probe of a provider for as long as it asked, and one after that."""

    def check(_world: World, _begun: float) -> bool:
        asked = [exchange for exchange in fake.log if exchange.method == "GET"]
        limited = [index for index, exchange in enumerate(asked) if exchange.fault is Fault.RATE_LIMITED]
        if not limited or limited[-1] + 1 >= len(asked):
            return False
        return asked[limited[-1] + 1].at - asked[limited[-1]].at >= seconds - TIMER_SLACK_SECONDS

    return Expectation(f"{fake.name} was not probed for the {seconds:g} s it asked for", check, within)


def never_empty() -> Expectation:
    """Expect that each ConfigMap seen, from the first on, named a provider and its address."""
    return Expectation("no empty choice was published at any time", lambda world, _: not world.blank_publications)
