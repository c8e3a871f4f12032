"""Probe transports whose names resolve as the test says; loopback addresses are allowed unless it says otherwise."""

import asyncio
import functools
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from ipaddress import ip_network
from typing import Final

from tests.support.fault_server import HOST

from providerswitch.probes.addresses import AddressRules
from providerswitch.probes.exchange import Finding, ProbeRequest, Reply
from providerswitch.probes.resolving import Resolver
from providerswitch.probes.transport import Answer, ProbeTransport

STRICT: Final = AddressRules()
LOOPBACK: Final = AddressRules((ip_network("127.0.0.0/8"),))
GET: Final = ProbeRequest("GET", "/v1/models")
POST: Final = ProbeRequest("POST", "/v1/chat/completions", body=b"{}")
LONGEST_SECONDS: Final = 10
"""No answer of these tests takes that long, unless a deadline does not hold."""


@functools.cache
def ordinary_trust() -> ssl.SSLContext:
    """Return a context with the system's authorities; loading them takes a while."""
    return ssl.create_default_context()


def resolving(*answers: Sequence[str] | Exception) -> Resolver:
    """Resolve every name to the next answer, and to the last one from then on."""
    waiting = list(answers)

    async def resolve(_host: str, _port: int) -> Sequence[str]:
        answer = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    return resolve


@asynccontextmanager
async def opened(
    url: str,
    *,
    trust: ssl.SSLContext | None = None,
    rules: AddressRules = LOOPBACK,
    resolve: Resolver | None = None,
    keepalive_seconds: float = 60,
) -> AsyncIterator[ProbeTransport]:
    """Open the transport of one target; names are on the loopback interface."""
    transport = ProbeTransport(
        url,
        ssl_context=trust or ordinary_trust(),
        rules=rules,
        keepalive_seconds=keepalive_seconds,
        resolve=resolve or resolving([HOST]),
    )
    try:
        yield transport
    finally:
        await transport.aclose()


async def ask(
    url: str,
    request: ProbeRequest = GET,
    *,
    deadline_seconds: float = 5,
    trust: ssl.SSLContext | None = None,
    rules: AddressRules = LOOPBACK,
    resolve: Resolver | None = None,
) -> Answer:
    """Send one probe over a transport of its own."""
    async with asyncio.timeout(LONGEST_SECONDS), opened(url, trust=trust, rules=rules, resolve=resolve) as transport:
        return await transport.ask(request, deadline_seconds=deadline_seconds)


def reply_in(answer: Answer) -> Reply:
    """Return the HTTP answer, or fail."""
    assert isinstance(answer.result, Reply), answer.result
    return answer.result


def finding_in(answer: Answer) -> Finding:
    """Return the reason why there is no HTTP answer, or fail."""
    assert isinstance(answer.result, Finding), answer.result
    return answer.result
