"""Ollama.

`/api/version` answers as long as the server runs; behind a key (Ollama's cloud, a proxy) the list of models is asked
instead, which needs it. Source: Ollama API documentation, read 2026-11.
"""

from typing import Final

from providerswitch.api.health import HealthClass
from providerswitch.api.provider_types import ProviderTypeName
from providerswitch.probes.envelope import Complaint
from providerswitch.probes.exchange import Finding, ProbeRequest, Question, Reply
from providerswitch.probes.openai_dialect import bearer, generate, list_models
from providerswitch.probes.provider_type import ProviderType

GREETING: Final = b"Ollama is running"


def unbilled_probe(question: Question) -> ProbeRequest:
    """Ask for the version, or with a key for the list of models."""
    if question.key is None:
        return ProbeRequest("GET", "/api/version", bearer(question))
    return list_models(question, "/v1/models")


def generation_probe(question: Question) -> ProbeRequest:
    """Ask for a few tokens. It loads the model where it is not in memory, which takes its time."""
    return generate(question, None, root="/v1")


def classify_body(reply: Reply, _complaint: Complaint | None) -> Finding | None:
    """Read the plain text with which it greets at its root."""
    if reply.body.strip() == GREETING:
        return Finding(HealthClass.HEALTHY, f"HTTP {reply.status}")
    return None


OLLAMA: Final = ProviderType(ProviderTypeName.OLLAMA, unbilled_probe, generation_probe, classify_body)
