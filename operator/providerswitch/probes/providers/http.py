"""Anything that answers HTTP: a status from 200 to 399 is health, as for the kubelet's own probes.

Redirects count as an answer and are not followed.
"""

from typing import Final

from providerswitch.api.health import HealthClass
from providerswitch.api.provider_types import ProviderTypeName
from providerswitch.probes.envelope import Complaint
from providerswitch.probes.exchange import Finding, ProbeRequest, Question, Reply
from providerswitch.probes.openai_dialect import bearer
from providerswitch.probes.provider_type import ProviderType

HEALTHY: Final = range(200, 400)


def unbilled_probe(question: Question) -> ProbeRequest:
    """Get the path that the policy names."""
    return ProbeRequest("GET", question.path or "/", bearer(question))


def classify_body(reply: Reply, _complaint: Complaint | None) -> Finding | None:
    """Believe the status of a good answer; others are read as everybody's."""
    return Finding(HealthClass.HEALTHY, f"HTTP {reply.status}") if reply.status in HEALTHY else None


HTTP: Final = ProviderType(ProviderTypeName.HTTP, unbilled_probe, None, classify_body)
