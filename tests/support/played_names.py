"""Names that a test gives to loopback, and takes away again, for an operator in a process of its own."""

import asyncio
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.operator_process import ROOT, OperatorProcess
from typing_extensions import override

NOBODY_ANSWERS = "nobody-answers"
"""In place of an address: the DNS server of this name is silent."""

RESOLVER = '''
"""Python loads this before the operator. Names in .test are looked up in a file, all others as ever."""

import pathlib
import socket

system = socket.getaddrinfo


def getaddrinfo(host, *args, **kwargs):
    if not str(host).endswith(".test"):
        return system(host, *args, **kwargs)
    lines = pathlib.Path(__file__).with_name("hosts").read_text().splitlines()
    address = dict(line.split() for line in lines).get(host)
    if address is None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    if address == "nobody-answers":
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
    return system(address, *args, **kwargs)


socket.getaddrinfo = getaddrinfo
'''


@dataclass(slots=True)
class PlayedNames:
    """What names in .test resolve to.

    Attributes:
        folder: holds what Python loads into the operator.
    """

    folder: Path
    addresses: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder.mkdir()
        (self.folder / "sitecustomize.py").write_text(RESOLVER)
        self._write()

    def set(self, name: str, address: str | None = "127.0.0.1") -> None:
        """Let a name resolve to an address from now on; None takes the name away."""
        self.addresses[name] = address or ""
        self._write()

    def _write(self) -> None:
        lines = [f"{name} {address}\n" for name, address in self.addresses.items() if address]
        written = self.folder / "hosts.new"
        written.write_text("".join(lines))
        written.replace(self.folder / "hosts")  # the operator may read at any moment


@dataclass(slots=True)
class NamedOperatorProcess(OperatorProcess):
    """An operator for which names in .test resolve as a test has it."""

    names: PlayedNames | None = None

    @override
    async def start(self) -> None:
        assert self.names
        command = [sys.executable, "-m", "providerswitch", "run", "--listen", f"127.0.0.1:{self.port}", *self.flags]
        self.process = await asyncio.create_subprocess_exec(
            *command,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={
                "PATH": os.defpath,
                "KUBECONFIG": str(self.kubeconfig),
                "PYTHONPATH": os.pathsep.join([str(self.names.folder), str(ROOT / "operator")]),
            },
        )
        self.reader = asyncio.create_task(self._read())
