"""What a condition says, and the condition made of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from providerswitch.api.status import Condition


@dataclass(frozen=True, slots=True)
class Verdict:
    """The essence of a condition."""

    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str


def as_condition(kind: str, verdict: Verdict, known: Sequence[Condition], now: datetime, generation: int) -> Condition:
    """Return the condition; `known` are those that stand: the time of the transition stays where the status does."""
    former = next((each for each in known if each.type == kind), None)
    same = former is not None and former.status == verdict.status
    return Condition(
        type=kind,
        status=verdict.status,
        reason=verdict.reason,
        message=verdict.message,
        last_transition_time=former.last_transition_time if former and same else now.replace(microsecond=0),
        observed_generation=generation,
    )
