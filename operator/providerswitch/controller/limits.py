"""Who has a place in each namespace, kept up to date while policies come, change and go."""

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import takewhile

from providerswitch.api.status import ConditionType, PolicyStatus
from providerswitch.core.limits import Claim, Limits, Places, age_of, allot, explain_refusal
from providerswitch.core.narrate import condition
from providerswitch.core.report import LIMIT_EXCEEDED, SPEC_INVALID, Problem
from providerswitch.kube.client import Object
from providerswitch.kube.objects import ObjectKey, key_of


def providers_of(obj: Object) -> int:
    """Return how many providers a policy lists."""
    return len((obj.get("spec") or {}).get("providers") or ())


def claim_of(obj: Object, status: PolicyStatus) -> Claim:
    """Return what a policy asks for, and what it held when its status was written."""
    listed, found = providers_of(obj), obj["metadata"]
    ready = condition(status, ConditionType.READY)
    refused = ready is not None and ready.reason in {LIMIT_EXCEEDED, SPEC_INVALID}
    whole = not refused and status.observed_generation == found["generation"]
    held = listed if whole else min(listed, len(status.providers))
    return Claim(found["name"], str(found.get("creationTimestamp", "")), listed, held)


@dataclass(slots=True)
class _Space:
    """One namespace.

    Attributes:
        refused: each sentence is that of the moment of the refusal; else each newcomer would change the status of all.
        queue: the refused by age. It is kept in order, because a namespace with thousands of them may be deleted.
    """

    name: str
    limits: Limits
    places: Places = field(init=False)
    claims: dict[str, Claim] = field(default_factory=dict)
    refused: dict[str, Problem] = field(default_factory=dict)
    queue: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.places = Places(self.limits)

    def begin(self, claims: Iterable[Claim]) -> None:
        """Decide for all at once, those that came since included; a refusal that stands keeps its words."""
        former, words = self.claims, self.refused
        known = {name: replace(claim, granted=self.places.grants.get(name, 0)) for name, claim in former.items()}
        self.claims, self.refused, self.queue = {**known, **{claim.name: claim for claim in claims}}, {}, []
        self.places = allot(self.claims.values(), self.limits)
        for claim in self.claims.values():
            before = former.get(claim.name)
            same = before is not None and before.providers == claim.providers
            self._note(claim, words.get(claim.name) if same else None)

    def meet(self, claim: Claim) -> None:
        """Decide about a policy that was not known; it concerns no other."""
        self.claims[claim.name] = claim
        self.places.keep(claim)
        self.places.offer(claim)
        self._note(claim)

    def resize(self, name: str, providers: int) -> list[str]:
        """Decide about a policy that lists another number of providers now; return who else comes in by it."""
        before, held = self.claims[name], self.places.grants.get(name, 0)
        if before.providers == providers:
            return []
        claim = self.claims[name] = replace(before, providers=providers)
        self.places.offer(claim)
        self._clear(before)
        self._note(claim)
        return self._fill() if providers < held else []

    def leave(self, name: str) -> list[str]:
        """Forget a policy; return who comes in by it."""
        if claim := self.claims.pop(name, None):
            self._clear(claim)
        return self._fill() if self.places.leave(name) else []

    def _fill(self) -> list[str]:
        came_in = [name for name in self._next_in() if self.places.offer(self.claims[name])]
        for name in came_in:
            self._clear(self.claims[name])
        return came_in

    def _next_in(self) -> Iterator[str]:
        """Yield who may grow, then who may come in, for as long as there is any room."""
        grown = [name for name in self.places.grants if name in self.refused]
        yield from sorted(grown, key=lambda name: age_of(self.claims[name]))
        yield from takewhile(lambda _: not self.places.full, (name for _, name in self.queue))

    def _note(self, claim: Claim, words: Problem | None = None) -> None:
        if self.places.grants.get(claim.name) != claim.providers:
            self.refused[claim.name] = words or explain_refusal(claim, self.name, len(self.claims), self.places)
            insort(self.queue, age_of(claim))

    def _clear(self, claim: Claim) -> None:
        if self.refused.pop(claim.name, None):
            del self.queue[bisect_left(self.queue, age_of(claim))]


class Admission:
    """The places of all namespaces."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._spaces: dict[str, _Space] = {}

    def begin(self, policies: Iterable[tuple[Object, PolicyStatus]]) -> None:
        """Decide anew for all policies of all namespaces, from what each held when its status was written."""
        claims: dict[str, list[Claim]] = defaultdict(list)
        for obj, status in policies:
            claims[key_of(obj).namespace].append(claim_of(obj, status))
        for namespace in self._spaces.keys() | claims.keys():
            self._space(namespace).begin(claims.get(namespace, []))

    def meet(self, obj: Object, status: PolicyStatus) -> None:
        """Decide about a policy, unless it is known already."""
        key = key_of(obj)
        if key.name not in self._space(key.namespace).claims:
            self._space(key.namespace).meet(claim_of(obj, status))

    def resize(self, key: ObjectKey, providers: int) -> list[ObjectKey]:
        """Decide about a policy that may list more or fewer providers than before; return who else comes in by it."""
        came_in = self._space(key.namespace).resize(key.name, providers)
        return [ObjectKey(key.namespace, name) for name in came_in]

    def leave(self, key: ObjectKey) -> list[ObjectKey]:
        """Forget a policy; return who comes in by it."""
        space = self._space(key.namespace)
        came_in = space.leave(key.name)
        if not space.claims:
            del self._spaces[key.namespace]
        return [ObjectKey(key.namespace, name) for name in came_in]

    def refusal(self, key: ObjectKey) -> Problem | None:
        """Return why a policy has no place, or no larger one; None where it has all it asks for."""
        space = self._spaces.get(key.namespace)
        return space.refused.get(key.name) if space else None

    def holds(self, key: ObjectKey) -> bool:
        """Tell whether a policy has a place, be it too small."""
        space = self._spaces.get(key.namespace)
        return space is not None and key.name in space.places.grants

    def over(self) -> Mapping[str, int]:
        """Return how many policies of each namespace are refused, those namespaces left out where none is."""
        return {name: len(space.refused) for name, space in self._spaces.items() if space.refused}

    def _space(self, namespace: str) -> _Space:
        if namespace not in self._spaces:
            self._spaces[namespace] = _Space(namespace, self._limits)
        return self._spaces[namespace]
