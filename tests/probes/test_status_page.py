"""Status pages: what is read from them, when somebody hears of it, and what a page cannot do to us."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.eventually import eventually
from tests.support.fault_server import Connection, Script, refusing, serving, stall
from tests.support.transports import LOOPBACK, STRICT, ordinary_trust
from tests.support.virtual_time import elapsed

from providerswitch.api.health import HealthClass
from providerswitch.probes.addresses import AddressRules
from providerswitch.probes.exchange import Finding, ProbeRequest, Reply
from providerswitch.probes.status_page import (
    LONGEST_DESCRIPTION,
    REQUEST,
    Indicator,
    PageStatus,
    StatusPages,
    read_status,
)
from providerswitch.probes.transport import Answer, ProbeTransport

virtual = pytest.mark.looptime(start=0)

URL = "https://status.openai.com"
OTHER = "https://status.anthropic.com"
MINOR = PageStatus(Indicator.MINOR, "Partially Degraded Service")
MAJOR = PageStatus(Indicator.MAJOR, "Partial System Outage")


def body(indicator: object, description: object = "All Systems Operational") -> bytes:
    page = {"id": "01JMDK9XYF18NQTFSP4WKH1ZQX", "name": "OpenAI", "url": URL, "updated_at": "2026-11-23T08:00:00Z"}
    return json.dumps({"page": page, "status": {"description": description, "indicator": indicator}}).encode()


def says(indicator: object, description: object = "All Systems Operational") -> Reply:
    return Reply(200, {}, body(indicator, description))


def of(status: PageStatus) -> Reply:
    return says(status.indicator, status.description)


WELL = says("none")
REFUSED = Finding(HealthClass.CONNECT_REFUSED, "connection refused")


@pytest.mark.parametrize("indicator", ["none", "maintenance", "minor", "major", "critical"])
def test_the_indicator_and_the_description_are_read(indicator: str) -> None:
    assert read_status(says(indicator, "Something")) == PageStatus(Indicator(indicator), "Something")


def test_everything_but_normal_service_is_trouble() -> None:
    assert [each for each in Indicator if not PageStatus(each, "").troubled] == [Indicator.NONE]


@pytest.mark.parametrize(
    ("description", "shown"),
    {
        "two\nlines\r\n\tand  a   tab": "two lines and a tab",
        "\x1b[31mred\x07 \u202eback\u2028": "[31mred back",
        "\ud800": "",
        "": "",
        "x" * 500: f"{'x' * (LONGEST_DESCRIPTION - 1)}…",
    }.items(),
)
def test_a_description_becomes_one_printable_line(description: str, shown: str) -> None:
    assert read_status(says("minor", description)) == PageStatus(Indicator.MINOR, shown)


NONE_OF_IT = {
    "a word that Statuspage has not": says("on fire"),
    "an indicator that is no word": says({"none": "none"}),
    "a description that is no text": says("minor", ["a"]),
    "an error": Reply(500, {}, body("none")),
    "a redirect": Reply(302, {"location": URL}, body("none")),
    "an answer that was cut": Reply(200, {}, body("none"), truncated=True),
    "a web page": Reply(200, {}, b"<!doctype html>"),
    "nothing": Reply(200, {}, b""),
    "another shape": Reply(200, {}, b'{"status": "none"}'),
    "a list": Reply(200, {}, b"[]"),
    "brackets without end": Reply(200, {}, b"[" * 60_000),
    "no UTF-8": Reply(200, {}, b'{"status": {"indicator": "none", "description": "\xff"}}'),
}


@pytest.mark.parametrize("reply", NONE_OF_IT.values(), ids=NONE_OF_IT)
def test_what_is_no_status_is_none(reply: Reply) -> None:
    assert read_status(reply) is None


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["status", "indicator", "description"]), inner),
)
bodies = st.one_of(
    st.binary(),
    json_values.map(lambda value: json.dumps(value).encode()),
    st.builds(body, st.sampled_from([*Indicator]) | json_values, st.text() | json_values),
)


@given(st.builds(Reply, st.integers(100, 599), st.just({}), bodies, st.booleans()))
def test_whatever_a_page_answers_is_a_short_printable_status_or_none(reply: Reply) -> None:
    status = read_status(reply)
    assert status is None or (status.description.isprintable() and len(status.description) <= LONGEST_DESCRIPTION)


@dataclass(slots=True)
class PlayedPages:
    """Answers for each URL as the test says, after `seconds`."""

    answers: dict[str, Reply | Finding] = field(default_factory=dict)
    seconds: float = 0.0
    asked: list[tuple[float, str]] = field(default_factory=list)
    heard: list[tuple[float, str, PageStatus]] = field(default_factory=list)
    open_now: list[str] = field(default_factory=list)

    def open(self, url: str) -> "PlayedPage":
        self.open_now.append(url)
        return PlayedPage(self, url)

    def hear(self, url: str, status: PageStatus) -> None:
        self.heard.append((elapsed(), url, status))


@dataclass(slots=True)
class PlayedPage:
    pages: PlayedPages
    url: str

    async def ask(self, request: ProbeRequest, *, deadline_seconds: float) -> Answer:
        assert (request, deadline_seconds) == (REQUEST, 10)
        self.pages.asked.append((elapsed(), self.url))
        await asyncio.sleep(self.pages.seconds)
        return Answer(self.pages.answers[self.url], self.pages.seconds, None)

    async def aclose(self) -> None:
        self.pages.open_now.remove(self.url)


@pytest.fixture
def played() -> PlayedPages:
    return PlayedPages({URL: WELL, OTHER: WELL})


@pytest.fixture
async def pages(played: PlayedPages) -> AsyncIterator[StatusPages]:
    made = StatusPages(played.open, played.hear, jitter=lambda _: timedelta(0))
    yield made
    await made.aclose()


async def play(played: PlayedPages, *answers: Reply | Finding) -> None:
    """Give each answer of a minute, beginning with the present one."""
    for answer in answers:
        played.answers[URL] = answer
        await asyncio.sleep(60)


@virtual
async def test_a_page_is_asked_once_a_minute_however_many_want_it(pages: StatusPages, played: PlayedPages) -> None:
    pages.subscribe("p", frozenset({URL}))
    pages.subscribe("q", frozenset({URL, OTHER}))
    await asyncio.sleep(61)
    assert sorted(played.asked) == [(0, OTHER), (0, URL), (60, OTHER), (60, URL)]
    assert sorted(played.open_now) == sorted([URL, OTHER])


HISTORIES = {
    "a page that is well is no news": ((WELL, WELL), []),
    "trouble is": ((WELL, of(MINOR), of(MINOR)), [MINOR]),
    "trouble at the first look too": ((of(MINOR),), [MINOR]),
    "another kind of trouble": ((of(MINOR), of(MAJOR), of(MINOR)), [MINOR, MAJOR, MINOR]),
    "other words for the same are no news": ((of(MINOR), says("minor", "Still at it")), [MINOR]),
    "a return to normal is none": ((of(MAJOR), WELL, WELL), [MAJOR]),
    "trouble that comes back is": ((of(MINOR), WELL, of(MINOR)), [MINOR, MINOR]),
    "a page that cannot be read is no trouble": ((WELL, REFUSED, Reply(500, {}, b""), Reply(200, {}, b"?")), []),
    "trouble found after that is": ((REFUSED, of(MINOR)), [MINOR]),
}


@virtual
@pytest.mark.parametrize(("answers", "heard"), HISTORIES.values(), ids=HISTORIES)
async def test_what_is_heard(
    pages: StatusPages, played: PlayedPages, answers: tuple[Reply | Finding, ...], heard: list[PageStatus]
) -> None:
    pages.subscribe("p", frozenset({URL}))
    await play(played, *answers)
    assert [status for _, _, status in played.heard] == heard


@virtual
async def test_trouble_is_heard_with_its_page_as_soon_as_it_is_read(pages: StatusPages, played: PlayedPages) -> None:
    played.seconds, played.answers[OTHER] = 3, of(MAJOR)
    pages.subscribe("p", frozenset({URL, OTHER}))
    await asyncio.sleep(5)
    assert played.heard == [(3, OTHER, MAJOR)]


@virtual
async def test_what_a_page_said_last_is_kept_until_it_cannot_be_read(pages: StatusPages, played: PlayedPages) -> None:
    assert pages.current(URL) is None
    pages.subscribe("p", frozenset({URL}))
    assert pages.current(URL) is None
    seen = []
    for answer in (of(MINOR), of(MAJOR), REFUSED, WELL):
        await play(played, answer)
        seen.append(pages.current(URL))
    assert seen == [MINOR, MAJOR, None, PageStatus(Indicator.NONE, "All Systems Operational")]


@virtual
async def test_a_listener_that_fails_stops_nothing(played: PlayedPages, caplog: pytest.LogCaptureFixture) -> None:
    def fail(_url: str, _status: PageStatus) -> None:
        raise RuntimeError("of our own")

    pages = StatusPages(played.open, fail, jitter=lambda _: timedelta(0))
    pages.subscribe("p", frozenset({URL}))
    await play(played, of(MINOR), of(MAJOR))
    assert (pages.current(URL), pages.alive, len(caplog.records)) == (MAJOR, True, 2)
    await pages.aclose()


@virtual
async def test_a_page_that_cannot_be_read_is_logged_once_for_each_reason(
    pages: StatusPages, played: PlayedPages, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "providerswitch")
    pages.subscribe("p", frozenset({URL}))
    html = Reply(200, {}, b"<h1>secret</h1>")
    await play(played, WELL, REFUSED, REFUSED, Reply(302, {"location": "https://secret"}, b""), html, html, WELL, WELL)
    assert [record.levelno for record in caplog.records] == [logging.INFO] * 4
    reasons = ("connection refused", "HTTP 302", "the answer is no status in Statuspage's format")
    page, advice = "the status page at status.openai.com", "Nothing depends on it; see that statusPage is right"
    assert [record.getMessage() for record in caplog.records] == [
        *(f"{page} cannot be read: {why}. {advice}" for why in reasons),
        f"{page} can be read again",
    ]


@virtual
async def test_a_url_that_is_none_is_logged_like_any_page_that_cannot_be_read(
    pages: StatusPages, played: PlayedPages, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "providerswitch")
    played.answers["http://[user:secret"] = REFUSED
    pages.subscribe("p", frozenset({"http://[user:secret"}))
    await asyncio.sleep(1)
    assert caplog.records[0].getMessage().startswith("the status page at an invalid URL cannot be read: ")


@virtual
async def test_trouble_that_is_told_by_a_page_is_not_logged_in_its_words(
    pages: StatusPages, played: PlayedPages, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "providerswitch")
    pages.subscribe("p", frozenset({URL}))
    await play(played, says("minor", "secret"))
    assert caplog.records == []


@virtual
async def test_a_page_that_nobody_wants_is_forgotten_and_its_connection_closed(
    pages: StatusPages, played: PlayedPages
) -> None:
    played.answers[URL] = of(MINOR)
    pages.subscribe("p", frozenset({URL, OTHER}))
    await asyncio.sleep(1)
    pages.subscribe("p", frozenset({OTHER}))
    await asyncio.sleep(60)
    assert pages.current(URL) is None
    assert played.open_now == [OTHER]
    assert [url for _, url in played.asked].count(URL) == 1


@virtual
async def test_closing_ends_what_is_under_way_and_leaves_no_connection(played: PlayedPages) -> None:
    pages = StatusPages(played.open, played.hear, jitter=lambda _: timedelta(0))
    played.seconds = 5
    pages.subscribe("p", frozenset({URL, OTHER}))
    await asyncio.sleep(1)
    await pages.aclose()
    assert (played.open_now, elapsed()) == ([], 1)
    assert asyncio.all_tasks() == {asyncio.current_task()}


@virtual
async def test_the_first_look_is_put_off_by_a_share_of_a_minute(played: PlayedPages) -> None:
    pages = StatusPages(played.open, played.hear, jitter=lambda span: span / 4)
    pages.subscribe("p", frozenset({URL}))
    await asyncio.sleep(20)
    await pages.aclose()
    assert played.asked == [(15, URL)]


Listener = Callable[[str, PageStatus], None]


def over_sockets(hear: Listener, rules: AddressRules = LOOPBACK) -> StatusPages:
    def connect(url: str) -> ProbeTransport:
        return ProbeTransport(url, ssl_context=ordinary_trust(), rules=rules, keepalive_seconds=90)

    return StatusPages(connect, hear, jitter=lambda _: timedelta(0))


def answering(head: bytes, content: bytes) -> Script:
    async def script(connection: Connection) -> None:
        while await connection.request():
            await connection.send(b"HTTP/1.1 %s\r\ncontent-length: %d\r\n\r\n%s" % (head, len(content), content))

    return script


async def test_over_real_sockets_trouble_is_heard() -> None:
    heard: list[tuple[str, PageStatus]] = []
    async with serving(answering(b"200 OK", body("major", "Partial System Outage"))) as server:
        url = server.url()
        pages = over_sockets(lambda url, status: heard.append((url, status)))
        pages.subscribe("p", frozenset({f"{url}/"}))
        await eventually(lambda: heard)
        await pages.aclose()
    assert heard == [(f"{url}/", MAJOR)]
    assert server.requests[0].startswith(b"GET /api/v2/status.json HTTP/1.1\r\n")


async def logged_first(pages: StatusPages, url: str, caplog: pytest.LogCaptureFixture) -> str:
    """Ask a page until the log says something of it."""
    caplog.set_level(logging.INFO, "providerswitch.probes.status_page")
    pages.subscribe("p", frozenset({url}))
    await eventually(lambda: caplog.records)
    await pages.aclose()
    return caplog.records[0].getMessage()


async def test_over_real_sockets_a_redirect_is_not_followed(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[PageStatus] = []
    async with serving(answering(b"200 OK", body("major"))) as elsewhere:
        location = b"302 Found\r\nlocation: %s/api/v2/status.json" % elsewhere.url().encode()
        async with serving(answering(location, body("major"))) as server:
            pages = over_sockets(lambda _, status: heard.append(status))
            message = await logged_first(pages, server.url(), caplog)
        assert (elsewhere.accepted, heard) == (0, [])
    assert "cannot be read: HTTP 302." in message


async def test_over_real_sockets_a_page_at_a_forbidden_address_is_not_asked(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(answering(b"200 OK", body("major"))) as server:
        message = await logged_first(over_sockets(lambda _url, _status: None, STRICT), server.url(), caplog)
        assert server.accepted == 0
    assert message.startswith("the status page at 127.0.0.1 cannot be read: host 127.0.0.1: ")


async def test_over_real_sockets_a_page_that_is_not_there_is_no_trouble(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[PageStatus] = []
    with refusing() as url:
        message = await logged_first(over_sockets(lambda _, status: heard.append(status)), url, caplog)
    assert "cannot be read: connection refused" in message
    assert heard == []


async def test_over_real_sockets_closing_does_not_wait_for_a_page_that_hangs() -> None:
    async with serving(stall) as server:
        pages = over_sockets(lambda _url, _status: None)
        pages.subscribe("p", frozenset({server.url()}))
        await eventually(lambda: server.accepted == 1)
        async with asyncio.timeout(2):
            await pages.aclose()
