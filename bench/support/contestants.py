"""The processes that are measured: the operator, and the floor it is compared with."""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from providerswitch.demo.processes import Child, DemoError, python_module, running
from support.samples import Samples, parse_samples
from support.stage import Stage

FLOOR: Final = Path(__file__).with_name("floor.py")
LOOPBACK: Final = "127.0.0.0/8"
READY_SECONDS: Final = 60.0
POLL_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class RunningOperator:
    """An operator process.

    Attributes:
        began: `time.monotonic()` when it was started.
    """

    child: Child
    address: str
    began: float

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.child.process.pid

    async def samples(self) -> Samples:
        """Read its metrics."""
        async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
            return parse_samples((await client.get(f"http://{self.address}/metrics")).text)

    async def ready(self) -> None:
        """Wait until it serves policies.

        Raises:
            DemoError: it ended, or was not ready in time.
        """
        try:
            async with asyncio.timeout(READY_SECONDS), httpx.AsyncClient(trust_env=False) as client:
                while not await _is_ready(client, self.address):
                    self.child.check()
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError as error:
            raise DemoError(f"the operator was not ready within {READY_SECONDS:g} s:\n{self.child.tail()}") from error


async def _is_ready(client: httpx.AsyncClient, address: str) -> bool:
    try:
        return (await client.get(f"http://{address}/readyz")).is_success
    except httpx.TransportError:
        return False


@asynccontextmanager
async def operator(stage: Stage, *namespaces: str, further: Sequence[str] = ()) -> AsyncIterator[RunningOperator]:
    """Run the operator for some namespaces while the context is open, under its ServiceAccount.

    `further` are more flags.
    """
    address = f"127.0.0.1:{free_port()}"
    flags = ("--allow-probe-cidr", LOOPBACK, "--listen", address, "--namespaces", ",".join(namespaces))
    unlimited = ("--max-policies-per-namespace", "0", "--max-providers-per-namespace", "0")
    command = python_module(
        "providerswitch", "run", "--kubeconfig", str(stage.kubeconfig), *flags, *unlimited, *further
    )
    began = time.monotonic()
    async with running("operator", command, stage.folder / "operator.log") as child:
        yield RunningOperator(child, address, began)
        child.check()


@asynccontextmanager
async def floor(stage: Stage, namespace: str, *, expect: int, applies: bool) -> AsyncIterator[float]:
    """Run the floor while the context is open; yield the seconds from its start until it was called for all policies.

    Args:
        stage: where it plays.
        namespace: the only one it watches.
        expect: how many policies there are.
        applies: publish a ConfigMap for each; otherwise it does nothing but being called.
    """
    command = [python_module("-")[0], str(FLOOR), "--namespace", namespace, "--expect", str(expect)]
    command += ["--kubeconfig", str(stage.kubeconfig), *(["--apply"] if applies else [])]
    began = time.monotonic()
    async with running("floor", command, stage.folder / "floor.log", piped=True) as child:
        yield await _called_for_all(child) - began
        child.check()


async def _called_for_all(child: Child) -> float:
    async for line in child.lines():
        return float(json.loads(line)["calledForAllAt"])
    await child.process.wait()
    child.check()
    raise DemoError("the floor closed its output without a word")


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
