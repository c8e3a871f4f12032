"""The way back from what overrides and drills change for a while: noted when they begin, forgotten at its end. Pure."""

from collections.abc import Collection
from dataclasses import replace
from typing import Final

from providerswitch.core.memory import SCHEDULED, Memory, Publication, switches_made
from providerswitch.core.override import Detour, Override

OVERRIDDEN: Final = "Override"
"""Trigger of a switch that an override made."""

UNKNOWN: Final = "Unknown"
"""Trigger of a task's switch that a crash left unrecorded: what is published does not tell it."""


def depart(memory: Memory, override: Override) -> Memory:
    """Return the memory once an override holds: the way back from it, or from the one that held before."""
    memory = undo_drill(memory)
    former = memory.detours.get(override.task)
    origin = former.origin if former else _came_from(memory, override)
    return _forget_drill(replace(memory, detours={**memory.detours, override.task: Detour(origin, override=override)}))


def _came_from(memory: Memory, override: Override) -> str | None:
    """Return who served before the override; a crash may have come between its switch and this.

    None where the schedule brought that one, because it takes it away again.
    """
    seat, made = memory.seat(override.task), switches_made(memory.history, override.task)
    resumed = seat.arrived_by == UNKNOWN and seat.active == override.provider
    if seat.arrived_by != OVERRIDDEN and not resumed:
        return seat.active
    by_schedule = any(switch.trigger == SCHEDULED and switch.to == made[0].from_provider for switch in made[1:2])
    return made[0].from_provider if made and not by_schedule else None


def set_out(memory: Memory, published: Publication) -> Memory:
    """Return the memory with the way back from an override whose switch was published and not recorded."""
    if published.trigger != OVERRIDDEN or None in memory.detours:
        return memory
    return replace(memory, detours={**memory.detours, None: Detour(published.previous)})


def forget_tasks(memory: Memory, known: Collection[str]) -> Memory:
    """Return the memory without the way back of tasks that the spec no longer has."""
    lost = {task: detour for task, detour in memory.detours.items() if task is not None and task not in known}
    left = replace(memory, detours={task: each for task, each in memory.detours.items() if task not in lost})
    return _forget_drill(left) if any(detour.drill for detour in lost.values()) else left


def come_back(memory: Memory, task: str | None) -> Memory:
    """Return the memory once the rules hold again."""
    return _forget_drill(replace(memory, detours={name: each for name, each in memory.detours.items() if name != task}))


def undo_drill(memory: Memory) -> Memory:
    """Return the memory once a drill is over: whoever it moved is on the way back."""
    record = memory.drill
    if record is None:
        return memory
    origins: dict[str | None, str | None] = {None: record.origin, **dict.fromkeys(record.tasks, record.provider)}
    back = {
        task: Detour(origin, drill=True)
        for task, origin in origins.items()
        if origin and memory.seat(task).active not in {None, origin} and task not in memory.detours
    }
    degraded = {name: why for name, why in memory.degraded.items() if name != record.provider}
    return _forget_drill(replace(memory, degraded=degraded, detours={**memory.detours, **back}))


def _forget_drill(memory: Memory) -> Memory:
    """Nothing of a drill is left to undo once nobody is on the way back from it."""
    pending = any(detour.drill for detour in memory.detours.values())
    return memory if pending else replace(memory, drill=None)
