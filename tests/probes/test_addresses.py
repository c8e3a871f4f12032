from ipaddress import IPv4Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providerswitch.probes.addresses import Address, AddressRules, order_attempts, refusal

STRICT = AddressRules()

REFUSED = {
    "127.0.0.1": "loopback",
    "127.8.8.8": "loopback",
    "::1": "loopback",
    "169.254.169.254": "cloud metadata",
    "169.254.170.2": "cloud metadata",
    "169.254.170.23": "cloud metadata",
    "100.100.100.200": "cloud metadata",
    "168.63.129.16": "cloud metadata",
    "192.0.0.192": "cloud metadata",
    "fd00:ec2::254": "cloud metadata",
    "fd20:ce::254": "cloud metadata",
    "169.254.1.1": "link-local",
    "fe80::1": "link-local",
    "fe80::1%eth0": "link-local",
    "0.0.0.0": "unspecified",
    "0.1.2.3": "unspecified",
    "::": "unspecified",
    "224.0.0.1": "multicast",
    "ff02::1": "multicast",
    "255.255.255.255": "broadcast",
    "240.0.0.1": "reserved",
    "::7f00:1": "reserved",
    "4000::1": "reserved",
    "::ffff:127.0.0.1": "loopback",
    "::ffff:169.254.169.254": "cloud metadata",
    "::ffff:0:127.0.0.1": "reserved",
    "2002:7f00:1::1": "loopback",
    "2002:a9fe:a9fe::": "cloud metadata",
    "64:ff9b::169.254.169.254": "cloud metadata",
    "64:ff9b::127.0.0.1": "loopback",
    "64:ff9b:1::127.0.0.1": "loopback",
    "2001:0:808:808::80ff:fffe": "loopback",
}

PERMITTED = (
    "8.8.8.8",
    "10.0.0.1",
    "10.96.0.1",
    "100.64.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "198.18.0.1",
    "2606:4700::6810:1",
    "fd12:3456::1",
    "::ffff:10.0.0.1",
    "64:ff9b::8.8.8.8",
    "2002:808:808::1",
)


@pytest.mark.parametrize(("address", "kind"), REFUSED.items())
def test_an_address_nobody_probes_for_good_is_refused_by_its_kind(address: str, kind: str) -> None:
    why = refusal(ip_address(address), STRICT)
    assert why is not None
    assert f"is a {kind} address" in why
    assert "--allow-probe-cidr" in why


@pytest.mark.parametrize("address", PERMITTED)
def test_public_and_private_addresses_are_permitted(address: str) -> None:
    assert refusal(ip_address(address), STRICT) is None


@pytest.mark.parametrize("address", ["127.0.0.1", "::ffff:127.0.0.1", "64:ff9b::127.0.0.1"])
def test_the_administrator_lifts_a_refusal_in_every_form_of_the_address(address: str) -> None:
    rules = AddressRules((ip_network("127.0.0.0/8"),))
    assert refusal(ip_address(address), rules) is None
    assert refusal(ip_address("169.254.169.254"), rules) is not None


def test_allowing_an_ipv6_network_allows_nothing_else() -> None:
    rules = AddressRules((ip_network("::1/128"),))
    assert refusal(ip_address("::1"), rules) is None
    assert refusal(ip_address("127.0.0.1"), rules) is not None


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_judged_alike_in_every_form(address: IPv4Address) -> None:
    plain = refusal(address, STRICT)
    forms = (f"::ffff:{address}", f"64:ff9b::{address}")
    assert {refusal(ip_address(form), STRICT) is None for form in forms} == {plain is None}


@given(st.ip_addresses())
def test_what_python_calls_local_is_never_permitted(address: Address) -> None:
    if address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified:
        assert refusal(address, STRICT)


def addresses(*texts: str) -> tuple[Address, ...]:
    return tuple(ip_address(text) for text in texts)


def test_families_take_turns_and_repetitions_are_dropped() -> None:
    found = addresses("fd00::1", "fd00::1", "fd00::2", "10.0.0.1", "10.0.0.2")
    assert order_attempts(found, None) == addresses("fd00::1", "10.0.0.1", "fd00::2", "10.0.0.2")


def test_the_last_used_address_is_tried_first_while_the_name_still_has_it() -> None:
    found = addresses("10.0.0.1", "10.0.0.2")
    assert order_attempts(found, ip_address("10.0.0.2")) == addresses("10.0.0.2", "10.0.0.1")
    assert order_attempts(found, ip_address("10.0.0.9")) == found


def test_a_host_without_addresses_gives_no_attempts() -> None:
    assert order_attempts((), ip_address("10.0.0.9")) == ()
