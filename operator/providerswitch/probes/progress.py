"""How far a probe has come, as httpcore's trace extension tells it: which phase, and whether still at the proxy."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Final

import httpcore

from providerswitch.probes.faults import Phase
from providerswitch.probes.proxies import Proxy

PHASES: Final[Mapping[str, Phase]] = {
    "connection.connect_tcp.started": Phase.CONNECT,
    "connection.start_tls.started": Phase.TLS,
    "proxy.start_tls.started": Phase.TLS,
    "http11.send_request_headers.started": Phase.WRITE,
    "http11.receive_response_headers.started": Phase.READ_HEADERS,
    "http11.receive_response_headers.complete": Phase.READ_BODY,
}
"""Phase that begins with an event of httpcore's trace extension."""


@dataclass(slots=True)
class Progress:
    """How far one probe has come.

    Attributes:
        proxy: on the way to the host, or None.
        tunnelled: the proxy is asked for a tunnel, not for the answer.
        at_proxy: what happens now is between us and the proxy.
    """

    deadline: asyncio.Timeout
    phase: Phase = Phase.RESOLVE
    connected_anew: bool = False
    started: float = field(default_factory=perf_counter)
    first_byte_seconds: float | None = None
    patience: asyncio.Timeout | None = None
    patience_seconds: float = 0
    stream: httpcore.AsyncNetworkStream | None = None
    proxy: Proxy | None = None
    tunnelled: bool = False
    at_proxy: bool = False

    def go_through(self, proxy: Proxy, *, tunnelled: bool) -> None:
        """From here on the way leads through a proxy, and the clock runs."""
        self.proxy, self.tunnelled, self.at_proxy = proxy, tunnelled, True
        self.started = perf_counter()

    async def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Hear of httpcore's events; hardly ever look at what comes with them, for it may hold the request."""
        self.phase = PHASES.get(event, self.phase)
        self._pass_proxy(event)
        if event == "connection.connect_tcp.started":
            self.connected_anew = True
            self._give_patience(asyncio.get_running_loop().time() + self.patience_seconds)
        elif event == "connection.connect_tcp.complete":
            self._give_patience(None)
            self.stream = info["return_value"]
        elif event == "http11.receive_response_headers.complete" and not self.at_proxy:
            self.first_byte_seconds = perf_counter() - self.started

    def _pass_proxy(self, event: str) -> None:
        """A new tunnel stands when TLS begins in it; a kept one is there already; a proxy without tunnel takes all."""
        if event == "connection.connect_tcp.started":
            self.at_proxy = self.proxy is not None
        elif event == self._last_at_proxy():
            self.at_proxy = False

    def _last_at_proxy(self) -> str:
        new_tunnel = self.tunnelled and self.connected_anew
        return "proxy.start_tls.started" if new_tunnel else "http11.send_request_headers.started"

    def _give_patience(self, until: float | None) -> None:
        if self.patience:
            self.patience.reschedule(until)

    def time_left(self) -> float:
        """Return the seconds before the deadline."""
        return (self.deadline.when() or 0) - asyncio.get_running_loop().time()

    async def drop_half_open(self) -> None:
        """Close what httpcore forgets: a connection whose TLS handshake was cut off by our deadline."""
        if self.phase is Phase.TLS and self.stream:
            await self.stream.aclose()
