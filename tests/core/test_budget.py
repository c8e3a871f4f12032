"""What a day's billed requests used up, and the sentence that ends them until midnight."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.moments import NOON, at

from providerswitch.api.health_check import Budget
from providerswitch.api.provider import Cost
from providerswitch.core.budget import ESTIMATE, Spending, exhausted, next_day, price, spend, spent_today
from providerswitch.core.outcome import Usage

TODAY = date(2026, 11, 2)
MIDNIGHT = datetime(2026, 11, 3, tzinfo=UTC)
MINI = Cost(input_per_million_tokens=0.15, output_per_million_tokens=0.6)


def test_each_billed_request_counts_with_the_price_of_its_tokens() -> None:
    first = spend(Spending(TODAY), at(0), Usage(1000, 500), MINI)
    assert first == Spending(TODAY, 1, 0.00045)
    assert spend(first, at(1), Usage(1000, 500), MINI) == Spending(TODAY, 2, 0.0009)


def test_an_answer_that_tells_no_usage_is_estimated() -> None:
    assert spend(Spending(TODAY), at(0), None, MINI) == spend(Spending(TODAY), at(0), ESTIMATE, MINI)
    assert spend(Spending(TODAY), at(0), None, MINI).cost == pytest.approx((20 * 0.15 + 16 * 0.6) / 1e6)


def test_without_a_known_cost_a_request_counts_and_its_money_does_not() -> None:
    assert spend(Spending(TODAY, 4, 0.5), at(0), Usage(1000, 500), None) == Spending(TODAY, 5, 0.5)


def test_an_answer_that_cost_nothing_is_not_estimated() -> None:
    assert spend(Spending(TODAY), at(0), Usage(0, 0), MINI) == Spending(TODAY, 1, 0)


def test_a_new_day_starts_from_zero() -> None:
    assert spend(Spending(TODAY, 200, 3.5), MIDNIGHT, Usage(1000, 500), MINI) == Spending(date(2026, 11, 3), 1, 0.00045)


def test_the_day_is_that_of_utc_wherever_the_clock_stands() -> None:
    tokyo = MIDNIGHT.astimezone(timezone(timedelta(hours=9)))
    assert spent_today(Spending(TODAY, 3), tokyo - timedelta(seconds=1)) == Spending(TODAY, 3)
    assert spent_today(Spending(TODAY, 3), tokyo) == Spending(date(2026, 11, 3))


def test_a_clock_that_is_set_back_over_midnight_gives_no_second_budget() -> None:
    tomorrow = Spending(date(2026, 11, 3), 5, 1)
    assert spend(tomorrow, MIDNIGHT - timedelta(seconds=1), Usage(0, 0), None) == Spending(date(2026, 11, 3), 6, 1)


def test_a_day_that_was_never_true_does_not_hold_probes_back_until_it_comes() -> None:
    assert spent_today(Spending(date(2030, 1, 1), 200, 9), NOON) == Spending(TODAY)


def test_ten_times_a_tenth_reaches_one() -> None:
    spending = Spending(TODAY)
    for _ in range(10):
        spending = spend(spending, at(0), Usage(100_000, 0), Cost(input_per_million_tokens=1))
    assert spending.cost == 1
    assert exhausted(spending, Budget(cost_per_day=1), NOON) is not None


ROOM = {
    "no budget": (Spending(TODAY, 10**6, 1e6), None),
    "a budget without limits": (Spending(TODAY, 10**6, 1e6), Budget()),
    "one request left": (Spending(TODAY, 199, 9), Budget(probes_per_day=200)),
    "some money left": (Spending(TODAY, 10**6, 0.49999), Budget(cost_per_day=0.5)),
    "yesterday was used up": (Spending(date(2026, 11, 1), 200, 9), Budget(probes_per_day=200, cost_per_day=1)),
}


@pytest.mark.parametrize(("spending", "budget"), ROOM.values(), ids=ROOM)
def test_where_there_is_room_nothing_is_said(spending: Spending, budget: Budget | None) -> None:
    assert exhausted(spending, budget, NOON) is None


def test_used_up_requests_are_told_with_when_it_ends_and_what_to_do() -> None:
    assert exhausted(Spending(TODAY, 200, 0.1), Budget(probes_per_day=200, cost_per_day=1), NOON) == (
        "the budget of the day is used up: 200 billed requests of 200 (probesPerDay). Until 2026-11-03 00:00 UTC only"
        " unbilled checks go on, which cannot see an outage of generation alone nor measure quality. Raise"
        " spec.healthCheck.budget, or lengthen the interval of spec.healthCheck.generation or spec.qualityChecks"
    )


def test_used_up_money_is_told_with_the_amount() -> None:
    why = exhausted(Spending(TODAY, 40, 0.5000124), Budget(probes_per_day=200, cost_per_day=0.5), NOON)
    assert why is not None
    assert "0.5000124 of 0.5 spent (costPerDay)" in why
    assert "probesPerDay" not in why


def test_two_limits_that_are_reached_are_both_told() -> None:
    why = exhausted(Spending(TODAY, 7, 1_234_567.5), Budget(probes_per_day=5, cost_per_day=100_000), NOON)
    assert why is not None
    assert "7 billed requests of 5 (probesPerDay) and 1234567.5 of 100000 spent (costPerDay)" in why


@pytest.mark.parametrize(
    ("budget", "limit"), [(Budget(probes_per_day=0), "probesPerDay"), (Budget(cost_per_day=0), "costPerDay")]
)
def test_a_limit_of_zero_allows_nothing_and_does_not_promise_an_end(budget: Budget, limit: str) -> None:
    why = exhausted(Spending(TODAY), budget, NOON)
    assert why is not None
    assert f"spec.healthCheck.budget.{limit} is 0" in why
    assert "Until" not in why


@pytest.mark.parametrize(
    "now", [NOON, datetime(2026, 11, 2, tzinfo=UTC), MIDNIGHT - timedelta(microseconds=1),
            datetime(2026, 11, 3, 8, tzinfo=timezone(timedelta(hours=9)))]
)  # fmt: skip
def test_the_next_day_begins_at_midnight_utc(now: datetime) -> None:
    assert next_day(now) == MIDNIGHT


def test_at_midnight_the_next_day_is_a_day_later() -> None:
    assert next_day(MIDNIGHT) == datetime(2026, 11, 4, tzinfo=UTC)


def test_the_budget_has_room_again_when_the_next_day_begins() -> None:
    spending, budget = Spending(TODAY, 200), Budget(probes_per_day=200)
    assert exhausted(spending, budget, next_day(NOON) - timedelta(microseconds=1)) is not None
    assert exhausted(spending, budget, next_day(NOON)) is None


USAGES = st.none() | st.builds(Usage, st.integers(0, 10**6), st.integers(0, 10**6))
COSTS = st.none() | st.builds(
    Cost, input_per_million_tokens=st.floats(0, 1000), output_per_million_tokens=st.floats(0, 1000)
)


@given(st.lists(st.tuples(st.integers(0, 86_399), USAGES, COSTS), max_size=30), st.integers(1, 20), st.floats(0.1, 9))
def test_a_day_ends_within_one_request_of_its_limits(
    requests: list[tuple[int, Usage | None, Cost | None]], most: int, money: float
) -> None:
    """Whoever asks before each request never sends one too many, and exceeds the money by the last price at most."""
    spending, budget, last = Spending(TODAY), Budget(probes_per_day=most, cost_per_day=money), 0.0
    for second, usage, cost in requests:
        now = datetime(2026, 11, 2, tzinfo=UTC) + timedelta(seconds=second)
        if exhausted(spending, budget, now) is None:
            spending, last = spend(spending, now, usage, cost), price(usage or ESTIMATE, cost)
    assert spending.probes <= most
    assert spending.cost <= money + last + 1e-9


@given(st.lists(st.tuples(USAGES, COSTS), max_size=20), st.permutations(range(20)))
def test_the_order_of_answers_does_not_change_the_bill(
    answers: list[tuple[Usage | None, Cost | None]], order: list[int]
) -> None:
    def bill(each: list[tuple[Usage | None, Cost | None]]) -> Spending:
        spending = Spending(TODAY)
        for usage, cost in each:
            spending = spend(spending, NOON, usage, cost)
        return spending

    one, other = bill(answers), bill([answers[place] for place in order if place < len(answers)])
    assert one.probes == other.probes == len(answers)
    assert one.cost == pytest.approx(other.cost, abs=1e-9)
