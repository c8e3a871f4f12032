"""What a hostile provider can send: it costs little time, and nothing of it is shown."""

import json
import logging
from datetime import UTC, datetime, timedelta
from time import process_time
from typing import Final

import pytest
from tests.support.fault_server import always, serving
from tests.support.transports import LONGEST_SECONDS, opened

from providerswitch.api.health import HealthClass
from providerswitch.api.provider_types import ProviderTypeName
from providerswitch.controller.logs import JsonLines, TextLines
from providerswitch.core.outcome import Outcome, Tier
from providerswitch.probes.allowance import read_allowance
from providerswitch.probes.classify import classify
from providerswitch.probes.exchange import Finding, Reply, SecretKey
from providerswitch.probes.prober import TargetProber
from providerswitch.probes.prometheus import read_vector
from providerswitch.probes.registry import REGISTRY
from providerswitch.probes.status_page import read_status
from providerswitch.probes.target import ProbeTarget
from providerswitch.probes.transport import MAX_BODY_BYTES
from providerswitch.probes.usage import read_usage

NOW: Final = datetime(2026, 11, 24, 12, tzinfo=UTC)
SECONDS: Final = 1.0
"""Of the processor, for one answer and all that is read of it. The slowest takes a tenth; one that is quadratic in the
length of the answer takes minutes."""


def json_in_json() -> bytes:
    """Return an error inside the text of an error inside the text of an error, as deep as 64 KiB allow."""
    text = '{"error": "x"}'
    while len(wrapped := json.dumps({"error": text})) < MAX_BODY_BYTES:
        text = wrapped
    return text.encode()


BOMBS: Final = {
    "arrays without end": b"[" * MAX_BODY_BYTES,
    "objects without end": b'{"error":' * 7000,
    "arrays that end": b"[" * 32_000 + b"]" * 32_000,
    "a number of 60,000 digits": b'{"error": {"code": ' + b"9" * 60_000 + b"}}",
    "a number of 4,000 digits": b'{"error": {"code": ' + b"9" * 4000 + b', "status": 1e999, "reason": NaN}}',
    "times without end": b'{"error": {"message": "try again in ' + b"1 a" * 20_000 + b'"}}',
    "digits and dots": b'{"error": {"message": "retry after ' + b"1." * 30_000 + b'"}}',
    "spaces": b'{"error": {"message": "wait ' + b" " * 60_000 + b'"}}',
    "events": b"data: {}\n\n" * 6500,
    "an event of brackets": b"data: " + b"[" * 60_000,
    "line breaks": b"\r\n\r\n" * 16_000,
    "a document in each line": b"{}\n" * 21_000,
    "messages of brackets": json.dumps({"error": [{"message": "{" * 1000}] * 60}).encode(),
    "json in json": json_in_json(),
    "camel humps": b'{"error": {"code": "' + b"aA" * 32_000 + b'"}}',
    "no utf-8": b"\xff" * MAX_BODY_BYTES,
    "half characters": b'{"error": {"message": "\\ud800 \\udfff", "code": "\\ud800"}}',
    "choices": json.dumps({"choices": [{"error": {"error": {"error": "x" * 50}}}] * 700}).encode(),
}
FLOOD: Final = {
    "retry-after": "9" * 4000,
    "x-ratelimit-limit-requests": "1" * 4000,
    "x-ratelimit-remaining-requests": "0",
    "x-ratelimit-reset-requests": "1h" * 2000,
    "ratelimit": '"a";r=1;' * 500,
    "ratelimit-policy": '"' * 4000,
    "x-amzn-errortype": "A" * 4000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_an_answer_made_to_be_hard_to_read_is_read_in_no_time(name: str) -> None:
    body = BOMBS[name][:MAX_BODY_BYTES]
    begun = process_time()
    for status in (200, 429):
        for content_type in ("application/json", "text/event-stream"):
            reply = Reply(status, {**FLOOD, "content-type": content_type}, body, truncated=len(body) == MAX_BODY_BYTES)
            classify(REGISTRY[ProviderTypeName.GOOGLE], reply, now=NOW, has_key=True)
            read_allowance(reply.headers, NOW)
            read_status(reply)
            read_vector(reply, "provider")
    read_usage(body)
    assert process_time() - begun < 4 * SECONDS


KEY: Final = "sk-hostile-0123456789abcdef"
FORGED: Final = f'\n{{"level": "CRITICAL"}}\x1b[2J\x1b]0;owned\x07\u202e\u2028\x00{KEY}'
"""A forged line, terminal controls, letters that run backwards, a line break of Unicode, an end, and the key."""
ECHOES: Final = {
    "message": json.dumps({"error": {"message": FORGED}}),
    "code": json.dumps({"error": {"code": FORGED, "type": FORGED}}),
    "one word": json.dumps({"error": {"code": KEY, "type": KEY.replace("-", "_")}}),
    "text": FORGED,
    "page": f"<html>{FORGED}</html>",
    "detail": json.dumps({"detail": FORGED}),
    "event": f"event: error\ndata: {json.dumps({'error': FORGED})}\n\n",
}


async def probed(answer: bytes) -> Outcome:
    async with serving(always(answer)) as server, opened(server.url()) as transport:
        target = ProbeTarget(ProviderTypeName.OPENAI_COMPATIBLE, server.url(), SecretKey(KEY))
        prober = TargetProber(target, REGISTRY[target.type], transport, lambda: NOW)
        return await prober.probe(Tier.LIVENESS, timedelta(seconds=LONGEST_SECONDS))


@pytest.mark.parametrize("status", [b"200 OK", b"401 Unauthorized", b"429 Slow Down", b"500 Oops"])
@pytest.mark.parametrize("name", ECHOES)
async def test_what_a_provider_writes_is_neither_quoted_nor_able_to_forge_a_line(name: str, status: bytes) -> None:
    body = ECHOES[name].encode()
    head = b"HTTP/1.1 " + status + b"\r\nretry-after: \x1b[2J\r\nx-amzn-errortype: " + KEY.encode()
    answer = head + b"\r\ncontent-length: %d\r\n\r\n" % len(body) + body

    outcome = await probed(answer)

    assert outcome.why.isprintable()
    assert len(outcome.why) <= 200
    for secret in (KEY, KEY.replace("-", "_"), "CRITICAL", "owned"):
        assert secret not in outcome.why
    record = logging.LogRecord("providerswitch.x", logging.INFO, "", 0, "probe: %s", (outcome.why,), None)
    for lines in (JsonLines(), TextLines()):
        assert "\n" not in lines.format(record)


@pytest.mark.parametrize(
    "encoding", [b"br", b"zstd", b"compress", b"gzip, gzip", b"gzip,deflate", b"identity, gzip", b"\xff"]
)
async def test_an_encoding_that_could_hide_another_is_not_undone(encoding: bytes) -> None:
    body = b"\x1f\x8b" + b"x" * 100
    head = b"HTTP/1.1 200 OK\r\ncontent-encoding: " + encoding + b"\r\ncontent-length: %d\r\n\r\n" % len(body)

    outcome = await probed(head + body)

    assert outcome.health_class is HealthClass.PROTOCOL
    assert "content encoding" in outcome.why


@pytest.mark.parametrize("asked", ["9" * 400, "1e308", "inf", "nan", "-1", "Fri, 31 Dec 9999 23:59:59 GMT", "1e-999"])
def test_no_wait_that_a_provider_asks_for_is_beyond_measure(asked: str) -> None:
    reply = Reply(429, {"retry-after": asked, "x-ratelimit-reset-requests": asked}, b"")

    finding = classify(REGISTRY[ProviderTypeName.OPENAI], reply, now=NOW, has_key=True)

    assert isinstance(finding, Finding)
    assert finding.health_class is HealthClass.RATE_LIMITED
    assert finding.retry_after is None or 0 <= finding.retry_after.days <= 366
