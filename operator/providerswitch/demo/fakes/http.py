"""As much HTTP/1.1 as an LLM client needs, by hand: a fake has to be able to break every byte of it."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

MAX_BODY: Final = 4 * 2**20
JSON_TYPE: Final = "application/json"
STREAM_TYPE: Final = "text/event-stream; charset=utf-8"
EXTRA_PHRASES: Final = {529: "Site is overloaded"}


@dataclass(frozen=True, slots=True)
class Request:
    """One request.

    Attributes:
        path: without the query.
        headers: lower-case names.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        """Return the JSON object of the body; {} when it is none."""
        try:
            parsed = json.loads(self.body)
        except ValueError:
            return {}
        return parsed if isinstance(parsed, dict) else {}

    def bearer(self) -> str:
        """Return the bearer token, or ""."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer.

    Attributes:
        events: server-sent events, sent as one chunk each; they replace the body.
    """

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = JSON_TYPE
    events: tuple[bytes, ...] = ()

    def encode(self, extra: Mapping[str, str]) -> bytes:
        """Return the bytes on the wire; `extra` headers come first and give way to the answer's own."""
        headers = {**extra, "content-type": self.content_type, **self.headers, **self._framing()}
        lines = [f"HTTP/1.1 {self.status} {_phrase(self.status)}", *(f"{name}: {headers[name]}" for name in headers)]
        return "\r\n".join([*lines, "", ""]).encode() + self._payload()

    def _framing(self) -> dict[str, str]:
        return {"transfer-encoding": "chunked"} if self.events else {"content-length": str(len(self.body))}

    def _payload(self) -> bytes:
        if not self.events:
            return self.body
        return b"".join(b"%x\r\n%b\r\n" % (len(event), event) for event in self.events) + b"0\r\n\r\n"


def _phrase(status: int) -> str:
    return EXTRA_PHRASES.get(status) or HTTPStatus(status).phrase


def json_answer(status: int, content: object, headers: Mapping[str, str] | None = None) -> Answer:
    """Return an answer with a JSON body."""
    return Answer(status, json.dumps(content).encode(), headers or {})


def event_stream(chunks: list[dict[str, Any]]) -> Answer:
    """Return a stream of `data:` events in OpenAI's manner, [DONE] at the end."""
    events = [f"data: {json.dumps(chunk)}\n\n".encode() for chunk in chunks]
    return Answer(200, content_type=STREAM_TYPE, events=(*events, b"data: [DONE]\n\n"))


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """Read one request; None when the client has closed the connection.

    Raises:
        ValueError: not a request this reader understands.
    """
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *rest = head.decode("latin-1").split("\r\n")
    method, target, _version = first.split(" ", 2)
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in rest if line)}
    length = int(headers.get("content-length", "0"))
    if length > MAX_BODY or "transfer-encoding" in headers:
        raise ValueError("a request body needs a content-length of at most 4 MiB")
    body = await reader.readexactly(length) if length else b""
    return Request(method, target.partition("?")[0], headers, body)
