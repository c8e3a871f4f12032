"""What must not be sent is not, and no key comes out of a transport by another way than its connection."""

import logging
from collections.abc import Mapping

import pytest
from tests.support.fault_server import OK, Script, always, close_at_once, once, refusing, serving, speaking_first
from tests.support.transports import GET, POST, ask, finding_in, opened, resolving

from providerswitch.api.health import HealthClass
from providerswitch.probes.exchange import Finding, ProbeRequest
from providerswitch.probes.faults import ILLEGAL_CHARACTERS

KEY = "sk-this-is-no-key"

ILLEGAL = {
    "a line break": f"Bearer {KEY}\r\nx-injected: 1",
    "a line feed at the end": f"Bearer {KEY}\n",
    "a carriage return": f"Bearer {KEY}\rx",
    "a folded line": f"Bearer {KEY}\r\n x",
    "a zero byte": f"Bearer {KEY}\0",
    "a tab at the end": f"Bearer {KEY}\t",
    "a blank at the start": f" {KEY}",
    "a control character": f"{KEY}\x1b[0m",
    "a delete character": f"{KEY}\x7f",
    "a zero-width space": f"{KEY}\u200b",
    "a byte order mark": f"\ufeff{KEY}",
    "a line separator": f"{KEY}\u2028",
    "a letter with an accent": f"{KEY}é",
    "half a character": f"{KEY}\ud800",
}


@pytest.fixture
def everything_logged(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore", "asyncio"):
        caplog.set_level(logging.DEBUG, logger=name)
    return caplog


@pytest.mark.parametrize("name", ILLEGAL)
@pytest.mark.parametrize("header", ["Authorization", "x-api-key"])
async def test_a_key_with_characters_that_http_does_not_allow_is_not_sent_and_not_shown(
    name: str, header: str, everything_logged: pytest.LogCaptureFixture
) -> None:
    async with serving(always(OK)) as server:
        answer = await ask(server.url(), ProbeRequest("GET", "/", {header: ILLEGAL[name]}))
        assert server.accepted == 0
    assert answer.result == Finding(HealthClass.CONFIG_INVALID, ILLEGAL_CHARACTERS)
    assert KEY not in everything_logged.text


@pytest.mark.parametrize(
    "headers",
    [{f"x-{KEY}: 1\r\nx": "1"}, {f"x {KEY}": "1"}, {f"{KEY}:": "1"}, {"": KEY}, {"x\n": KEY}],
    ids=["line break", "blank", "colon", "empty", "line feed at the end"],
)
async def test_a_header_name_that_http_does_not_allow_is_not_sent_and_not_shown(
    headers: Mapping[str, str], everything_logged: pytest.LogCaptureFixture
) -> None:
    async with serving(always(OK)) as server:
        finding = finding_in(await ask(server.url(), ProbeRequest("GET", "/", headers)))
        assert server.accepted == 0
    assert finding.health_class is HealthClass.CONFIG_INVALID
    assert KEY not in finding.why + everything_logged.text


@pytest.mark.parametrize("name", ["Host", "HOST", "Transfer-Encoding", "Content-Length", "Connection"])
async def test_a_header_of_the_transport_itself_is_not_taken_from_a_policy(name: str) -> None:
    async with serving(always(OK)) as server:
        finding = finding_in(await ask(server.url(), ProbeRequest("GET", "/", {name: "1"})))
        assert server.accepted == 0
    assert finding.health_class is HealthClass.CONFIG_INVALID
    assert f'"{name.lower()}" is set by the operator itself' in finding.why


@pytest.mark.parametrize("path", ["/x HTTP/1.1\r\nx-injected: 1\r\n\r\n", "/x\ny", "/a b", "/é", "/x\0"])
async def test_a_path_cannot_add_to_the_request(path: str) -> None:
    async with serving(always(OK)) as server:
        answer = await ask(server.url(), ProbeRequest("GET", path, {"authorization": KEY}))
        heads = [request.split(b"\r\n") for request in server.requests]
    if isinstance(answer.result, Finding):
        assert (answer.result.health_class, heads) == (HealthClass.CONFIG_INVALID, [])
    else:
        assert len(heads) == 1
        assert len(heads[0][0].split(b" ")) == 3
        assert not any(line.startswith(b"x-injected") for line in heads[0])


@pytest.mark.parametrize(
    "url",
    [
        "http://user:secret@x.test",
        "ftp://x.test",
        "http://",
        "x.test",
        "http://x.test:99999",
        "http://[::1",
    ],
)
async def test_a_base_url_that_cannot_be_probed_is_a_mistake_of_the_policy_and_is_not_quoted(url: str) -> None:
    finding = finding_in(await ask(url, ProbeRequest("GET", "/", {"authorization": KEY})))
    assert finding.health_class is HealthClass.CONFIG_INVALID
    assert "secret" not in finding.why
    assert "x.test" not in finding.why


ECHO = b"HTTP/1.1 200 OK\r\n%b\r\n\r\n"
FAILING: dict[str, Script] = {
    "an answer": always(OK),
    "no answer": once(b""),
    "closed at once": close_at_once,
    "not HTTP": speaking_first(b"nonsense\r\n\r\n"),
    "the key as a header of the answer": once(ECHO % KEY.encode()),
    "the key as a status": once(b"HTTP/1.1 %b\r\n\r\n" % KEY.encode()),
    "the key as a chunk size": once(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n%b\r\n" % KEY.encode()),
    "the key as an encoding": once(
        b"HTTP/1.1 200 OK\r\ncontent-encoding: %b\r\ncontent-length: 1\r\n\r\nx" % KEY.encode()
    ),
}


@pytest.mark.parametrize("name", FAILING)
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_key_shows_in_no_finding_and_no_log_however_the_probe_goes(
    name: str, scheme: str, caplog: pytest.LogCaptureFixture
) -> None:
    for logger in ("httpx", "httpcore.connection", "asyncio", "providerswitch"):
        caplog.set_level(logging.DEBUG, logger=logger)
    headers = {"Authorization": f"Bearer {KEY}"}
    async with serving(FAILING[name]) as server, opened(server.url("x.test", scheme=scheme)) as transport:
        for request in (GET, POST):
            probe = ProbeRequest(request.method, request.path, headers, request.body)
            answer = await transport.ask(probe, deadline_seconds=0.3)
            if isinstance(answer.result, Finding):
                assert KEY not in repr(answer)
    assert KEY not in caplog.text


async def test_what_httpcore_logs_of_a_request_does_not_hold_the_key(
    everything_logged: pytest.LogCaptureFixture,
) -> None:
    headers = {"Authorization": f"Bearer {KEY}", "x-api-key": KEY}
    async with serving(always(OK)) as server:
        await ask(server.url("x.test"), ProbeRequest("GET", "/", headers))
        assert KEY.encode() in server.requests[0]
    assert "send_request_headers" in everything_logged.text
    assert KEY not in everything_logged.text


async def test_a_probe_that_fails_before_it_is_sent_does_not_show_the_key(
    everything_logged: pytest.LogCaptureFixture,
) -> None:
    probe = ProbeRequest("GET", "/", {"Authorization": f"Bearer {KEY}"})
    with refusing() as url:
        answers = [await ask(url, probe), await ask("http://x.test", probe, resolve=resolving(OSError(KEY)))]
    assert KEY not in repr(answers) + everything_logged.text
