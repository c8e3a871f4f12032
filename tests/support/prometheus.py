"""A real Prometheus that scrapes a test's targets every second, and promtool; all on the loopback interface."""

import contextlib
import json
import socket
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram, start_http_server
from tests.support.eventually import eventually_sync
from tests.support.fault_server import HOST
from tests.support.repository import guard, servers

# isort: split
import prometheus as fetching  # on the path that tests.support.repository puts in place

READY_SECONDS = 60
"""It takes half a second; a machine that also compiles something takes several times as long."""
CONFIG = """\
global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
scrape_configs:
  - job_name: gateway
    static_configs: [{{targets: {targets}}}]
rule_files: {rules}
"""


@dataclass(frozen=True, slots=True)
class Gateway:
    """What a proxy in front of the providers would count.

    Attributes:
        address: host and port of its metrics, served at /metrics.
    """

    registry: CollectorRegistry
    address: str
    seconds: Histogram = field(init=False)
    requests: Counter = field(init=False)

    def __post_init__(self) -> None:
        """Register its metrics."""
        buckets = (0.1, 0.5, 1.0, 2.5)
        seconds = Histogram("llm_seconds", "Time to answer.", ["provider"], buckets=buckets, registry=self.registry)
        requests = Counter("llm_requests", "Answers.", ["provider", "outcome"], registry=self.registry)
        object.__setattr__(self, "seconds", seconds)
        object.__setattr__(self, "requests", requests)

    def knows(self, provider: str) -> None:
        """Count a provider's requests from zero: a rate needs to see where they began."""
        self.seconds.labels(provider)
        for outcome in ("ok", "error"):
            self.requests.labels(provider, outcome)

    def served(self, provider: str, *, ok: int, failed: int = 0, seconds: float) -> None:
        """Count requests that each took so long."""
        for outcome, count in (("ok", ok), ("error", failed)):
            self.requests.labels(provider, outcome).inc(count)
        for _ in range(ok + failed):
            self.seconds.labels(provider).observe(seconds)


@contextlib.contextmanager
def counting() -> Iterator[Gateway]:
    """Serve the metrics of a gateway."""
    registry = CollectorRegistry()
    server, thread = start_http_server(0, HOST, registry)
    try:
        yield Gateway(registry, f"{HOST}:{server.server_port}")
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A server that is ready."""

    url: str
    server: servers.Server

    def kill(self) -> None:
        """End it as a crash would."""
        self.server.kill()


def require(name: str) -> Path:
    """Return a binary; the test is skipped where it cannot be had, and fails where it only was not fetched."""
    try:
        return fetching.require(name)
    except fetching.MissingPrometheusError as error:
        if missing := fetching.missing_tools():
            pytest.skip(
                f"there is no {name} here, and without {missing[0]} none can be fetched; {fetching.PUT_ON_PATH}"
            )
        pytest.fail(str(error), pytrace=False)


@contextlib.contextmanager
def scraping(target: str, folder: Path, *more: str, rules: Path | None = None) -> Iterator[Prometheus]:
    """Run a Prometheus that scrapes a target or more; its data and its log go to a folder.

    Args:
        target: host and port.
        more: further ones.
        rules: a file of rule groups, evaluated every second where a group has no interval of its own.
    """
    binary, port = require("prometheus"), _free_port()
    config = CONFIG.format(targets=json.dumps([target, *more]), rules=json.dumps([str(rules)] if rules else []))
    with guard.Guard() as watching:
        server = servers.Server(_command(binary, folder, config, port), folder, watching)
        started = Prometheus(f"http://{HOST}:{port}", server)
        server.start()
        try:
            eventually_sync(lambda: not server.running() or _is_ready(started.url), within=READY_SECONDS)
            server.check()
            yield started
        finally:
            server.kill()


def _command(binary: Path, folder: Path, config: str, port: int) -> list[str]:
    path = folder / "prometheus.yml"
    path.write_text(config)
    return [
        str(binary),
        f"--config.file={path}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={HOST}:{port}",
        "--log.level=warn",
    ]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    return port


def _is_ready(url: str) -> bool:
    with urllib.request.urlopen(f"{url}/-/ready", timeout=5) as answer:
        return bool(answer.status == 200)
