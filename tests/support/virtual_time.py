"""A wall clock that follows the event loop's virtual time, and providers played in it."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from providerswitch.api.health import ALIVE, HealthClass
from providerswitch.api.provider_types import ProviderTypeName
from providerswitch.core.outcome import Outcome, Tier, Usage
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
    """Answers with `health_class` after `seconds`; beyond the deadline it is a timeout.

    Attributes:
        answers: classes of the answers one after the other, again and again; empty for `health_class` each time.
        failing_seconds: how long an answer that is none takes; None for as long as a good one.
        first_byte: seconds to the end of the headers of a good answer; None where nobody saw it apart.
        usage: what a billed answer says it cost.
    """

    clock: Callable[[], datetime]
    health_class: HealthClass = HealthClass.HEALTHY
    seconds: float = 0.01
    retry_after: timedelta | None = None
    answers: Sequence[HealthClass] = ()
    failing_seconds: float | None = None
    first_byte: float | None = None
    usage: Usage | None = None
    asked: list[tuple[float, Tier]] = field(default_factory=list)
    under_way: int = 0
    most_under_way: int = 0
    closed: bool = False

    async def probe(self, tier: Tier, deadline: timedelta) -> Outcome:
        """Play one probe."""
        planned = self._next()
        seconds = self._seconds(planned)
        self.asked.append((elapsed(), tier))
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        started = self.clock()
        try:
            await asyncio.sleep(min(seconds, deadline.total_seconds()))
        finally:
            self.under_way -= 1
        found = planned if seconds <= deadline.total_seconds() else HealthClass.TIMEOUT
        return self._outcome(found, started, tier)

    def _next(self) -> HealthClass:
        return self.answers[len(self.asked) % len(self.answers)] if self.answers else self.health_class

    def _seconds(self, planned: HealthClass) -> float:
        if planned in ALIVE or self.failing_seconds is None:
            return self.seconds
        return self.failing_seconds

    def _outcome(self, found: HealthClass, started: datetime, tier: Tier) -> Outcome:
        heard = None if self.first_byte is None or found not in ALIVE else timedelta(seconds=self.first_byte)
        usage = self.usage if tier is Tier.GENERATION and found in ALIVE else None
        return Outcome(found, found.value, started, self.clock(), self.retry_after, tier, first_byte=heard, usage=usage)

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
