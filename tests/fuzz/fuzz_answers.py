"""Coverage-guided fuzzing of everything that reads an answer: `make fuzz`. Not part of `make test`.

Needs atheris, which has an environment of its own; arguments go to libFuzzer.
"""

import sys
from datetime import UTC, datetime, timedelta
from typing import Final

import atheris

with atheris.instrument_imports(include=["providerswitch"]):
    from providerswitch.probes.allowance import read_allowance
    from providerswitch.probes.classify import classify
    from providerswitch.probes.exchange import Reply
    from providerswitch.probes.prometheus import read_vector
    from providerswitch.probes.registry import REGISTRY
    from providerswitch.probes.status_page import read_status
    from providerswitch.probes.usage import read_usage
    from providerswitch.probes.waits import LONGEST

NOW: Final = datetime(2026, 11, 24, 12, tzinfo=UTC)
KINDS: Final = tuple(REGISTRY.values())
STATUSES: Final = (200, 400, 401, 402, 403, 404, 429, 500, 503, 529)
HEADERS: Final = (
    *("content-type", "retry-after", "retry-after-ms", "ratelimit", "ratelimit-policy", "x-amzn-errortype"),
    *("x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"),
)


def build_reply(found: atheris.FuzzedDataProvider) -> Reply:
    """Return an answer made of the fuzzer's bytes."""
    status = found.PickValueInList(list(STATUSES))
    count = found.ConsumeIntInRange(0, 3)
    names = [found.PickValueInList(list(HEADERS)) for _ in range(count)]
    headers = {name: found.ConsumeUnicodeNoSurrogates(40) for name in names}
    return Reply(status, headers, found.ConsumeBytes(found.remaining_bytes()), truncated=found.ConsumeBool())


def try_one(data: bytes) -> None:
    """Read one answer in every way; an assertion or an exception is a find."""
    found = atheris.FuzzedDataProvider(data)
    kind = found.PickValueInList(list(KINDS))
    reply = build_reply(found)
    finding = classify(kind, reply, now=NOW, has_key=True)
    assert finding.why.isprintable()
    assert len(finding.why) <= 200
    assert finding.retry_after is None or timedelta(0) <= finding.retry_after <= LONGEST
    read_usage(reply.body)
    read_allowance(reply.headers, NOW)
    read_status(reply)
    read_vector(reply, "provider")


if __name__ == "__main__":
    atheris.Setup(sys.argv, try_one)
    atheris.Fuzz()
