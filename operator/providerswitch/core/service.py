"""Keep the tracks of a policy: how long each provider, and the policy as its consumers saw it, could serve. Pure."""

from dataclasses import replace

from providerswitch.api.status import HealthState
from providerswitch.core.case import Case
from providerswitch.core.health import ProviderHealth
from providerswitch.core.memory import Memory
from providerswitch.core.resilience import Track, look


def watch_providers(memory: Memory, case: Case) -> Memory:
    """Return the memory after one more look at every candidate."""
    healths = {name: case.real_health(name) for name in case.order}
    tracks = {
        name: _look(memory.tracks.get(name, Track()), case, health, up=health.may_stay)
        for name, health in healths.items()
    }
    return replace(memory, tracks=tracks)


def watch_consumers(memory: Memory, case: Case) -> Memory:
    """Return the memory after one more look at what consumers are sent to; to be asked before and after a switch.

    A last resort that answers serves them, though it is not trusted yet.
    """
    if memory.active is None:
        return memory
    health = case.real_health(memory.active)
    up = health.may_stay or health.successes > 0
    return replace(memory, observed=_look(memory.observed, case, health, up=up))


def rest_consumers(memory: Memory, case: Case) -> Memory:
    """Return the memory after a look in shadow mode: what consumers are sent to was not chosen here."""
    return replace(memory, observed=look(memory.observed, now=case.now, up=None))


def _look(track: Track, case: Case, health: ProviderHealth, *, up: bool) -> Track:
    """While our own network is at fault, nobody knows whether others could be served."""
    unknown = case.frozen is not None or health.state is HealthState.UNKNOWN
    return look(track, now=case.now, up=None if unknown else up, since=health.first_failure_at)
