"""Keep the books of billed requests: each policy pays for those that it wanted, shared or not."""

from dataclasses import replace
from datetime import datetime

from providerswitch.controller.entry import Entry
from providerswitch.core.budget import Spending, exhausted, spend
from providerswitch.core.outcome import Outcome, Tier, Usage


def look_at_budget(entry: Entry, now: datetime) -> None:
    """Note whether a policy's budget has room; a new day brings a new one."""
    assert entry.policy is not None
    budget, spending = entry.policy.spec.health_check.budget, entry.memory.spending
    entry.exhausted = exhausted(spending or Spending(now.date()), budget, now)
    entry.exhausted_at = (entry.exhausted_at or now) if entry.exhausted else None


def pay_for_probe(entry: Entry, name: str, outcome: Outcome) -> bool:
    """Charge a policy for a billed probe of one of its providers; tell whether its budget ran out by it."""
    if outcome.tier is not Tier.GENERATION or not _wanted(entry, outcome.started_at) or not _due(entry, name, outcome):
        return False
    entry.paid_at[name] = outcome.started_at
    return pay(entry, name, outcome.usage, outcome.ended_at)


def _wanted(entry: Entry, asked_at: datetime) -> bool:
    """Tell whether a policy wanted a billed probe then; what is under way when the budget runs out is billed, too."""
    had_room = entry.exhausted_at is None or asked_at < entry.exhausted_at
    return entry.policy is not None and entry.policy.spec.health_check.generation is not None and had_room


def _due(entry: Entry, name: str, outcome: Outcome) -> bool:
    """Tell whether the policy itself would have asked: others that share the target may ask more often than it wants.

    One that fails is asked again and again for everybody. A probe that is wanted sooner than planned comes early by
    less than an interval of the unbilled ones.
    """
    assert entry.policy is not None
    check, last = entry.policy.spec.health_check, entry.paid_at.get(name)
    failing = entry.healths[name].failures > 0 or not outcome.alive
    if failing or last is None or check.generation is None:
        return True
    early = min(check.interval, check.generation.interval / 2)
    return outcome.started_at > last + check.generation.interval - early


def pay(entry: Entry, name: str, usage: Usage | None, now: datetime) -> bool:
    """Charge a policy for a billed request; tell whether its budget ran out by it."""
    assert entry.policy is not None
    provider, before = entry.policy.spec.provider(name), entry.exhausted
    spent = spend(entry.memory.spending or Spending(now.date()), now, usage, provider.cost if provider else None)
    entry.memory = replace(entry.memory, spending=spent)
    look_at_budget(entry, now)
    return entry.exhausted is not None and before is None
