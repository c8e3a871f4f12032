"""Shadow mode: everything is decided, remembered and explained, and nothing is published. Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from providerswitch.api.status import PolicyStatus, ShadowStatus
from providerswitch.core.case import Decision

SHADOW: Final = "Shadow"
"""Reason of Ready while nothing is published and nothing is wrong; outcome of a switch that was only decided."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What consumers read in the published object.

    Attributes:
        provider: None where nothing is published, or nothing that can be read.
        revision: None in the same case.
    """

    provider: str | None = None
    revision: int | None = None


def tell_shadow(standing: Standing, before: PolicyStatus, now: datetime) -> ShadowStatus:
    """Return what a status says of shadow mode; `before` knows since when."""
    return ShadowStatus(
        since=before.shadow.since if before.shadow else now.replace(microsecond=0),
        published_provider=standing.provider,
        published_revision=standing.revision,
    )


def explain_shadow(shadow: ShadowStatus, active: str, decision: Decision) -> str:
    """Say who would serve, and what consumers are sent to instead."""
    return f'Shadow: would publish "{active}": {decision.why}. {_left(shadow)}; take out spec.dryRun to go live'


def _left(shadow: ShadowStatus) -> str:
    if shadow.published_provider is None:
        return "Nothing is published"
    revision = "" if shadow.published_revision is None else f" (revision {shadow.published_revision})"
    return f'Nothing is published: "{shadow.published_provider}"{revision} stays as it stands'
