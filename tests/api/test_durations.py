"""Durations: Go's syntax in, Go's syntax out, and a sentence for everything else."""

import re
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from providerswitch.api.durations import Duration, format_duration, parse_duration

MICROSECOND = timedelta(microseconds=1)
DURATION = TypeAdapter(Duration)

MEANINGS = {
    "30s": timedelta(seconds=30),
    "1m30s": timedelta(seconds=90),
    "1h30m": timedelta(minutes=90),
    "1.5h": timedelta(minutes=90),
    "100ms": timedelta(milliseconds=100),
    "0.5ms": timedelta(microseconds=500),
    "300s": timedelta(minutes=5),
    "0s": timedelta(0),
    "1s1s": timedelta(seconds=2),
    "00030s": timedelta(seconds=30),
}

NO_DURATIONS = (
    *("", " ", "30", "s", "30 s", " 30s", "30s ", "30s\n", "-30s", "+30s", "1e3s", ".5s", "1.s", "1d", "1y", "1w"),
    *("30S", "1us", "1µs", "1ns", "30seconds", "1h 30m", "1,5h", "inf", "nan", "P1D", "PT30S", "３s", "٣s", "1h30"),  # noqa: RUF001  # digits of other scripts
)


@pytest.mark.parametrize(("text", "meant"), MEANINGS.items())
def test_a_duration_means_what_it_means_in_go(text: str, meant: timedelta) -> None:
    assert parse_duration(text) == meant


@pytest.mark.parametrize("text", NO_DURATIONS)
def test_anything_else_is_refused_with_examples_of_what_to_write(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape("write a number and a unit, such as 30s, 5m or 1h30m")) as caught:
        parse_duration(text)
    assert f'"{text}"' in str(caught.value)


@pytest.mark.parametrize("text", ["9" * 16 + "h", "9" * 400 + "h", "1" * 5000 + "ms", "0." + "1" * 5000 + "h"])
def test_a_duration_of_absurd_size_is_a_value_error_or_a_duration_and_never_a_crash(text: str) -> None:
    try:
        assert parse_duration(text) < timedelta(hours=1)
    except ValueError:
        assert not text.startswith("0.")


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (timedelta(0), "0s"),
        (timedelta(microseconds=1), "0.001ms"),
        (timedelta(microseconds=100), "0.1ms"),
        (timedelta(microseconds=999), "0.999ms"),
        (timedelta(milliseconds=100), "100ms"),
        (timedelta(milliseconds=1500), "1.5s"),
        (timedelta(seconds=90), "1m30s"),
        (timedelta(minutes=5), "5m"),
        (timedelta(days=1), "24h"),
    ],
)
def test_a_duration_is_written_as_users_would(span: timedelta, text: str) -> None:
    assert format_duration(span) == text


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=3650)))
def test_what_is_written_is_read_as_the_same(span: timedelta) -> None:
    assert abs(parse_duration(format_duration(span)) - span) <= MICROSECOND


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=1)))
def test_up_to_the_longest_bound_of_the_api_nothing_at_all_is_lost(span: timedelta) -> None:
    assert parse_duration(format_duration(span)) == span


@given(st.text() | st.from_regex(r"[0-9.]+(h|m|s|ms|us|d|)([0-9.]+(h|m|s|ms))*", fullmatch=True))
def test_no_text_crashes_the_parser(text: str) -> None:
    try:
        assert parse_duration(text) >= timedelta(0)
    except ValueError as error:
        assert "uration" in str(error)  # noqa: PT017  # both outcomes are fine


@given(st.from_regex(r"(?:[0-9]{1,4}(?:\.[0-9]{1,3})?(?:h|m|s|ms)){1,4}", fullmatch=True))
def test_everything_that_the_api_server_accepts_is_read(text: str) -> None:
    assert parse_duration(text) >= timedelta(0)


@given(st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers()))
def test_a_field_of_a_model_gives_a_duration_or_a_validation_error(value: object) -> None:
    try:
        assert isinstance(DURATION.validate_python(value), timedelta)
    except ValidationError as error:
        assert error.errors()  # noqa: PT017  # both outcomes are fine


def test_a_model_writes_durations_as_strings() -> None:
    assert DURATION.dump_python(timedelta(seconds=90), mode="json") == "1m30s"
