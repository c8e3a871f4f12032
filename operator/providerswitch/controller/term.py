"""The time in which this replica leads: what begins with it, and what ends with it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from providerswitch.api.errors import ApiServerError
from providerswitch.controller.children import SELECTOR, Children
from providerswitch.controller.drills import Drills
from providerswitch.controller.metrics import Metrics
from providerswitch.controller.overrides import Overrides
from providerswitch.controller.reconciler import Reconciler
from providerswitch.controller.registry import Registry
from providerswitch.controller.stocktaking import insist
from providerswitch.kube.client import KubeClient, Object
from providerswitch.kube.objects import NOT_FOUND, OVERRIDES, POLICIES, key_of, list_all

RETRY_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True)
class Term:
    """What happens to the policies when this replica begins to lead, or no longer does.

    Attributes:
        take_in: gets each policy as the watch of policies would tell it.
        look_soon: asks for a comparison of the policies that are served with those that exist.
        begun: is called once this replica leads.
    """

    client: KubeClient
    namespaces: tuple[str, ...]
    registry: Registry
    reconciler: Reconciler
    children: Children
    overrides: Overrides
    drills: Drills
    metrics: Metrics
    take_in: Callable[[str, Object], None]
    look_soon: asyncio.Event
    begun: Callable[[], None] = lambda: None

    async def begin(self) -> None:
        """Take over from what the former leader wrote last, and go to work.

        The watches may be a moment behind what it wrote last, so everything is read once more.
        """
        await insist(self._look_again, "what is published cannot be read", RETRY_SECONDS)
        self.metrics.leader.set(1)
        self.overrides.lead()
        self.reconciler.lead(self.registry)
        self.look_soon.set()
        self.begun()
        self.drills.lead("LeaderChanged")

    async def _look_again(self) -> None:
        scopes: tuple[str | None, ...] = self.namespaces or (None,)
        policies = []
        for scope in scopes:
            for kind, resource in self.children.resources.items():
                listener = self.children.listener(kind, scope)
                async for obj in list_all(self.client, resource, scope, selector=SELECTOR):
                    listener.changed(obj)
            await self._read_overrides(scope)
            async for policy in list_all(self.client, POLICIES, scope):
                self._take_over(policy)
                policies.append(policy)
        self.registry.allot(policy for policy in policies if self._is_served(policy))

    async def _read_overrides(self, scope: str | None) -> None:
        try:
            async for obj in list_all(self.client, OVERRIDES, scope):
                self.overrides.see(obj)
        except ApiServerError as error:
            if error.status != NOT_FOUND:  # their CRD is not installed
                raise

    def _take_over(self, policy: Object) -> None:
        self.take_in("MODIFIED", policy)
        former = self.registry.get(key_of(policy))
        if former:
            self.reconciler.stop(former)
        self.registry.take_over(policy)

    def _is_served(self, policy: Object) -> bool:
        """Tell whether a policy is not deleted meanwhile: a place that it got now would never be free again."""
        entry = self.registry.get(key_of(policy))
        return entry is not None and entry.uid == policy["metadata"]["uid"]

    def end(self) -> None:
        """Leave the policies to whoever leads now, and go on probing."""
        self.drills.follow()
        self.metrics.leader.set(0)
        self.overrides.follow()
        self.reconciler.follow(self.registry)
        for entry in self.registry:
            self.metrics.forget(entry.key)
