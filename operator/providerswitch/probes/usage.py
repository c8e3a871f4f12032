"""What a billed answer says it cost, in tokens. Pure; never raises.

Sources, read 2026-11: the API references of OpenAI (Chat Completions, Embeddings, Responses, and their streams),
Anthropic (Messages and their stream, prompt caching), Google (GenerateContentResponse), Ollama, Jina, Cohere (Chat v2)
and Amazon Bedrock (Converse).
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from providerswitch.core.outcome import Usage
from providerswitch.probes.envelope import read_body
from providerswitch.probes.exchange import Reply

HOLDERS: Final = (
    (), ("usage",), ("usageMetadata",), ("message", "usage"), ("response", "usage"), ("x_groq", "usage"),
    ("usage", "billed_units"), ("meta", "billed_units"),
)  # fmt: skip
"""Paths to an object with counts: of whole answers, of events of a stream, and of Cohere."""

INPUT: Final = ("prompt_tokens", "input_tokens", "promptTokenCount", "prompt_eval_count", "inputTokens")
CACHED_BESIDE: Final = (
    "cache_creation_input_tokens", "cache_read_input_tokens", "cacheReadInputTokens", "cacheWriteInputTokens",
)  # fmt: skip
"""Input that Anthropic and Bedrock count apart; the others' cached tokens are part of the input."""

OUTPUT: Final = ("completion_tokens", "output_tokens", "candidatesTokenCount", "eval_count", "outputTokens")
THOUGHT_BESIDE: Final = ("thoughtsTokenCount",)
"""Output that Google counts apart; the others' thinking is part of the output, or only of the total."""

TOTAL: Final = ("total_tokens", "totalTokenCount", "totalTokens")
MOST_TOKENS: Final = 10**9
"""Anything above is nonsense: no model has such a context window."""


def read_usage(body: bytes) -> Usage | None:
    """Return the tokens that an answer was billed for; None where it does not say.

    In a stream the counts grow from event to event, so that the largest is the last; 200 events are read at most. Where
    only a total is told, as for embeddings and reranking, all of it is input.
    """
    told = tuple(_counts(read_body(Reply(200, {}, body)).documents))
    sent, answered = _largest(_input(counts) for counts in told), _largest(_output(counts) for counts in told)
    return None if sent is None and answered is None else Usage(sent or 0, answered or 0)


def _largest(counts: Iterable[int | None]) -> int | None:
    return max((count for count in counts if count is not None), default=None)


def _counts(documents: Iterable[Any]) -> Iterator[Mapping[str, Any]]:
    for document in documents:
        for path in HOLDERS:
            found = _follow(document, path)
            if isinstance(found, dict):
                yield found


def _follow(value: Any, path: tuple[str, ...]) -> Any:
    for member in path:
        value = value.get(member) if isinstance(value, dict) else None
    return value


def _input(counts: Mapping[str, Any]) -> int | None:
    told = _sum(counts, INPUT, CACHED_BESIDE)
    return _first(counts, TOTAL) if told is None and _output(counts) is None else told


def _output(counts: Mapping[str, Any]) -> int | None:
    """Return the tokens of the answer; where the total holds more than both parts, the rest is unlisted thinking."""
    told, sent = _sum(counts, OUTPUT, THOUGHT_BESIDE), _sum(counts, INPUT, CACHED_BESIDE)
    total = _first(counts, TOTAL)
    return told if sent is None or total is None else max(told or 0, total - sent)


def _sum(counts: Mapping[str, Any], names: Iterable[str], beside: Iterable[str]) -> int | None:
    first = _first(counts, names)
    extra = [found for name in beside if (found := _count(counts.get(name))) is not None]
    return None if first is None and not extra else (first or 0) + sum(extra)


def _first(counts: Mapping[str, Any], names: Iterable[str]) -> int | None:
    return next((found for name in names if (found := _count(counts.get(name))) is not None), None)


def _count(value: Any) -> int | None:
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    return int(value) if whole and not isinstance(value, bool) and 0 <= value <= MOST_TOKENS else None
