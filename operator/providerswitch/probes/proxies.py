"""The HTTP proxy between the probes and the providers, as the administrator's environment names it. Pure.

HTTPS_PROXY, HTTP_PROXY and NO_PROXY mean what they mean to programs written in Go, which most of a cluster's are:
either case, upper case first; a proxy without a scheme is http://; loopback hosts are never proxied; ALL_PROXY is not
looked at. The rules of NO_PROXY are those of Go's package golang.org/x/net/http/httpproxy (documentation read 2026-11),
except that an entry which cannot be understood is refused: what it was to keep inside would go out through the proxy.
`urllib.request.proxy_bypass_environment` and httpx know no networks such as 10.0.0.0/8.

A proxy that fails says nothing about a provider. So what it does is told under its own name: a connection that fails
is a class of the network, at which a freeze looks; all else that it says of itself is `Unknown`, which changes nothing.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Final

import httpx

from providerswitch.api.errors import UserError
from providerswitch.api.health import NETWORK, HealthClass
from providerswitch.probes.addresses import Address, Network
from providerswitch.probes.exchange import Finding

DEFAULT_PORTS: Final[Mapping[str, int]] = {"http": 80, "https": 443}
HIGHEST_PORT: Final = 65535
LOOPBACK: Final = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
LEGAL_NAME: Final = re.compile(r"[0-9A-Za-z._-]+")
QUOTABLE: Final = re.compile(r"[0-9a-z._:/*\[\] -]{1,80}")
"""What may be repeated of NO_PROXY: no line breaks, and nothing with @: that may be a URL with its password."""
CREDENTIALS_WANTED: Final = 407


@dataclass(frozen=True, slots=True)
class Proxy:
    """One proxy.

    Attributes:
        scheme: http, or https where the proxy itself speaks TLS.
        host: a name or an address, without brackets.
        credentials: user and password, or None.
    """

    scheme: str
    host: str
    port: int
    credentials: tuple[str, str] | None = field(default=None, repr=False)

    @property
    def place(self) -> str:
        """HOST:PORT, as it may be shown."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def explain(self, finding: Finding) -> Finding:
        """Return what a fault at the proxy says: nothing about the provider, but where it is one of the network."""
        known = finding.health_class in NETWORK
        health_class = finding.health_class if known else HealthClass.UNKNOWN
        return Finding(health_class, f"the proxy at {self.place}: {finding.why}")

    def explain_answer(self, status: int) -> Finding:
        """Return what it means that the proxy answered instead of connecting; 0 is a status that cannot be read."""
        if status == CREDENTIALS_WANTED:
            what = "put USER:PASSWORD@ into HTTPS_PROXY and HTTP_PROXY" if self.credentials is None else "correct them"
            return self._says(HealthClass.UNKNOWN, f"wants valid credentials (HTTP 407); {what}")
        if status in UNREACHED:
            return self._says(UNREACHED[status], f"does not reach the host (HTTP {status})")
        return self._says(HealthClass.UNKNOWN, f"refuses to connect to the host (HTTP {status or 'unreadable'})")

    def _says(self, health_class: HealthClass, what: str) -> Finding:
        return Finding(health_class, f"the proxy at {self.place} {what}")


UNREACHED: Final[Mapping[int, HealthClass]] = {
    502: HealthClass.CONNECT_REFUSED,
    503: HealthClass.CONNECT_REFUSED,
    504: HealthClass.TIMEOUT,
}
"""How proxies say that they tried, and got no connection (RFC 9110; Squid says 503)."""


@dataclass(frozen=True, slots=True)
class Bypass:
    """An entry of NO_PROXY.

    Attributes:
        network: addresses, or None where it is about names.
        suffix: ".example.com", or "" for a network.
        itself: the name without its leading dot is meant too.
        port: None is any.
    """

    network: Network | None
    suffix: str
    itself: bool
    port: int | None

    def covers(self, host: str, port: int) -> bool:
        """Say whether a host, lower case and without a dot at its end, is reached directly."""
        if self.port not in {None, port}:
            return False
        if self.network:
            address = as_address(host)
            return address is not None and address in self.network
        return host.endswith(self.suffix) or (self.itself and host == self.suffix[1:])


@dataclass(frozen=True, slots=True)
class Proxies:
    """Which way leads to which URL.

    Attributes:
        by_scheme: the proxy for targets of a scheme.
        everything_direct: NO_PROXY is `*`.
    """

    by_scheme: Mapping[str, Proxy] = field(default_factory=dict)
    exceptions: tuple[Bypass, ...] = ()
    everything_direct: bool = False

    def between(self, url: httpx.URL) -> Proxy | None:
        """Return the proxy on the way to a URL, or None where the way is direct."""
        proxy = self.by_scheme.get(url.scheme)
        host = url.raw_host.decode().lower().rstrip(".")
        port = url.port or DEFAULT_PORTS.get(url.scheme, 0)
        if proxy is None or self.everything_direct or _is_loopback(host):
            return None
        return None if any(each.covers(host, port) for each in self.exceptions) else proxy


DIRECT: Final = Proxies()


def as_address(host: str) -> Address | None:
    """Return the address that a host is, or None for a name."""
    try:
        return ip_address(host)
    except ValueError:
        return None


def _is_loopback(host: str) -> bool:
    address = as_address(host)
    return host == "localhost" or (address is not None and any(address in network for network in LOOPBACK))


def read_proxies(environ: Mapping[str, str]) -> Proxies:
    """Return what an environment says about proxies.

    Raises:
        UserError: a proxy or an entry of NO_PROXY cannot be understood. No part of a proxy's URL is quoted.
    """
    found = {scheme: _either_case(environ, f"{scheme.upper()}_PROXY") for scheme in DEFAULT_PORTS}
    by_scheme = {scheme: parse_proxy(name, text) for scheme, (name, text) in found.items() if text}
    name, listed = _either_case(environ, "NO_PROXY")
    entries = [entry.strip().lower() for entry in listed.split(",") if entry.strip()]
    if not by_scheme or "*" in entries:
        return Proxies(by_scheme, (), everything_direct=True)
    return Proxies(by_scheme, tuple(parse_exception(name, entry) for entry in entries))


def _either_case(environ: Mapping[str, str], name: str) -> tuple[str, str]:
    """Return the variable that is set, and its value; upper case wins, empty is unset."""
    used = name if environ.get(name, "").strip() else name.lower()
    return used, environ.get(used, "").strip()


def parse_proxy(variable: str, text: str) -> Proxy:
    """Read the URL of a proxy.

    Raises:
        UserError: it is none.
    """
    try:
        url = httpx.URL(text if "://" in text else f"http://{text}")
    except (httpx.InvalidURL, UnicodeError, ValueError):
        url = httpx.URL("")
    port = DEFAULT_PORTS.get(url.scheme, 0) if url.port is None else url.port
    more = url.path not in {"", "/"} or url.query or url.fragment
    readable = LEGAL_NAME.fullmatch(url.raw_host.decode()) or as_address(url.raw_host.decode())
    if not readable or more or not 0 < port <= HIGHEST_PORT or url.scheme not in DEFAULT_PORTS:
        message = (
            f"{variable} is not the URL of a proxy that can be used. Write http://HOST:PORT or https://HOST:PORT, with "
            "USER:PASSWORD@ before the host if the proxy wants them, and characters such as @ : / # % in them "
            "percent-encoded."
        )
        raise UserError("BadProxy", message)
    credentials = (url.username, url.password) if url.userinfo else None
    return Proxy(url.scheme, url.raw_host.decode(), port, credentials)


def parse_exception(variable: str, entry: str) -> Bypass:
    """Read an entry of NO_PROXY, lower case.

    Raises:
        UserError: it is neither a host nor an address nor a network.
    """
    host, port = _split_port(entry)
    try:
        network = ip_network(host, strict=False)
    except ValueError:
        network = None
    name = host.removeprefix("*").strip(".")
    if network is None and not LEGAL_NAME.fullmatch(name):
        shown = f'"{entry}"' if QUOTABLE.fullmatch(entry) else "an entry"
        message = (
            f"{variable}: {shown} is neither a host, a domain, an address nor a network. Write for example "
            "NO_PROXY=.svc,.cluster.local,10.0.0.0/8,vllm.example.com:8000"
        )
        raise UserError("BadNoProxy", message)
    return Bypass(network, "" if network else f".{name}", not host.startswith((".", "*")), port)


def _split_port(entry: str) -> tuple[str, int | None]:
    """Return an entry's host, without brackets, and its port; a bare IPv6 address has none."""
    host, colon, port = entry.rpartition(":")
    numbered = bool(colon) and port.isascii() and port.isdecimal() and len(port) <= len(str(HIGHEST_PORT))
    if not numbered or (":" in host and not host.endswith("]")):
        return entry.removeprefix("[").removesuffix("]"), None
    return host.removeprefix("[").removesuffix("]"), int(port)
