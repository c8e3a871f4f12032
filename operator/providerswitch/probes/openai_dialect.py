"""The requests of OpenAI's API, which most providers and servers speak too.

Source: OpenAI's API reference (Chat Completions, Embeddings, Models), read 2026-11.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from providerswitch.api.provider_types import Capability, purpose_of
from providerswitch.probes.exchange import ProbeRequest, Question

PROMPT: Final = "ping"
TOKENS: Final = 16
"""Asked of a generation probe. With 1, models that think first have nothing left to answer with."""


def bearer(question: Question) -> Mapping[str, str]:
    """Return the headers of a request: the policy's own, and the key as a bearer token."""
    if question.key is None:
        return dict(question.headers)
    return {**question.headers, "authorization": f"Bearer {question.key.reveal()}"}


def list_models(question: Question, path: str = "/models") -> ProbeRequest:
    """List models: needs a valid key and costs nothing."""
    return ProbeRequest("GET", path, bearer(question))


def generate(
    question: Question, default_model: str | None, *, limit: str = "max_tokens", root: str = ""
) -> ProbeRequest:
    """Ask for a few tokens, or for one vector where the model embeds.

    Args:
        question: what is asked.
        default_model: asked where the policy names no model.
        limit: name of the parameter that bounds the answer.
        root: path between the base URL and the API.
    """
    model = question.model or default_model
    if Capability.EMBEDDINGS in purpose_of(model):
        return post(f"{root}/embeddings", {"model": model, "input": PROMPT}, bearer(question))
    messages = [{"role": "user", "content": PROMPT}]
    return post(f"{root}/chat/completions", {"model": model, "messages": messages, limit: TOKENS}, bearer(question))


def post(path: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> ProbeRequest:
    """Return a request with a JSON body; members without a value are left out."""
    kept = {name: value for name, value in body.items() if value is not None}
    return ProbeRequest("POST", path, headers, json.dumps(kept).encode())
