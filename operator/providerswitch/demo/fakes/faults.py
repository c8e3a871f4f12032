"""The ways in which providers really fail, by name."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Fault(StrEnum):
    """What a fake provider does to the requests it gets."""

    HEALTHY = "healthy"
    REFUSE = "refuse"
    """Nobody listens; kept-alive connections are cut. Healing listens on the same port again."""
    RESET = "reset"
    """Each connection is accepted and reset (RST, not FIN)."""
    HANG = "hang"
    """Requests are read and never answered."""
    CLOSE_MIDWAY = "close-midway"
    """The connection ends in the middle of the answer."""
    SERVER_ERROR = "server-error"
    OVERLOADED = "overloaded"
    RATE_LIMITED = "rate-limited"
    """429; `seconds` is what the provider asks clients to wait."""
    BAD_KEY = "bad-key"
    QUOTA_EXHAUSTED = "quota-exhausted"
    MODEL_UNAVAILABLE = "model-unavailable"
    SLOW = "slow"
    """The right answer, `seconds` late."""
    HTML_PROXY = "html-proxy"
    """502 with the HTML page of a proxy in front."""
    TRUNCATED = "truncated"
    """A complete HTTP answer that holds half of its JSON."""
    ERROR_IN_200 = "error-in-200"
    """Status 200, and an error object as the body."""
    NONSENSE = "nonsense"
    """A prompt, complete and useless answer: words that say nothing, one and the same vector for every text."""
    GARBAGE = "garbage"
    """Bytes that are not HTTP."""


class Scope(StrEnum):
    """Which requests a fault hits; faults of the connection hit all."""

    ALL = "all"
    GENERATION = "generation"
    """Only requests that a real provider bills; unbilled checks stay healthy."""


CONNECTION_FAULTS: Final = frozenset({Fault.REFUSE, Fault.RESET})
"""They show before a request can be read."""

UNANSWERED: Final = frozenset({Fault.HANG, Fault.SLOW})
"""The request itself is the first sign; all others show when the answer is sent."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """A fault and its parameters.

    Attributes:
        seconds: what RATE_LIMITED asks for, and how late SLOW is.
    """

    fault: Fault = Fault.HEALTHY
    seconds: float = 30.0
    scope: Scope = Scope.ALL
