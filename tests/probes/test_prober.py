"""One target, asked over a real socket: from the request to the outcome."""

import json
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

import pytest
from tests.support.fault_server import OK, FaultServer, always, serving, stall, then_hang

from providerswitch.api.health import HealthClass
from providerswitch.api.provider_types import ProviderTypeName
from providerswitch.core.outcome import Allowance, Outcome, Tier, Usage
from providerswitch.demo.fakes import FakeProvider, Fault, Scope
from providerswitch.probes.addresses import AddressRules
from providerswitch.probes.exchange import SecretKey
from providerswitch.probes.prober import TargetProber
from providerswitch.probes.registry import REGISTRY
from providerswitch.probes.target import ProbeTarget
from providerswitch.probes.transport import ProbeTransport

LOOPBACK = AddressRules((ip_network("127.0.0.0/8"),))
DEADLINE = timedelta(seconds=2)


def system_clock() -> datetime:
    """Read the wall clock."""
    return datetime.now(UTC)


async def probe(
    target: ProbeTarget, tier: Tier = Tier.LIVENESS, clock: Callable[[], datetime] = system_clock
) -> Outcome:
    """Ask a target once."""
    transport = ProbeTransport(
        target.base_url, ssl_context=ssl.create_default_context(), rules=LOOPBACK, keepalive_seconds=60
    )
    prober = TargetProber(target, REGISTRY[target.type], transport, clock)
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


USED = {"openai": Usage(8, 3), "anthropic": Usage(8, 3), "google": Usage(8, 3), "jina": Usage(1, 0)}


@pytest.mark.parametrize("kind", USED)
async def test_only_a_billed_answer_tells_what_it_cost(kind: str) -> None:
    async with FakeProvider(kind, key="good") as fake:
        unbilled = await probe(target_of(fake))
        billed = await probe(target_of(fake), Tier.GENERATION)
    assert (unbilled.usage, billed.usage) == (None, USED[kind])


async def test_an_unbilled_answer_that_looks_billed_tells_no_cost() -> None:
    async with serving(always(answer(200, {"usage": {"prompt_tokens": 8}}))) as server:
        assert (await probe(compatible(server))).usage is None
        assert (await probe(compatible(server), Tier.GENERATION)).usage == Usage(8, 0)


async def test_an_error_is_not_billed_whatever_it_says() -> None:
    async with serving(always(answer(500, {"error": {"message": "no"}, "usage": {"prompt_tokens": 8}}))) as server:
        outcome = await probe(compatible(server), Tier.GENERATION)
    assert (outcome.health_class, outcome.usage) == (HealthClass.SERVER_ERROR, None)


async def test_rate_limit_headers_come_with_the_outcome_of_either_tier() -> None:
    async with FakeProvider("openai", key="good") as fake:
        unbilled = await probe(target_of(fake))
        billed = await probe(target_of(fake), Tier.GENERATION)
    for outcome in (unbilled, billed):
        assert outcome.allowance is not None
        assert (outcome.allowance.requests_limit, outcome.allowance.tokens_limit) == (500, 200_000)


async def test_a_refusal_for_too_many_requests_says_that_none_is_left_until_when() -> None:
    async with FakeProvider("openai", key="good") as fake:
        await fake.behave(Fault.RATE_LIMITED, seconds=42)
        outcome = await probe(target_of(fake))
    assert outcome.allowance == Allowance(500, 0, 200_000, 199_992, outcome.ended_at + timedelta(seconds=42))


async def test_silence_tells_neither_cost_nor_limits_nor_a_first_byte() -> None:
    async with serving(stall) as server:
        outcome = await probe(plain(server))
    assert (outcome.usage, outcome.allowance, outcome.first_byte) == (None, None, None)


async def test_the_first_byte_is_told_apart_from_the_last() -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"
    async with serving(then_hang(head)) as server:
        outcome = await probe(plain(server))
    assert outcome.health_class is HealthClass.TIMEOUT
    assert outcome.first_byte is not None
    assert timedelta(0) < outcome.first_byte < DEADLINE <= outcome.took


async def test_a_clock_that_is_set_back_meanwhile_does_not_change_how_long_a_probe_took() -> None:
    readings = [datetime(2026, 11, 2, 12, tzinfo=UTC), datetime(2026, 11, 2, 11, tzinfo=UTC)]

    def set_back() -> datetime:
        return readings.pop(0) if len(readings) > 1 else readings[0]

    async with FakeProvider("openai", key="good") as fake:
        outcome = await probe(target_of(fake), clock=set_back)
    assert outcome.first_byte is not None
    assert timedelta(0) < outcome.first_byte <= outcome.took < DEADLINE


async def test_a_probe_ends_by_the_wall_clock_as_it_is_then() -> None:
    set_anew = datetime(2030, 1, 1, tzinfo=UTC)
    async with FakeProvider("openai", key="good") as fake:
        outcome = await probe(target_of(fake), clock=lambda: set_anew)
    assert outcome.ended_at == set_anew


def answer(status: int, content: object) -> bytes:
    """Return an answer with a JSON body as it is on the wire."""
    body = json.dumps(content).encode()
    head = f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def compatible(server: FaultServer) -> ProbeTarget:
    """Return a target that speaks OpenAI's API."""
    return ProbeTarget(ProviderTypeName.OPENAI_COMPATIBLE, server.url(), SecretKey("good"), "some-model")


def plain(server: FaultServer) -> ProbeTarget:
    """Return a target of type http."""
    return ProbeTarget(ProviderTypeName.HTTP, server.url())
