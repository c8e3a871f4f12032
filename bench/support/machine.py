"""What a run was made on and with."""

import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Final

from providerswitch.kube.client import KubeClient

PACKAGES: Final = ("providerswitch", "kopf", "kubernetes", "aiohttp", "httpx", "pydantic")
TICKS: Final = os.sysconf("SC_CLK_TCK")
USER_TICKS: Final = 11
"""Index of `utime` among the fields of /proc/PID/stat that follow the command; `stime` is the next. See proc(5)."""


def measure_machine() -> dict[str, float]:
    """Return cores that may be used, memory, and the load of the last minute."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return {
        "cores": len(os.sched_getaffinity(0)),
        "memoryGiB": round(memory, 1),
        "loadAtStart": round(os.getloadavg()[0], 2),
    }


async def find_versions(client: KubeClient) -> dict[str, str]:
    """Return the version of everything whose speed counts."""
    server = await client.request("GET", "/version", what="read the version of the API server")
    packages = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {"python": platform.python_version(), **packages, "apiserver": str(server["gitVersion"])}


def parse_cpu_seconds(stat: str) -> float:
    """Return user and system time from /proc/PID/stat; the command in it may hold spaces and brackets."""
    fields = stat.rpartition(")")[2].split()
    return (int(fields[USER_TICKS]) + int(fields[USER_TICKS + 1])) / TICKS


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process has used so far."""
    return parse_cpu_seconds(Path(f"/proc/{pid}/stat").read_text())


def parse_rss_mib(status: str) -> float:
    """Return the resident memory from /proc/PID/status."""
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


def rss_mib(pid: int) -> float:
    """Return the resident memory of a process."""
    return parse_rss_mib(Path(f"/proc/{pid}/status").read_text())
