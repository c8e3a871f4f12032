"""HAProxy, the peer of the failover benchmark: the same providers, checked at the same pace.

Its own log says when a server went down, at the moment it does; polling its stats socket would add half a period to
each time, so the socket is only asked whether all checks have passed before the fault, and as a cross-check after it.
"""

import asyncio
import os
import re
import shutil
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from typing_extensions import override

from providerswitch.demo.processes import DemoError, running

SYSTEM_FOLDERS: Final = "/usr/sbin:/sbin"
MISSING: Final = (
    "haproxy is not installed, and the comparison needs it. Debian and Ubuntu: apt-get install haproxy (it need not "
    "run as a service). Or measure without it: make bench-failover ARGS=--no-haproxy"
)
CHECKS: Final[Mapping[str, tuple[str, Mapping[str, str]]]] = {
    "openai": ("/v1/models", {"authorization": "Bearer sk-bench"}),
    "anthropic": ("/v1/models", {"x-api-key": "sk-bench", "anthropic-version": "2023-06-01"}),
    "google": ("/v1beta/models", {"x-goog-api-key": "sk-bench"}),
}
"""Path and headers of the unbilled request that tells whether a provider works, by provider type."""

FAILED: Final = re.compile(r"Health check for server (\S+)/provider failed")
DOWN: Final = re.compile(r"Server (\S+)/provider is DOWN")
PASSED: Final = "L7OK"
POLL_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True)
class CheckedServer:
    """One provider as HAProxy knows it."""

    name: str
    kind: str
    host: str


def find_haproxy() -> str:
    """Return the path of haproxy; Debian puts it where only root looks.

    Raises:
        DemoError: there is none.
    """
    found = shutil.which("haproxy", path=os.pathsep.join((os.environ.get("PATH", os.defpath), SYSTEM_FOLDERS)))
    if found is None:
        raise DemoError(MISSING)
    return found


async def read_version() -> str:
    """Return the version of haproxy.

    Raises:
        DemoError: there is none.
    """
    process = await asyncio.create_subprocess_exec(find_haproxy(), "-v", stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    return output.decode().split()[2]


def build_config(servers: Iterable[CheckedServer], log_port: int, stats: Path) -> str:
    """Return a configuration with the operator's pace: 30 s, 3 failures, 1 s after the first, 10 s to answer."""
    head = f"""
global
    log 127.0.0.1:{log_port} local0 info
    stats socket {stats}
    stats timeout 60s
    maxconn 1000

defaults
    mode http
    log global
    option log-health-checks
    timeout connect 10s
    timeout client 60s
    timeout server 60s
    timeout check 10s
"""
    return head + "".join(_backend(server) for server in servers)


def _backend(server: CheckedServer) -> str:
    path, headers = CHECKS[server.kind]
    sent = "".join(f' hdr {name} "{value}"' for name, value in headers.items())
    return f"""
backend {server.name}
    option httpchk
    http-check send meth GET uri {path} ver HTTP/1.1 hdr host {server.host}{sent}
    http-check expect status 200
    server provider {server.host} check inter 30s fall 3 fastinter 1s
"""


@dataclass(slots=True)
class HealthLog(asyncio.DatagramProtocol):
    """What HAProxy's log said about its servers, and `time.monotonic()` when it said so.

    Attributes:
        failed_at: first failed check, by backend.
        down_at: when the server was taken out, by backend.
    """

    failed_at: dict[str, float] = field(default_factory=dict)
    down_at: dict[str, float] = field(default_factory=dict)

    @override
    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.take(data.decode(errors="replace"), time.monotonic())

    def take(self, line: str, at: float) -> None:
        """Take in a line of the log."""
        for pattern, times in ((FAILED, self.failed_at), (DOWN, self.down_at)):
            if found := pattern.search(line):
                times.setdefault(found[1], at)


@dataclass(frozen=True, slots=True)
class HAProxy:
    """A running HAProxy."""

    stats: Path
    log: HealthLog

    async def all_passed(self) -> bool:
        """Tell whether every server has passed its last check."""
        return all(row["check_status"] == PASSED for row in await self.servers())

    async def servers(self) -> list[dict[str, str]]:
        """Return what the stats socket says of each server."""
        reader, writer = await asyncio.open_unix_connection(str(self.stats))
        try:
            writer.write(b"show stat -1 4 -1\n")
            return parse_stats((await reader.read()).decode())
        finally:
            writer.close()
            await writer.wait_closed()


def parse_stats(text: str) -> list[dict[str, str]]:
    """Return the rows of `show stat`."""
    head, *rows = text.strip().splitlines()
    names = head.removeprefix("# ").split(",")
    return [dict(zip(names, row.split(","), strict=False)) for row in rows]


@asynccontextmanager
async def haproxy(servers: Iterable[CheckedServer], folder: Path) -> AsyncIterator[HAProxy]:
    """Run HAProxy while the context is open."""
    binary, stats, config = find_haproxy(), folder / "haproxy.socket", folder / "haproxy.cfg"
    loop = asyncio.get_running_loop()
    transport, health_log = await loop.create_datagram_endpoint(HealthLog, local_addr=("127.0.0.1", 0))
    try:
        config.write_text(build_config(servers, transport.get_extra_info("sockname")[1], stats))
        command = [binary, "-db", "-f", str(config)]
        async with running("haproxy", command, folder / "haproxy.log") as child:
            while not stats.exists():
                child.check()
                await asyncio.sleep(POLL_SECONDS)
            yield HAProxy(stats, health_log)
            child.check()
    finally:
        transport.close()


async def wait_until_passed(proxy: HAProxy, within: float) -> None:
    """Wait until all servers have passed a check: before that HAProxy believes in them on trust.

    Raises:
        DemoError: they have not within that many seconds.
    """
    try:
        async with asyncio.timeout(within):
            while not await proxy.all_passed():  # noqa: ASYNC110  # HAProxy rings no bell
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError as error:
        left = [row["pxname"] for row in await proxy.servers() if row["check_status"] != PASSED]
        raise DemoError(f"HAProxy's checks of {', '.join(left)} have not passed within {within:g} s") from error
