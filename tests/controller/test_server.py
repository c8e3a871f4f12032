"""/metrics, /healthz and /readyz over a real socket."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest
from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.parser import text_string_to_metric_families
from tests.support.operator_process import free_port

from providerswitch.api.errors import UserError
from providerswitch.controller.server import build_app, serve


@dataclass(slots=True)
class Served:
    registry: CollectorRegistry
    port: int
    alive: bool = True
    ready: bool = True

    async def get(self, path: str) -> httpx.Response:
        async with httpx.AsyncClient(trust_env=False) as client:
            return await client.get(f"http://127.0.0.1:{self.port}{path}")


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    made = Served(CollectorRegistry(), free_port())
    app = build_app(made.registry, alive=lambda: made.alive, ready=lambda: made.ready)
    runner = await serve(app, "127.0.0.1", made.port)
    yield made
    await runner.cleanup()


async def test_metrics_are_served_in_a_format_that_prometheus_reads(served: Served) -> None:
    Gauge("active", "says who", ("provider",), registry=served.registry).labels('odd "name"\n').set(1)

    answer = await served.get("/metrics")

    assert answer.headers["content-type"].startswith("text/plain; version=1.0.0")
    (family,) = text_string_to_metric_families(answer.text)
    assert [(sample.labels, sample.value) for sample in family.samples] == [({"provider": 'odd "name"\n'}, 1)]


@pytest.mark.parametrize(("path", "attribute"), [("/healthz", "alive"), ("/readyz", "ready")])
async def test_a_verdict_is_200_or_503(served: Served, path: str, attribute: str) -> None:
    assert (await served.get(path)).status_code == 200
    setattr(served, attribute, False)
    assert (await served.get(path)).status_code == 503
    assert (await served.get({"/healthz": "/readyz", "/readyz": "/healthz"}[path])).status_code == 200


async def test_nothing_else_is_served(served: Served) -> None:
    assert (await served.get("/")).status_code == 404
    assert (await served.get("/debug/pprof")).status_code == 404


async def test_a_stalled_event_loop_answers_no_health_check(served: Served) -> None:
    answers: list[object] = []

    def check() -> None:
        with httpx.Client(trust_env=False, timeout=0.5) as client:
            try:
                answers.append(client.get(f"http://127.0.0.1:{served.port}/healthz").status_code)
            except httpx.TimeoutException:
                answers.append("nothing")

    stalled = threading.Thread(target=check)
    stalled.start()
    stalled.join()  # in the event loop's own thread: this is the stall
    await asyncio.to_thread(check)

    assert answers == ["nothing", 200]


async def test_a_port_in_use_is_told_with_what_to_do(served: Served) -> None:
    app = build_app(served.registry, alive=lambda: True, ready=lambda: True)

    with pytest.raises(UserError, match=rf"Cannot listen on 127\.0\.0\.1:{served.port}.*--listen") as refused:
        await serve(app, "127.0.0.1", served.port)

    assert refused.value.reason == "ListenFailed"


async def test_clients_that_dawdle_do_not_hold_up_the_end() -> None:
    port, registry = free_port(), CollectorRegistry()
    much = Gauge("much", "more than the sockets' buffers hold", ("text",), registry=registry)
    for number in range(10_000):
        much.labels(f"{number:01000}").set(1)
    runner = await serve(build_app(registry, alive=lambda: True, ready=lambda: True), "127.0.0.1", port)
    connections = [socket.create_connection(("127.0.0.1", port)) for _ in range(3)]
    idle, asking, listening = connections
    idle.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    asking.sendall(b"GET /metrics HTTP/1.1\r\nHos")
    listening.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    assert await asyncio.to_thread(idle.recv, 1000)
    assert await asyncio.to_thread(listening.recv, 1)

    async with asyncio.timeout(5):
        await runner.cleanup()
    for connection in connections:
        connection.close()
