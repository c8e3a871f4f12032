"""What providers' public status pages say: a hint that makes a provider be probed at once, never a reason to switch.

A page speaks of all that a provider offers, and often later than the first failures; only a probe tells whether ours is
concerned. So every page is asked once a minute, and whoever listens hears when trouble is announced or changes.

Source: the "Status" section of the public API that every page of Atlassian Statuspage describes under its own `/api`,
and the same path of pages made by incident.io (status.openai.com among them), which answer in its format; read 2026-11.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final
from urllib.parse import urlsplit

from providerswitch.core.wording import shorten
from providerswitch.probes.exchange import ProbeRequest, Reply
from providerswitch.probes.rounds import Rounds
from providerswitch.probes.transport import Answer, Transport

log = logging.getLogger(__name__)

INTERVAL: Final = timedelta(seconds=60)
DEADLINE: Final = timedelta(seconds=10)
REQUEST: Final = ProbeRequest("GET", "/api/v2/status.json", {"accept": "application/json"})
SUCCESS: Final = range(200, 300)
LONGEST_DESCRIPTION: Final = 120
"""Characters. Statuspage's own descriptions, such as `Partial System Outage`, have less than 40."""
FOREIGN: Final = "the answer is no status in Statuspage's format"


class Indicator(StrEnum):
    """How bad it is, in Statuspage's words."""

    NONE = "none"
    MAINTENANCE = "maintenance"
    MINOR = "minor"
    MAJOR = "major"
    CRITICAL = "critical"


INDICATORS: Final = frozenset(Indicator)


@dataclass(frozen=True, slots=True)
class PageStatus:
    """What a page says.

    Attributes:
        description: the page's own words in one printable line, maybe shortened or empty. Foreign text: to be quoted.
    """

    indicator: Indicator
    description: str

    @property
    def troubled(self) -> bool:
        """Whether the page announces anything but normal service."""
        return self.indicator is not Indicator.NONE


def read_status(reply: Reply) -> PageStatus | None:
    """Read a page's answer; None if it is no status in Statuspage's format, whatever the bytes are."""
    if reply.status not in SUCCESS or reply.truncated:
        return None
    match _parse(reply.body):
        case {"status": {"indicator": str(indicator), "description": str(description)}} if indicator in INDICATORS:
            return PageStatus(Indicator(indicator), _one_line(description))
    return None


def _parse(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _one_line(text: str) -> str:
    printable = "".join(character if character.isprintable() else " " for character in text)
    return shorten(" ".join(printable.split()), LONGEST_DESCRIPTION)


@dataclass(slots=True)
class _Page:
    transport: Transport
    status: PageStatus | None = None
    problem: str | None = None


class StatusPages:
    """The status pages that policies name, each asked once a minute however many name it.

    Args:
        open_transport: opens a connection to a page's base URL; each page has its own.
        on_trouble: hears when a page begins to announce trouble, or another kind of it. Who subscribes to a page that
            was troubled before looks at `current`.
        jitter: returns a random share of a span, from nothing to all of it.
    """

    def __init__(
        self,
        open_transport: Callable[[str], Transport],
        on_trouble: Callable[[str, PageStatus], None],
        *,
        jitter: Callable[[timedelta], timedelta],
    ) -> None:
        self._open_transport = open_transport
        self._on_trouble = on_trouble
        self._pages: dict[str, _Page] = {}
        self._rounds: Rounds[str] = Rounds(self._ask, jitter=jitter)
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def alive(self) -> bool:
        """Whether every page still has its task."""
        return self._rounds.alive

    def subscribe(self, subscriber: Hashable, wanted: frozenset[str]) -> None:
        """Ask exactly these pages, by URL, for a subscriber. A page that nobody wants any more is forgotten."""
        for url in wanted - self._pages.keys():
            self._pages[url] = _Page(self._open_transport(url))
        self._rounds.subscribe(subscriber, dict.fromkeys(wanted, INTERVAL))
        for url in self._pages.keys() - self._rounds.items:
            self._close_later(self._pages.pop(url).transport.aclose())

    def current(self, url: str) -> PageStatus | None:
        """Return what a page said last; None if it was not asked yet, or could not be read the last time."""
        page = self._pages.get(url)
        return page.status if page else None

    async def aclose(self) -> None:
        """Stop asking, and close all connections."""
        await self._rounds.aclose()
        for page in self._pages.values():
            self._close_later(page.transport.aclose())
        self._pages.clear()
        await asyncio.gather(*self._closing)

    def _close_later(self, closing: Awaitable[None]) -> None:
        task = asyncio.ensure_future(closing)
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _ask(self, url: str) -> None:
        page = self._pages[url]
        answer = await page.transport.ask(REQUEST, deadline_seconds=DEADLINE.total_seconds())
        found = _read(answer)
        problem = found if isinstance(found, str) else None
        if problem != page.problem:
            _tell(url, problem)
        before, page.problem = page.status, problem
        page.status = found if isinstance(found, PageStatus) else None
        if page.status and page.status.troubled and (before is None or before.indicator is not page.status.indicator):
            self._on_trouble(url, page.status)


def _read(answer: Answer) -> PageStatus | str:
    """Return what a page says, or why it cannot be read."""
    if not isinstance(answer.result, Reply):
        return answer.result.why
    if answer.result.status not in SUCCESS:
        return f"HTTP {answer.result.status}"
    return read_status(answer.result) or FOREIGN


def _tell(url: str, problem: str | None) -> None:
    host = _host(url)
    if problem is None:
        log.info("the status page at %s can be read again", host)
        return
    log.info(
        "the status page at %s cannot be read: %s. Nothing depends on it; see that statusPage is right", host, problem
    )


def _host(url: str) -> str:
    """Name a page without what else its URL may hold."""
    try:
        return urlsplit(url).hostname or "an invalid URL"
    except ValueError:
        return "an invalid URL"
