"""The small interface behind which each provider type stands: data and pure functions, no I/O."""

from collections.abc import Callable
from dataclasses import dataclass

from providerswitch.api.provider_types import ProviderTypeName
from providerswitch.probes.envelope import Complaint
from providerswitch.probes.exchange import Finding, ProbeRequest, Question, Reply


@dataclass(frozen=True, slots=True)
class ProviderType:
    """How to ask one type of provider, and how its answers read.

    Attributes:
        unbilled_probe: builds the request that costs nothing.
        generation_probe: builds the smallest billed request, or None where the type generates nothing.
        classify_body: reads any answer and what it complains about, None where that is nothing; returns None to leave
            the decision to the shared rules. Must never raise, whatever the bytes are.
    """

    name: ProviderTypeName
    unbilled_probe: Callable[[Question], ProbeRequest]
    generation_probe: Callable[[Question], ProbeRequest] | None
    classify_body: Callable[[Reply, Complaint | None], Finding | None]
