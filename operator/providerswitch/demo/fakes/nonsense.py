"""Answers that are right in form and useless: what a broken gateway, or a model that lost its mind, gives."""

import json
from dataclasses import replace
from typing import Any, Final

from providerswitch.demo.fakes.http import Answer
from providerswitch.demo.fakes.meaning import pack

TEXT: Final = "lorem ipsum "
VECTOR: Final = (0.1, 0.2, 0.3)
WORDS: Final = frozenset({"content", "text"})
VECTORS: Final = frozenset({"embedding", "values"})
PREFIX: Final = b"data: "


def spoil_meaning(answer: Answer) -> Answer:
    """Return an answer of the same form without any sense in it; errors stay as they are."""
    events = tuple(_spoil_event(event) for event in answer.events)
    return replace(answer, body=_spoil_json(answer.body) if answer.body else b"", events=events)


def _spoil_event(event: bytes) -> bytes:
    data = event.removeprefix(PREFIX).strip()
    return PREFIX + _spoil_json(data) + b"\n\n"


def _spoil_json(data: bytes) -> bytes:
    try:
        return json.dumps(_spoil(json.loads(data))).encode()
    except ValueError:  # the end of a stream is no JSON
        return data


def _spoil(node: Any) -> Any:
    if isinstance(node, list):
        return [_spoil(each) for each in node]
    if not isinstance(node, dict):
        return node
    return {name: _spoil_member(name, value) for name, value in node.items()}


def _spoil_member(name: str, value: Any) -> Any:
    if name in WORDS and isinstance(value, str):
        return TEXT
    if name in VECTORS and isinstance(value, list):
        return list(VECTOR)
    if name in VECTORS and isinstance(value, str):
        return pack(VECTOR)
    return _spoil(value)
