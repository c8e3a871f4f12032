"""Which addresses a probe may go to. Pure.

Whoever may write a policy chooses where the operator connects to. It must not become their way to the node's own
services or to the cloud's metadata, which hand out credentials. Private ranges stay open: providers inside the cluster
live there. Sources: the IANA special-purpose address registries, and the clouds' documentation of their metadata
addresses, read 2026-11.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from itertools import chain, zip_longest
from typing import Final

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def _networks(*texts: str) -> tuple[Network, ...]:
    return tuple(ip_network(text) for text in texts)


REFUSED: Final[Mapping[str, tuple[Network, ...]]] = {
    "cloud metadata": _networks(
        "169.254.169.254/32",  # AWS, Azure, Google, OpenStack and others
        "169.254.170.2/32",  # AWS, credentials of ECS tasks
        "169.254.170.23/32",  # AWS, credentials of EKS pods
        "fd00:ec2::23/128",
        "fd00:ec2::254/128",
        "fd20:ce::254/128",  # Google
        "100.100.100.200/32",  # Alibaba
        "168.63.129.16/32",  # Azure's wire server
        "192.0.0.192/32",  # Oracle
    ),
    "loopback": _networks("127.0.0.0/8", "::1/128"),
    "link-local": _networks("169.254.0.0/16", "fe80::/10"),
    "unspecified": _networks("0.0.0.0/8", "::/128"),
    "multicast": _networks("224.0.0.0/4", "ff00::/8"),
    "broadcast": _networks("255.255.255.255/32"),
    "reserved": _networks(
        "240.0.0.0/4", "::/8", "100::/8", "200::/7", "400::/6", "800::/5", "1000::/4", "4000::/2", "8000::/2",
        "c000::/3", "e000::/4", "f000::/5", "f800::/6", "fe00::/9",
    ),
}  # fmt: skip
"""Kinds of address that are refused; the first that fits names it."""

NAT64: Final = _networks("64:ff9b::/96", "64:ff9b:1::/48")
"""The last 32 bits are the IPv4 address that a translator connects to (RFC 6052, RFC 8215)."""


@dataclass(frozen=True, slots=True)
class AddressRules:
    """What the administrator of the cluster allows beyond the default.

    Attributes:
        allowed: networks whose addresses are never refused.
    """

    allowed: tuple[Network, ...] = ()


def refusal(address: Address, rules: AddressRules) -> str | None:
    """Say why a probe must not go to an address, or None where it may."""
    targets = _targets(address)
    if any(_within(form, rules.allowed) for form in (address, *targets)):
        return None
    kinds = (kind for target in targets for kind, networks in REFUSED.items() if _within(target, networks))
    kind = next(kinds, None)
    if kind is None:
        return None
    return f"{address} is a {kind} address; the cluster's administrator can allow it with --allow-probe-cidr"


def _targets(address: Address) -> tuple[Address, ...]:
    """Return where packets to an address end up: the IPv4 addresses inside it, or else itself."""
    if isinstance(address, IPv4Address):
        return (address,)
    low = IPv4Address(int(address) & 0xFFFFFFFF) if _within(address, NAT64) else None
    inner = (low, address.ipv4_mapped, address.sixtofour, *(address.teredo or ()))
    return tuple(form for form in inner if form is not None) or (address,)


def _within(address: Address, networks: Iterable[Network]) -> bool:
    return any(address in network for network in networks)


def order_attempts(addresses: Iterable[Address], last: Address | None) -> tuple[Address, ...]:
    """Return addresses in the order of trying them: the last used one first, then both families in turn.

    The last used one may have an open connection. Families alternate, so that a cluster without one of them wastes one
    attempt on it and not all.
    """
    found = tuple(dict.fromkeys(addresses))
    kept = (last,) if last in found else ()
    families = ([form for form in found if form.version == version] for version in _versions(found))
    turns = chain.from_iterable(zip_longest(*families))
    return tuple(dict.fromkeys(form for form in (*kept, *turns) if form is not None))


def _versions(addresses: Iterable[Address]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(address.version for address in addresses))
