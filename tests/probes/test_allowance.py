"""How much a provider still lets through is read from the headers of every family, and nonsense is nothing."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providerswitch.core.outcome import Allowance
from providerswitch.probes.allowance import read_allowance
from providerswitch.probes.rate_limits import REQUESTS, TOKENS
from providerswitch.probes.waits import LONGEST, parse_reset

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
EPOCH_SECONDS = int(NOW.timestamp())
OPENAI = {
    "x-ratelimit-limit-requests": "500",
    "x-ratelimit-remaining-requests": "499",
    "x-ratelimit-reset-requests": "120ms",
    "x-ratelimit-limit-tokens": "200000",
    "x-ratelimit-remaining-tokens": "199000",
    "x-ratelimit-reset-tokens": "6m0s",
}
ANTHROPIC = {
    "anthropic-ratelimit-requests-limit": "1000",
    "anthropic-ratelimit-requests-remaining": "990",
    "anthropic-ratelimit-requests-reset": "2026-11-02T12:00:36Z",
    "anthropic-ratelimit-input-tokens-limit": "450000",
    "anthropic-ratelimit-input-tokens-remaining": "449000",
    "anthropic-ratelimit-input-tokens-reset": "2026-11-02T12:00:01Z",
    "anthropic-ratelimit-output-tokens-limit": "90000",
    "anthropic-ratelimit-output-tokens-remaining": "45000",
    "anthropic-ratelimit-output-tokens-reset": "2026-11-02T12:00:30Z",
}


def after(seconds: float) -> datetime:
    """Return the moment so many seconds after the answer."""
    return NOW + timedelta(seconds=seconds)


FAMILIES = {
    "OpenAI": (OPENAI, Allowance(500, 499, 200_000, 199_000, after(360))),
    "Anthropic, of several limits of tokens the tightest": (ANTHROPIC, Allowance(1000, 990, 90_000, 45_000, after(30))),
    "Mistral": (
        {
            "x-ratelimit-limit-req-minute": "50",
            "x-ratelimit-remaining-req-minute": "49",
            "x-ratelimit-limit-tokens-minute": "50000",
            "x-ratelimit-remaining-tokens-minute": "47300",
        },
        Allowance(50, 49, 50_000, 47_300),
    ),
    "Cerebras, where the day may be tighter than the minute": (
        {
            "x-ratelimit-limit-requests-day": "100",
            "x-ratelimit-remaining-requests-day": "10",
            "x-ratelimit-reset-requests-day": "33011.5",
            "x-ratelimit-limit-requests-minute": "30",
            "x-ratelimit-remaining-requests-minute": "29",
        },
        Allowance(100, 10, reset_at=after(33011.5)),
    ),
    "Together": (
        {
            "x-ratelimit-limit": "10",
            "x-ratelimit-remaining": "9",
            "x-ratelimit-reset": "1",
            "x-tokenlimit-limit": "3000",
            "x-tokenlimit-remaining": "2000",
        },
        Allowance(10, 9, 3000, 2000, after(1)),
    ),
    "Fireworks": (
        {"x-ratelimit-limit-tokens-prompt": "60000", "x-ratelimit-remaining-tokens-prompt": "59000"},
        Allowance(tokens_limit=60_000, tokens_remaining=59_000),
    ),
    "a trial key of Cohere": (
        {"x-trial-endpoint-call-limit": "20", "x-trial-endpoint-call-remaining": "19"},
        Allowance(20, 19),
    ),
    "OpenRouter, in milliseconds since 1970": (
        {
            "x-ratelimit-limit": "20",
            "x-ratelimit-remaining": "0",
            "x-ratelimit-reset": str(EPOCH_SECONDS * 1000 + 42_000),
        },
        Allowance(20, 0, reset_at=after(42)),
    ),
    "seconds since 1970": (
        {"x-ratelimit-limit": "20", "x-ratelimit-remaining": "4", "x-ratelimit-reset": str(EPOCH_SECONDS + 7)},
        Allowance(20, 4, reset_at=after(7)),
    ),
    "the early drafts": (
        {"ratelimit-limit": "100, 100;w=60", "ratelimit-remaining": "50", "ratelimit-reset": "5"},
        Allowance(100, 50, reset_at=after(5)),
    ),
    "the seventh draft": ({"ratelimit": "limit=100, remaining=50, reset=5"}, Allowance(100, 50, reset_at=after(5))),
    "the late drafts, as Hugging Face sends them": (
        {"ratelimit": '"api";r=489;t=189', "ratelimit-policy": '"fixed window";"api";q=500;w=300'},
        Allowance(500, 489, reset_at=after(189)),
    ),
    "a late draft without its policy": ({"ratelimit": '"default";r=50;t=30'}, Allowance(None, 50, reset_at=after(30))),
    "only one number": ({"anthropic-ratelimit-requests-remaining": "9997"}, Allowance(None, 9997)),
    "a limit of 0, on a plan without the model": ({"x-ratelimit-limit-req-minute": "0"}, Allowance(0)),
}


@pytest.mark.parametrize(("headers", "expected"), FAMILIES.values(), ids=FAMILIES)
def test_each_family_of_headers_is_read(headers: dict[str, str], expected: Allowance) -> None:
    assert read_allowance(headers, NOW) == expected


def test_answers_without_such_headers_have_no_allowance() -> None:
    assert read_allowance({"content-type": "application/json", "retry-after": "3"}, NOW) is None


def test_a_time_alone_is_no_allowance() -> None:
    assert read_allowance({"x-ratelimit-reset-requests": "1s"}, NOW) is None


def test_a_limit_that_is_hardly_used_does_not_hide_when_the_spent_one_begins_anew() -> None:
    used = {"x-ratelimit-remaining-tokens": "199992", "x-ratelimit-reset-tokens": "2ms"}
    spent = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "42s"}
    assert read_allowance(OPENAI | used | spent, NOW) == Allowance(500, 0, 200_000, 199_992, after(42))


def test_a_limit_without_a_time_leaves_it_to_the_other() -> None:
    headers = {
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-remaining-tokens": "9",
        "x-ratelimit-reset-tokens": "3",
    }
    assert read_allowance(headers, NOW) == Allowance(None, 0, None, 9, after(3))


def test_a_policy_that_counts_something_else_than_requests_is_passed_over() -> None:
    assert read_allowance({"ratelimit": '"size";r=50;t=30;qu="content-bytes"'}, NOW) is None


RESETS = {
    "1s": 1,
    "6m0s": 360,
    "17ms": 0.017,
    "1h2m3.5s": 3723.5,
    "0s": 0,
    "7": 7,
    "11.38": 11.38,
    "2026-11-02T12:01:00Z": 60,
    "2026-11-02T13:01:00+01:00": 60,
    "Mon, 02 Nov 2026 12:00:30 GMT": 30,
    "2026-11-02T11:59:00Z": 0,
    str(EPOCH_SECONDS - 5): 0,
}


@pytest.mark.parametrize(("value", "seconds"), RESETS.items())
def test_a_reset_is_a_span_or_a_moment(value: str, seconds: float) -> None:
    found = parse_reset(value, NOW)
    assert found is not None
    assert found.total_seconds() == pytest.approx(seconds)


NONSENSE = (
    "", "soon", "-1", "nan", "inf", "1e400", "9" * 400, "9" * 400 + "h", "99999999h", "2026-11-02T12:01:00",
    "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "1e9", "2000-01-01T00:00:00Z", "0x10",
)  # fmt: skip


@pytest.mark.parametrize("value", NONSENSE)
def test_a_reset_that_makes_no_sense_is_none(value: str) -> None:
    assert parse_reset(value, NOW) is None


@pytest.mark.parametrize("value", ["", "-1", "many", "1.5", "1e3", "9" * 13, "٣", "0x10", "1_000"])
def test_a_count_that_makes_no_sense_is_none(value: str) -> None:
    headers = {"x-ratelimit-limit-requests": value, "x-ratelimit-remaining-requests": "4"}
    assert read_allowance(headers, NOW) == Allowance(None, 4)
    assert read_allowance({"x-ratelimit-limit-requests": value}, NOW) is None


NAMES = st.sampled_from(
    [name.format(part) for name in (*REQUESTS, *TOKENS) for part in ("limit", "remaining", "reset")]
    + ["ratelimit", "ratelimit-policy"]
)
VALUES = (
    st.text(max_size=60)
    | st.integers().map(str)
    | st.floats().map(str)
    | st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat)
    | st.from_regex(r"[0-9]{1,20}(h|m|s|ms)([0-9]{1,5}s)?", fullmatch=True)
    | st.text('";=,qrtu0123456789 ', max_size=60)
)


@given(st.dictionaries(NAMES, VALUES, max_size=8))
def test_whatever_the_headers_hold_the_numbers_are_bounded(headers: dict[str, str]) -> None:
    found = read_allowance(headers, NOW)
    if found is not None:
        counts = (found.requests_limit, found.requests_remaining, found.tokens_limit, found.tokens_remaining)
        assert all(count is None or 0 <= count < 10**12 for count in counts)
        assert any(count is not None for count in counts)
        assert found.reset_at is None or NOW <= found.reset_at <= NOW + LONGEST


@given(st.integers(0, 10**11), st.integers(0, 10**11), st.integers(0, 86_400))
def test_what_openai_says_is_read_as_said(limit: int, remaining: int, seconds: int) -> None:
    headers = {
        "x-ratelimit-limit-requests": f"{limit}",
        "x-ratelimit-remaining-requests": f"{remaining}",
        "x-ratelimit-reset-requests": f"{seconds}s",
    }
    found = read_allowance(headers, NOW)
    assert found is not None
    assert (found.requests_limit, found.requests_remaining) == (limit, remaining)
    assert found.reset_at == after(seconds)
