"""A policy explained to people: what `providerswitch explain` and a dashboard show, answers first. Pure.

Sentences that the status holds are shown as they are. What an older operator did not write is left out.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from providerswitch.api.status import (
    ConditionType,
    HealthState,
    OverrideInForce,
    ProviderStatus,
    Recommendation,
    Switch,
)
from providerswitch.core.case import Rejected
from providerswitch.core.measures import tell_price
from providerswitch.core.sections import SENTENCES, Part, Row, Section, Seen, build_table
from providerswitch.core.view_figures import tell_candidates, tell_measured, tell_resilience
from providerswitch.core.wording import spell

REJECTED: Final = ("PROVIDER", "STATE", "SINCE", "UNTIL", "TIMES DOWN", SENTENCES)
TASKS: Final = ("TASK", "ACTIVE", "SINCE", "REASON", SENTENCES)
RECOMMENDED: Final = ("FOR", "PROVIDER", "GAIN", SENTENCES)
SWITCHES: Final = ("TIME", "SWITCH", "TRIGGER", "OUTCOME", "DETECTED", "PUBLISHED", SENTENCES)


def build_view(seen: Seen) -> tuple[Section, ...]:
    """Return the sections that have something to say, answers first."""
    return tuple(section for section in (part(seen) for part in PARTS) if section)


def tell_active(seen: Seen) -> Section:
    """Who serves, since when and why."""
    return Section("active", "Active", (_answer(seen), *_conditions(seen), *_lateness(seen)))


def _answer(seen: Seen) -> str:
    status = seen.status
    if status.active_provider is None:
        return "Nothing is published yet."
    since = f" since {seen.tell(status.active_since)}" if status.active_since else ""
    reason = f": {status.reason}" if status.reason else ""
    if status.shadow:
        return f'Shadow mode: "{status.active_provider}" would be active{since}{reason}. Nothing is published.'
    return f'"{status.active_provider}" is active{since}, revision {status.revision}{reason}.'


def _lateness(seen: Seen) -> Iterator[str]:
    """A status of an older spec may mislead."""
    told = max(seen.status.observed_generation or 0, 0)
    if told < seen.generation:
        yield (
            f"This tells of generation {told} of the spec; generation {seen.generation} was not acted upon yet. If "
            "that lasts, see whether the operator runs."
        )


def _conditions(seen: Seen) -> Iterator[str]:
    """Each sentence once, though several conditions may hold it; those that say that all is well are left out."""
    told: list[str] = []
    for entry in seen.status.conditions:
        ready = entry.type == ConditionType.READY
        if not ready and (entry.status == "False" or any(entry.message in message for message in told)):
            continue
        told.append(entry.message)
        since = seen.tell(entry.last_transition_time)
        yield f"{entry.type} {entry.status} ({entry.reason}) since {since}: {entry.message}"


def tell_held(seen: Seen) -> Section | None:
    """What flap control holds back."""
    return Section("held", "Held back", (seen.status.held,)) if seen.status.held else None


def tell_overrides(seen: Seen) -> Section | None:
    """Who put which provider above the rules, why, and until when."""
    lines = tuple(_order(seen, each) for each in seen.status.overrides or ())
    return Section("overrides", "Overrides in force", lines) if lines else None


def _order(seen: Seen, order: OverrideInForce) -> str:
    by = f" of {order.requested_by}" if order.requested_by else ""
    task = f' for task "{order.task}"' if order.task else ""
    forced = ", whatever its health," if order.force else ""
    return (
        f'"{order.name}"{by} asks for "{order.provider}"{task}{forced} until {seen.tell(order.until)}: {order.reason}'
    )


def tell_drill(seen: Seen) -> Section | None:
    """What is only played."""
    drill = seen.status.drill
    if drill is None:
        return None
    back = f' "{drill.origin}" served when it began.' if drill.origin else ""
    played = f'"{drill.name}" plays {drill.fault} of "{drill.provider}" since {seen.tell(drill.started_at)}.'
    return Section("drill", "Drill", (f"{played} Nothing of it is real.{back}",))


def tell_rejected(seen: Seen) -> Section | None:
    """Who may not be chosen, why, and until when."""
    candidates = seen.spec.order()
    refused = [entry for entry in seen.providers if not entry.eligible and entry.name in candidates]
    listed = {entry.name for entry in seen.status.providers}
    lines = (
        *(f'"{name}" was not probed yet.' for name in candidates if name not in listed),
        *(
            f'"{provider.name}" is neither the primary nor one of the backups.'
            for provider in seen.spec.providers
            if provider.name not in candidates
        ),
    )
    table = build_table(REJECTED, (_rejected(seen, entry) for entry in refused))
    return Section("rejected", "May not be chosen", lines, table) if table or lines else None


def _rejected(seen: Seen, entry: ProviderStatus) -> Row:
    return (
        entry.name,
        _state(entry),
        seen.tell(entry.since),
        seen.tell_ahead(_out_until(entry)),
        "" if entry.ejections is None else f"{entry.ejections}",
        entry.why or "",
    )


def _out_until(entry: ProviderStatus) -> datetime | None:
    return entry.rate_limited_until if entry.state is HealthState.RATE_LIMITED else entry.blacklisted_until


def _state(entry: ProviderStatus) -> str:
    """The class says more than the state, where it is another word."""
    same = entry.state.value == entry.health_class.value
    return entry.state.value if same else f"{entry.state.value} ({entry.health_class.value})"


def tell_tasks(seen: Seen) -> Section | None:
    """Who serves each task."""
    rows = [
        (task.name, task.active_provider or "", seen.tell(task.active_since), task.reason, task.why)
        for task in seen.status.tasks or ()
    ]
    table = build_table(TASKS, rows)
    return Section("tasks", "Tasks", table=table) if table else None


def tell_recommendation(seen: Seen) -> Section | None:
    """Who would be better, for the policy and for each task."""
    tasks = [(f"task {task.name}", task.recommendation) for task in seen.status.tasks or ()]
    rows = [_advice(use, advice) for use, advice in (("policy", seen.status.recommendation), *tasks) if advice]
    table = build_table(RECOMMENDED, rows)
    return Section("recommendation", "Recommended", table=table) if table else None


def _advice(use: str, advice: Recommendation) -> Row:
    return use, advice.provider, f"{advice.gain:+.2f}", advice.why


def tell_schedule(seen: Seen) -> Section | None:
    """Which entry of the schedule rules, and what comes next."""
    schedule = seen.status.schedule
    if schedule is None:
        return None
    lines = [f'"{schedule.active}" is in force.' if schedule.active else "No entry is in force."]
    if schedule.next_change_at:
        lines.append(f"Next change {seen.tell(schedule.next_change_at)}: {schedule.next_change or ''}".rstrip(": "))
    if schedule.rotated_to:
        since = f" since {seen.tell(schedule.rotated_at)}" if schedule.rotated_at else ""
        lines.append(f'It is the turn of "{schedule.rotated_to}"{since}.')
    return Section("schedule", "Schedule", tuple(lines))


def tell_budget(seen: Seen) -> Section | None:
    """What billed requests used up today, of how much."""
    used, limits = seen.status.budget, seen.spec.health_check.budget
    if used is None:
        return None
    most = limits.probes_per_day if limits else None
    dearest = limits.cost_per_day if limits else None
    probes = f"{used.probes}" + ("" if most is None else f" of {most}")
    cost = tell_price(used.cost) + ("" if dearest is None else f" of {tell_price(dearest)}")
    return Section("budget", "Budget", (f"On {used.day} (UTC): {probes} billed requests, {cost} spent.",))


def tell_history(seen: Seen) -> Section | None:
    """The last switches."""
    rows = [
        (
            seen.tell(switch.time),
            f"{switch.from_provider or '-'} -> {switch.to}" + (f" ({switch.task})" if switch.task else ""),
            switch.trigger,
            switch.outcome,
            _took(switch.detect_millis),
            _took(switch.switch_millis),
            _cause(switch),
        )
        for switch in seen.status.history
    ]
    table = build_table(SWITCHES, rows)
    return Section("history", "Last switches", table=table) if table else None


def _took(millis: int | None) -> str:
    return "" if millis is None else f"{millis} ms"


def _cause(switch: Switch) -> str:
    rejected = spell(tuple(Rejected(each.provider, each.why) for each in switch.rejected or ()))
    return switch.reason + (f". Passed over: {rejected}" if rejected else "")


PARTS: Final[tuple[Part, ...]] = (
    tell_active,
    tell_overrides,
    tell_drill,
    tell_held,
    tell_rejected,
    tell_candidates,
    tell_measured,
    tell_tasks,
    tell_recommendation,
    tell_schedule,
    tell_budget,
    tell_resilience,
    tell_history,
)
