"""What stands around the core in a simulated operator, and what is written down of its life."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from providerswitch.core.freeze import Frozen
from providerswitch.core.health import HealthRules, ProviderHealth
from providerswitch.core.outcome import Outcome
from providerswitch.probes.target import Cadence


class Network(Protocol):
    """Tells a fault of our own network from the providers' faults; `controller.network.Network` is one."""

    @property
    def frozen(self) -> Frozen | None:
        """The present fault of our own network, or None."""

    @property
    def last_answer_at(self) -> datetime | None:
        """When any host last answered; None before the first answer."""

    def hear(self, host: str, outcome: Outcome) -> bool:
        """Take note of an outcome; tell whether a freeze began or ended by it."""

    def is_silent(self, host: str) -> bool:
        """Tell whether a host's last probe got no answer."""


class Publication(StrEnum):
    """What comes of an attempt to publish."""

    SUCCEEDED = "Succeeded"
    REFUSED = "Refused"
    UNANSWERED = "Unanswered"


@dataclass(frozen=True, slots=True)
class Timing:
    """How long the loop around the core waits.

    Attributes:
        patience: for the answer of a candidate before a switch.
        recheck: until a candidate that was passed over is looked at again.
        refused: until a publication that was refused is tried again.
        retries: after consecutive attempts to which the API server gave no answer.
        publishing: how long an attempt to publish takes.
        housekeeping: until the next look where nothing else is due.
    """

    patience: timedelta
    recheck: timedelta
    refused: timedelta
    retries: tuple[timedelta, ...]
    publishing: timedelta
    housekeeping: timedelta


@dataclass(frozen=True, slots=True)
class Loop:
    """What of the product stands around the core, handed in by whoever may import it.

    Attributes:
        weighs: whether each outcome is weighed, not only one that changes a provider's health.
        told_apart: returns what of a health a decision can tell; another value wakes the policy.
    """

    cadence: Cadence
    rules: HealthRules
    network: Network
    timing: Timing
    weighs: bool
    told_apart: Callable[[ProviderHealth], tuple[object, ...]]


@dataclass(frozen=True, slots=True)
class Move:
    """A switch that consumers saw.

    Attributes:
        at: when it was published.
        decided_at: when the reconcile that led to it began to decide.
        first_failure_at: when the first failed probe of the provider that was left had ended; None if none was.
    """

    at: datetime
    origin: str | None
    to: str
    trigger: str
    why: str
    decided_at: datetime
    first_failure_at: datetime | None


@dataclass(frozen=True, slots=True)
class Turn:
    """A provider's health changed in a way that decisions can tell."""

    at: datetime
    provider: str
    health: ProviderHealth
