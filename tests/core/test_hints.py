"""What a hint says, how often one may be given, what is answered."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providerswitch.core.hints import LONGEST_BODY, NAMES, Bucket, Hint, Rate, accept, forbid, parse_hint, too_many

GOOD = {"namespace": "team-a", "policy": "assistant"}
SECRET = "sk-secret-0123456789"


def parse(**fields: Any) -> Hint | str:
    return parse_hint(json.dumps({**GOOD, **fields}).encode())


def test_a_hint_names_a_policy_and_perhaps_a_provider_or_a_task() -> None:
    assert parse() == Hint("team-a", "assistant")
    assert parse(provider="openai") == Hint("team-a", "assistant", "openai")
    assert parse(task="embed", provider=None) == Hint("team-a", "assistant", None, "embed")
    assert parse(policy="assistant.v2") == Hint("team-a", "assistant.v2")


def test_fields_that_nobody_knows_are_left_alone() -> None:
    assert parse(error="timeout", status=503, attempts=[1, 2]) == Hint("team-a", "assistant")


@pytest.mark.parametrize(("field", "value"), [
    ("namespace", 1),
    ("namespace", ""),
    ("namespace", None),
    ("namespace", "team_a"),
    ("namespace", "team-a\n"),
    ("namespace", "../kube-system"),
    ("namespace", "a" * 64),
    ("policy", ["assistant"]),
    ("policy", ""),
    ("policy", "Assistant"),
    ("policy", "a/hints"),
    ("policy", "a" * 254),
    ("provider", 7),
    ("provider", ""),
    ("provider", {"name": "openai"}),
    ("provider", "open ai"),
    ("provider", "a" * 64),
    ("task", False),
    ("task", "\ud800"),
    ("task", "a" * 64),
])  # fmt: skip
def test_a_field_that_is_no_name_is_refused_by_a_sentence_that_names_it(field: str, value: object) -> None:
    complaint = parse(**{field: value})
    assert complaint == f'"{field}" must be {NAMES[field][2]}.'


@pytest.mark.parametrize("lacking", ["namespace", "policy"])
def test_a_hint_without_a_policy_is_none(lacking: str) -> None:
    body = json.dumps({name: value for name, value in GOOD.items() if name != lacking}).encode()
    assert parse_hint(body) == f'"{lacking}" must be {NAMES[lacking][2]}.'


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff", b"[" * LONGEST_BODY, b"1" * LONGEST_BODY + b"1" * 900, b"{'a': 1}"]
)
def test_what_is_no_json_is_refused(body: bytes) -> None:
    assert str(parse_hint(body)).startswith("The body is no JSON. Send an object such as {")


@pytest.mark.parametrize("body", [b"null", b"[]", b'"x"', b"1", b"NaN", b"true"])
def test_json_that_is_no_object_is_refused(body: bytes) -> None:
    assert str(parse_hint(body)).startswith("The body is no JSON object. Send one such as {")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(st.sampled_from([*NAMES, "other"]), values | st.sampled_from(["team-a", "a.b"]))


@given(st.binary(max_size=LONGEST_BODY) | objects.map(lambda found: json.dumps(found).encode()))
def test_whatever_is_sent_is_a_hint_of_good_names_or_one_sentence(body: bytes) -> None:
    found = parse_hint(body)
    if isinstance(found, str):
        assert found.count("\n") == 0
        assert found.endswith(".")
    else:
        named = {name: getattr(found, name) for name in NAMES if getattr(found, name) is not None}
        assert {"namespace", "policy"} <= named.keys()
        assert all(NAMES[name][0].fullmatch(value) for name, value in named.items())


@given(st.sampled_from([*NAMES]), values)
def test_what_was_sent_is_not_repeated(field: str, value: object) -> None:
    complaint = parse(**{field: [value, SECRET]})
    assert SECRET not in str(complaint)


RATE = Rate(burst=5, per_second=2)


def test_a_burst_goes_through_and_then_so_many_a_second() -> None:
    bucket, passed = Bucket(), 0
    for _ in range(7):
        taken = bucket.take(RATE, 100.0)
        bucket, passed = (bucket, passed) if isinstance(taken, float) else (taken, passed + 1)
    assert passed == 5
    assert bucket.take(RATE, 100.0) == pytest.approx(0.5)
    assert isinstance(bucket.take(RATE, 100.5), Bucket)


@given(st.lists(st.floats(0, 10), max_size=200))
def test_no_rhythm_gets_more_through_than_the_rate_allows(moments: list[float]) -> None:
    bucket, passed = Bucket(), 0
    for moment in sorted(moments):
        taken = bucket.take(RATE, moment)
        if isinstance(taken, Bucket):
            bucket, passed = taken, passed + 1
    assert passed <= RATE.burst + RATE.per_second * 10


@given(st.floats(0, 10), st.integers(1, 20))
def test_who_comes_back_after_the_time_told_is_let_through(moment: float, more: int) -> None:
    bucket = Bucket(used=RATE.burst, at=0.0)
    for _ in range(more):
        taken = bucket.take(RATE, moment)
        if isinstance(taken, float):
            assert isinstance(bucket.take(RATE, moment + taken + 1e-6), Bucket)
            return
        bucket = taken


def test_a_clock_that_stands_still_or_goes_back_gives_nothing() -> None:
    full = Bucket(used=5, at=100.0)
    assert isinstance(full.take(RATE, 100.0), float)
    assert isinstance(full.take(RATE, 90.0), float)


def test_when_to_come_again_is_told_in_whole_seconds() -> None:
    assert too_many("hints of this caller", 0.01).headers == {"Retry-After": "1"}
    assert too_many("hints of this caller", 1.2).headers == {"Retry-After": "2"}
    assert math.isfinite(float(too_many("x", 1e6).headers["Retry-After"]))


def test_who_is_refused_learns_which_right_lacks() -> None:
    answer = forbid("system:serviceaccount:team-b:app", Hint("team-a", "assistant"))
    assert answer.status == 403
    assert 'create providerswitchpolicies/hints for "team-a/assistant"' in str(answer.body["error"])


def test_an_accepted_hint_tells_who_is_probed_and_when() -> None:
    assert accept("openai", 640).body == {"probing": ["openai"], "inMillis": 640}
