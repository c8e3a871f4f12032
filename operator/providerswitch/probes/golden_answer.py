"""Read the answer to a golden prompt. Pure; never raises, and never quotes the answer.

Three things can come of it. A good or a bad answer counts for the quality. An error does not: it is for the health
probes to see, and a provider that is down must not look stupid as well. What lies between is decided so:

- The provider refuses, or withholds the answer for its content: bad. The question was harmless, so its consumers' would
  be refused too, and health counts such a provider as alive.
- It answers, but with nothing in it, or in a shape that no OpenAI client understands: bad.
- It spent all the tokens we allow on thinking and has not begun to answer: not counted, for the limit is ours. Words
  that were cut off are judged as they stand, or endless nonsense would never count.

Source: OpenAI's API reference (Chat Completions, Embeddings), and answers of compatible servers, read 2026-11.
"""

import base64
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from providerswitch.api.health import HealthClass
from providerswitch.api.health_check import EmbeddingNear, GoldenPrompt
from providerswitch.api.provider_types import ProviderTypeName
from providerswitch.core.outcome import Usage
from providerswitch.core.quality import find_distance, find_fault
from providerswitch.probes.classify import classify
from providerswitch.probes.envelope import Form, read_body
from providerswitch.probes.exchange import Reply
from providerswitch.probes.registry import REGISTRY
from providerswitch.probes.usage import read_usage

CUT_OFF: Final = ("length", "max_tokens")
"""Why an answer ended, where our limit is the reason."""

THINKING: Final = ("thinking", "reasoning")
"""Types of content parts that are not the answer."""

FLOAT_BYTES: Final = 4
AT_NO_TIME: Final = datetime.fromtimestamp(0, UTC)
"""Where a wait that the answer asks for begins; nobody reads it."""

Vector = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of one golden prompt.

    Attributes:
        passed: whether the answer was good; None where there is nothing to judge.
        why: short phrase for users; holds neither a key nor anything of the answer.
        usage: tokens it was billed for; None where nothing is known.
    """

    passed: bool | None
    why: str
    usage: Usage | None = None


def read_answer(kind: ProviderTypeName, golden: GoldenPrompt, reply: Reply) -> Asked:
    """Return the verdict on an answer."""
    passed, why = _read(kind, golden, reply)
    return Asked(passed, why, read_usage(reply.body))


def _read(kind: ProviderTypeName, golden: GoldenPrompt, reply: Reply) -> tuple[bool | None, str]:
    # Without a key, an answer that asks for one would count as health; here it is no answer.
    finding = classify(REGISTRY[kind], reply, now=AT_NO_TIME, has_key=True)
    if finding.health_class is HealthClass.CONTENT_FILTERED:
        return False, f"refused: {finding.why}"
    if finding.health_class is not HealthClass.HEALTHY:
        return None, f"no answer: {finding.why}"
    body = read_body(reply)
    document = body.documents[0] if body.form is Form.JSON and body.documents else None
    near = golden.expect.embedding_near
    if near and reply.truncated:
        return None, "the answer is longer than what is read of it"
    return _read_vectors(golden.prompt, near, document) if near else _read_text(golden, document)


def _read_text(golden: GoldenPrompt, document: Any) -> tuple[bool | None, str]:
    choice = _first_choice(document)
    text = _text_of(choice)
    if text.strip():
        fault = find_fault(text, golden.expect)
        return fault is None, fault or "as expected"
    if _member(choice, "finish_reason") in CUT_OFF:
        return None, "no answer within the tokens that are allowed"
    refused = _member(_member(choice, "message"), "refusal")
    return False, "refused by the model" if refused else "an answer without a text"


def _first_choice(document: Any) -> Any:
    choices = _member(document, "choices")
    return choices[0] if isinstance(choices, list) and choices else None


def _text_of(choice: Any) -> str:
    """Return the text of a choice, which is a string or a list of parts."""
    content = _member(_member(choice, "message"), "content")
    if isinstance(content, list):
        return "".join(_text_of_part(part) for part in content)
    return content if isinstance(content, str) else ""


def _text_of_part(part: Any) -> str:
    text = part if isinstance(part, str) else _member(part, "text")
    return text if isinstance(text, str) and not _is_thinking(part) else ""


def _is_thinking(part: Any) -> bool:
    return _member(part, "type") in THINKING


def _member(holder: Any, name: str) -> Any:
    """Return a member of an object; None of anything else."""
    return holder.get(name) if isinstance(holder, Mapping) else None


def _read_vectors(prompt: str, near: EmbeddingNear, document: Any) -> tuple[bool | None, str]:
    vectors = _vectors_of(document)
    if vectors is None:
        return False, "an answer without two vectors"
    fault = find_distance(prompt, near, vectors)
    return fault is None, fault or "as expected"


def _vectors_of(document: Any) -> tuple[Vector, Vector] | None:
    """Return the vectors of both texts, in any order: they are as near to each other either way."""
    data = _member(document, "data")
    entries = data if isinstance(data, list) else []
    vectors = [vector for entry in entries if (vector := _vector_of(_member(entry, "embedding")))]
    return (vectors[0], vectors[1]) if len(entries) == len(vectors) == 2 else None  # noqa: PLR2004  # two were asked


def _vector_of(embedding: Any) -> Vector | None:
    """Read the numbers of a list, or those that base64 holds as 32-bit floats, low byte first."""
    numbers = _unpack(embedding) if isinstance(embedding, str) else embedding
    if not isinstance(numbers, list | tuple) or not all(_is_number(number) for number in numbers):
        return None
    return tuple(map(float, numbers))


def _is_number(value: Any) -> bool:
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # an integer beyond every float
        return False


def _unpack(text: str) -> Vector | None:
    try:
        packed = base64.b64decode(text, validate=True)
        return struct.unpack(f"<{len(packed) // FLOAT_BYTES}f", packed)
    except (ValueError, struct.error):
        return None
