"""An order that stands above the rules for a while, and the way back from it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Override:
    """An order of a person on call that was accepted.

    Attributes:
        task: None for the policy itself.
        force: it goes past health, and past a freeze.
        reason, requested_by: as the person wrote them; the second may be empty.
        until: the end, exclusive.
    """

    name: str
    uid: str
    provider: str
    until: datetime
    reason: str
    requested_by: str = ""
    task: str | None = None
    force: bool = False

    @property
    def why(self) -> str:
        """Say it to a user."""
        whose = f" of {self.requested_by}" if self.requested_by else ""
        return f'override "{self.name}"{whose} until {self.until:%Y-%m-%d %H:%M:%S} UTC: {self.reason}'


@dataclass(frozen=True, slots=True)
class Detour:
    """A choice that was changed for a while and is to be undone.

    Attributes:
        origin: who served before; None where that is not known, and the rules alone say where to go back to.
        drill: it was made by a drill, not by an override.
        override: what it was made for; None for a drill, and once the status was lost.
    """

    origin: str | None
    drill: bool = False
    override: Override | None = None


def in_force(orders: Mapping[str | None, Override], task: str | None, now: datetime) -> Override | None:
    """Return the override of a task, or of the policy itself, that holds now."""
    found = orders.get(task)
    return found if found and now < found.until else None
