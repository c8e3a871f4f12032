"""How much of the operator one namespace may take, and who is refused where that is not enough. Pure.

Who has a place keeps it: neither a newcomer nor a policy that grows ever pushes out one that works. Free places go to
the oldest that fits. What a policy holds is told by its status, so that a restart decides the same again.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from providerswitch.core.report import LIMIT_EXCEEDED, Problem

POLICIES_FLAG: Final = "--max-policies-per-namespace"
PROVIDERS_FLAG: Final = "--max-providers-per-namespace"


@dataclass(frozen=True, slots=True)
class Limits:
    """What the policies of one namespace may have together; 0 is no limit.

    Attributes:
        providers: entries of `spec.providers`, one that is shared with another policy counted again.
    """

    policies: int = 0
    providers: int = 0


@dataclass(frozen=True, slots=True)
class Claim:
    """What one policy asks for.

    Attributes:
        created_at: RFC 3339, UTC, as the API server writes it; such texts sort by time.
        providers: how many it lists.
        granted: how many it holds already; 0 for one that has no place.
    """

    name: str
    created_at: str
    providers: int
    granted: int = 0


def age_of(claim: Claim) -> tuple[str, str]:
    """Return what claims are sorted by, the oldest first."""
    return (claim.created_at, claim.name)


@dataclass(slots=True)
class Places:
    """The places of one namespace.

    Attributes:
        grants: how many providers each policy may have, by name. One that lists more has grown over the limit; one that
            is not here has no place.
        providers: sum of the grants.
    """

    limits: Limits
    grants: dict[str, int] = field(default_factory=dict)
    providers: int = 0

    def keep(self, claim: Claim) -> None:
        """Let a policy have what it holds already, or less where it lists less by now."""
        held = min(claim.granted, claim.providers)
        if held and self._fits(claim.name, held):
            self._give(claim.name, held)

    def offer(self, claim: Claim) -> bool:
        """Let a policy have all it lists, if that fits; tell whether it does."""
        fits = self._fits(claim.name, claim.providers)
        if fits:
            self._give(claim.name, claim.providers)
        return fits

    def leave(self, name: str) -> bool:
        """Take back the place of a policy; tell whether it had one."""
        held = self.grants.pop(name, None)
        self.providers -= held or 0
        return held is not None

    @property
    def full(self) -> bool:
        """Whether there is no room for one more policy, however small."""
        return not self.has_room(policies=1) or not self.has_room(providers=1)

    def has_room(self, *, policies: int = 0, providers: int = 0) -> bool:
        """Tell whether so many more would fit."""
        fits = _within(len(self.grants) + policies, self.limits.policies)
        return fits and _within(self.providers + providers, self.limits.providers)

    def _fits(self, name: str, providers: int) -> bool:
        more = providers - self.grants.get(name, 0)
        return self.has_room(policies=int(name not in self.grants), providers=more)

    def _give(self, name: str, providers: int) -> None:
        self.providers += providers - self.grants.get(name, 0)
        self.grants[name] = providers


def _within(number: int, limit: int) -> bool:
    return not limit or number <= limit


def allot(claims: Iterable[Claim], limits: Limits) -> Places:
    """Return who has a place: those that had one keep it, then those that grow are served, then newcomers.

    In each step the oldest come first; one that is too large for what is left lets a younger one pass.
    """
    ordered, places = sorted(claims, key=age_of), Places(limits)
    for claim in ordered:
        places.keep(claim)
    holders = frozenset(places.grants)
    for claim in sorted(ordered, key=lambda claim: claim.name not in holders):
        places.offer(claim)
    return places


def explain_refusal(claim: Claim, namespace: str, policies: int, places: Places) -> Problem:
    """Say which limit a policy is over, and what to do; `policies` is how many its namespace has, served or not."""
    held = places.grants.get(claim.name, 0)
    if not held and not places.has_room(policies=1):
        found = (
            f'"{namespace}" has {policies} policies, and the operator serves {places.limits.policies} in a namespace'
        )
        return Problem(LIMIT_EXCEEDED, f"{found} ({POLICIES_FLAG}). {_advice('a policy', held)}")
    found = (
        f'The policy lists {claim.providers} providers, the others in "{namespace}" hold {places.providers - held}, '
        f"and the operator serves {places.limits.providers} in a namespace"
    )
    return Problem(LIMIT_EXCEEDED, f"{found} ({PROVIDERS_FLAG}). {_advice('providers', held)}")


def _advice(what: str, held: int) -> str:
    meanwhile = (
        f"Until then its former spec with {held} providers is served, and after a restart of the operator what it last "
        "published stays without being watched."
        if held
        else "Until then this policy is not served: nothing is probed for it, and what it last published stays."
    )
    return f"Remove {what} from the namespace, or ask the administrator of the operator for a higher limit. {meanwhile}"
