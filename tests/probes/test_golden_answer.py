import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.played_answers import CATS, FRANCE, chatting, embedding, packed

from providerswitch.api.health_check import GoldenPrompt
from providerswitch.api.provider_types import ProviderTypeName
from providerswitch.core.outcome import Usage
from providerswitch.probes.exchange import Reply
from providerswitch.probes.golden_answer import Asked, read_answer

ASKED_TYPES = sorted(set(ProviderTypeName) - {ProviderTypeName.HTTP})
MOST_BYTES = 64 * 1024


def replying(document: Any, status: int = 200) -> Reply:
    """Return an answer as the transport brings it."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return Reply(status, {"content-type": "application/json"}, body[:MOST_BYTES], len(body) > MOST_BYTES)


def verdict_on(document: Any, golden: GoldenPrompt = FRANCE, status: int = 200) -> tuple[bool | None, str]:
    """Return what is made of an answer."""
    asked = read_answer(ProviderTypeName.OPENAI, golden, replying(document, status))
    return asked.passed, asked.why


def test_the_tokens_are_told_with_every_verdict() -> None:
    for text, passed in (("It is Paris.", True), ("banana", False)):
        asked = read_answer(ProviderTypeName.OPENAI, FRANCE, replying(chatting(text)))
        assert (asked.passed, asked.usage) == (passed, Usage(9, 4))
    nothing = read_answer(ProviderTypeName.OPENAI, FRANCE, replying(chatting(None, "length")))
    assert (nothing.passed, nothing.usage) == (None, Usage(9, 4))
    assert read_answer(ProviderTypeName.OPENAI, FRANCE, replying(b"", 500)).usage is None


VERDICTS: dict[str, tuple[Any, bool | None, str]] = {
    "a list of parts is one text": (
        chatting([{"type": "text", "text": "It is Pa"}, {"type": "text", "text": "ris."}]),
        True,
        "as expected",
    ),
    "parts without a type, and bare strings": (chatting(["It is ", {"text": "Paris."}]), True, "as expected"),
    "what it thinks is not what it says": (
        chatting([{"type": "thinking", "text": "Paris?"}, {"type": "text", "text": "Lyon."}]),
        False,
        "the expected words are missing",
    ),
    "a refusal": (chatting(None, refusal="I cannot help with that."), False, "refused by the model"),
    "an empty answer": (chatting(""), False, "an answer without a text"),
    "blanks": (chatting(" \n"), False, "an answer without a text"),
    "no choices": ({"choices": []}, False, "an answer without a text"),
    "another shape": ({"ok": True}, False, "an answer without a text"),
    "members of another kind": (
        {"choices": [{"message": [1], "finish_reason": {"a": 1}}]},
        False,
        "an answer without a text",
    ),
    "parts of another kind": (
        chatting([7, None, {"type": ["text"], "text": 3}, {"text": {}}]),
        False,
        "an answer without a text",
    ),
    "all tokens spent on thinking": (
        chatting(None, "length", reasoning_content="Paris, perhaps"),
        None,
        "no answer within the tokens that are allowed",
    ),
    "nonsense without end": (chatting("banana " * 200, "length"), False, "the expected words are missing"),
    "a good answer that is cut off later": (chatting("Paris, which", "length"), True, "as expected"),
    "content held back": (
        chatting(None, "content_filter"),
        False,
        "refused: HTTP 200: the content was blocked by policy",
    ),
    "an error inside a successful answer": (
        {"error": {"message": "Paris is overloaded", "type": "overloaded_error"}},
        None,
        "no answer: HTTP 200: the provider lacks capacity (overloaded_error)",
    ),
    "a page": (
        b"<html>Paris</html>",
        None,
        "no answer: HTTP 200: an HTML page instead of an answer; check the base URL",
    ),
    "an answer longer than what is read": (chatting("x" * 70_000 + "Paris"), False, "an answer without a text"),
}


@pytest.mark.parametrize("case", VERDICTS)
def test_an_answer_is_good_or_bad_or_none(case: str) -> None:
    document, passed, why = VERDICTS[case]
    assert verdict_on(document) == (passed, why)


ERRORS = {
    401: "no answer: HTTP 401: the key is wrong, revoked or missing",
    404: "no answer: HTTP 404: no such model or endpoint",
    429: "no answer: HTTP 429: too many requests in a time window",
    500: "no answer: HTTP 500: the provider failed",
}


@pytest.mark.parametrize("status", ERRORS)
def test_an_error_is_nothing_to_judge(status: int) -> None:
    assert verdict_on(b"", status=status) == (None, ERRORS[status])


def test_a_question_that_is_refused_for_its_content_is_a_bad_answer() -> None:
    error = {"error": {"code": "content_filter", "message": "The prompt triggered a content policy."}}
    passed, why = verdict_on(error, status=400)
    assert passed is False
    assert why.startswith("refused: HTTP 400")


def test_a_request_that_is_not_understood_is_no_bad_answer() -> None:
    error = {"error": {"message": "Unknown parameter: 'max_tokens'.", "type": "invalid_request_error"}}
    assert (verdict_on(error, status=400))[0] is None


TOO_LONG = [[0.123456789012345] * 3072, [0.123456789012345] * 3071 + [0.0]]

VECTORS: dict[str, tuple[Any, bool | None, str]] = {
    "numbers": (embedding([1, 0.1], [1, 0]), True, "as expected"),
    "base64": (embedding(packed(1, 0.1), packed(1, 0)), True, "as expected"),
    "far from each other": (embedding([1, 1], [1, 0]), False, "a similarity of 0.71, expected 0.8"),
    "one vector for everything": (embedding([1, 1], [1, 1]), False, "one and the same vector for two texts"),
    "of two lengths": (embedding([1, 1], [1, 1, 1]), False, "the vectors are not of one length"),
    "only one": (embedding([1, 1]), False, "an answer without two vectors"),
    "three": (embedding([1, 1], [1, 0], [0, 1]), False, "an answer without two vectors"),
    "none": ({"data": {}}, False, "an answer without two vectors"),
    "words": (embedding(["a"], ["b"]), False, "an answer without two vectors"),
    "truths": (embedding([True], [True]), False, "an answer without two vectors"),
    "no base64": (embedding("!!", "é"), False, "an answer without two vectors"),
    "half a number in base64": (embedding("AAAA", "AAAA"), False, "an answer without two vectors"),
    "not finite": (embedding(packed(float("nan")), packed(1)), False, "an answer without two vectors"),
    "beyond every number": (embedding([10**400], [1]), False, "an answer without two vectors"),
    "a chat": (chatting("a big cat"), False, "an answer without two vectors"),
    "long ones in base64": (
        embedding(packed(*[0.5] * 3072), packed(*[0.5] * 3071, 0.4)),
        True,
        "as expected",
    ),
    "long ones as numbers": (embedding(*TOO_LONG), None, "the answer is longer than what is read of it"),
}


@pytest.mark.parametrize("case", VECTORS)
def test_vectors_are_near_or_not_or_none(case: str) -> None:
    document, passed, why = VECTORS[case]
    assert verdict_on(document, CATS) == (passed, why)


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
NAMES = st.sampled_from(["choices", "message", "content", "text", "type", "data", "embedding", "usage"])
DOCUMENTS = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(max_size=5), inner, max_size=5)
)


@given(DOCUMENTS, st.sampled_from([FRANCE, CATS]), st.sampled_from(ASKED_TYPES))
def test_every_document_has_a_verdict(document: Any, golden: GoldenPrompt, kind: ProviderTypeName) -> None:
    assert isinstance(read_answer(kind, golden, replying(document)), Asked)


@given(DOCUMENTS, DOCUMENTS)
def test_every_choice_and_every_vector_has_a_verdict(first: Any, second: Any) -> None:
    chat = {"choices": [{"message": {"content": first, "refusal": second}, "finish_reason": second}]}
    pair = {"data": [{"embedding": first}, {"embedding": second}]}
    for golden, document in ((FRANCE, chat), (CATS, pair)):
        assert isinstance(read_answer(ProviderTypeName.OPENAI, golden, replying(document)), Asked)


@given(st.binary(max_size=200), st.integers(200, 599))
def test_every_answer_has_a_verdict(body: bytes, status: int) -> None:
    assert isinstance(read_answer(ProviderTypeName.VLLM, FRANCE, Reply(status, {}, body)), Asked)
