"""Classify saved provider answers.

Reads JSON lines {"provider", "status", "headers", "body"} on standard input and prints the same lines with "class" and
"why" added: what the operator would make of each answer. A line without a status may hold "transport_error", the text
of a client that got no answer.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TextIO

from providerswitch.api.health import HealthClass
from providerswitch.api.provider_types import ProviderTypeName
from providerswitch.probes.classify import classify
from providerswitch.probes.client_errors import classify_client_error
from providerswitch.probes.exchange import Finding, Reply
from providerswitch.probes.provider_type import ProviderType
from providerswitch.probes.registry import REGISTRY
from providerswitch.probes.transport import MAX_BODY_BYTES

ALIASES: Final = {
    "gemini": ProviderTypeName.GOOGLE,
    "vertex": ProviderTypeName.GOOGLE,
    "azure": ProviderTypeName.AZURE_OPENAI,
    "claude": ProviderTypeName.ANTHROPIC,
}
"""Other names under which answers are saved; whatever else is not a type is read as openai-compatible."""

STATUSES: Final = range(100, 600)
EXPECTED: Final = 'write one JSON object a line: {"provider": "openai", "status": 429, "headers": {}, "body": "..."}'
BAD_INPUT: Final = 2


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong with a line."""

    what: str


def run(lines: Iterable[str], output: TextIO, errors: TextIO, *, now: datetime) -> int:
    """Classify line by line; return 0, or 2 where a line could not be read (the others are classified all the same)."""
    code = 0
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        record = read_line(line)
        finding = Flaw("") if isinstance(record, Flaw) else classify_record(record, now)
        flaw = record if isinstance(record, Flaw) else finding
        if isinstance(flaw, Flaw):
            print(f"line {number}: {flaw.what}; {EXPECTED}", file=errors)
            code = BAD_INPUT
        elif isinstance(record, dict) and isinstance(finding, Finding):
            print(json.dumps({**record, "class": finding.health_class, "why": finding.why}), file=output, flush=True)
    return code


def read_line(line: str) -> dict[str, Any] | Flaw:
    """Parse one line."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return Flaw("not JSON")
    return found if isinstance(found, dict) else Flaw("not a JSON object")


def classify_record(record: dict[str, Any], now: datetime) -> Finding | Flaw:
    """Return what the operator would make of a saved answer."""
    if record.get("status") is None:
        return _unanswered(record.get("transport_error"))
    reply = read_reply(record)
    if isinstance(reply, Flaw):
        return reply
    return classify(find_kind(str(record.get("provider", ""))), reply, now=now, has_key=True)


def _unanswered(said: object) -> Finding:
    if isinstance(said, str) and said:
        return classify_client_error(said)
    return Finding(HealthClass.UNKNOWN, "neither a status nor a transport_error was saved")


def read_reply(record: dict[str, Any]) -> Reply | Flaw:
    """Return the answer of a record, cut as the operator would cut it."""
    status, headers, body = record.get("status"), record.get("headers"), record.get("body")
    headers = {} if headers is None else headers
    if isinstance(status, str) and status.isascii() and status.isdecimal():
        status = int(status[:4])
    if not isinstance(status, int) or status not in STATUSES:
        return Flaw('"status" is not an HTTP status from 100 to 599')
    if not isinstance(headers, dict):
        return Flaw('"headers" is not an object')
    lower = {str(name).lower(): str(value) for name, value in headers.items()}
    text = body if isinstance(body, str) else "" if body is None else json.dumps(body)
    raw = text.encode(errors="replace")
    return Reply(status, lower, raw[:MAX_BODY_BYTES], truncated=len(raw) > MAX_BODY_BYTES)


def find_kind(provider: str) -> ProviderType:
    """Return the type that a provider's name stands for; `gemini (openai-compatible)` is gemini."""
    name = provider.partition("(")[0].strip().lower()
    known = ALIASES.get(name, name)
    return REGISTRY[ProviderTypeName(known) if known in set(ProviderTypeName) else ProviderTypeName.OPENAI_COMPATIBLE]
