"""Answers of OpenAI-compatible APIs, played: chats and vectors, and golden prompts that ask for them."""

import base64
import struct
from typing import Any, Final

from providerswitch.api.health_check import GoldenPrompt

FRANCE: Final = GoldenPrompt.model_validate(
    {"prompt": "What is the capital of France?", "expect": {"contains": "Paris"}}
)
CATS: Final = GoldenPrompt.model_validate(
    {"prompt": "a lion", "expect": {"embeddingNear": {"text": "a big cat", "similarity": 0.8}}}
)
USAGE: Final = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}


def chatting(content: Any, finish_reason: str = "stop", **message: Any) -> dict[str, Any]:
    """Return a chat completion."""
    choice = {"index": 0, "message": {"role": "assistant", "content": content, **message}}
    return {"object": "chat.completion", "choices": [{**choice, "finish_reason": finish_reason}], "usage": USAGE}


def embedding(*vectors: Any) -> dict[str, Any]:
    """Return an answer with vectors."""
    data = [{"object": "embedding", "index": index, "embedding": vector} for index, vector in enumerate(vectors)]
    return {"object": "list", "data": data, "usage": {"prompt_tokens": 7, "total_tokens": 7}}


def packed(*numbers: float) -> str:
    """Return a vector in base64."""
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()
