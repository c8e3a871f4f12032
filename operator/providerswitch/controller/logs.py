"""Log lines: one JSON object each, or text for people.

Other people's libraries are heard from warnings upwards, whatever the level: at debug level some log the headers of
requests and the bodies of Secrets. A traceback names places and types, but never the text of a foreign exception,
which may hold a key: httpx's LocalProtocolError quotes the whole Authorization header.
"""

import asyncio
import json
import logging
import sys
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from typing_extensions import override

from providerswitch.api.errors import ProviderSwitchError

log = logging.getLogger(__name__)

OURS: Final = "providerswitch"
STANDARD_FIELDS: Final = frozenset(logging.makeLogRecord({}).__dict__)


def set_up_logging(level: str, style: str) -> None:
    """Send all logs to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(TextLines() if style == "text" else JsonLines())
    ours: int = getattr(logging, level.upper())
    logging.basicConfig(level=max(ours, logging.WARNING), handlers=[handler], force=True)
    logging.getLogger(OURS).setLevel(ours)


def log_loop_error(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log what the event loop complains about; its own handler would put the exception's text into the message."""
    log.error("event loop: %s", context["message"], exc_info=context.get("exception"))


class JsonLines(logging.Formatter):
    """One JSON object a line, so that no text can forge a line."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "timestamp": _time(record).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **_extras(record),
            **({"traceback": "\n".join(told)} if (told := list(_traceback(record))) else {}),
        }
        return json.dumps(line, default=str)


class TextLines(logging.Formatter):
    """A line for people; what follows it, a traceback, is indented."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        extras = "".join(f" {name}={json.dumps(value, default=str)}" for name, value in _extras(record).items())
        moment = _time(record).isoformat(sep=" ", timespec="milliseconds")
        first = f"{moment} {record.levelname:<7} {_printable(record.getMessage())}{extras}"
        return "\n    ".join((first, *map(_printable, _traceback(record))))


def _time(record: logging.LogRecord) -> datetime:
    return datetime.fromtimestamp(record.created, tz=UTC)


def _extras(record: logging.LogRecord) -> dict[str, object]:
    """Return what our own calls passed as `extra`; libraries pass whole objects there."""
    if record.name.partition(".")[0] != OURS:
        return {}
    return {name: value for name, value in record.__dict__.items() if name not in STANDARD_FIELDS}


def _printable(text: str) -> str:
    """Escape line breaks and terminal controls."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def _traceback(record: logging.LogRecord) -> Iterator[str]:
    if record.exc_info and record.exc_info[1]:
        yield from _tell(record.exc_info[1], set())


def _tell(error: BaseException, told: set[int]) -> Iterator[str]:
    """Yield the lines of a traceback, the causes first."""
    told.add(id(error))
    earlier = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if earlier and id(earlier) not in told:
        yield from _tell(earlier, told)
        yield "which led to:"
    yield from "".join(traceback.format_tb(error.__traceback__)).splitlines()
    yield f"{type(error).__qualname__}{f': {error}' if isinstance(error, ProviderSwitchError) else ''}"
    for member in error.exceptions if isinstance(error, BaseExceptionGroup) else ():
        yield "one of the group:"
        yield from _tell(member, told)
