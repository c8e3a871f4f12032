"""The wait that a provider asks for is found in every place where providers put it."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providerswitch.probes.envelope import Complaint, find_complaint, read_body
from providerswitch.probes.exchange import Reply
from providerswitch.probes.retry_after import find_retry_after, parse_retry_after

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)


def wait(body: object = None, **headers: str) -> float | None:
    """Return the seconds that an answer asks for."""
    answer = Reply(
        429, {name.replace("_", "-"): value for name, value in headers.items()}, json.dumps(body or {}).encode()
    )
    read = read_body(answer)
    found = find_retry_after(answer, read, find_complaint(answer, read) or Complaint(), NOW)
    return None if found is None else found.total_seconds()


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        ("0", 0),
        ("1.5", 1.5),
        ("Mon, 02 Nov 2026 12:00:30 GMT", 30),
        ("Mon, 02 Nov 2026 12:00:30 +0000", 30),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, seconds: float) -> None:
    assert parse_retry_after(value, NOW) == timedelta(seconds=seconds)


@pytest.mark.parametrize("value", [None, "", "soon", "-5", "nan", "inf", "1e400", "9" * 400, "Mon, 99 Nov 2026"])
def test_a_retry_after_that_makes_no_sense_is_none(value: str | None) -> None:
    assert parse_retry_after(value, NOW) is None


def test_a_date_in_the_past_means_now() -> None:
    assert wait(retry_after="Sun, 01 Nov 2026 12:00:00 GMT") == 0


def test_milliseconds_are_finer_than_seconds() -> None:
    assert wait(retry_after_ms="250", retry_after="1") == 0.25


def test_a_limit_that_is_used_up_says_when_it_begins_anew() -> None:
    assert wait(x_ratelimit_remaining_tokens="0", x_ratelimit_reset_tokens="1m30s") == 90
    assert wait(x_ratelimit_remaining_requests="0", x_ratelimit_reset_requests="7") == 7


def test_a_limit_that_is_not_used_up_says_nothing() -> None:
    assert wait(x_ratelimit_remaining_requests="12", x_ratelimit_reset_requests="7s") is None


def test_of_two_limits_that_are_used_up_the_later_one_is_waited_for() -> None:
    requests = {"x_ratelimit_remaining_requests": "0", "x_ratelimit_reset_requests": "1s"}
    assert wait(**requests, x_ratelimit_remaining_tokens="0", x_ratelimit_reset_tokens="1m0s") == 60


def test_openrouter_tells_the_moment_in_milliseconds() -> None:
    reset = str(int(NOW.timestamp() + 42) * 1000)
    assert wait(x_ratelimit_limit="20", x_ratelimit_remaining="0", x_ratelimit_reset=reset) == 42


def test_anthropic_tells_the_moment() -> None:
    headers = {
        "anthropic_ratelimit_input_tokens_remaining": "0",
        "anthropic_ratelimit_input_tokens_reset": "2026-11-02T12:00:42Z",
    }
    assert wait(**headers) == 42


def test_google_tells_a_delay_among_the_details() -> None:
    assert wait({"error": {"code": 429, "details": [{"@type": "x"}, {"retryDelay": "34.5s"}]}}) == 34.5
    assert wait([{"error": {"details": [{"retryDelay": "5s"}]}}]) == 5


@pytest.mark.parametrize(
    ("sentence", "seconds"),
    [
        ("Please try again in 9m38.016s.", 578.016),
        ("Please try again in 644ms. Visit", 0.644),
        ("Please retry after 20 seconds.", 20),
        ("Please retry in 34.07s", 34.07),
        ("Try again in 2 minutes", 120),
        ("retry after 86400 seconds", 86400),
        ("wait for 1 hour", 3600),
    ],
)
def test_a_sentence_is_read_where_nothing_else_tells(sentence: str, seconds: float) -> None:
    assert wait({"error": {"message": sentence}}) == pytest.approx(seconds)


def test_a_header_is_believed_before_a_sentence() -> None:
    assert wait({"error": {"message": "retry after 20 seconds"}}, retry_after="3") == 3


def test_a_loading_model_tells_its_estimate() -> None:
    assert wait({"error": "Model x is currently loading", "estimated_time": 35.5}) == 35.5


def test_nothing_told_is_none() -> None:
    assert wait({"error": {"message": "slow down"}}) is None


@given(st.text(max_size=80))
def test_no_header_crashes_the_parser(value: str) -> None:
    found = parse_retry_after(value, NOW)
    assert found is None or found <= timedelta(days=366)
