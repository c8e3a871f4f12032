"""What the demo sees, through the API server and from the consumer: never what it hopes for."""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from providerswitch.api.drill import DrillStatus
from providerswitch.api.status import Condition, HealthState, PolicyStatus, ProviderStatus
from providerswitch.kube.client import Object
from providerswitch.kube.objects import key_of

EVENTS_KEPT = 200
EMPTY = PolicyStatus()


@dataclass(frozen=True, slots=True)
class SeenPolicy:
    """A policy as last read from the API server."""

    primary: str
    generation: int
    status: PolicyStatus

    def provider(self, name: str) -> ProviderStatus | None:
        """Return what the status says of a provider, or None."""
        return next((entry for entry in self.status.providers if entry.name == name), None)

    def condition(self, kind: str) -> Condition | None:
        """Return a condition, or None."""
        return next((entry for entry in self.status.conditions if entry.type == kind), None)


@dataclass(frozen=True, slots=True)
class SeenEvent:
    """A Kubernetes Event about a policy.

    Attributes:
        at: `time.monotonic()` when it arrived.
    """

    at: float
    policy: str
    type: str
    reason: str
    note: str


@dataclass(slots=True)
class Calls:
    """How the consumer fares.

    Attributes:
        served: good calls by the `server` header of the answer.
        longest_outage: seconds from the first failed call to the next good one, the worst case so far.
    """

    good: int = 0
    failed: int = 0
    served: Counter[str] = field(default_factory=Counter)
    last_server: str = ""
    last_failure: str = ""
    longest_outage: float = 0.0
    failing_since: float | None = None

    @property
    def success_rate(self) -> float:
        """Share of good calls, 0..1."""
        total = self.good + self.failed
        return self.good / total if total else 0.0

    def take(self, line: Mapping[str, object]) -> None:
        """Count one line of the consumer."""
        at = float(str(line["at"]))
        if line["ok"]:
            self._succeeded(str(line["server"]), at)
            return
        self.failed += 1
        self.last_failure = f"{line['provider']}: {line.get('error') or 'HTTP ' + str(line.get('status'))}"
        self.failing_since = at if self.failing_since is None else self.failing_since

    def _succeeded(self, server: str, at: float) -> None:
        self.good += 1
        self.served[server] += 1
        self.last_server = server
        if self.failing_since is not None:
            self.longest_outage = max(self.longest_outage, at - self.failing_since)
            self.failing_since = None


@dataclass(slots=True)
class World:
    """Everything seen so far.

    Attributes:
        published: data of the published ConfigMaps, by policy.
        blank_publications: ConfigMaps seen that named no provider or no address.
        drills: by name, as last seen.
        events: newest last.
        on_event: told each Event.
    """

    policies: dict[str, SeenPolicy] = field(default_factory=dict)
    published: dict[str, Mapping[str, str]] = field(default_factory=dict)
    drills: dict[str, DrillStatus] = field(default_factory=dict)
    events: deque[SeenEvent] = field(default_factory=lambda: deque(maxlen=EVENTS_KEPT))
    blank_publications: int = 0
    calls: Calls = field(default_factory=Calls)
    on_event: Callable[[SeenEvent], None] = lambda _: None
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def policy(self, name: str) -> SeenPolicy:
        """Return a policy; an empty one before it was seen."""
        return self.policies.get(name) or SeenPolicy("", 0, EMPTY)

    def take_policy(self, obj: Object) -> None:
        """Read a policy from the API server."""
        status = PolicyStatus.model_validate(obj.get("status") or {})
        seen = SeenPolicy(obj["spec"]["primary"], obj["metadata"]["generation"], status)
        self.policies[key_of(obj).name] = seen
        self.ring()

    def take_drill(self, obj: Object) -> None:
        """Read a drill from the API server."""
        self.drills[key_of(obj).name] = DrillStatus.model_validate(obj.get("status") or {})
        self.ring()

    def take_published(self, policy: str, obj: Object) -> None:
        """Read a published ConfigMap."""
        data = obj.get("data") or {}
        self.blank_publications += not (data.get("LLM_PROVIDER") and data.get("LLM_BASE_URL"))
        self.published[policy] = data
        self.ring()

    def take_event(self, obj: Object) -> None:
        """Read an Event."""
        words = [obj.get(key, "") for key in ("type", "reason", "note")]
        seen = SeenEvent(time.monotonic(), obj.get("regarding", {}).get("name", ""), *words)
        self.events.append(seen)
        self.on_event(seen)
        self.ring()

    def take_call(self, line: Mapping[str, object]) -> None:
        """Read a line of the consumer."""
        self.calls.take(line)
        self.ring()

    def ring(self) -> None:
        """Wake whoever waits for a change."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def change(self, within: float) -> bool:
        """Wait until something changes; False when nothing did within that many seconds."""
        try:
            await asyncio.wait_for(self._changed.wait(), max(0.0, within))
        except TimeoutError:
            return False
        return True


def describe(world: World, policy: str) -> str:
    """Say in one line what is seen of a policy, for a reader who expected something else."""
    seen = world.policy(policy)
    ready = seen.condition("Ready")
    states = ", ".join(_state(entry) for entry in seen.status.providers) or "no provider states"
    published = world.published.get(policy, {}).get("LLM_PROVIDER", "nothing")
    said = f"Ready={ready.status} {ready.reason}: {ready.message}" if ready else "no conditions"
    return (
        f"{policy}: primary {seen.primary or '?'}, active {seen.status.active_provider or 'none'}, published "
        f"{published}; {states}; {said}; consumer served by {world.calls.last_server or 'nobody'}"
    )


def _state(entry: ProviderStatus) -> str:
    cause = "" if entry.state is HealthState.HEALTHY else f" ({entry.health_class})"
    return f"{entry.name} {entry.state}{cause}"
