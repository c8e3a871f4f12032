"""One target, asked over a real socket: from the request to the outcome."""

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

import pytest
from tests.support.fault_server import OK, FaultServer, always, serving, stall

from providerswitch.api.health import HealthClass
from providerswitch.api.provider_types import ProviderTypeName
from providerswitch.core.outcome import Outcome, Tier
from providerswitch.demo.fakes import FakeProvider, Fault, Scope
from providerswitch.probes.addresses import AddressRules
from providerswitch.probes.exchange import SecretKey
from providerswitch.probes.prober import TargetProber
from providerswitch.probes.registry import REGISTRY
from providerswitch.probes.target import ProbeTarget
from providerswitch.probes.transport import ProbeTransport

LOOPBACK = AddressRules((ip_network("127.0.0.0/8"),))
DEADLINE = timedelta(seconds=2)


async def probe(target: ProbeTarget, tier: Tier = Tier.LIVENESS) -> Outcome:
    """Ask a target once."""
    transport = ProbeTransport(
        target.base_url, ssl_context=ssl.create_default_context(), rules=LOOPBACK, keepalive_seconds=60
    )
    prober = TargetProber(target, REGISTRY[target.type], transport, lambda: datetime.now(UTC))
    try:
        return await prober.probe(tier, DEADLINE)
    finally:
        await prober.aclose()


def target_of(fake: FakeProvider, key: str | None = "good", model: str | None = None) -> ProbeTarget:
    """Return the target that a policy would make of a fake."""
    return ProbeTarget(ProviderTypeName(fake.kind), fake.base_url, SecretKey(key) if key else None, model)


@pytest.mark.parametrize("kind", ["openai", "anthropic", "google", "jina"])
async def test_the_real_wire_formats_answer_both_tiers(kind: str) -> None:
    async with FakeProvider(kind, key="good") as fake:
        unbilled = await probe(target_of(fake))
        billed = await probe(target_of(fake), Tier.GENERATION)
        assert (unbilled.health_class, unbilled.tier) == (HealthClass.HEALTHY, Tier.LIVENESS)
        assert (billed.health_class, billed.tier) == (HealthClass.HEALTHY, Tier.GENERATION)
        assert [exchange.method for exchange in fake.log] == ["GET", "POST"]


@pytest.mark.parametrize("kind", ["openai", "anthropic", "google"])
async def test_an_unbilled_check_notices_a_wrong_key_and_counts_none_as_alive(kind: str) -> None:
    async with FakeProvider(kind, key="good") as fake:
        assert (await probe(target_of(fake, "bad"))).health_class is HealthClass.AUTH_INVALID
        assert (await probe(target_of(fake, None))).health_class is HealthClass.HEALTHY


FAULTS = {
    Fault.REFUSE: HealthClass.CONNECT_REFUSED,
    Fault.RESET: HealthClass.RESET,
    Fault.HANG: HealthClass.TIMEOUT,
    Fault.CLOSE_MIDWAY: HealthClass.RESET,
    Fault.SERVER_ERROR: HealthClass.SERVER_ERROR,
    Fault.OVERLOADED: HealthClass.OVERLOADED,
    Fault.RATE_LIMITED: HealthClass.RATE_LIMITED,
    Fault.BAD_KEY: HealthClass.AUTH_INVALID,
    Fault.QUOTA_EXHAUSTED: HealthClass.QUOTA_EXHAUSTED,
    Fault.MODEL_UNAVAILABLE: HealthClass.MODEL_UNAVAILABLE,
    Fault.HTML_PROXY: HealthClass.PROTOCOL,
    Fault.TRUNCATED: HealthClass.PROTOCOL,
    Fault.ERROR_IN_200: HealthClass.SERVER_ERROR,
    Fault.GARBAGE: HealthClass.PROTOCOL,
}

SAID_OTHERWISE = {("jina", Fault.OVERLOADED): HealthClass.SERVER_ERROR}
"""Jina has no word for a lack of capacity."""


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("kind", ["openai", "anthropic", "google", "jina"])
async def test_every_fault_of_every_provider_has_its_class(kind: str, fault: Fault) -> None:
    async with FakeProvider(kind, key="good") as fake:
        await fake.behave(fault, seconds=30)
        outcome = await probe(target_of(fake))
    assert outcome.health_class is SAID_OTHERWISE.get((kind, fault), FAULTS[fault]), outcome.why


async def test_an_outage_of_generation_alone_shows_only_to_a_generation_probe() -> None:
    async with FakeProvider("openai", key="good") as fake:
        await fake.behave(Fault.SERVER_ERROR, scope=Scope.GENERATION)
        assert (await probe(target_of(fake))).alive
        assert (await probe(target_of(fake), Tier.GENERATION)).health_class is HealthClass.SERVER_ERROR


async def test_a_wait_that_is_asked_for_comes_with_the_outcome() -> None:
    async with FakeProvider("openai", key="good") as fake:
        await fake.behave(Fault.RATE_LIMITED, seconds=42)
        assert (await probe(target_of(fake))).retry_after == timedelta(seconds=42)


async def test_a_base_url_without_the_api_below_it_is_a_mistake_in_the_policy() -> None:
    async with FakeProvider("openai", key="good") as fake:
        wrong = ProbeTarget(ProviderTypeName.OPENAI, f"http://{fake.host}/nothing", SecretKey("good"))
        outcome = await probe(wrong)
    assert outcome.health_class is HealthClass.CONFIG_INVALID
    assert "correct baseURL" in outcome.why


async def test_an_http_answer_is_told_from_silence_whatever_it_says() -> None:
    gateway = b"HTTP/1.1 504 Gateway Timeout\r\ncontent-length: 0\r\n\r\n"
    async with serving(always(gateway)) as server:
        answered = await probe(plain(server))
    async with serving(stall) as server:
        silent = await probe(plain(server))
    assert {answered.health_class, silent.health_class} == {HealthClass.TIMEOUT}
    assert (answered.no_answer, silent.no_answer) == (False, True)


async def test_a_type_that_generates_nothing_is_asked_unbilled_instead() -> None:
    async with serving(always(OK)) as server:
        outcome = await probe(plain(server), Tier.GENERATION)
    assert (outcome.health_class, outcome.tier) == (HealthClass.HEALTHY, Tier.LIVENESS)


def plain(server: FaultServer) -> ProbeTarget:
    """Return a target of type http."""
    return ProbeTarget(ProviderTypeName.HTTP, server.url())
