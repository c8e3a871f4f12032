"""A probe target: what is asked. Policies that share all of it share its probes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from urllib.parse import urlsplit

from providerswitch.api.provider_types import ProviderTypeName
from providerswitch.core.drill import PlayedFault
from providerswitch.probes.exchange import Question, SecretKey


@dataclass(frozen=True, slots=True)
class ProbeTarget:
    """One thing to probe. Equal targets are the same target; another key is another target.

    Attributes:
        base_url: the type's native base URL.
        key: None checks liveness only.
        headers: extra headers, sorted pairs.
        timeout: how long an answer may take. Who gives up early calls it a silence where others still wait, so each
            timeout has probes of its own.
        host: failure domain that a freeze counts; by default host and port of the URL.
        drill: what is played to whoever probes this target, which is then one of its own; None asks the provider.
    """

    type: ProviderTypeName
    base_url: str
    key: SecretKey | None = None
    model: str | None = None
    path: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    failure_domain: str | None = None
    timeout: timedelta | None = None
    drill: PlayedFault | None = None

    @property
    def real(self) -> "ProbeTarget":
        """The same without what is played."""
        return replace(self, drill=None) if self.drill else self

    @property
    def host(self) -> str:
        """Name of what fails as one."""
        return self.failure_domain or urlsplit(self.base_url).netloc

    @property
    def question(self) -> Question:
        """What the provider type needs to know."""
        headers: Mapping[str, str] = dict(self.headers)
        return Question(self.key, self.model, self.path, headers)


@dataclass(frozen=True, slots=True)
class Cadence:
    """How often, and how hard, a target is probed.

    Attributes:
        failure_threshold: probes after a first failure keep the fast interval until this many have failed.
        generation_interval: between billed probes; None makes none.
    """

    interval: timedelta
    fast_interval: timedelta
    timeout: timedelta
    failure_threshold: int
    generation_interval: timedelta | None = None


def shared_cadence(wishes: tuple[Cadence, ...]) -> Cadence:
    """Return the cadence that satisfies every policy that shares a target: the quickest of each. Not for no wishes."""
    generations = [wish.generation_interval for wish in wishes if wish.generation_interval]
    return Cadence(
        interval=min(wish.interval for wish in wishes),
        fast_interval=min(wish.fast_interval for wish in wishes),
        timeout=min(wish.timeout for wish in wishes),
        failure_threshold=max(wish.failure_threshold for wish in wishes),
        generation_interval=min(generations) if generations else None,
    )
