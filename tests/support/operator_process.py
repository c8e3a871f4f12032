"""Runs the operator as a user would: a process of its own, with the ServiceAccount's rights and nothing more."""

import asyncio
import os
import re
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from tests.support.control_plane import ControlPlane
from tests.support.eventually import eventually
from tests.support.kubectl import Kubectl

ROOT = Path(__file__).resolve().parents[2]
SYSTEM = "providerswitch-system"


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        port: int = holder.getsockname()[1]
        return port


def install(kubectl: Kubectl) -> None:
    """Install what the operator needs, from the manifest that users apply."""
    kubectl.ok("apply", "--server-side", "-f", str(ROOT / "manifests" / "install.yaml"))
    kubectl.ok("wait", "--for=condition=Established", "--timeout=30s", "crd", "--all")


@dataclass(slots=True)
class OperatorProcess:
    """One operator.

    Attributes:
        kubeconfig: what it logs in with.
        program: what Python is to run.
        log: everything it wrote, complete once it has ended.
    """

    kubeconfig: Path
    flags: Sequence[str] = ()
    port: int = field(default_factory=free_port)
    log: bytearray = field(default_factory=bytearray)
    process: asyncio.subprocess.Process | None = None
    reader: asyncio.Task[None] | None = None
    program: Sequence[str] = ("-m", "providerswitch")

    async def start(self) -> None:
        """Start it; it may take a moment to be ready."""
        command = [sys.executable, *self.program, "run", "--listen", f"127.0.0.1:{self.port}", *self.flags]
        self.process = await asyncio.create_subprocess_exec(
            *command,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={
                "PATH": os.defpath,
                "KUBECONFIG": str(self.kubeconfig),
                "PYTHONPATH": str(ROOT / "operator"),
            },
        )
        self.reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process
        assert self.process.stdout
        while chunk := await self.process.stdout.read(4096):
            self.log.extend(chunk)

    async def ready(self) -> None:
        """Wait until it serves policies."""
        await eventually(self._is_ready, within=30)

    async def _is_ready(self) -> bool:
        assert self.process
        if self.process.returncode is not None:
            raise AssertionError(f"the operator ended:\n{self.text}")
        async with httpx.AsyncClient(trust_env=False) as client:
            return (await client.get(f"http://127.0.0.1:{self.port}/readyz")).status_code == 200

    async def metric(self, name: str, **labels: str) -> float:
        """Return the sum of a metric's samples that carry these labels."""
        return sum(value for found, value in (await self.samples(name)) if labels.items() <= found.items())

    async def samples(self, name: str) -> list[tuple[dict[str, str], float]]:
        """Return a metric's samples: labels and value."""
        async with httpx.AsyncClient(trust_env=False) as client:
            text = (await client.get(f"http://127.0.0.1:{self.port}/metrics")).text
        lines = (re.fullmatch(rf"{name}(?:\{{(.*)\}})? (\S+)", line) for line in text.splitlines())
        return [(dict(re.findall(r'(\w+)="([^"]*)"', line[1] or "")), float(line[2])) for line in lines if line]

    @property
    def text(self) -> str:
        """The log so far."""
        return self.log.decode(errors="replace")

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it and return its exit code."""
        assert self.process
        assert self.reader
        with suppress(ProcessLookupError):
            self.process.send_signal(number)
        code = await asyncio.wait_for(self.process.wait(), 20)
        await self.reader
        return code


def operator_kubeconfig(control_plane: ControlPlane, folder: Path) -> Path:
    """Write a kubeconfig with a token of the operator's own ServiceAccount."""
    token = Kubectl(control_plane.kubeconfig).ok("create", "token", "providerswitch", "-n", SYSTEM).strip()
    return control_plane.kubeconfig_for_token(token, folder / "operator.kubeconfig")
