"""A wall clock that follows the event loop's virtual time, and providers played in it."""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from providerswitch.api.health import HealthClass
from providerswitch.api.provider_types import ProviderTypeName
from providerswitch.core.outcome import Outcome, Tier
from providerswitch.probes.target import ProbeTarget

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


def loop_clock() -> datetime:
    """Return the moment that the event loop has come to."""
    return EPOCH + timedelta(seconds=asyncio.get_running_loop().time())


def elapsed() -> float:
    """Return the seconds of virtual time so far."""
    return asyncio.get_running_loop().time()


def target(name: str) -> ProbeTarget:
    """Return a probe target of its own host."""
    return ProbeTarget(ProviderTypeName.OPENAI, f"https://{name}.example/v1")


@dataclass(slots=True)
class PlayedProvider:
    """Answers with `health_class` after `seconds`; beyond the deadline it is a timeout."""

    clock: Callable[[], datetime]
    health_class: HealthClass = HealthClass.HEALTHY
    seconds: float = 0.01
    retry_after: timedelta | None = None
    asked: list[tuple[float, Tier]] = field(default_factory=list)
    under_way: int = 0
    most_under_way: int = 0
    closed: bool = False

    async def probe(self, tier: Tier, deadline: timedelta) -> Outcome:
        """Play one probe."""
        self.asked.append((elapsed(), tier))
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        started = self.clock()
        try:
            await asyncio.sleep(min(self.seconds, deadline.total_seconds()))
        finally:
            self.under_way -= 1
        answered = self.seconds <= deadline.total_seconds()
        found = self.health_class if answered else HealthClass.TIMEOUT
        return Outcome(found, found.value, started, self.clock(), self.retry_after, tier)

    async def aclose(self) -> None:
        """Note that the connection was closed."""
        self.closed = True


@dataclass(slots=True)
class Stage:
    """Providers by target, made on first use, and everything that was heard."""

    clock: Callable[[], datetime] = loop_clock
    providers: dict[ProbeTarget, PlayedProvider] = field(default_factory=dict)
    heard: dict[ProbeTarget, list[Outcome]] = field(default_factory=lambda: defaultdict(list))

    def open(self, asked: ProbeTarget) -> PlayedProvider:
        """Return the provider behind a target."""
        return self.providers.setdefault(asked, PlayedProvider(self.clock))

    def hear(self, asked: ProbeTarget, outcome: Outcome) -> None:
        """Note an outcome."""
        self.heard[asked].append(outcome)
