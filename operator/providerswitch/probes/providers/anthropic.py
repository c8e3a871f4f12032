"""Anthropic Messages API.

The body decides before the status: an empty account answers 400, and a country is refused with a 403 that does not
say so. Source: Anthropic API reference (Errors, Models, Messages), read 2026-11.
"""

from typing import Final

from providerswitch.api.health import HealthClass
from providerswitch.api.provider_types import ProviderTypeName
from providerswitch.probes.envelope import Complaint
from providerswitch.probes.exchange import Finding, ProbeRequest, Question, Reply
from providerswitch.probes.openai_dialect import PROMPT, TOKENS, post
from providerswitch.probes.provider_codes import by_code
from providerswitch.probes.provider_type import ProviderType

API_VERSION: Final = "2023-06-01"
CHEAPEST_MODEL: Final = "claude-haiku-4-5"
OTHER_COUNTRY: Final = "request not allowed"

CODES: Final = {
    "billing_error": HealthClass.QUOTA_EXHAUSTED,
    "overloaded_error": HealthClass.OVERLOADED,
    "authentication_error": HealthClass.AUTH_INVALID,
    "permission_error": HealthClass.PERMISSION_DENIED,
    "rate_limit_error": HealthClass.RATE_LIMITED,
    "timeout_error": HealthClass.TIMEOUT,
    "request_too_large": HealthClass.PROBE_REQUEST_INVALID,
}
_by_code = by_code(CODES)


def _headers(question: Question) -> dict[str, str]:
    key = {} if question.key is None else {"x-api-key": question.key.reveal()}
    return {**question.headers, **key, "anthropic-version": API_VERSION}


def unbilled_probe(question: Question) -> ProbeRequest:
    """List models: needs a valid key and costs nothing."""
    return ProbeRequest("GET", "/v1/models", _headers(question))


def generation_probe(question: Question) -> ProbeRequest:
    """Ask for a few tokens."""
    messages = [{"role": "user", "content": PROMPT}]
    body = {"model": question.model or CHEAPEST_MODEL, "max_tokens": TOKENS, "messages": messages}
    return post("/v1/messages", body, _headers(question))


def classify_body(reply: Reply, complaint: Complaint | None) -> Finding | None:
    """Read an Anthropic error body."""
    if complaint is None:
        return None
    if "forbidden" in complaint.words and any(OTHER_COUNTRY in text.lower() for text in complaint.texts):
        return Finding(HealthClass.REGION_BLOCKED, f"HTTP {reply.status}: refused, as it is done to other countries")
    return _by_code(reply, complaint)


ANTHROPIC: Final = ProviderType(ProviderTypeName.ANTHROPIC, unbilled_probe, generation_probe, classify_body)
