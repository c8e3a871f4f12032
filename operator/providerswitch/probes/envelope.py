"""Find the error inside a provider's answer, whatever it is wrapped in. Pure; never raises.

The envelopes seen in the field: `{"error": {...}}`, `{"error": "text"}`, `{"error": ["text"]}`, a bare
`{"code", "message"}` or `{"detail"}`, any of these in an array, inside a choice or a response object, as an event of a
stream, as JSON inside a message, or as a word in a header. All of it comes down to words (types, codes, reasons) and
texts (messages for people).
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice
from typing import Any, Final

from providerswitch.probes.exchange import Reply

DEEPEST: Final = 8
MOST_EVENTS: Final = 200
MOST_PARTS: Final = 60
LONGEST_TEXT: Final = 1000
MOST_TEXT: Final = 4000
"""Of one message, and of all together: what is read of an answer bounds the work that it can cause."""

LONGEST_WORD: Final = 120

WORD_MEMBERS: Final = ("code", "type", "status", "reason", "error_type", "error_code", "__type", "quotaId", "kind")
TEXT_MEMBERS: Final = (
    "message",
    "msg",
    "detail",
    "details",
    "error",
    "error_description",
    "status_msg",
    "raw",
    "title",
)
NESTED_MEMBERS: Final = (
    "error", "errors", "detail", "details", "metadata", "innererror", "violations", "base_resp", "response",
)  # fmt: skip
"""Where an error object may hide a finer one."""

FAILED_STATUSES: Final = frozenset({"error", "failed", "failure", "fail"})
EVENT_START: Final = re.compile(r"\s*(?:event|data|id|retry)?:")
EVENT_BREAK: Final = re.compile(r"\r?\n\r?\n|\r\r")
CAMEL_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
NOT_A_WORD: Final = re.compile(r"[^a-z0-9]+")
EXCEPTION_NAME: Final = re.compile(r"\blitellm\.(\w+)")
"""LiteLLM's proxy puts the class of its exception at the start of the message."""


class Form(StrEnum):
    """What an answer's body is."""

    EMPTY = "empty"
    JSON = "json"
    EVENTS = "events"
    HTML = "html"
    TEXT = "text"
    CUT = "cut"
    """Begins like JSON, and ends too soon or is malformed."""


@dataclass(frozen=True, slots=True)
class Body:
    """A body that was read.

    Attributes:
        documents: the JSON values in it: one, or one for each event of a stream or line of NDJSON.
        text: all of it as text, cut to 1,000 characters.
    """

    form: Form
    documents: tuple[Any, ...] = ()
    text: str = ""


@dataclass(frozen=True, slots=True)
class Complaint:
    """What an answer says is wrong.

    Attributes:
        words: types, codes and reasons in snake_case, outermost first.
        texts: messages for people, as sent; never shown to users, for they may quote a key.
        status: the HTTP status that the error itself names, or None.
    """

    words: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    status: int | None = None


@dataclass(slots=True)
class _Gathering:
    words: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)

    def full(self) -> bool:
        read = sum(len(text) for text in self.texts)
        return len(self.words) + len(self.texts) >= MOST_PARTS or read >= MOST_TEXT


def read_body(reply: Reply) -> Body:
    """Tell what a body is, and parse what can be parsed."""
    text = reply.body.decode("utf-8", "replace").lstrip("\ufeff").strip()
    if not text:
        return Body(Form.EMPTY)
    if "event-stream" in reply.headers.get("content-type", "") or EVENT_START.match(text):
        return Body(Form.EVENTS, tuple(_events(text)), text[:LONGEST_TEXT])
    documents = _documents(text)
    if documents:
        return Body(Form.JSON, documents, text[:LONGEST_TEXT])
    if text[0] in "{[" and reply.truncated:
        return Body(Form.JSON, (), text[:LONGEST_TEXT])
    return Body(_form_of(text), (), text[:LONGEST_TEXT])


def _form_of(text: str) -> Form:
    if text[0] in "{[":
        return Form.CUT
    return Form.HTML if text[0] == "<" else Form.TEXT


def _documents(text: str) -> tuple[Any, ...]:
    """Return the JSON value of a text, or those of its lines; none where it holds anything else."""
    whole = _parse(text)
    if whole is not None:
        return (whole,)
    lines = [line for line in text.splitlines() if line.strip()]
    parsed = tuple(_parse(line) for line in lines[:MOST_EVENTS])
    return parsed if len(parsed) > 1 and None not in parsed else ()


def _parse(text: str) -> Any:
    """Return an object or an array, or None for anything else."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict | list) else None


def _events(text: str) -> Iterator[Any]:
    """Yield the JSON data of the events of a stream; a broken or last, cut one is passed over."""
    for block in EVENT_BREAK.split(text)[:MOST_EVENTS]:
        lines = (line[5:].strip() for line in block.splitlines() if line.startswith("data:"))
        document = _parse("\n".join(lines))
        if document is not None:
            yield document


def find_complaint(reply: Reply, body: Body) -> Complaint | None:
    """Return what an answer complains about, or None where it complains of nothing.

    A status of 400 or more is a complaint whatever the body says; below that the body must hold an error.
    """
    failed = reply.status >= 400  # noqa: PLR2004  # the boundary HTTP itself draws
    gathering = _Gathering()
    for document in body.documents:
        for error in _errors(document, certain=failed):
            _gather(error, gathering, DEEPEST)
    if not failed and not gathering.words and not gathering.texts:
        return None
    if body.form is Form.TEXT:
        gathering.texts.append(body.text)
    gathering.words += _header_words(reply.headers)
    return Complaint(tuple(gathering.words), tuple(gathering.texts), next(iter(gathering.statuses), None))


def _errors(document: Any, *, certain: bool) -> Iterator[Any]:
    """Yield the parts of a document that are errors; all of it where it is certain that there is one."""
    if isinstance(document, list):
        for entry in islice(document, MOST_PARTS):
            yield from _errors(entry, certain=certain)
    if not isinstance(document, dict):
        return
    if certain or _says_failed(document):
        yield document
        return
    for holder in (*_listed(document, "choices"), document.get("response"), document.get("base_resp")):
        if isinstance(holder, dict) and _says_failed(holder):
            yield holder


def _listed(document: Mapping[str, Any], member: str) -> list[Any]:
    found = document.get(member)
    return found[:MOST_PARTS] if isinstance(found, list) else []


def _says_failed(holder: Mapping[str, Any]) -> bool:
    """Tell whether an object of a successful answer is an error all the same."""
    marks = (holder.get("object"), holder.get("type"), holder.get("status"))
    return bool(
        holder.get("error")
        or holder.get("success") is False
        or any(isinstance(mark, str) and mark.lower() in FAILED_STATUSES for mark in marks)
        or holder.get("status_code") not in (None, 0, 200)  # what stands there may have no hash
        or (isinstance(holder.get("detail"), str) and len(holder) <= 3)  # noqa: PLR2004  # a bare complaint, no answer
    )


def _gather(value: Any, gathering: _Gathering, depth: int) -> None:
    if depth == 0 or gathering.full():
        return
    if isinstance(value, list):
        for entry in islice(value, MOST_PARTS):
            _gather(entry, gathering, depth - 1)
    elif isinstance(value, dict):
        _gather_object(value, gathering, depth)
    elif isinstance(value, str):
        _gather_text(value, gathering, depth)


def _gather_object(found: Mapping[str, Any], gathering: _Gathering, depth: int) -> None:
    for member in WORD_MEMBERS:
        _gather_word(found.get(member), gathering)
    for member in TEXT_MEMBERS:
        value = found.get(member)
        if isinstance(value, str):
            _gather_text(value, gathering, depth)
    for member in NESTED_MEMBERS:
        if isinstance(found.get(member), dict | list):
            _gather(found[member], gathering, depth - 1)


def _gather_word(value: Any, gathering: _Gathering) -> None:
    if isinstance(value, bool):
        return
    if isinstance(value, int) or (isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 6):  # noqa: PLR2004  # no status has six digits
        if 400 <= int(value) < 600:  # noqa: PLR2004  # the range of HTTP's errors
            gathering.statuses.append(int(value))
    elif isinstance(value, str) and value:
        gathering.words.append(as_word(value))
        if " " in value:
            gathering.texts.append(value[:LONGEST_TEXT])


def _gather_text(text: str, gathering: _Gathering, depth: int) -> None:
    """Keep a message; one that is an identifier is a word too, and one that holds JSON is opened."""
    gathering.texts.append(text[:LONGEST_TEXT])
    if text and " " not in text.strip():
        gathering.words.append(as_word(text))
    gathering.words += [as_word(name) for name in EXCEPTION_NAME.findall(text[:LONGEST_TEXT])]
    start = text.find("{")
    inner = _parse(text[start:]) if start >= 0 else None
    if inner is not None:
        _gather(inner, gathering, depth - 1)


def _header_words(headers: Mapping[str, str]) -> Iterable[str]:
    """AWS names the exception in a header: `ThrottlingException:http://...`."""
    name = headers.get("x-amzn-errortype", "").partition(":")[0]
    return [as_word(name)] if name else []


def as_word(text: str) -> str:
    """Return a type or code in one spelling: `RateLimitReached`, `rate-limit reached` are `rate_limit_reached`."""
    humps = CAMEL_HUMP.sub("_", text[:LONGEST_WORD])
    return NOT_A_WORD.sub("_", humps.lower()).strip("_")
