"""May a provider stand in for another at all? A switch must not silently change what consumers rely on.

What the primary is for is required without saying: the kind of model, the embedding space, the wire protocol. The rest
is required where the policy says so. What nobody has declared counts as missing, for vectors of two spaces cannot be
compared even at equal length, and a request that is too long fails only once it is sent.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from providerswitch.api.policy import PolicySpec, Protocol
from providerswitch.api.provider import Provider
from providerswitch.api.provider_types import FACTS, Capability
from providerswitch.api.selection import Requirements

KINDS: Final = (Capability.CHAT, Capability.COMPLETIONS, Capability.EMBEDDINGS, Capability.RERANK)
"""What a model is for; of several, the first is what a primary is taken to be for."""


@dataclass(frozen=True, slots=True)
class Space:
    """An embedding space.

    Attributes:
        name: None where nobody has said which it is.
        dimensions: None where nobody has said how long its vectors are.
    """

    name: str | None
    dimensions: int | None = None


@dataclass(frozen=True, slots=True)
class Standard:
    """What a provider must be to be chosen.

    Attributes:
        kind: what it is for, by the requirements or by the reference; None where nobody knows.
        space: the space of stored vectors; None where vectors do not matter.
        protocols: wire protocols that consumers speak; empty where every type is published through the same.
        reference: name of the provider that stood model; in what is only implied it fits itself.
        task: the task it is for, None for the policy itself; a task may have other models.
    """

    requirements: Requirements
    kind: Capability | None = None
    space: Space | None = None
    protocols: frozenset[str] = frozenset()
    reference: str = ""
    task: str | None = None


@dataclass(frozen=True, slots=True)
class Applicant:
    """A provider that is held against a standard.

    Attributes:
        quality: measured or declared, 0..1; None where nobody knows.
    """

    provider: Provider
    model: str | None
    abilities: frozenset[Capability] | None
    quality: float | None

    @property
    def space(self) -> Space:
        """The space of its vectors: named after the model where the policy does not say."""
        declared = self.provider.embedding
        return Space(declared.space, declared.dimensions) if declared else Space(self.model)


def apply_for(provider: Provider, task: str | None, quality: float | None = None) -> Applicant:
    """Return what a provider offers for a task, or for the policy itself."""
    model = provider.model_for(task)
    return Applicant(provider, model, provider.abilities_with(model), quality)


def set_standard(
    spec: PolicySpec, requirements: Requirements, reference: Provider | None, task: str | None = None
) -> Standard:
    """Return what a stand-in for `reference` must be; None stands for no model to go by."""
    if reference is None:
        return Standard(requirements, space=_required_space(requirements), task=task)
    model = apply_for(reference, task)
    asked = requirements.capabilities or model.abilities or ()
    kind = next((kind for kind in KINDS if kind in asked), None)
    embeds = kind is Capability.EMBEDDINGS or (kind is None and reference.embedding is not None)
    return Standard(
        requirements,
        kind,
        _required_space(requirements) or (model.space if embeds else None),
        _protocols(spec, requirements, reference),
        reference.name,
        task,
    )


def _required_space(requirements: Requirements) -> Space | None:
    wanted = requirements.embedding
    return Space(wanted.space, wanted.dimensions) if wanted else None


def _protocols(spec: PolicySpec, requirements: Requirements, reference: Provider) -> frozenset[str]:
    if spec.protocol is Protocol.OPENAI:
        return frozenset()
    return frozenset(requirements.protocols or (FACTS[reference.type].native_protocol,))


def find_misfit(applicant: Applicant, standard: Standard) -> str | None:
    """Return why a provider may not be chosen, and what would change that; None where it may."""
    answers = (check(applicant, standard) for check in CHECKS)
    return next((answer for answer in answers if answer), None)


def _lacks_a_capability(applicant: Applicant, standard: Standard) -> str | None:
    needed = dict.fromkeys((*((standard.kind,) if standard.kind else ()), *standard.requirements.capabilities))
    if applicant.abilities is None:
        return None
    missing = [capability for capability in needed if capability not in applicant.abilities]
    if not missing:
        return None
    return f"it cannot do {', '.join(missing)}, which is needed; if it can, say so in its capabilities"


def _has_another_space(applicant: Applicant, standard: Standard) -> str | None:
    wanted, own = standard.space, applicant.space
    if wanted is None or (applicant.provider.name == standard.reference and wanted == own):
        return None
    if wanted.name is None:
        return f'nobody knows the embedding space of "{standard.reference}"; set its model or embedding'
    if own.name != wanted.name:
        return f'its embedding space is {_named(own.name)}, not "{wanted.name}": stored vectors would be useless'
    if wanted.dimensions is not None and own.dimensions != wanted.dimensions:
        have = f"of {own.dimensions} dimensions" if own.dimensions else "of unknown length (set embedding.dimensions)"
        return f"its vectors are {have}, not of {wanted.dimensions}"
    return None


def _named(name: str | None) -> str:
    return f'"{name}"' if name else "unknown (set model or embedding)"


def _has_a_small_context(applicant: Applicant, standard: Standard) -> str | None:
    needed, own = standard.requirements.min_context_window, applicant.provider.context_window
    if needed is None or (own is not None and own >= needed):
        return None
    have = f"its context window of {own} tokens is too small" if own else "its contextWindow is not set"
    return f"{have}; {needed} are required"


def _is_elsewhere(applicant: Applicant, standard: Standard) -> str | None:
    allowed, own = standard.requirements.regions, applicant.provider.region
    if not allowed or own in allowed:
        return None
    where = f'its region is "{own}"' if own else "its region is not set"
    return f"{where}; allowed: {', '.join(allowed)}"


def _speaks_otherwise(applicant: Applicant, standard: Standard) -> str | None:
    own = FACTS[applicant.provider.type].native_protocol
    if not standard.protocols or own in standard.protocols:
        return None
    spoken = ", ".join(sorted(standard.protocols))
    return (
        f"it speaks the protocol {own}, consumers speak {spoken}; use protocol: openai, or list it in"
        " requirements.protocols if they can"
    )


def _is_weaker(applicant: Applicant, standard: Standard) -> str | None:
    least = standard.requirements.min_quality
    if least is None or (applicant.quality is not None and applicant.quality >= least):
        return None
    have = "its quality is not known" if applicant.quality is None else f"its quality is {applicant.quality:.2f}"
    return f"{have}; at least {least:.2f} is required"


CHECKS: Final[tuple[Callable[[Applicant, Standard], str | None], ...]] = (
    _lacks_a_capability,
    _has_another_space,
    _has_a_small_context,
    _is_elsewhere,
    _speaks_otherwise,
    _is_weaker,
)
"""What is looked at, the gravest first."""
