"""What it means when no usable HTTP answer came, or none can come: the libraries' exceptions as findings. Pure.

The libraries wrap each other's exceptions, and the telling one is often the innermost. So the whole family of an
exception is looked at (causes, contexts, members of groups), and the rules are tried in order, most specific first.
The texts of these exceptions are never passed on: some hold the Authorization header. For the same reason headers are
checked before the libraries see them: their debug log quotes an illegal one.
"""

import errno
import re
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import Final

import httpcore
import httpx

from providerswitch.api.health import HealthClass
from providerswitch.probes.exchange import Finding, ProbeRequest


class Phase(StrEnum):
    """How far a request had come."""

    RESOLVE = "resolve"
    CONNECT = "connect"
    TLS = "tls"
    WRITE = "write"
    READ_HEADERS = "read-headers"
    READ_BODY = "read-body"


ILLEGAL_CHARACTERS: Final = (
    "a header holds characters that HTTP does not allow: look for line breaks, spaces at the end and invisible "
    "characters in the key"
)

HIGHEST_PORT: Final = 65535
LEGAL_VALUE: Final = re.compile(r"(?:[!-~]+(?:[ \t]+[!-~]+)*)?")
LEGAL_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
OURS: Final = frozenset(
    {
        "host", "content-length", "transfer-encoding", "connection", "keep-alive", "te", "trailer", "upgrade", "expect",
        "proxy-authorization", "proxy-connection",
    }
)  # fmt: skip
"""Headers of the transport itself. A Host of the user's choice would lead a key past the check of its host; the
credentials for the proxy are the administrator's."""

Explain = Callable[[BaseException, Phase | None], Finding | None]
"""Reads an exception; None leaves it to the next rule."""


def classify_fault(error: BaseException, phase: Phase | None) -> Finding:
    """Return the class of what went wrong, and why, without the text of the exception.

    `phase` is None where that is not known.
    """
    family = tuple(_family(error))
    for kinds, explain in RULES:
        for member in family:
            finding = explain(member, phase) if isinstance(member, kinds) else None
            if finding:
                return finding
    return Finding(HealthClass.UNKNOWN, f"unexpected {type(error).__name__}")


def timed_out(phase: Phase | None) -> Finding:
    """Return the finding for a deadline that passed."""
    return Finding(HealthClass.TIMEOUT, f"timed out{_during(phase)}")


def _family(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and all behind it, once each, outermost first."""
    seen: dict[int, BaseException] = {}
    waiting: list[BaseException | None] = [error]
    while waiting:
        member = waiting.pop(0)
        if member is None or id(member) in seen:
            continue
        seen[id(member)] = member
        yield member
        waiting += (member.__cause__, member.__context__)
        waiting += member.exceptions if isinstance(member, BaseExceptionGroup) else ()


def _during(phase: Phase | None) -> str:
    return f" during {phase}" if phase else ""


def _says(health_class: HealthClass, why: str) -> Explain:
    return lambda _error, _phase: Finding(health_class, why)


def _says_when(health_class: HealthClass, what: str) -> Explain:
    return lambda _error, phase: Finding(health_class, what + _during(phase))


RESOLVER_ERRORS: Final[Mapping[int | None, str]] = {
    socket.EAI_NONAME: "the host name does not exist",
    socket.EAI_NODATA: "the host name has no address",
    socket.EAI_AGAIN: "the DNS server does not answer",
    socket.EAI_FAIL: "the DNS server fails",
}

CERTIFICATE_ERRORS: Final[Mapping[int, str]] = {
    9: "is not valid yet",
    10: "has expired",
    18: "is self-signed",
    19: "is not signed by a trusted authority (self-signed in its chain)",
    20: "is not signed by a trusted authority",
    21: "is not signed by a trusted authority (chain incomplete)",
    23: "is revoked",
    62: "is for another host",
    64: "is for another address",
}
"""X509_V_ERR codes of OpenSSL's x509_vfy.h, read 2026-11."""

UNREACHABLE: Final = frozenset({
    errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN, errno.EADDRNOTAVAIL, errno.EACCES,
    errno.EPERM,
})  # fmt: skip
"""Refused by the network instead of the host, firewalls included; told at once, so it is no timeout."""

EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
"""We have no more of something; that says nothing about the provider."""

TLS_REASON: Final = re.compile(r"[A-Z][A-Z0-9_]{2,60}")
"""OpenSSL's own name of an error, which is safe to show."""

DISCONNECTED: Final = ("Server disconnected", "peer closed connection")
"""How httpcore and h11 begin the text for a connection that ended too soon; they have no class of its own for that."""


def _unresolved(error: BaseException, _phase: Phase | None) -> Finding:
    code = error.errno if isinstance(error, OSError) else None
    return Finding(HealthClass.DNS, RESOLVER_ERRORS.get(code, "the host name cannot be resolved"))


def _bad_certificate(error: BaseException, _phase: Phase | None) -> Finding:
    code = getattr(error, "verify_code", 0)
    return Finding(HealthClass.TLS, f"TLS certificate {CERTIFICATE_ERRORS.get(code, f'is not accepted (code {code})')}")


def _broken_tls(error: BaseException, _phase: Phase | None) -> Finding | None:
    if isinstance(error, ssl.SSLWantReadError | ssl.SSLWantWriteError):  # waits for the network: part of any read
        return None
    reason = str(getattr(error, "reason", ""))
    return Finding(HealthClass.TLS, f"TLS failed ({reason})" if TLS_REASON.fullmatch(reason) else "TLS failed")


def _impossible_name(_error: BaseException, phase: Phase | None) -> Finding | None:
    if phase is not Phase.RESOLVE:
        return None
    return Finding(HealthClass.CONFIG_INVALID, "the host of the base URL is not a valid host name")


def _own_shortage(error: BaseException, _phase: Phase | None) -> Finding | None:
    code = error.errno if isinstance(error, OSError) else None
    if code not in EXHAUSTED:
        return None
    return Finding(HealthClass.UNKNOWN, f"the operator is out of resources ({errno.errorcode[code]})")


def _unreachable(error: BaseException, phase: Phase | None) -> Finding | None:
    code = error.errno if isinstance(error, OSError) else None
    if code not in UNREACHABLE or phase not in {None, Phase.CONNECT}:
        return None
    return Finding(HealthClass.CONNECT_REFUSED, f"the network does not reach the host ({errno.errorcode[code]})")


def _timeout(_error: BaseException, phase: Phase | None) -> Finding:
    return timed_out(phase)


def _not_connected(_error: BaseException, phase: Phase | None) -> Finding:
    if phase is Phase.TLS:
        return Finding(HealthClass.RESET, "connection closed during tls")
    return Finding(HealthClass.CONNECT_REFUSED, "the host takes no connections")


def _malformed(error: BaseException, phase: Phase | None) -> Finding:
    if str(error).startswith(DISCONNECTED):
        return Finding(HealthClass.RESET, f"connection closed{_during(phase)}")
    return Finding(HealthClass.PROTOCOL, f"malformed HTTP{_during(phase)}")


RULES: Final[tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], Explain], ...]] = (
    (OSError, _own_shortage),
    (socket.gaierror, _unresolved),
    (ssl.SSLCertVerificationError, _bad_certificate),
    ((ssl.SSLEOFError, ssl.SSLZeroReturnError), _says_when(HealthClass.RESET, "connection closed")),
    (ssl.SSLError, _broken_tls),
    (ConnectionRefusedError, _says(HealthClass.CONNECT_REFUSED, "connection refused")),
    (ConnectionError, _says_when(HealthClass.RESET, "connection reset")),
    ((TimeoutError, httpx.TimeoutException, httpcore.TimeoutException), _timeout),
    (OSError, _unreachable),
    ((httpx.LocalProtocolError, httpcore.LocalProtocolError), _says(HealthClass.CONFIG_INVALID, ILLEGAL_CHARACTERS)),
    (
        (httpx.InvalidURL, httpx.UnsupportedProtocol, httpcore.UnsupportedProtocol),
        _says(HealthClass.CONFIG_INVALID, "the URL is not a valid http:// or https:// URL"),
    ),
    (UnicodeError, _impossible_name),
    (UnicodeEncodeError, _says(HealthClass.CONFIG_INVALID, ILLEGAL_CHARACTERS)),
    ((httpx.ProtocolError, httpcore.ProtocolError), _malformed),
    (httpx.DecodingError, _says(HealthClass.PROTOCOL, "the answer's content encoding cannot be read")),
    (httpx.TooManyRedirects, _says(HealthClass.PROTOCOL, "too many redirects")),
    ((httpx.ConnectError, httpcore.ConnectError), _not_connected),
    ((httpx.NetworkError, httpcore.NetworkError), _says_when(HealthClass.RESET, "connection broken")),
)
"""Tried in this order; each rule looks at the whole family before the next one does."""


def find_flaw(url: httpx.URL, request: ProbeRequest) -> str | None:
    """Say why a request must not be sent, or None where it may; no part of a value is quoted."""
    if url.scheme not in {"http", "https"} or not url.host or (url.port or 0) > HIGHEST_PORT:
        return "the base URL is not a valid http:// or https:// URL"
    if url.userinfo or not request.path.startswith("/"):
        return "the base URL must not hold a user name, and the path must begin with /"
    if any(not LEGAL_NAME.fullmatch(name) for name in request.headers):
        return "a header's name holds characters that HTTP does not allow"
    if taken := sorted(OURS & {name.lower() for name in request.headers}):
        return f'the header "{taken[0]}" is set by the operator itself; take it out'
    illegal = any(not LEGAL_VALUE.fullmatch(value) for value in request.headers.values())
    return ILLEGAL_CHARACTERS if illegal else None
