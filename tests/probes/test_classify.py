"""An answer gets the class that its body means, and neither crashes the classifier nor leaks through it."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.repository import ROOT

from providerswitch.api.health import HealthClass
from providerswitch.api.provider_types import ProviderTypeName
from providerswitch.cli.classify import classify_record
from providerswitch.probes.classify import classify
from providerswitch.probes.exchange import Finding, Reply
from providerswitch.probes.registry import REGISTRY

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
OWN = Path(__file__).parent / "data" / "answers.jsonl"
REAL = ROOT.parent / "shared" / "provider-errors" / "cases.jsonl"
KEY = "sk-proj-Zq3xV7abcdefghijklmnop"

CANNOT_BE_TOLD = {
    "gemini-200-model-armor-blocked": "what was recorded is the answer of the token endpoint, not of the model: nothing"
    " in it tells of blocked content",
}
"""Real answers whose class no reader could find, with the reason."""


def records(path: Path) -> list[Any]:
    """Return the cases of a file; none where it is not there."""
    lines = path.read_text().splitlines() if path.exists() else []
    return [pytest.param(record, id=record["id"]) for record in map(json.loads, lines)]


def finding_of(record: dict[str, Any]) -> Finding:
    """Classify a saved answer."""
    found = classify_record(record, NOW)
    assert isinstance(found, Finding)
    return found


@pytest.mark.parametrize("record", records(OWN))
def test_an_answer_has_the_class_that_its_body_means(record: dict[str, Any]) -> None:
    found = finding_of(record)
    assert found.health_class == record["expected"], found.why


@pytest.mark.skipif(not REAL.exists(), reason="shared/provider-errors is not beside this checkout")
@pytest.mark.parametrize("record", records(REAL))
def test_a_real_answer_has_its_class_or_a_defensible_one(record: dict[str, Any]) -> None:
    found = finding_of(record)
    fits = found.health_class in {record["expected"], *record["alt"]}
    assert fits is (record["id"] not in CANNOT_BE_TOLD), found


def test_the_reasons_for_what_cannot_be_told_are_of_cases_that_exist() -> None:
    known = {case.values[0]["id"] for case in records(REAL)}
    assert not known or known >= CANNOT_BE_TOLD.keys()


def reply(status: int, body: object, **headers: str) -> Reply:
    """Return an answer with a JSON body."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, named, json.dumps(body).encode())


def ask(answer: Reply, kind: ProviderTypeName = ProviderTypeName.OPENAI, *, has_key: bool = True) -> Finding:
    """Classify an answer of a provider type."""
    return classify(REGISTRY[kind], answer, now=NOW, has_key=has_key)


def test_without_a_key_a_provider_that_asks_for_one_is_alive() -> None:
    refused = reply(401, {"error": {"code": "invalid_api_key"}})
    assert ask(refused, has_key=True).health_class is HealthClass.AUTH_INVALID
    assert ask(refused, has_key=False).health_class is HealthClass.HEALTHY


def test_without_a_key_an_outage_is_still_an_outage() -> None:
    assert ask(reply(500, {"error": {"message": "internal"}}), has_key=False).health_class is HealthClass.SERVER_ERROR


def test_a_rate_limit_brings_the_wait_it_asks_for() -> None:
    limited = reply(429, {"error": {"code": "rate_limit_exceeded"}}, retry_after="17")
    assert ask(limited).retry_after == timedelta(seconds=17)


def test_an_answer_longer_than_was_read_is_good_if_it_begins_as_json() -> None:
    assert ask(Reply(200, {}, b'{"data": [', truncated=True)).health_class is HealthClass.HEALTHY
    assert ask(Reply(200, {}, b'{"data": [')).health_class is HealthClass.PROTOCOL
    assert ask(Reply(200, {}, b"<html>", truncated=True)).health_class is HealthClass.PROTOCOL


def test_a_body_nested_beyond_reason_is_no_answer() -> None:
    assert ask(Reply(200, {}, b"[" * 60_000)).health_class is HealthClass.PROTOCOL


def test_an_error_nested_beyond_reason_is_read_as_far_as_is_sane() -> None:
    body: Any = {"message": "rate limit"}
    for _ in range(200):
        body = {"error": body}
    assert ask(reply(500, body)).health_class is HealthClass.SERVER_ERROR


def test_the_why_names_a_known_code_and_never_quotes_the_message() -> None:
    found = ask(reply(401, {"error": {"code": "invalid_api_key", "message": f"Incorrect API key provided: {KEY}"}}))
    assert found.why == "HTTP 401: the key is wrong, revoked or missing (invalid_api_key)"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(KEY),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["error", "message", "code", "type", "detail", "errors", "status", "choices", "metadata",
                             "candidates", "promptFeedback", "finish_reason", "base_resp", "details", "response"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)  # fmt: skip
BODIES = st.binary(max_size=400) | JSON.map(lambda value: json.dumps(value).encode()) | st.text().map(str.encode)
HEADERS = st.dictionaries(
    st.sampled_from(["content-type", "retry-after", "retry-after-ms", "x-amzn-errortype",
                     "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests",
                     "anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset"]),
    st.text(max_size=40) | st.sampled_from(["text/event-stream", "0", "1e400", "Wed, 21 Oct 2015 07:28:00 GMT", KEY]),
)  # fmt: skip


@given(
    kind=st.sampled_from(ProviderTypeName),
    status=st.integers(100, 599),
    headers=HEADERS,
    body=BODIES,
    has_key=st.booleans(),
)
def test_no_answer_crashes_the_classifier_or_gets_a_key_into_the_why(
    kind: ProviderTypeName, status: int, headers: dict[str, str], body: bytes, *, has_key: bool
) -> None:
    found = classify(REGISTRY[kind], Reply(status, headers, body), now=NOW, has_key=has_key)
    assert KEY not in found.why
    assert found.why.isprintable()
    assert len(found.why) < 200
    assert found.retry_after is None or timedelta(0) <= found.retry_after <= timedelta(days=366)
