"""OpenAI.

New models refuse `max_tokens` and want `max_completion_tokens`. Source: OpenAI API reference and error codes guide,
read 2026-11.
"""

from typing import Final

from providerswitch.api.health import HealthClass
from providerswitch.api.provider_types import ProviderTypeName
from providerswitch.probes.exchange import ProbeRequest, Question
from providerswitch.probes.openai_dialect import generate, list_models
from providerswitch.probes.provider_codes import by_code
from providerswitch.probes.provider_type import ProviderType

CHEAPEST_MODEL: Final = "gpt-4.1-nano"

CODES: Final = {
    "insufficient_quota": HealthClass.QUOTA_EXHAUSTED,
    "credit_balance_exhausted": HealthClass.QUOTA_EXHAUSTED,
    "organization_usage_limit_exceeded": HealthClass.QUOTA_EXHAUSTED,
    "organization_spend_limit_exceeded": HealthClass.QUOTA_EXHAUSTED,
    "project_spend_limit_exceeded": HealthClass.QUOTA_EXHAUSTED,
    "unsupported_country_region_territory": HealthClass.REGION_BLOCKED,
    "model_not_found": HealthClass.MODEL_UNAVAILABLE,
    "server_is_overloaded": HealthClass.OVERLOADED,
    "invalid_api_key": HealthClass.AUTH_INVALID,
}
"""Of the 429s only the code tells an empty account from a rate limit: their type is the same."""


def generation_probe(question: Question) -> ProbeRequest:
    """Ask for a few tokens."""
    return generate(question, CHEAPEST_MODEL, limit="max_completion_tokens")


OPENAI: Final = ProviderType(ProviderTypeName.OPENAI, list_models, generation_probe, by_code(CODES))
