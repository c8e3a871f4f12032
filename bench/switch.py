"""How long a switch of the primary takes to reach a consumer, beside the least that any operator needs.

From the PATCH of `spec.primary` (before it is sent) until an independent watch shows the ConfigMap with the new
provider. Operator and floor take turns, each in a namespace of its own, first with one policy and then in a crowd.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from providerswitch.demo.fakes import FakeProvider
from providerswitch.kube.client import Object
from providerswitch.kube.objects import POLICIES, ObjectKey, path_of
from support.contestants import floor, operator
from support.figures import Figure, compare, percentile
from support.machine import find_versions, measure_machine
from support.measuring import perform
from support.progress import Progress
from support.results import Report
from support.stage import Manifest, Stage, build_policy, build_provider, open_stage
from support.watching import Seen, Sight, Standing, published, standings

OURS: Final = "bench-operator"
FLOOR: Final = "bench-floor"
SWITCHED: Final = "switched"
PROVIDERS: Final = ("first", "second")
MERGE: Final = "application/merge-patch+json"
WARM_UP: Final = 20
REST_SECONDS: Final = 0.05
"""Between two switches, so that none is measured while the other side still tidies up."""
CROWD_SECONDS: Final = 300.0
AIMS: Final = {50: 1.5, 99: 2.0}
"""Times the floor, at most, by percentile."""

Settled = Callable[[str, int], Awaitable[object]]


@dataclass(slots=True)
class Contestant:
    """One side.

    Attributes:
        settled: waits until all is done that follows a switch to a provider, in a generation of the policy.
        seconds: one for each switch.
        patch_seconds: of those, until the PATCH was answered; the operator is not involved yet.
    """

    namespace: str
    sight: Sight[str]
    settled: Settled
    seconds: list[float] = field(default_factory=list)
    patch_seconds: list[float] = field(default_factory=list)

    async def switch(self, stage: Stage, provider: str) -> None:
        """Switch once and note how long it took."""
        key = ObjectKey(self.namespace, SWITCHED)
        began = time.monotonic()
        patched = await _patch(stage, key, provider)
        self.patch_seconds.append(time.monotonic() - began)
        seen = await self.sight.shows(ObjectKey(self.namespace, f"{SWITCHED}-provider"), provider)
        self.seconds.append(seen - began)
        await self.settled(provider, patched["metadata"]["generation"])

    def forget(self) -> None:
        """Forget what was measured so far."""
        self.seconds.clear()
        self.patch_seconds.clear()


async def _patch(stage: Stage, key: ObjectKey, primary: str) -> Object:
    body = {"spec": {"primary": primary}}
    return await stage.client.request(
        "PATCH", path_of(POLICIES, key), what=f"switch {key}", body=body, content_type=MERGE
    )


async def nothing_follows(_provider: str, _generation: int) -> None:
    """The floor is done when the ConfigMap is there."""


def status_follows(sight: Sight[Standing]) -> Settled:
    """The operator reads back, tells an Event and writes the status, which comes last."""

    async def settled(provider: str, generation: int) -> None:
        key, wanted = ObjectKey(OURS, SWITCHED), (provider, generation)
        await sight.until(
            f"the status of {key}", lambda seen: (seen[key].value.active, seen[key].value.generation) == wanted, 10
        )

    return settled


@dataclass(frozen=True, slots=True)
class Arena:
    """Both sides at work.

    Attributes:
        standings: of the operator's policies.
    """

    stage: Stage
    ours: Contestant
    floor: Contestant
    standings: Sight[Standing]
    fake: FakeProvider

    async def measure(self, name: str, switches: int, progress: Progress) -> list[Figure]:
        """Take turns; whoever was first in one pair is second in the next."""
        for done in range(-WARM_UP, switches):
            if done == 0:
                self.ours.forget()
                self.floor.forget()
            pair = (self.ours, self.floor) if done % 2 else (self.floor, self.ours)
            for contestant in pair:
                await contestant.switch(self.stage, PROVIDERS[(done + 1) % 2])
                await asyncio.sleep(REST_SECONDS)
            progress.update(f"{name}: {max(0, done + 1)} of {switches} switches of each side")
        patches = [
            Figure(
                f"{side} p50, of that until the PATCH is answered, {name}",
                percentile(each.patch_seconds, 50) * 1000,
                "ms",
            )
            for side, each in (("operator", self.ours), ("floor", self.floor))
        ]
        return [*compare(name, self.ours.seconds, self.floor.seconds, AIMS), *patches]

    async def gather_crowd(self, size: int) -> None:
        """Add policies to both namespaces, with targets of their own, and wait until all are served."""
        names = [f"crowd-{number:04}" for number in range(size)]
        for namespace in (OURS, FLOOR):
            await self.stage.create(POLICIES, (_policy(namespace, name, self.fake) for name in names))
        await self.standings.until("the crowd to be served", lambda seen: _served(seen) > size, CROWD_SECONDS)
        await self.floor.sight.until("the floor to serve", lambda seen: len(seen) > size, CROWD_SECONDS)


def _served(seen: dict[ObjectKey, Seen[Standing]]) -> int:
    return sum(each.value.ready and len(each.value.healthy) == len(PROVIDERS) for each in seen.values())


def _policy(namespace: str, name: str, fake: FakeProvider) -> Manifest:
    providers = [build_provider(each, fake.kind, fake.base_url, f"{name}-{each}") for each in PROVIDERS]
    return build_policy(namespace, name, providers)


@asynccontextmanager
async def arena() -> AsyncIterator[Arena]:
    """Bring up both sides, with the one policy that is switched."""
    async with AsyncExitStack() as stack:
        stage = await stack.enter_async_context(open_stage())
        fake = await stack.enter_async_context(FakeProvider("openai"))
        admin = stage.kubectl.kubeconfig
        for namespace in (OURS, FLOOR):
            await stage.create_namespace(namespace)
            await stage.create(POLICIES, [_policy(namespace, SWITCHED, fake)])
        status = await stack.enter_async_context(standings(admin, OURS))
        sights = [await stack.enter_async_context(published(admin, namespace)) for namespace in (OURS, FLOOR)]
        await stack.enter_async_context(floor(stage, FLOOR, expect=1, applies=True))
        running = await stack.enter_async_context(operator(stage, OURS))
        await running.ready()
        await status.until("the first policy to be served", lambda seen: _served(seen) == 1, 60)
        ours = Contestant(OURS, sights[0], status_follows(status))
        yield Arena(stage, ours, Contestant(FLOOR, sights[1], nothing_follows), status, fake)


async def measure(options: argparse.Namespace, progress: Progress) -> Report:
    """Make all measurements."""
    machine = measure_machine()
    progress.step("starting the control plane, the operator and the floor")
    async with arena() as there:
        versions = await find_versions(there.stage.client)
        progress.step("switching, 1 policy")
        alone = await there.measure("1 policy", options.switches, progress)
        progress.step(f"creating {options.policies - 1} more policies for each side")
        await there.gather_crowd(options.policies - 1)
        progress.step(f"switching, {options.policies} policies")
        crowded = await there.measure(f"{options.policies} policies", options.switches, progress)
    return Report("switch", sys.argv[1:], versions, machine, alone + crowded)


def main() -> int:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(prog="make bench-switch", description=__doc__)
    parser.add_argument("--switches", type=int, default=200, help="of each side, in each case")
    parser.add_argument("--policies", type=int, default=1000, help="present in the second case")
    return perform(parser, measure)


if __name__ == "__main__":
    sys.exit(main())
