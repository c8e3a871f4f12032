"""What the operator costs while nothing happens: 1,000 policies, 4 providers each, none of them shared.

Time from its start until all policies are served, beside a bare kopf handler that is called for all of them; then CPU,
memory, probes and writes to the API server over some minutes of steady state; then the time of a restart.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

from providerswitch.demo.fakes import FORMATS, FakeProvider
from providerswitch.kube.objects import CONFIG_MAPS, POLICIES, ObjectKey
from support.contestants import RunningOperator, floor, operator
from support.figures import Figure, percentile
from support.machine import cpu_seconds, find_versions, measure_machine, rss_mib
from support.measuring import TOLD, perform
from support.progress import Progress
from support.results import Report
from support.samples import Samples, parse_samples, total
from support.stage import Stage, build_policy, build_provider, open_stage
from support.watching import Seen, Standing, standings

NAMESPACE: Final = "bench-idle"
FLOOR_STARTS: Final = 3
START_SECONDS: Final = 300.0
SETTLE_SECONDS: Final = 60.0
"""Before the window: the first probes of a start are closer together than later ones."""
SAMPLE_SECONDS: Final = 5.0
POLL_SECONDS: Final = 0.1

WRITES: Final = ("POST", "PUT", "PATCH", "APPLY", "DELETE")
WRITTEN: Final = ("providerswitchpolicies", "configmaps", "services", "events")
"""Everything the operator may write."""


@dataclass(frozen=True, slots=True)
class Reading:
    """All counters at one moment."""

    at: float
    cpu_seconds: float
    probes: float
    writes: float
    versions: dict[str, str]

    @classmethod
    async def take(cls, stage: Stage, running: RunningOperator) -> "Reading":
        """Read them; the operator's own metrics last at the start and first at the end, for writing them costs CPU."""
        probes = total(await running.samples(), "providerswitch_probes_total")
        return cls(
            time.monotonic(), cpu_seconds(running.pid), probes, await count_writes(stage), await read_versions(stage)
        )


async def count_writes(stage: Stage) -> float:
    """Return how many writes the API server has answered, whoever sent them."""
    samples: Samples = parse_samples(await stage.kubectl("get", "--raw", "/metrics"))
    return total(samples, "apiserver_request_total", verb=WRITES, resource=WRITTEN)


async def read_versions(stage: Stage) -> dict[str, str]:
    """Return the resource version of every policy and of everything published."""
    found = [obj for resource in (POLICIES, CONFIG_MAPS) for obj in await stage.list(resource, NAMESPACE)]
    return {obj["metadata"]["uid"]: obj["metadata"]["resourceVersion"] for obj in found}


@dataclass(frozen=True, slots=True)
class Window:
    """A time of steady state.

    Attributes:
        rss: MiB, sampled all along.
    """

    first: Reading
    last: Reading
    rss: list[float]

    def figures(self, policies: int) -> list[Figure]:
        """Return what it cost."""
        first, last = self.first, self.last
        seconds, cpu, probes = last.at - first.at, last.cpu_seconds - first.cpu_seconds, last.probes - first.probes
        changed = len(first.versions.items() ^ last.versions.items())
        return [
            Figure("steady state", seconds / 60, "min"),
            Figure("CPU", cpu, "s"),
            Figure("CPU, share of one core", cpu / seconds * 100, "%"),
            Figure("memory (RSS), median", percentile(self.rss, 50), "MiB"),
            Figure("memory (RSS), highest", max(self.rss), "MiB"),
            Figure("probes per second", probes / seconds, "1/s"),
            Figure("CPU per probe", cpu / probes * 1000, "ms"),
            Figure("API writes per policy (counted by the API server)", (last.writes - first.writes) / policies, "", 0),
            Figure("policies and ConfigMaps changed (by resourceVersion)", changed, f"of {len(first.versions)}", 0),
        ]


async def watch_steady_state(stage: Stage, running: RunningOperator, minutes: float, progress: Progress) -> Window:
    """Look on while nothing happens."""
    first, rss = await Reading.take(stage, running), []
    ends = first.at + minutes * 60
    while (left := ends - time.monotonic()) > 0:
        running.child.check()
        rss.append(rss_mib(running.pid))
        progress.update(f"steady state: {left / 60:.1f} of {minutes:g} minutes left, {rss[-1]:.0f} MiB")
        await asyncio.sleep(min(left, SAMPLE_SECONDS))
    return Window(first, await Reading.take(stage, running), rss)


@dataclass(frozen=True, slots=True)
class Idle:
    """The scene: many policies, all different."""

    stage: Stage
    fakes: list[FakeProvider]
    policies: int
    progress: Progress

    async def create_policies(self) -> None:
        """Create policies whose providers differ in their models, which makes all of them targets of their own."""
        await self.stage.create_namespace(NAMESPACE)
        names = [f"policy-{number:04}" for number in range(self.policies)]
        await self.stage.create(POLICIES, (build_policy(NAMESPACE, name, self._providers(name)) for name in names))

    def _providers(self, policy: str) -> list[dict[str, object]]:
        return [build_provider(fake.kind, fake.kind, fake.base_url, policy) for fake in self.fakes]

    async def start_floor(self) -> float:
        """Return the seconds until a bare handler was called for all, the median of some starts."""
        starts = []
        for _ in range(FLOOR_STARTS):
            async with floor(self.stage, NAMESPACE, expect=self.policies, applies=False) as seconds:
                starts.append(seconds)
        return percentile(starts, 50)

    async def first_start(self, running: RunningOperator) -> float:
        """Return the seconds until every policy is served and every provider known to be healthy."""

        def all_served(seen: dict[ObjectKey, Seen[Standing]]) -> bool:
            served = sum(each.value.ready and len(each.value.healthy) == len(self.fakes) for each in seen.values())
            self.progress.update(f"first start: {served} of {self.policies} policies are served")
            return served == self.policies

        async with standings(self.stage.kubectl.kubeconfig, NAMESPACE) as sight:
            await running.ready()
            await sight.until("all policies to be served", all_served, START_SECONDS)
            return max(each.at for each in sight.seen.values()) - running.began

    async def restart(self, running: RunningOperator) -> float:
        """Return the seconds until every policy has been reconciled again, which a restart leaves no other trace of."""
        async with asyncio.timeout(START_SECONDS):
            await running.ready()
            while total(await running.samples(), "providerswitch_policy_ready") < self.policies:  # noqa: ASYNC110  # metrics ring no bell
                await asyncio.sleep(POLL_SECONDS)
        return time.monotonic() - running.began


@asynccontextmanager
async def scene(policies: int, progress: Progress) -> AsyncIterator[Idle]:
    """Bring up everything but the operator."""
    async with AsyncExitStack() as stack:
        stage = await stack.enter_async_context(open_stage())
        fakes = [await stack.enter_async_context(FakeProvider(kind)) for kind in sorted(FORMATS)]
        yield Idle(stage, fakes, policies, progress)


async def measure(options: argparse.Namespace, progress: Progress) -> Report:
    """Make all measurements."""
    machine = measure_machine()
    progress.step("starting the control plane")
    async with scene(options.policies, progress) as idle:
        versions = await find_versions(idle.stage.client)
        progress.step(f"creating {options.policies} policies with {len(idle.fakes)} providers each")
        await idle.create_policies()
        progress.step("starting the floor, some times")
        bare = await idle.start_floor()
        figures = [
            Figure("policies", options.policies, ""),
            Figure("floor: from its start until called for all", bare, "s"),
            *await measure_operator(idle, options.minutes, bare),
        ]
    return Report("idle", sys.argv[1:], versions, machine, figures)


async def measure_operator(idle: Idle, minutes: float, bare: float) -> list[Figure]:
    """Start the operator, watch it, and start it again."""
    stage, progress = idle.stage, idle.progress
    progress.step("starting the operator for the first time")
    async with operator(stage, NAMESPACE) as running:
        first = await idle.first_start(running)
        progress.step(f"all are served after {first:.1f} s; letting it settle for {SETTLE_SECONDS:g} s")
        await asyncio.sleep(SETTLE_SECONDS)
        window = await watch_steady_state(stage, running, minutes, progress)
    progress.step("starting the operator again")
    before = await count_writes(stage)
    async with operator(stage, NAMESPACE) as running:
        again = await idle.restart(running)
        progress.step(f"all are reconciled after {again:.1f} s")
        await asyncio.sleep(SETTLE_SECONDS)
        written = await count_writes(stage) - before
    return [
        Figure("first start: until all 4 providers of each are probed and all policies served", first, "s"),
        Figure("first start / floor", first / bare, "x"),
        Figure("restart: until all policies are reconciled", again, "s"),
        Figure("restart / floor", again / bare, "x"),
        Figure("API writes per policy after a restart", written / idle.policies, ""),
        *window.figures(idle.policies),
    ]


def main() -> int:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(prog="make bench-idle", description=__doc__)
    parser.add_argument("--policies", type=int, default=1000)
    parser.add_argument("--minutes", type=float, default=10, help="of steady state")
    return perform(parser, measure, (*TOLD, TimeoutError))


if __name__ == "__main__":
    sys.exit(main())
