"""How long consumers are sent to a provider that no longer works, beside HAProxy's health checks at the same pace.

From the first failing answer of a fake provider until an independent watch shows a ConfigMap that names another one;
default policy (30 s, 3 failures, 1 s after the first). All kinds of outage, many of each, spread over one interval.
HAProxy then checks the same providers with `inter 30s fall 3 fastinter 1s`; its failover is done when it says DOWN.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

from providerswitch.demo.fakes import FakeProvider, Fault
from providerswitch.demo.processes import DemoError
from providerswitch.kube.objects import POLICIES, ObjectKey, fetch
from support.contestants import operator
from support.haproxy import CheckedServer, HealthLog, haproxy, read_version, wait_until_passed
from support.machine import find_versions, measure_machine
from support.measuring import perform
from support.outages import RATE_LIMIT_SECONDS, Outage, Tally, plan_outages, sum_up, sum_up_peer
from support.progress import Progress
from support.results import Report
from support.stage import Manifest, Stage, build_policy, build_provider, open_stage
from support.watching import Seen, Sight, Standing, published, standings

NAMESPACE: Final = "bench-failover"
PRIMARY: Final = "primary"
BACKUP: Final = "backup"
INTERVAL_SECONDS: Final = 30.0
TIMEOUT_SECONDS: Final = 10.0
FAILURE_THRESHOLD: Final = 3
FAST_SECONDS: Final = 1.0
"""The defaults of a policy, which nothing here changes."""

AIM_SECONDS: Final = (FAILURE_THRESHOLD - 1) * FAST_SECONDS + 0.5
OVER_SECONDS: Final = INTERVAL_SECONDS + FAILURE_THRESHOLD * TIMEOUT_SECONDS + 10
"""What has not failed over by then never will."""
POLL_SECONDS: Final = 0.2

Fakes = dict[Outage, FakeProvider]


@asynccontextmanager
async def providers(outages: Iterable[Outage]) -> AsyncIterator[Fakes]:
    """Start a fake provider for each outage."""
    async with AsyncExitStack() as stack:
        fakes = {outage: FakeProvider(outage.kind, name=outage.name) for outage in outages}
        for fake in fakes.values():
            await stack.enter_async_context(fake)
        yield fakes


async def strike(fakes: Fakes) -> None:
    """Break all providers at once; each is noticed at its next check, and they are spread over one interval."""
    for outage, fake in fakes.items():
        await fake.behave(outage.fault, seconds=RATE_LIMIT_SECONDS)


async def heal(fakes: Fakes) -> None:
    """Have all providers work again."""
    for fake in fakes.values():
        await fake.behave(Fault.HEALTHY)


def failing_since(outage: Outage, fake: FakeProvider) -> float | None:
    """Return when the first failing answer came. No answer is one only when the time to wait for it is over."""
    if fake.first_failure_at is None:
        return None
    return fake.first_failure_at + (TIMEOUT_SECONDS if outage.fault is Fault.HANG else 0)


@dataclass(frozen=True, slots=True)
class OperatorRun:
    """The operator's turn."""

    stage: Stage
    fakes: Fakes
    backup: FakeProvider
    progress: Progress

    async def measure(self) -> Tally:
        """Serve a policy for each provider, break all of them, and see when consumers are sent elsewhere."""
        admin = self.stage.kubectl.kubeconfig
        async with (
            operator(self.stage, NAMESPACE) as running,
            published(admin, NAMESPACE) as sight,
            standings(admin, NAMESPACE) as standing,
        ):
            await running.ready()
            await self._create_policies()
            await standing.until("all policies to be served", self._is_served, 60)
            self.progress.step(f"operator: {len(self.fakes)} policies are served; breaking their primaries")
            await strike(self.fakes)
            await self._wait(sight)
            return Tally({outage: await self._time(outage, sight, standing) for outage in self.fakes})

    async def _create_policies(self) -> None:
        """Create them over one interval, so that their probes are spread over it as in a cluster that has grown."""
        pause = INTERVAL_SECONDS / len(self.fakes)
        for created, (outage, fake) in enumerate(self.fakes.items()):
            await self.stage.create(POLICIES, [_policy(outage, fake, self.backup)])
            self.progress.update(f"operator: {created + 1} of {len(self.fakes)} policies")
            await asyncio.sleep(pause)

    def _is_served(self, seen: dict[ObjectKey, Seen[Standing]]) -> bool:
        good = [each for each in seen.values() if each.value.active == PRIMARY and len(each.value.healthy) == 2]
        return len(good) == len(self.fakes)

    async def _wait(self, sight: Sight[str]) -> None:
        """Wait until all have failed over, or for as long as that may take."""

        def all_moved(seen: dict[ObjectKey, Seen[str]]) -> bool:
            moved = sum(each.value == BACKUP for each in seen.values())
            self.progress.update(f"operator: {moved} of {len(self.fakes)} failovers")
            return moved == len(self.fakes)

        try:
            await sight.until("all failovers", all_moved, OVER_SECONDS)
        except DemoError:
            self.progress.step("operator: not all have failed over")

    async def _time(self, outage: Outage, sight: Sight[str], standing: Sight[Standing]) -> float | None:
        seen = sight.seen[ObjectKey(NAMESPACE, f"{outage.name}-provider")]
        if seen.value != BACKUP:
            return None
        since = failing_since(outage, self.fakes[outage])
        return seen.at - since if since else await self._told_by_status(outage, standing)

    async def _told_by_status(self, outage: Outage, standing: Sight[Standing]) -> float:
        """Return what the operator says itself, where no provider saw the first failure: nobody was there.

        It counts from the end of the first failed probe to the end of the verification, after the watcher has seen it.
        """
        key = ObjectKey(NAMESPACE, outage.name)
        await standing.until(f"the status of {key}", lambda seen: seen[key].value.active == BACKUP, 10)
        policy = await fetch(self.stage.client, POLICIES, key)
        assert policy is not None
        switch = next(each for each in policy["status"]["history"] if each["to"] == BACKUP)
        return float(switch["detectMillis"] + switch["switchMillis"]) / 1000


def _policy(outage: Outage, fake: FakeProvider, backup: FakeProvider) -> Manifest:
    listed = [
        build_provider(PRIMARY, fake.kind, fake.base_url, outage.name),
        build_provider(BACKUP, backup.kind, backup.base_url, outage.name),
    ]
    return build_policy(NAMESPACE, outage.name, listed)


async def measure_haproxy(stage: Stage, fakes: Fakes, progress: Progress) -> Tally:
    """Let HAProxy check the same providers, and break them again."""
    servers = [CheckedServer(outage.name, fake.kind, fake.host) for outage, fake in fakes.items()]
    async with haproxy(servers, stage.folder) as proxy:
        progress.step("HAProxy: waiting until it has checked everything")
        await wait_until_passed(proxy, INTERVAL_SECONDS + TIMEOUT_SECONDS)
        progress.step("HAProxy: breaking the same providers")
        await strike(fakes)
        log = proxy.log
        await _follow(log, len(fakes), progress)
        told = {row["pxname"] for row in await proxy.servers() if row["status"].startswith("DOWN")}
    if told != log.down_at.keys():
        raise DemoError(f"HAProxy's log and its stats socket disagree about {', '.join(told ^ log.down_at.keys())}")

    def seconds(outage: Outage, fake: FakeProvider) -> float | None:
        down = log.down_at.get(outage.name)
        since = failing_since(outage, fake) or log.failed_at.get(outage.name)
        return None if down is None or since is None else down - since

    return Tally({outage: seconds(outage, fake) for outage, fake in fakes.items()})


async def _follow(log: HealthLog, servers: int, progress: Progress) -> None:
    """Wait until every server has been checked, and each that failed a check is down."""
    begun = time.monotonic()
    while (passed := time.monotonic() - begun) < OVER_SECONDS:
        progress.update(f"HAProxy: {len(log.down_at)} of {servers} servers are down")
        if passed > INTERVAL_SECONDS + TIMEOUT_SECONDS + 1 and log.failed_at.keys() == log.down_at.keys():
            return
        await asyncio.sleep(POLL_SECONDS)


async def measure(options: argparse.Namespace, progress: Progress) -> Report:
    """Make all measurements."""
    machine, outages = measure_machine(), plan_outages(options.repetitions)
    peer_version = {} if options.no_haproxy else {"haproxy": await read_version()}
    progress.step("starting the control plane and the fake providers")
    async with open_stage() as stage, providers(outages) as fakes, FakeProvider("openai", name=BACKUP) as backup:
        await stage.create_namespace(NAMESPACE)
        versions = await find_versions(stage.client) | peer_version
        progress.step("operator: creating the policies over 30 s")
        ours = await OperatorRun(stage, fakes, backup, progress).measure()
        figures = sum_up(ours, AIM_SECONDS)
        if not options.no_haproxy:
            await heal(fakes)
            figures += sum_up_peer(ours, await measure_haproxy(stage, fakes, progress))
    return Report("failover", sys.argv[1:], versions, machine, figures)


def main() -> int:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(prog="make bench-failover", description=__doc__)
    parser.add_argument("--repetitions", type=int, default=10, help="of each kind of outage")
    parser.add_argument("--no-haproxy", action="store_true", help="measure the operator alone")
    return perform(parser, measure)


if __name__ == "__main__":
    sys.exit(main())
