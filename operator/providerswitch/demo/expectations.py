"""What a step of the story must bring about, and the checking of it: against the world as seen, with times."""

from collections.abc import Callable
from dataclasses import dataclass, field

from providerswitch.api.status import HealthState
from providerswitch.demo.world import World

Check = Callable[[World], bool]


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

    expectation: Expectation
    after: float | None


@dataclass(slots=True)
class Checklist:
    """The expectations of one step; each is ticked off at the first look that meets it.

    Attributes:
        begun: `time.monotonic()` of the step's cause.
    """

    expectations: tuple[Expectation, ...]
    begun: float
    met: dict[int, float] = field(default_factory=dict)

    def look(self, world: World, now: float) -> None:
        """Tick off what is seen now."""
        for index, expectation in enumerate(self.expectations):
            after = now - self.begun
            if index not in self.met and after <= expectation.within and expectation.check(world):
                self.met[index] = after

    @property
    def complete(self) -> bool:
        """Whether everything was seen."""
        return len(self.met) == len(self.expectations)

    def remaining(self, now: float) -> float:
        """Return the seconds until the next deadline of something not seen; <= 0 when one has passed."""
        open_ = [entry.within for index, entry in enumerate(self.expectations) if index not in self.met]
        return self.begun + min(open_, default=0.0) - now

    def observations(self) -> tuple[Observation, ...]:
        """Return all expectations with their times."""
        return tuple(Observation(entry, self.met.get(index)) for index, entry in enumerate(self.expectations))


def active(policy: str, provider: str, within: float = 10.0) -> Expectation:
    """Expect the status to name a provider as active."""
    return Expectation(
        f"status of {policy} says {provider}",
        lambda world: world.policy(policy).status.active_provider == provider,
        within,
    )


def published(policy: str, provider: str, within: float = 10.0) -> Expectation:
    """Expect the published ConfigMap to name a provider."""
    return Expectation(
        f"ConfigMap {policy}-provider says {provider}",
        lambda world: world.published.get(policy, {}).get("LLM_PROVIDER") == provider,
        within,
    )


def consumer_on(provider: str, within: float = 10.0) -> Expectation:
    """Expect the consumer to have got a good answer from a provider."""
    return Expectation(
        f"consumer is answered by {provider}", lambda world: world.calls.last_server == provider, within
    )


def condition(policy: str, kind: str, status: str, within: float = 10.0) -> Expectation:
    """Expect a condition to have a status."""

    def check(world: World) -> bool:
        found = world.policy(policy).condition(kind)
        return found is not None and found.status == status

    return Expectation(f"{policy} has {kind}={status}", check, within)


def state(policy: str, provider: str, wanted: HealthState, within: float = 10.0) -> Expectation:
    """Expect a provider to be in a state."""

    def check(world: World) -> bool:
        found = world.policy(policy).provider(provider)
        return found is not None and found.state is wanted

    return Expectation(f"{provider} is {wanted}", check, within)


def event(policy: str, reason: str, *, since: float, within: float = 10.0) -> Expectation:
    """Expect an Event with a reason that arrived after `since` (`time.monotonic()`)."""

    def check(world: World) -> bool:
        return any(seen.policy == policy and seen.reason == reason and seen.at >= since for seen in world.events)

    return Expectation(f"Event {reason}", check, within)
