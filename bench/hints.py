"""From the first failed call of a consumer to the new provider in its ConfigMap: with hints, and without.

Policies with `fastInterval: 100ms`, else with the defaults (30 s, 3 failures). Each has a consumer that calls its
primary, gives a hint over TLS at the first call that fails, and watches. Then the same outages again, without hints.
"""

import argparse
import asyncio
import ssl
import sys
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx
import trustme

from providerswitch.api import meta
from providerswitch.demo.fakes import FakeProvider, Fault
from providerswitch.demo.installation import SYSTEM_NAMESPACE
from providerswitch.demo.processes import DemoError
from providerswitch.kube.objects import POLICIES, ObjectKey
from support.contestants import RunningOperator, free_port, operator
from support.figures import Figure, percentile
from support.machine import find_versions, measure_machine
from support.measuring import perform
from support.outages import Outage, Times
from support.progress import Progress
from support.results import Report
from support.stage import Manifest, Stage, build_policy, build_provider, open_stage
from support.watching import Seen, Sight, Standing, published, standings

PRIMARY: Final = "primary"
BACKUP: Final = "backup"
PAUSE_SECONDS: Final = 0.97
"""From one outage to the next: how long one takes is asked, not how many at once. No part of the interval of 30 s."""
FAST: Final = "100ms"
OVER_SECONDS: Final = 60.0
"""What has not failed over by then never will."""
PATIENCE_SECONDS: Final = 5.0
"""Of a consumer."""
ANSWERING: Final = tuple(
    fault for fault in Fault if fault not in {Fault.HEALTHY, Fault.SLOW, Fault.HANG, Fault.NONSENSE, Fault.RATE_LIMITED}
)
"""Every fault that shows at once, to a call as to a probe. The answer of a provider that hangs is waited for by both; a
nonsensical one is none of an unbilled probe's business; one that is rate limited asks probes to stay away."""
AIM_SECONDS: Final = 0.5
RETRIES: Final = 5
RIGHTS: Final = "tokenreviews.authentication.k8s.io,subjectaccessreviews.authorization.k8s.io"

Fakes = Mapping[Outage, FakeProvider]


def plan(repetitions: int) -> list[Outage]:
    """Return every outage so often, and as many of a provider that hangs."""
    return [Outage(fault, "openai", number) for number in range(repetitions) for fault in (*ANSWERING, Fault.HANG)]


@dataclass(slots=True)
class Door:
    """Where hints are taken, and who may give them.

    Attributes:
        trust: of all consumers; made before anything is timed.
        tokens: one for each consumer, as each Pod has its own.
    """

    port: int = field(default_factory=free_port)
    authority: trustme.CA = field(default_factory=trustme.CA)
    tokens: dict[Outage, str] = field(default_factory=dict)
    trust: ssl.SSLContext = field(default_factory=lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))

    def __post_init__(self) -> None:
        self.authority.configure_trust(self.trust)

    def flags(self, folder: Path) -> tuple[str, ...]:
        """Return the operator's flags; the certificate is made now."""
        made, certificate, key = self.authority.issue_cert("127.0.0.1"), folder / "hints.crt", folder / "hints.key"
        made.cert_chain_pems[0].write_to_path(certificate)
        made.private_key_pem.write_to_path(key)
        listen = f"127.0.0.1:{self.port}"
        return ("--hints-listen", listen, "--hints-cert", str(certificate), "--hints-key", str(key))

    async def admit(self, stage: Stage, namespace: str, outages: Iterable[Outage]) -> None:
        """Let the operator ask who calls, and consumers of a namespace call."""
        account = f"--serviceaccount={SYSTEM_NAMESPACE}:providerswitch"
        create, hints = ("create",), "providerswitchpolicies.providerswitch.dev/hints"
        await stage.kubectl(*create, "clusterrole", "hints", "--verb=create", f"--resource={RIGHTS}")
        await stage.kubectl(*create, "clusterrolebinding", "hints", "--clusterrole=hints", account)
        await stage.kubectl(*create, "serviceaccount", "consumer", "-n", namespace)
        await stage.kubectl(*create, "role", "hinter", "--verb=create", f"--resource={hints}", "-n", namespace)
        consumer = f"--serviceaccount={namespace}:consumer"
        await stage.kubectl(*create, "rolebinding", "hinter", "--role=hinter", consumer, "-n", namespace)
        self.tokens = {outage: await _issue_token(stage, namespace) for outage in outages}

    def client(self, outage: Outage) -> httpx.AsyncClient:
        """Return the client of a consumer; it connects with its first hint."""
        headers = {"Authorization": f"Bearer {self.tokens[outage]}"}
        url = f"https://127.0.0.1:{self.port}"
        return httpx.AsyncClient(trust_env=False, verify=self.trust, base_url=url, headers=headers)


async def _issue_token(stage: Stage, namespace: str) -> str:
    body = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"audiences": [meta.GROUP], "expirationSeconds": 3600},
    }
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/consumer/token"
    issued = await stage.client.request("POST", path, what="issue a token", body=body)
    return str(issued["status"]["token"])


@dataclass(frozen=True, slots=True)
class Turn:
    """One run over all outages.

    Attributes:
        door: None for a run without hints.
    """

    stage: Stage
    namespace: str
    fakes: Fakes
    backup: FakeProvider
    door: Door | None
    progress: Progress

    async def measure(self) -> Times:
        """Serve a policy for each outage, let one after the other strike, and time how consumers get away."""
        await self.stage.create_namespace(self.namespace)
        if self.door:
            await self.door.admit(self.stage, self.namespace, self.fakes)
        admin = self.stage.kubectl.kubeconfig
        async with (
            self._operator() as running,
            published(admin, self.namespace) as sight,
            standings(admin, self.namespace) as standing,
        ):
            await running.ready()
            await self.stage.create(POLICIES, [self._policy(outage, fake) for outage, fake in self.fakes.items()])
            await standing.until("all policies to be served", self._is_served, 90)
            self.progress.step(f"{self.namespace}: {len(self.fakes)} policies are served; breaking their primaries")
            return await self._strike(sight)

    @asynccontextmanager
    async def _operator(self) -> AsyncIterator[RunningOperator]:
        flags = self.door.flags(self.stage.folder) if self.door else ()
        async with operator(self.stage, self.namespace, further=flags) as running:
            yield running

    def _policy(self, outage: Outage, fake: FakeProvider) -> Manifest:
        listed = [build_provider(PRIMARY, fake.kind, fake.base_url, outage.name),
                  build_provider(BACKUP, self.backup.kind, self.backup.base_url, outage.name)]  # fmt: skip
        policy = build_policy(self.namespace, outage.name, listed)
        policy["spec"]["healthCheck"] = {"fastInterval": FAST}
        return policy

    def _is_served(self, seen: Mapping[ObjectKey, Seen[Standing]]) -> bool:
        good = [each for each in seen.values() if each.value.active == PRIMARY and len(each.value.healthy) == 2]
        return len(good) == len(self.fakes)

    async def _strike(self, sight: Sight[str]) -> Times:
        """Let the outages begin one after the other, so that each finds probes at another point of the interval."""
        begun = {}
        async with asyncio.TaskGroup() as tasks:
            for outage, fake in self.fakes.items():
                begun[outage] = tasks.create_task(self._suffer(outage, fake, sight))
                await asyncio.sleep(PAUSE_SECONDS)
                self.progress.update(f"{self.namespace}: {len(begun)} of {len(self.fakes)} outages")
        return {outage: task.result() for outage, task in begun.items()}

    async def _suffer(self, outage: Outage, fake: FakeProvider, sight: Sight[str]) -> float | None:
        """Return the seconds from the end of the first failed call until the ConfigMap names the backup."""
        async with AsyncExitStack() as stack:
            caller = await stack.enter_async_context(
                httpx.AsyncClient(trust_env=False, verify=False, timeout=PATIENCE_SECONDS)
            )
            hinter = await stack.enter_async_context(self.door.client(outage)) if self.door else None
            if not await _call(caller, fake, outage):
                raise DemoError(f"{outage.name} fails before it should")
            await fake.behave(outage.fault)
            if await _call(caller, fake, outage):
                raise DemoError(f"{outage.name} shows in no call")
            failed_at = time.monotonic()
            if hinter:
                await _hint(hinter, self.namespace, outage)
            try:
                key = ObjectKey(self.namespace, f"{outage.name}-provider")
                return await sight.shows(key, BACKUP, OVER_SECONDS) - failed_at
            except DemoError:
                return None


async def _call(client: httpx.AsyncClient, fake: FakeProvider, outage: Outage) -> bool:
    """Ask the model something, as a consumer does; tell whether an answer came."""
    body = {"model": outage.name, "messages": [{"role": "user", "content": "Are you there?"}], "max_tokens": 1}
    headers = {"Authorization": "Bearer sk-bench"}
    try:
        answer = await client.post(f"{fake.base_url}/chat/completions", json=body, headers=headers)
        return answer.is_success and "choices" in answer.json()
    except (httpx.HTTPError, ValueError):
        return False


async def _hint(client: httpx.AsyncClient, namespace: str, outage: Outage) -> None:
    for _ in range(RETRIES):
        answer = await client.post("/v1/hints", json={"namespace": namespace, "policy": outage.name})
        if answer.status_code == 202:
            return
        await asyncio.sleep(float(answer.headers.get("Retry-After", "1")))
    raise DemoError(f"no hint was accepted: {answer.status_code} {answer.text}")


def sum_up(hinted: Times, alone: Times) -> list[Figure]:
    """Return the figures of both runs, and how they compare."""
    ours, theirs = _seen(hinted, *ANSWERING), _seen(alone, *ANSWERING)
    missed = sum(seconds is None for times in (hinted, alone) for seconds in times.values())
    figures = [Figure("outages missed, of both runs", missed, f"of {len(hinted) + len(alone)}", 0)]
    for percent in (50, 99):
        aim = AIM_SECONDS * 1000 if percent == 99 else None
        with_hints, without = percentile(ours, percent), percentile(theirs, percent)
        figures += [
            Figure(f"with hints p{percent}", with_hints * 1000, "ms", aim),
            Figure(f"without hints p{percent}", without * 1000, "ms"),
            Figure(f"with hints p{percent} / without p{percent}", with_hints / without, "x"),
        ]
    figures += [Figure(f"with hints, slowest, {fault}", max(_seen(hinted, fault)) * 1000, "ms") for fault in ANSWERING]
    for name, times in (("with", hinted), ("without", alone)):
        figures.append(Figure(f"{name} hints p50, hang", percentile(_seen(times, Fault.HANG), 50) * 1000, "ms"))
    return figures


def _seen(times: Times, *faults: Fault) -> list[float]:
    return [seconds for outage, seconds in times.items() if seconds is not None and outage.fault in faults]


async def measure(options: argparse.Namespace, progress: Progress) -> Report:
    """Make both runs."""
    machine, outages = measure_machine(), plan(options.repetitions)
    progress.step("starting the control plane and the fake providers")
    async with open_stage() as stage, FakeProvider("openai", name=BACKUP) as backup, AsyncExitStack() as stack:
        fakes = {outage: FakeProvider(outage.kind, name=outage.name) for outage in outages}
        for fake in fakes.values():
            await stack.enter_async_context(fake)
        versions = await find_versions(stage.client)
        hinted = await Turn(stage, "bench-hints", fakes, backup, Door(), progress).measure()
        for fake in fakes.values():
            await fake.behave(Fault.HEALTHY)
        alone = await Turn(stage, "bench-no-hints", fakes, backup, None, progress).measure()
    return Report("hints", sys.argv[1:], versions, machine, sum_up(hinted, alone))


def main() -> int:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(prog="make bench-hints", description=__doc__)
    parser.add_argument("--repetitions", type=int, default=5, help="of each kind of outage")
    return perform(parser, measure)


if __name__ == "__main__":
    sys.exit(main())
