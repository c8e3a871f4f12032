"""What an answer was billed for is found in every provider's form, whole or streamed, and never guessed."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providerswitch.core.outcome import Usage
from providerswitch.probes.usage import MOST_TOKENS, read_usage


def read(document: object) -> Usage | None:
    """Read the usage of a JSON answer."""
    return read_usage(json.dumps(document).encode())


def stream(*events: object) -> bytes:
    """Return server-sent events, as OpenAI ends them."""
    return b"".join(f"data: {json.dumps(event)}\n\n".encode() for event in events) + b"data: [DONE]\n\n"


WHOLE: dict[str, tuple[dict[str, Any], Usage]] = {
    "a chat of OpenAI": (
        {"usage": {"prompt_tokens": 8, "completion_tokens": 16, "total_tokens": 24}},
        Usage(8, 16),
    ),
    "thinking that is part of the answer is not counted twice": (
        {
            "usage": {
                "prompt_tokens": 8,
                "completion_tokens": 377,
                "completion_tokens_details": {"reasoning_tokens": 320},
                "total_tokens": 385,
            }
        },
        Usage(8, 377),
    ),
    "thinking that only the total holds is billed as answer": (
        {"usage": {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 40}},
        Usage(5, 35),
    ),
    "an embedding has no answer": ({"usage": {"prompt_tokens": 7, "total_tokens": 7}}, Usage(7, 0)),
    "Jina tells a total": ({"usage": {"total_tokens": 12}}, Usage(12, 0)),
    "the Responses API": (
        {"usage": {"input_tokens": 199, "input_tokens_details": {"cached_tokens": 128}, "output_tokens": 184}},
        Usage(199, 184),
    ),
    "Anthropic counts what is cached apart": (
        {
            "usage": {
                "input_tokens": 16,
                "cache_creation_input_tokens": 100,
                "cache_read_input_tokens": 20,
                "output_tokens": 13,
            }
        },
        Usage(136, 13),
    ),
    "Google counts thoughts apart": (
        {
            "usageMetadata": {
                "promptTokenCount": 10,
                "candidatesTokenCount": 8,
                "thoughtsTokenCount": 23,
                "totalTokenCount": 41,
            }
        },
        Usage(10, 31),
    ),
    "Google thought and had no token left to answer": (
        {"usageMetadata": {"promptTokenCount": 15, "thoughtsTokenCount": 2, "totalTokenCount": 17}},
        Usage(15, 2),
    ),
    "Google without a total": ({"usageMetadata": {"promptTokenCount": 15, "thoughtsTokenCount": 2}}, Usage(15, 2)),
    "Ollama in its own words": ({"done": True, "prompt_eval_count": 26, "eval_count": 290}, Usage(26, 290)),
    "Cohere bills less than it reads": (
        {
            "usage": {
                "billed_units": {"input_tokens": 8, "output_tokens": 9},
                "tokens": {"input_tokens": 503, "output_tokens": 11},
            }
        },
        Usage(8, 9),
    ),
    "Cohere's first version": ({"meta": {"billed_units": {"input_tokens": 3.0, "output_tokens": 4.0}}}, Usage(3, 4)),
    "Bedrock's Converse": ({"usage": {"inputTokens": 53, "outputTokens": 39, "totalTokens": 92}}, Usage(53, 39)),
    "no token at all is a count": ({"usage": {"prompt_tokens": 0, "completion_tokens": 0}}, Usage(0, 0)),
}


@pytest.mark.parametrize(("document", "expected"), WHOLE.values(), ids=WHOLE)
def test_a_whole_answer_tells_what_it_cost(document: dict[str, Any], expected: Usage) -> None:
    assert read(document) == expected


def test_of_a_stream_of_openai_the_last_event_counts() -> None:
    chunk = {"object": "chat.completion.chunk", "choices": [{"delta": {"content": "hi"}}], "usage": None}
    last = {"choices": [], "usage": {"prompt_tokens": 8, "completion_tokens": 3, "total_tokens": 11}}
    assert read_usage(stream(chunk, chunk, last)) == Usage(8, 3)


def test_anthropic_tells_input_in_the_first_event_of_a_stream_and_output_in_the_last() -> None:
    begin = {"type": "message_start", "message": {"usage": {"input_tokens": 25, "output_tokens": 1}}}
    delta = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 15}}
    body = f"event: message_start\ndata: {json.dumps(begin)}\n\nevent: message_delta\ndata: {json.dumps(delta)}\n\n"
    assert read_usage(body.encode()) == Usage(25, 15)


def test_the_counts_of_googles_stream_grow() -> None:
    parts = [{"usageMetadata": {"promptTokenCount": 4, "candidatesTokenCount": count}} for count in (1, 5, 9)]
    assert read_usage(stream({"usageMetadata": {"promptTokenCount": 4}}, *parts)) == Usage(4, 9)


def test_the_responses_api_tells_it_with_the_event_that_completes() -> None:
    done = {"type": "response.completed", "response": {"usage": {"input_tokens": 9, "output_tokens": 2}}}
    assert read_usage(stream({"type": "response.created", "response": {"usage": None}}, done)) == Usage(9, 2)


def test_ollama_streams_lines_and_the_last_tells_it() -> None:
    lines = [{"response": "a", "done": False}, {"response": "", "done": True, "prompt_eval_count": 6, "eval_count": 2}]
    assert read_usage("\n".join(json.dumps(line) for line in lines).encode()) == Usage(6, 2)


def test_a_stream_that_breaks_off_tells_what_was_told_before() -> None:
    begin = {"type": "message_start", "message": {"usage": {"input_tokens": 25, "output_tokens": 1}}}
    assert read_usage(stream(begin)[:-14] + b'data: {"type": "message_del') == Usage(25, 1)


SILENT: dict[str, object] = {
    "an answer without usage": {"choices": [{"message": {"content": "hi"}}]},
    "null": {"usage": None},
    "a list of things": {"usage": [1, 2]},
    "text": {"usage": {"prompt_tokens": "8", "completion_tokens": "3"}},
    "negative": {"usage": {"prompt_tokens": -1, "completion_tokens": -3}},
    "fractions": {"usage": {"prompt_tokens": 1.5}},
    "truth": {"usage": {"prompt_tokens": True}},
    "more than any model reads": {"usage": {"prompt_tokens": MOST_TOKENS + 1}},
    "not a number": {"usage": {"prompt_tokens": float("nan"), "completion_tokens": float("inf")}},
    "an array": [{"usage": {"prompt_tokens": 1}}],
    "an error": {"error": {"message": "no", "code": 500}},
}


@pytest.mark.parametrize("document", SILENT.values(), ids=SILENT)
def test_what_tells_nothing_or_nonsense_is_none(document: object) -> None:
    assert read(document) is None


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"plain", b"\xff\xfe", b'{"usage": {"prompt_tokens": 8', b"data: [DONE]"]
)
def test_what_is_no_answer_is_none(body: bytes) -> None:
    assert read_usage(body) is None


def test_one_sensible_number_beside_nonsense_is_kept() -> None:
    assert read({"usage": {"prompt_tokens": 8, "completion_tokens": "many"}}) == Usage(8, 0)


COUNTS = st.sampled_from([
    "usage", "message", "prompt_tokens", "output_tokens", "total_tokens", "usageMetadata", "promptTokenCount",
    "thoughtsTokenCount", "eval_count", "billed_units", "response",
])  # fmt: skip
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
ANYTHING = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(COUNTS, inner, max_size=4), max_leaves=12
)


@given(ANYTHING | st.lists(ANYTHING, max_size=3))
def test_whatever_json_comes_the_numbers_are_bounded(document: Any) -> None:
    for found in (read(document), read_usage(stream(document))):
        if found is not None:
            assert 0 <= found.input_tokens <= 5 * MOST_TOKENS
            assert 0 <= found.output_tokens <= 5 * MOST_TOKENS


@given(st.binary(max_size=300))
def test_no_bytes_crash_it(body: bytes) -> None:
    read_usage(body)
    read_usage(b"data: " + body)


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_what_openai_and_anthropic_say_is_read_as_said(sent: int, answered: int) -> None:
    usage = {"prompt_tokens": sent, "completion_tokens": answered, "total_tokens": sent + answered}
    assert read({"usage": usage}) == Usage(sent, answered)
    assert read({"usage": {"input_tokens": sent, "output_tokens": answered}}) == Usage(sent, answered)
