"""Whose turn is it under an entry of the schedule that rotates? Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from providerswitch.api.selection import ScheduleEntry
from providerswitch.core.memory import Rotation
from providerswitch.core.schedule import Standing, last_turn, next_turn, stand


@dataclass(frozen=True, slots=True)
class Timetable:
    """What the schedule says at a moment.

    Attributes:
        entry: in force; a rotating entry is, while no other one is.
        standing: of the entries that have windows.
        changes_at: when something else is in force, or the next turn comes.
    """

    entry: ScheduleEntry | None
    standing: Standing
    changes_at: datetime | None


def consult(entries: Sequence[ScheduleEntry], now: datetime) -> Timetable:
    """Return what the schedule says now."""
    standing = stand(entries, now)
    rotating = next((entry for entry in entries if entry.rotate), None)
    entry = standing.active or rotating
    turn = next_turn(rotating, now) if rotating else None
    moments = [moment for moment in (standing.next_change_at, turn) if moment]
    return Timetable(entry, standing, min(moments, default=None))


def take_turn(
    rotation: Rotation, entry: ScheduleEntry, order: Sequence[str], fit: Callable[[str], bool], now: datetime
) -> Rotation:
    """Return the rotation after the turn that is due, if one is: it goes to the next in order that may serve.

    The first look only begins the count, with the primary.
    """
    due = last_turn(entry, now)
    if rotation.provider not in order:
        return Rotation(due, order[0])
    if due is None or (rotation.at is not None and due <= rotation.at):
        return rotation
    place = order.index(rotation.provider)
    following = (*order[place + 1 :], *order[: place + 1])
    return Rotation(due, next((name for name in following if fit(name)), rotation.provider))
