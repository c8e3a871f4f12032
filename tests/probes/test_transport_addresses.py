"""A probe goes only to an address that was checked, however the host is written and whatever its name resolves to."""

from collections.abc import Sequence
from ipaddress import ip_network

import pytest
from tests.support.fault_server import HOST, OK, always, serving
from tests.support.transports import GET, STRICT, ask, finding_in, opened, reply_in, resolving

from providerswitch.api.health import HealthClass
from providerswitch.probes.addresses import AddressRules
from providerswitch.probes.resolving import system_resolver

OTHER = "127.0.0.2"
ONLY_ONE = AddressRules((ip_network(f"{HOST}/32"),))
"""The address that stands for a public one in these tests; the others of the loopback interface stay refused."""

LOOPBACK_FORMS = [
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f.1",
    "0x7f000001",
    "017700000001",
    "localhost",
    "LOCALHOST",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[64:ff9b::127.0.0.1]",
    "0",
    "0.0.0.0",
]


@pytest.mark.parametrize("host", LOOPBACK_FORMS)
async def test_no_way_to_write_the_loopback_address_passes(host: str) -> None:
    async with serving(always(OK)) as server:
        finding = finding_in(await ask(server.url(host), rules=STRICT, resolve=system_resolver))
        assert finding.health_class is HealthClass.CONFIG_INVALID
        assert "the cluster's administrator can allow it with --allow-probe-cidr" in finding.why
        assert server.accepted == 0


@pytest.mark.parametrize(
    "host", ["localhost.", "0177.0.0.1", "127.0.0.1.", "127.0.0.01", "127。0。0。1", "1️27.0.0.1", "①27.0.0.1"]
)
async def test_no_odd_way_to_write_the_loopback_address_connects(host: str) -> None:
    async with serving(always(OK)) as server:
        finding = finding_in(await ask(server.url(host), rules=STRICT, resolve=system_resolver))
        assert finding.health_class in {HealthClass.CONFIG_INVALID, HealthClass.DNS}
        assert server.accepted == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "localhost"])
async def test_what_the_administrator_allows_is_probed_however_it_is_written(host: str) -> None:
    rules = AddressRules((ip_network("127.0.0.0/8"), ip_network("::1/128")))
    async with serving(always(OK)) as server:
        assert reply_in(await ask(server.url(host), rules=rules, resolve=system_resolver)).status == 200


@pytest.mark.parametrize("host", ["169.254.169.254", "[::ffff:169.254.169.254]", "[fd00:ec2::254]", "2852039166"])
async def test_metadata_addresses_are_refused_by_name(host: str) -> None:
    finding = finding_in(await ask(f"http://{host}/", rules=STRICT, resolve=system_resolver))
    assert finding.health_class is HealthClass.CONFIG_INVALID
    assert "is a cloud metadata address" in finding.why


@pytest.mark.parametrize(
    "answer",
    [[OTHER], [HOST, OTHER], [OTHER, HOST], [HOST, "169.254.169.254"], [HOST, "::1"], [HOST, "::ffff:127.0.0.2"]],
    ids=str,
)
async def test_one_refused_address_among_several_refuses_them_all(answer: list[str]) -> None:
    async with serving(always(OK)) as server:
        finding = finding_in(await ask(server.url("x.test"), rules=ONLY_ONE, resolve=resolving(answer)))
        assert finding.health_class is HealthClass.CONFIG_INVALID
        assert finding.why.startswith("host x.test: ")
        assert server.accepted == 0


async def test_the_address_that_was_checked_is_the_one_connected_to() -> None:
    lookups: list[str] = []

    async def rebind(host: str, _port: int) -> Sequence[str]:
        lookups.append(host)
        return [HOST] if len(lookups) == 1 else [OTHER]

    async with serving(always(OK)) as server, serving(always(OK), host=OTHER, port=server.port) as forbidden:
        async with opened(server.url("x.test"), rules=ONLY_ONE, resolve=rebind) as transport:
            assert reply_in(await transport.ask(GET, deadline_seconds=5)).status == 200
            assert lookups == ["x.test"]
            finding = finding_in(await transport.ask(GET, deadline_seconds=5))
        assert finding.health_class is HealthClass.CONFIG_INVALID
        assert (len(server.requests), forbidden.accepted) == (1, 0)


async def test_a_name_that_moves_is_followed() -> None:
    async with serving(always(OK)) as old, serving(always(OK), host=OTHER, port=old.port) as new:
        async with opened(old.url("x.test"), resolve=resolving([HOST], [OTHER])) as transport:
            for _ in range(3):
                assert reply_in(await transport.ask(GET, deadline_seconds=5)).status == 200
        assert (len(old.requests), len(new.requests)) == (1, 2)


async def test_a_name_with_several_addresses_keeps_its_connection() -> None:
    turns = resolving([HOST, OTHER], [OTHER, HOST], [HOST, OTHER], [OTHER, HOST])
    async with serving(always(OK)) as server, opened(server.url("x.test"), resolve=turns) as transport:
        for _ in range(4):
            assert reply_in(await transport.ask(GET, deadline_seconds=5)).status == 200
        assert server.accepted == 1


async def test_the_system_resolver_finds_the_loopback_names_of_the_machine() -> None:
    assert set(await system_resolver("localhost", 80)) <= {"127.0.0.1", "::1"}
