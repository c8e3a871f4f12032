"""Hypothesis strategies of what providers answer: the envelopes, codes and headers of the field, and damaged ones."""

import json
from typing import Any, Final

from hypothesis import strategies as st

from providerswitch.probes.envelope import NESTED_MEMBERS, TEXT_MEMBERS, WORD_MEMBERS
from providerswitch.probes.exchange import Reply
from providerswitch.probes.transport import MAX_BODY_BYTES

KEY: Final = "sk-fuzzed-0123456789abcdef"
CODES: Final = (
    *("invalid_api_key", "insufficient_quota", "rate_limit_exceeded", "model_not_found", "overloaded_error", "SAFETY"),
    *("RESOURCE_EXHAUSTED", "ThrottlingException", "context_length_exceeded", "unsupported_country_region_territory"),
    *("401", "429", "99999999", "", KEY, "litellm.RateLimitError: x", "try again in 9m38.016s", "Retry after 1e999 s"),
)
MEMBERS: Final = (
    *WORD_MEMBERS, *TEXT_MEMBERS, *NESTED_MEMBERS,
    *("choices", "candidates", "finish_reason", "promptFeedback", "blockReason", "object", "success", "usage", "data"),
    *("prompt_tokens", "total_tokens", "usageMetadata", "retryDelay", "estimated_time", "status_code", "detail"),
)  # fmt: skip
LEAVES = (
    st.sampled_from(CODES)
    | st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats()
    | st.text(max_size=30)
    | st.just(f"Incorrect API key provided: {KEY}. \n\x1b[31m")
)
documents: st.SearchStrategy[Any] = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(MEMBERS) | st.text(max_size=8), inner, max_size=5)
        | inner.map(json.dumps)
    ),
    max_leaves=25,
)


def _as_body(document: Any) -> bytes:
    return json.dumps(document).encode(errors="surrogatepass")


def _as_events(listed: list[Any]) -> bytes:
    return b"".join(b"event: error\ndata: " + _as_body(each) + b"\n\n" for each in listed)


@st.composite
def damaged(draw: st.DrawFn, bodies: st.SearchStrategy[bytes]) -> bytes:
    """Cut a body, or put bytes into it."""
    body = draw(bodies)
    at = draw(st.integers(0, len(body)))
    return body[:at] if draw(st.booleans()) else body[:at] + draw(st.binary(max_size=8)) + body[at:]


whole = (
    documents.map(_as_body)
    | st.lists(documents, max_size=4).map(_as_events)
    | st.lists(documents, min_size=2, max_size=4).map(lambda listed: b"\n".join(map(_as_body, listed)))
    | st.sampled_from([b"<html>Just a moment", b"upstream connect error", b"", b"\xef\xbb\xbf{}", b"data: [DONE]\n\n"])
)
bodies = (whole | damaged(whole) | st.binary(max_size=200)).map(lambda body: body[:MAX_BODY_BYTES])

TIMES: Final = (
    *("0", "1", "-1", "1.5", "1e400", "nan", "inf", "9" * 400, "1_0", "\u0663", "1s", "6m0s", "1h" * 100, "1d"),
    *("Wed, 21 Oct 2015 07:28:00 GMT", "Fri, 31 Dec 9999 23:59:59 -2359", "Mon, 01 Jan 0001 00:00:00 +2359"),
    *("2026-11-24T12:00:00Z", "9999-12-31T23:59:59-23:59", "1763985600", "1763985600000", "1e18", "", " ", "\x00"),
)
HEADERS: Final = (
    *("retry-after", "retry-after-ms", "x-ratelimit-limit-requests", "x-ratelimit-remaining-requests"),
    *("x-ratelimit-reset-requests", "x-ratelimit-reset-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset"),
    *("anthropic-ratelimit-requests-reset", "anthropic-ratelimit-requests-remaining", "ratelimit", "ratelimit-policy"),
    *("content-type", "x-amzn-errortype", "x-ratelimit-limit", "x-ratelimit-remaining"),
)
HEADER_VALUES = st.sampled_from(
    (*TIMES, "text/event-stream", "application/json", '"a";r=1;t=1', '"a";q=1', "limit=1, remaining=0, reset=1e9")
) | st.text(max_size=20)

replies = st.builds(
    Reply,
    st.sampled_from([100, 200, 204, 301, 400, 401, 402, 403, 404, 413, 422, 429, 451, 500, 502, 503, 529, 599, 999]),
    st.dictionaries(st.sampled_from(HEADERS), HEADER_VALUES, max_size=6),
    bodies,
    st.booleans(),
)
