"""What a policy remembers of the drill that runs on it. Pure."""

from dataclasses import dataclass
from datetime import datetime

from providerswitch.api.drill import Fault
from providerswitch.api.drill_in_force import DrillInForce


@dataclass(frozen=True, slots=True)
class DrillRecord:
    """A drill that runs, or whose end is not acted upon yet.

    Attributes:
        origin: the provider that served when it began.
        tasks: those that the drilled provider served when it began.
    """

    name: str
    uid: str
    provider: str
    fault: Fault
    origin: str | None
    started_at: datetime
    tasks: tuple[str, ...] = ()

    def made(self, former: str | None, to: str | None) -> bool:
        """Tell whether a switch between two providers is a part of the drill."""
        return self.provider in {former, to}


def restore_drill(told: DrillInForce | None) -> DrillRecord | None:
    """A fault of a later release is only a word here: what counts is the way back."""
    if told is None:
        return None
    fault = Fault(told.fault) if told.fault in set(Fault) else Fault.OUTAGE
    return DrillRecord(told.name, told.uid, told.provider, fault, told.origin, told.started_at, tuple(told.tasks or ()))
