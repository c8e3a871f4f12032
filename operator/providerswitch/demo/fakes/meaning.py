"""What a fake knows: answers to a few questions, and vectors in which texts of the same words are near each other."""

import base64
import hashlib
import math
import re
import struct
from collections.abc import Mapping, Sequence
from typing import Final

DIMENSIONS: Final = 64
KNOWN: Final[Mapping[str, str]] = {
    "capital of france": "The capital of France is Paris.",
    "2 + 2": "2 + 2 = 4",
    "json": '{"ok": true}',
}
"""Answers by a part of the question, in lower case."""


def answer_to(question: str) -> str | None:
    """Return what a fake knows about a question; None where it knows nothing."""
    asked = question.casefold()
    return next((answer for part, answer in KNOWN.items() if part in asked), None)


def embed(text: str) -> list[float]:
    """Return a vector of length 1 that depends on the words of a text, and on nothing else."""
    vector = [0.0] * DIMENSIONS
    for word in re.findall(r"\w+", text.casefold()):
        digest = hashlib.sha256(word.encode()).digest()
        vector[digest[0] % DIMENSIONS] += 1 if digest[1] % 2 else -1
    length = math.hypot(*vector) or 1
    return [value / length for value in vector]


def pack(vector: Sequence[float]) -> str:
    """Write a vector in base64, as 32-bit floats, low byte first."""
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
