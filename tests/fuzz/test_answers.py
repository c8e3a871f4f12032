"""Whatever a provider answers is read without an accident, and nothing it wrote gets out."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fuzz.answers import KEY, replies

from providerswitch.api.health_check import EmbeddingNear, Expectation, GoldenPrompt
from providerswitch.api.provider_types import ProviderTypeName
from providerswitch.probes.allowance import read_allowance
from providerswitch.probes.classify import classify
from providerswitch.probes.exchange import Finding, Reply
from providerswitch.probes.golden_answer import read_answer
from providerswitch.probes.prometheus import read_vector
from providerswitch.probes.registry import REGISTRY
from providerswitch.probes.status_page import read_status
from providerswitch.probes.usage import MOST_TOKENS, read_usage
from providerswitch.probes.waits import LONGEST

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
PROMPTS = (
    GoldenPrompt(prompt="?", expect=Expectation(contains="x", regex="[a-z]+", json=True)),
    GoldenPrompt(prompt="?", expect=Expectation(embedding_near=EmbeddingNear(text="x"))),
)


def check(finding: Finding) -> None:
    assert finding.why.isprintable()
    assert len(finding.why) <= 200
    assert KEY not in finding.why
    assert finding.retry_after is None or timedelta(0) <= finding.retry_after <= LONGEST


@pytest.mark.parametrize("kind", REGISTRY)
@given(replies, st.booleans())
@settings(max_examples=50, derandomize=True)
def test_any_answer_has_a_class_and_a_reason_in_our_words(
    kind: ProviderTypeName,
    reply: Reply,
    has_key: bool,  # noqa: FBT001  # Hypothesis gives it by position
) -> None:
    check(classify(REGISTRY[kind], reply, now=NOW, has_key=has_key))


@given(replies)
@settings(max_examples=150, derandomize=True)
def test_what_an_answer_tells_of_limits_and_cost_is_within_reason(reply: Reply) -> None:
    usage, allowance = read_usage(reply.body), read_allowance(reply.headers, NOW)

    assert usage is None or 0 <= usage.input_tokens + usage.output_tokens <= 20 * MOST_TOKENS
    if allowance and allowance.reset_at:
        assert NOW <= allowance.reset_at <= NOW + LONGEST


@given(replies, st.sampled_from(PROMPTS), st.sampled_from(sorted(ProviderTypeName)))
@settings(max_examples=100, derandomize=True)
def test_any_answer_to_a_golden_prompt_is_judged_in_our_words(
    reply: Reply, golden: GoldenPrompt, kind: ProviderTypeName
) -> None:
    asked = read_answer(kind, golden, reply)

    assert asked.why.isprintable()
    assert KEY not in asked.why


@given(replies)
@settings(max_examples=150, derandomize=True)
def test_any_page_and_any_metrics_source_is_read_in_one_printable_line(reply: Reply) -> None:
    page, vector = read_status(reply), read_vector(reply, "provider")

    assert page is None or page.description.isprintable()
    assert isinstance(vector, dict) or vector.isprintable()
