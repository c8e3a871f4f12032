"""Google Gemini API.

The status word is vague (INVALID_ARGUMENT for a bad key, RESOURCE_EXHAUSTED for a full minute and an empty account
alike); the reason among the details and the sentence decide. Source: Gemini API reference and troubleshooting guide,
read 2026-11.
"""

from typing import Final
from urllib.parse import quote

from providerswitch.api.health import HealthClass
from providerswitch.api.provider_types import Capability, ProviderTypeName, purpose_of
from providerswitch.probes.exchange import ProbeRequest, Question
from providerswitch.probes.openai_dialect import PROMPT, TOKENS, post
from providerswitch.probes.provider_codes import by_code
from providerswitch.probes.provider_type import ProviderType

CHEAPEST_MODEL: Final = "gemini-2.5-flash-lite"

REASONS: Final = {
    "api_key_invalid": HealthClass.AUTH_INVALID,
    "api_key_expired": HealthClass.AUTH_INVALID,
    "consumer_suspended": HealthClass.AUTH_INVALID,
    "access_token_expired": HealthClass.AUTH_INVALID,
    "service_disabled": HealthClass.PERMISSION_DENIED,
    "api_key_service_blocked": HealthClass.PERMISSION_DENIED,
    "billing_disabled": HealthClass.QUOTA_EXHAUSTED,
}
"""`reason` of google.rpc.ErrorInfo."""


def _headers(question: Question) -> dict[str, str]:
    key = {} if question.key is None else {"x-goog-api-key": question.key.reveal()}
    return {**question.headers, **key}


def unbilled_probe(question: Question) -> ProbeRequest:
    """List models, one of them: needs a valid key and costs nothing."""
    return ProbeRequest("GET", "/v1beta/models?pageSize=1", _headers(question))


def generation_probe(question: Question) -> ProbeRequest:
    """Ask for a few tokens, or for one vector where the model embeds."""
    model = (question.model or CHEAPEST_MODEL).removeprefix("models/")
    content = {"parts": [{"text": PROMPT}]}
    path = f"/v1beta/models/{quote(model, safe='')}"
    if Capability.EMBEDDINGS in purpose_of(model):
        return post(f"{path}:embedContent", {"content": content}, _headers(question))
    body = {"contents": [content], "generationConfig": {"maxOutputTokens": TOKENS}}
    return post(f"{path}:generateContent", body, _headers(question))


GOOGLE: Final = ProviderType(ProviderTypeName.GOOGLE, unbilled_probe, generation_probe, by_code(REASONS))
