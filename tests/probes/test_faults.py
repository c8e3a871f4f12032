import errno
import inspect
import socket
import ssl
from collections.abc import Mapping
from types import ModuleType

import httpcore
import httpx
import pytest

from providerswitch.api.health import HealthClass
from providerswitch.probes.exchange import ProbeRequest
from providerswitch.probes.faults import ILLEGAL_CHARACTERS, Phase, classify_fault, find_flaw

SECRET = "sk-very-secret"

CONFIG = HealthClass.CONFIG_INVALID
PROTOCOL = HealthClass.PROTOCOL
REFUSED = HealthClass.CONNECT_REFUSED
RESET = HealthClass.RESET
TIMEOUT = HealthClass.TIMEOUT
TLS = HealthClass.TLS
UNKNOWN = HealthClass.UNKNOWN

HTTPX = {
    "CloseError": RESET,
    "ConnectError": REFUSED,
    "ConnectTimeout": TIMEOUT,
    "CookieConflict": UNKNOWN,
    "DecodingError": PROTOCOL,
    "HTTPError": UNKNOWN,
    "HTTPStatusError": UNKNOWN,
    "InvalidURL": CONFIG,
    "LocalProtocolError": CONFIG,
    "NetworkError": RESET,
    "PoolTimeout": TIMEOUT,
    "ProtocolError": PROTOCOL,
    "ProxyError": UNKNOWN,
    "ReadError": RESET,
    "ReadTimeout": TIMEOUT,
    "RemoteProtocolError": PROTOCOL,
    "RequestError": UNKNOWN,
    "RequestNotRead": UNKNOWN,
    "ResponseNotRead": UNKNOWN,
    "StreamClosed": UNKNOWN,
    "StreamConsumed": UNKNOWN,
    "StreamError": UNKNOWN,
    "TimeoutException": TIMEOUT,
    "TooManyRedirects": PROTOCOL,
    "TransportError": UNKNOWN,
    "UnsupportedProtocol": CONFIG,
    "WriteError": RESET,
    "WriteTimeout": TIMEOUT,
}

HTTPCORE = {
    "ConnectError": REFUSED,
    "ConnectTimeout": TIMEOUT,
    "ConnectionNotAvailable": UNKNOWN,
    "LocalProtocolError": CONFIG,
    "NetworkError": RESET,
    "PoolTimeout": TIMEOUT,
    "ProtocolError": PROTOCOL,
    "ProxyError": UNKNOWN,
    "ReadError": RESET,
    "ReadTimeout": TIMEOUT,
    "RemoteProtocolError": PROTOCOL,
    "TimeoutException": TIMEOUT,
    "UnsupportedProtocol": CONFIG,
    "WriteError": RESET,
    "WriteTimeout": TIMEOUT,
}


def exported(library: ModuleType) -> dict[str, type[Exception]]:
    members = {name: getattr(library, name) for name in library.__all__}
    return {name: kind for name, kind in members.items() if inspect.isclass(kind) and issubclass(kind, Exception)}


def make(kind: type[Exception]) -> Exception:
    """An exception of a library without its constructor, whose arguments differ."""
    error = kind.__new__(kind)
    error.args = (SECRET,)
    return error


@pytest.mark.parametrize(("library", "expected"), [(httpx, HTTPX), (httpcore, HTTPCORE)], ids=["httpx", "httpcore"])
def test_every_exception_a_library_exports_has_the_class_we_chose(
    library: ModuleType, expected: Mapping[str, HealthClass]
) -> None:
    found = {name: classify_fault(make(kind), None).health_class for name, kind in exported(library).items()}
    assert found == expected


def certificate_error(code: int) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, SECRET)
    error.verify_code = code
    return error


CASES = {
    "no such name": (socket.gaierror(socket.EAI_NONAME, SECRET), HealthClass.DNS, "the host name does not exist"),
    "no DNS server": (socket.gaierror(socket.EAI_AGAIN, SECRET), HealthClass.DNS, "the DNS server does not answer"),
    "odd DNS error": (socket.gaierror(-99, SECRET), HealthClass.DNS, "the host name cannot be resolved"),
    "expired": (certificate_error(10), TLS, "TLS certificate has expired"),
    "self-signed": (certificate_error(18), TLS, "TLS certificate is self-signed"),
    "untrusted": (certificate_error(20), TLS, "TLS certificate is not signed by a trusted authority"),
    "wrong host": (certificate_error(62), TLS, "TLS certificate is for another host"),
    "other certificate error": (certificate_error(77), TLS, "TLS certificate is not accepted (code 77)"),
    "other TLS error": (ssl.SSLError(1, SECRET), TLS, "TLS failed"),
    "closed in a handshake": (ssl.SSLEOFError(8, SECRET), RESET, "connection closed during connect"),
    "closed in TLS": (ssl.SSLZeroReturnError(6, SECRET), RESET, "connection closed during connect"),
    "refused": (ConnectionRefusedError(errno.ECONNREFUSED, SECRET), REFUSED, "connection refused"),
    "reset": (ConnectionResetError(errno.ECONNRESET, SECRET), RESET, "connection reset during connect"),
    "broken pipe": (BrokenPipeError(errno.EPIPE, SECRET), RESET, "connection reset during connect"),
    "no route": (OSError(errno.EHOSTUNREACH, SECRET), REFUSED, "the network does not reach the host (EHOSTUNREACH)"),
    "no network": (OSError(errno.ENETUNREACH, SECRET), REFUSED, "the network does not reach the host (ENETUNREACH)"),
    "kernel timeout": (TimeoutError(errno.ETIMEDOUT, SECRET), TIMEOUT, "timed out during connect"),
    "out of files": (OSError(errno.EMFILE, SECRET), UNKNOWN, "the operator is out of resources (EMFILE)"),
    "anything else": (KeyError(SECRET), UNKNOWN, "unexpected KeyError"),
}


@pytest.mark.parametrize("name", CASES)
def test_an_error_of_the_system_is_told_in_our_words(name: str) -> None:
    error, health_class, why = CASES[name]
    finding = classify_fault(error, Phase.CONNECT)
    assert (finding.health_class, finding.why) == (health_class, why)


@pytest.mark.parametrize("name", CASES)
def test_the_innermost_error_is_found_behind_the_wrappers_of_the_libraries(name: str) -> None:
    inner, health_class, why = CASES[name]
    between = httpcore.ConnectError(SECRET)
    between.__cause__ = ExceptionGroup(SECRET, [inner])
    outer = httpx.ConnectError(SECRET)
    outer.__context__ = between
    finding = classify_fault(outer, Phase.CONNECT)
    if name != "anything else":
        assert (finding.health_class, finding.why) == (health_class, why)
    assert SECRET not in repr(finding)


@pytest.mark.parametrize("phase", Phase)
def test_a_timeout_names_its_phase(phase: Phase) -> None:
    assert classify_fault(TimeoutError(), phase).why == f"timed out during {phase}"


def test_what_tls_waited_for_when_the_connection_broke_is_no_fault_of_tls() -> None:
    reset = ConnectionResetError(errno.ECONNRESET, SECRET)
    reset.__context__ = ssl.SSLWantReadError(2, SECRET)
    finding = classify_fault(reset, Phase.READ_BODY)
    assert (finding.health_class, finding.why) == (RESET, "connection reset during read-body")


def test_a_host_that_cannot_be_a_name_is_told_from_a_header_that_cannot_be_sent() -> None:
    host = classify_fault(UnicodeError(SECRET), Phase.RESOLVE)
    header = classify_fault(UnicodeEncodeError("ascii", SECRET, 0, 1, SECRET), Phase.WRITE)
    assert (host.health_class, host.why) == (CONFIG, "the host of the base URL is not a valid host name")
    assert (header.health_class, header.why) == (CONFIG, ILLEGAL_CHARACTERS)


def test_a_connection_that_ends_too_soon_is_a_reset_and_not_malformed() -> None:
    for text in ("Server disconnected without sending a response.", "peer closed connection without sending"):
        finding = classify_fault(httpx.RemoteProtocolError(text), Phase.READ_BODY)
        assert (finding.health_class, finding.why) == (RESET, "connection closed during read-body")


def test_of_several_addresses_the_one_that_refused_tells_most() -> None:
    group = ExceptionGroup("", [OSError(errno.ENETUNREACH, ""), TimeoutError(), ConnectionRefusedError()])
    assert classify_fault(group, Phase.CONNECT).why == "connection refused"


def test_exceptions_that_lead_in_a_circle_come_to_an_end() -> None:
    first, second = ValueError(SECRET), ValueError(SECRET)
    first.__cause__, second.__cause__ = second, first
    assert classify_fault(first, None).why == "unexpected ValueError"


ILLEGAL = "characters that HTTP does not allow"

FLAWS = {
    "wrong scheme": ("ftp://host/", "/", {}, "not a valid http:// or https:// URL"),
    "no host": ("https:///x", "/", {}, "not a valid http:// or https:// URL"),
    "port too high": ("https://host:99999/", "/", {}, "not a valid http:// or https:// URL"),
    "user name": ("https://user@host/", "/", {}, "must not hold a user name"),
    "path that extends the host": ("https://host.evil/", ".evil/", {}, "path must begin with /"),
    "line break": ("https://host/", "/", {"authorization": f"Bearer {SECRET}\n"}, ILLEGAL),
    "trailing blank": ("https://host/", "/", {"x-api-key": f"{SECRET} "}, ILLEGAL),
    "not ASCII": ("https://host/", "/", {"x-api-key": f"{SECRET}…"}, ILLEGAL),
    "bad name": ("https://host/", "/", {f"x {SECRET}": "1"}, "name holds characters"),
    "host header": ("https://host/", "/", {"Host": "evil"}, '"host" is set by the operator'),
    "framing header": ("https://host/", "/", {"Transfer-Encoding": "chunked"}, '"transfer-encoding" is set'),
}


@pytest.mark.parametrize("name", FLAWS)
def test_what_must_not_be_sent_is_named_without_being_quoted(name: str) -> None:
    url, path, headers, why = FLAWS[name]
    flaw = find_flaw(httpx.URL(url), ProbeRequest("GET", path, headers))
    assert flaw is not None
    assert why in flaw
    assert SECRET not in flaw


def test_an_ordinary_request_has_no_flaw() -> None:
    headers = {"authorization": f"Bearer {SECRET}", "x-empty": "", "x-words": "a b\tc"}
    assert find_flaw(httpx.URL("https://host:443/v1"), ProbeRequest("GET", "/models?x=1", headers)) is None
