"""Jina AI: embeddings and reranking.

The list of models needs no key, so an unbilled probe proves liveness and nothing about the key: the API has no free
request that does. Every error has a code. Source: Jina API specification, read 2026-11.
"""

from typing import Final

from providerswitch.api.health import HealthClass
from providerswitch.api.provider_types import Capability, ProviderTypeName, purpose_of
from providerswitch.probes.exchange import ProbeRequest, Question
from providerswitch.probes.openai_dialect import PROMPT, bearer, list_models, post
from providerswitch.probes.provider_codes import by_code
from providerswitch.probes.provider_type import ProviderType

CHEAPEST_MODEL: Final = "jina-embeddings-v3"

CODES: Final = {
    "auth_invalid_api_key": HealthClass.AUTH_INVALID,
    "auth_missing_api_key": HealthClass.AUTH_INVALID,
    "auth_expired_api_key": HealthClass.AUTH_INVALID,
    "authz_insufficient_balance": HealthClass.QUOTA_EXHAUSTED,
    "authz_resource_limit_exceeded": HealthClass.QUOTA_EXHAUSTED,
    "input_model_not_found": HealthClass.MODEL_UNAVAILABLE,
    "rate_request_limit_exceeded": HealthClass.RATE_LIMITED,
    "rate_token_limit_exceeded": HealthClass.RATE_LIMITED,
    "rate_concurrency_limit_exceeded": HealthClass.RATE_LIMITED,
    "rate_ip_limit_exceeded": HealthClass.RATE_LIMITED,
    "service_timeout": HealthClass.TIMEOUT,
    "service_unavailable": HealthClass.SERVER_ERROR,
    "internal_error": HealthClass.SERVER_ERROR,
}


def generation_probe(question: Question) -> ProbeRequest:
    """Ask for one vector, or for the ranking of one document where the model reranks."""
    model = question.model or CHEAPEST_MODEL
    if Capability.RERANK in purpose_of(model):
        return post("/rerank", {"model": model, "query": PROMPT, "documents": [PROMPT]}, bearer(question))
    return post("/embeddings", {"model": model, "input": [PROMPT]}, bearer(question))


JINA: Final = ProviderType(ProviderTypeName.JINA, list_models, generation_probe, by_code(CODES))
