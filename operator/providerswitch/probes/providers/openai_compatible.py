"""Whatever else speaks OpenAI's API: gateways, routers, and providers without a type of their own.

Nothing is known about their errors but the vocabulary that all share. They are asked with `max_tokens`, which older
servers know and newer ones still take.
"""

from typing import Final

from providerswitch.api.provider_types import ProviderTypeName
from providerswitch.probes.envelope import Complaint
from providerswitch.probes.exchange import Finding, ProbeRequest, Question, Reply
from providerswitch.probes.openai_dialect import generate, list_models
from providerswitch.probes.provider_type import ProviderType


def generation_probe(question: Question) -> ProbeRequest:
    """Ask for a few tokens. Without a model in the policy the server takes its own, or says that it has none."""
    return generate(question, None)


def classify_body(_reply: Reply, _complaint: Complaint | None) -> Finding | None:
    """Leave it to the vocabulary that all share."""
    return None


OPENAI_COMPATIBLE: Final = ProviderType(
    ProviderTypeName.OPENAI_COMPATIBLE, list_models, generation_probe, classify_body
)
