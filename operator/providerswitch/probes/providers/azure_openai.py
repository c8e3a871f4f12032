"""Azure OpenAI.

`model` is the name of a deployment. The list of models needs a valid key; it lists what the region offers, not the
deployments. Source: Azure OpenAI REST API reference (data plane), read 2026-11.
"""

from typing import Final

from providerswitch.api.health import HealthClass
from providerswitch.api.provider_types import ProviderTypeName
from providerswitch.probes.exchange import ProbeRequest, Question
from providerswitch.probes.openai_dialect import PROMPT, TOKENS, post
from providerswitch.probes.provider_codes import by_code
from providerswitch.probes.provider_type import ProviderType

API_VERSION: Final = "2024-10-21"
DEFAULT_DEPLOYMENT: Final = "gpt-4o-mini"

CODES: Final = {
    "deployment_not_found": HealthClass.MODEL_UNAVAILABLE,
    "operation_not_supported": HealthClass.MODEL_UNAVAILABLE,
    "permission_denied": HealthClass.PERMISSION_DENIED,
    "rate_limit_reached": HealthClass.RATE_LIMITED,
}


def _headers(question: Question) -> dict[str, str]:
    key = {} if question.key is None else {"api-key": question.key.reveal()}
    return {**question.headers, **key}


def unbilled_probe(question: Question) -> ProbeRequest:
    """List models: needs a valid key and costs nothing."""
    return ProbeRequest("GET", f"/openai/models?api-version={API_VERSION}", _headers(question))


def generation_probe(question: Question) -> ProbeRequest:
    """Ask a deployment for a few tokens, or for one vector where its name says that it embeds."""
    deployment = question.model or DEFAULT_DEPLOYMENT
    if "embed" in deployment.lower():
        return post("/openai/v1/embeddings", {"model": deployment, "input": PROMPT}, _headers(question))
    messages = [{"role": "user", "content": PROMPT}]
    body = {"model": deployment, "messages": messages, "max_completion_tokens": TOKENS}
    return post("/openai/v1/chat/completions", body, _headers(question))


AZURE_OPENAI: Final = ProviderType(ProviderTypeName.AZURE_OPENAI, unbilled_probe, generation_probe, by_code(CODES))
