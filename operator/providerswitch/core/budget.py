"""What billed probes and quality checks of a policy used up today, and whether there is room for one more.

Days are UTC days. Money is in the currency of `spec.providers[].cost`; requests to providers without a cost count as
requests only. Used up means that a limit is reached: the request that reaches it is the last one, so that the price of
a day can exceed its limit by that of one request, and a limit of 0 allows none.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from providerswitch.api.health_check import Budget
from providerswitch.api.provider import Cost
from providerswitch.core.outcome import Usage

ESTIMATE: Final = Usage(input_tokens=20, output_tokens=16)
"""Of a billed request that does not tell its usage: one word in a chat template, and all 16 tokens that probes ask for.

What never got an answer is counted too, because the provider may have worked on it all the same.
"""

DAY: Final = timedelta(days=1)
MILLION: Final = 1_000_000
DIGITS: Final = 12
"""After the point. Sums are rounded to them, so that ten times 0.1 is 1; the cheapest embedding costs about 1e-8."""


@dataclass(frozen=True, slots=True)
class Spending:
    """What was used up on one day.

    Attributes:
        probes: billed requests.
        cost: their price, as far as it is known.
    """

    day: date
    probes: int = 0
    cost: float = 0


def spend(spending: Spending, outcome_ended_at: datetime, usage: Usage | None, cost: Cost | None) -> Spending:
    """Return the spending after one more billed request, whatever came of it.

    Args:
        spending: of the same day, or of an earlier one.
        outcome_ended_at: which day it counts for.
        usage: what the answer told; None where it did not.
        cost: what the provider charges; None where nobody knows.
    """
    before = spent_today(spending, outcome_ended_at)
    total = round(before.cost + price(usage or ESTIMATE, cost), DIGITS)
    return Spending(before.day, before.probes + 1, total)


def price(usage: Usage, cost: Cost | None) -> float:
    """Return what a request costs, 0 where nobody knows."""
    if cost is None:
        return 0
    sent = usage.input_tokens * cost.input_per_million_tokens
    return (sent + usage.output_tokens * cost.output_per_million_tokens) / MILLION


def spent_today(spending: Spending, now: datetime) -> Spending:
    """Return what was used up on the day of `now`.

    The day after counts as today: a clock that is set back over midnight must not give a second budget. A day further
    in the future was never true, and must not hold probes back until it comes.
    """
    today = _day(now)
    return spending if spending.day in {today, today + DAY} else Spending(today)


def _day(now: datetime) -> date:
    return now.astimezone(UTC).date()


def next_day(now: datetime) -> datetime:
    """Return the next midnight, UTC; a whole day later where `now` is one."""
    return datetime.combine(_day(now) + DAY, time(), UTC)


def exhausted(spending: Spending, budget: Budget | None, now: datetime) -> str | None:
    """Return the sentence that says that the budget is used up; None where there is room for one more request."""
    if budget is None:
        return None
    today = spent_today(spending, now)
    if 0 in (budget.probes_per_day, budget.cost_per_day):
        return _forbidden(budget)
    reached = tuple(_reached(today, budget))
    if not reached:
        return None
    until = datetime.combine(today.day + DAY, time(), UTC)
    return (
        f"the budget of the day is used up: {' and '.join(reached)}. Until {until:%Y-%m-%d %H:%M} UTC only unbilled"
        " checks go on, which cannot see an outage of generation alone nor measure quality. Raise"
        " spec.healthCheck.budget, or lengthen the interval of spec.healthCheck.generation or spec.qualityChecks"
    )


def _forbidden(budget: Budget) -> str:
    limit = "probesPerDay" if budget.probes_per_day == 0 else "costPerDay"
    return (
        f"spec.healthCheck.budget.{limit} is 0, which allows no billed request: only unbilled checks are made, which"
        " cannot see an outage of generation alone nor measure quality. Raise it, or leave out"
        " spec.healthCheck.generation and spec.qualityChecks"
    )


def _reached(today: Spending, budget: Budget) -> Iterator[str]:
    if budget.probes_per_day is not None and today.probes >= budget.probes_per_day:
        yield f"{today.probes} billed requests of {budget.probes_per_day} (probesPerDay)"
    if budget.cost_per_day is not None and today.cost >= budget.cost_per_day:
        yield f"{_money(today.cost)} of {_money(budget.cost_per_day)} spent (costPerDay)"


def _money(amount: float) -> str:
    """Write an amount with all digits that are kept, without an exponent."""
    text = f"{amount:.{DIGITS}f}"
    return text.rstrip("0").rstrip(".")
