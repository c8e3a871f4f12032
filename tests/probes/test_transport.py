"""What a probe sends and what counts as an answer, over real sockets."""

import pytest
from tests.support.fault_server import OK, always, once, serving
from tests.support.transports import GET, POST, ask, opened, reply_in

from providerswitch.probes.exchange import ProbeRequest, Reply


def with_body(status: str, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


HTML = b"<html><body>502 Bad Gateway</body></html>"

ANSWERS = {
    "plain": (OK, Reply(200, {"content-length": "2"}, b"ok")),
    "an error": (with_body("503 Busy", b"{}"), Reply(503, {"content-length": "2"}, b"{}")),
    "no body": (with_body("200 OK", b""), Reply(200, {"content-length": "0"}, b"")),
    "no content": (b"HTTP/1.1 204 No Content\r\n\r\n", Reply(204, {}, b"")),
    "a proxy's page": (
        with_body("502 Bad Gateway", HTML, "content-type: text/html"),
        Reply(502, {"content-length": str(len(HTML)), "content-type": "text/html"}, HTML),
    ),
    "a page with status 200": (with_body("200 OK", HTML), Reply(200, {"content-length": str(len(HTML))}, HTML)),
    "chunked": (
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n",
        Reply(200, {"transfer-encoding": "chunked"}, b"ok"),
    ),
    "ended by closing": (b"HTTP/1.0 200 OK\r\n\r\nok", Reply(200, {}, b"ok")),
    "after an interim answer": (
        b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 429 Wait\r\nRetry-After: 7\r\ncontent-length: 0\r\n\r\n",
        Reply(429, {"retry-after": "7", "content-length": "0"}, b""),
    ),
    "bytes that are not text": (with_body("200 OK", b"\xff\x00"), Reply(200, {"content-length": "2"}, b"\xff\x00")),
}


@pytest.mark.parametrize("name", ANSWERS)
async def test_any_http_answer_is_a_reply(name: str) -> None:
    sent, expected = ANSWERS[name]
    async with serving(once(sent)) as server:
        assert (await ask(server.url())).result == expected


async def test_a_request_goes_below_the_base_url_under_the_name_of_the_host() -> None:
    async with serving(always(OK)) as server:
        await ask(
            server.url("provider.test") + "/api/", ProbeRequest("GET", "/models?limit=1", {"Authorization": "Bearer k"})
        )
        head = server.requests[0].lower()
    assert head.startswith(b"get /api/models?limit=1 http/1.1\r\n")
    assert f"\r\nhost: provider.test:{server.port}\r\n".encode() in head
    assert b"\r\nauthorization: bearer k\r\n" in head
    assert b"\r\naccept-encoding: identity\r\n" in head
    assert b"content-type" not in head


async def test_a_policy_cannot_ask_for_another_encoding() -> None:
    async with serving(always(OK)) as server:
        await ask(server.url(), ProbeRequest("GET", "/", {"Accept-Encoding": "br"}))
    assert server.requests[0].lower().count(b"accept-encoding:") == 1
    assert b"\r\naccept-encoding: identity\r\n" in server.requests[0].lower()


async def test_a_body_is_sent_as_json_unless_the_headers_say_otherwise() -> None:
    async with serving(always(OK)) as server, opened(server.url()) as transport:
        await transport.ask(POST, deadline_seconds=5)
        await transport.ask(ProbeRequest("POST", "/x", {"Content-Type": "text/plain"}, b"hello"), deadline_seconds=5)
    assert b"\r\ncontent-type: application/json\r\n" in server.requests[0].lower()
    assert server.requests[0].endswith(b"\r\n\r\n{}")
    assert server.requests[1].lower().count(b"content-type:") == 1
    assert b"\r\ncontent-type: text/plain\r\n" in server.requests[1].lower()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_an_answer_and_is_not_followed(status: int) -> None:
    async with serving(always(OK)) as elsewhere:
        redirect = with_body(f"{status} Elsewhere", b"", f"location: {elsewhere.url()}/")
        async with serving(always(redirect)) as server:
            reply = reply_in(await ask(server.url()))
            assert (reply.status, len(server.requests)) == (status, 1)
        assert elsewhere.accepted == 0


async def test_a_cookie_is_not_sent_back() -> None:
    async with serving(always(with_body("200 OK", b"", "set-cookie: id=1; path=/"))) as server:
        async with opened(server.url()) as transport:
            for _ in range(2):
                reply = reply_in(await transport.ask(GET, deadline_seconds=5))
                assert reply.headers["set-cookie"] == "id=1; path=/"
        assert len(server.requests) == 2
        assert b"cookie" not in server.requests[1].lower()


async def test_a_proxy_in_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(always(OK)) as proxy, serving(always(OK)) as server:
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url())
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        assert reply_in(await ask(server.url("provider.test"))).status == 200
        assert (proxy.accepted, server.accepted) == (0, 1)


async def test_the_times_of_an_answer_are_those_of_its_headers_and_its_end() -> None:
    async with serving(once(OK)) as server:
        answer = await ask(server.url())
    assert answer.first_byte_seconds is not None
    assert 0 < answer.first_byte_seconds <= answer.latency_seconds < 5
