"""vLLM's OpenAI-compatible server.

`/health` asks the engine itself but no key; the list of models needs the key but answers without an engine. So the
key decides which is asked. Source: vLLM documentation (OpenAI-compatible server) and its api_server, read 2026-11.
"""

from typing import Final

from providerswitch.api.health import HealthClass
from providerswitch.api.provider_types import ProviderTypeName
from providerswitch.probes.envelope import Complaint
from providerswitch.probes.exchange import Finding, ProbeRequest, Question, Reply
from providerswitch.probes.openai_dialect import bearer, generate, list_models
from providerswitch.probes.provider_type import ProviderType

OK: Final = 200
UNAVAILABLE: Final = 503


def unbilled_probe(question: Question) -> ProbeRequest:
    """Ask for the engine's health, or with a key for the list of models."""
    if question.key is None:
        return ProbeRequest("GET", "/health", bearer(question))
    return list_models(question, "/v1/models")


def generation_probe(question: Question) -> ProbeRequest:
    """Ask for a few tokens; without a model the server takes the one it serves."""
    return generate(question, None, root="/v1")


def classify_body(reply: Reply, _complaint: Complaint | None) -> Finding | None:
    """Read `/health`, which answers with nothing but a status."""
    if reply.body.strip():
        return None
    if reply.status == OK:
        return Finding(HealthClass.HEALTHY, "HTTP 200: the engine is healthy")
    if reply.status == UNAVAILABLE:
        return Finding(HealthClass.SERVER_ERROR, "HTTP 503: the engine is dead")
    return None


VLLM: Final = ProviderType(ProviderTypeName.VLLM, unbilled_probe, generation_probe, classify_body)
