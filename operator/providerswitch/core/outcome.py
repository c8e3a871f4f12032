"""What one probe found out."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from providerswitch.api.health import ALIVE, NETWORK, HealthClass


class Tier(StrEnum):
    """How deep a probe looks: unbilled liveness, or one billed token."""

    LIVENESS = "liveness"
    GENERATION = "generation"


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that an answer says it was billed for."""

    input_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a provider's rate-limit headers say.

    Attributes:
        reset_at: when the limit with the least left is full again.
    """

    requests_limit: int | None = None
    requests_remaining: int | None = None
    tokens_limit: int | None = None
    tokens_remaining: int | None = None
    reset_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one probe.

    Attributes:
        why: short phrase for users, without key material.
        started_at: when the probe was sent.
        retry_after: how long the provider asked to be left alone, unclamped.
        replied: an HTTP answer came, whatever it said; a proxy that waited in vain answers too.
        first_byte: from the start to the end of the answer's headers; None if they never came.
        usage: what a billed answer says it cost; None for unbilled ones and where it says nothing.
        allowance: what the rate-limit headers say; None where there are none.
    """

    health_class: HealthClass
    why: str
    started_at: datetime
    ended_at: datetime
    retry_after: timedelta | None = None
    tier: Tier = Tier.LIVENESS
    replied: bool = False
    first_byte: timedelta | None = None
    usage: Usage | None = None
    allowance: Allowance | None = None

    @property
    def took(self) -> timedelta:
        """Return the time from the start to the last byte; none where the clock was set back meanwhile."""
        return max(timedelta(0), self.ended_at - self.started_at)

    @property
    def alive(self) -> bool:
        """The provider can serve requests."""
        return self.health_class in ALIVE

    @property
    def no_answer(self) -> bool:
        """Nothing came back over the network, so the fault may be on our side."""
        return self.health_class in NETWORK and not self.replied

    @property
    def answered(self) -> bool:
        """Something came back over the network; a probe that was never sent, or could not be read, is no proof."""
        return not self.no_answer and self.health_class not in {HealthClass.UNKNOWN, HealthClass.CONFIG_INVALID}
