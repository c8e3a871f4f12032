"""The limits that an answer's headers tell of, in every provider's spelling. Pure; never raises.

Sources, read 2026-11: the rate limit pages of OpenAI (Azure, Groq, Mistral, xAI and many gateways use its names),
Anthropic, Mistral (`-req-minute`), Cerebras (`-day`, `-minute`), Together (`x-tokenlimit-`), Fireworks
(`-tokens-prompt`), Cohere (`x-trial-endpoint-call-`, trial keys only) and OpenRouter (no unit in the name); the drafts
of RateLimit header fields for HTTP: 3 to 6 (a header each), 7 (one list of members), 8 to 11 (named policies, which
Hugging Face sends).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from providerswitch.probes.waits import parse_reset, parse_span

REQUESTS: Final = (
    "x-ratelimit-{}-requests", "anthropic-ratelimit-requests-{}", "x-ratelimit-{}-req-minute",
    "x-ratelimit-{}-requests-minute", "x-ratelimit-{}-requests-hour", "x-ratelimit-{}-requests-day",
    "x-trial-endpoint-call-{}", "x-ratelimit-{}", "ratelimit-{}",
)  # fmt: skip
TOKENS: Final = (
    "x-ratelimit-{}-tokens", "anthropic-ratelimit-tokens-{}", "anthropic-ratelimit-input-tokens-{}",
    "anthropic-ratelimit-output-tokens-{}", "x-ratelimit-{}-tokens-minute", "x-ratelimit-{}-tokens-hour",
    "x-ratelimit-{}-tokens-day", "x-ratelimit-{}-tokens-prompt", "x-ratelimit-{}-tokens-generated", "x-tokenlimit-{}",
)  # fmt: skip
"""Names of headers, with `limit`, `remaining` and `reset` in the braces."""

COUNT: Final = re.compile(r"\s*([0-9]{1,12})(?:\.0+)?\s*(?:[,;]|$)")
"""A whole number; the drafts allow more behind it, such as `100, 100;w=60`. Negative ones mean "no limit" to some."""

LONGEST_HEADER: Final = 1000
MEMBER: Final = re.compile(r"(limit|remaining|reset)\s*=\s*([0-9]{1,12})(?![0-9])")
POLICY: Final = re.compile(r'"([^"]*)"((?:\s*;\s*[a-z]+\s*=\s*(?:[0-9]+|"[^"]*"))+)')
PARAMETER: Final = re.compile(r'([a-z]+)\s*=\s*"?([^";]+)')


@dataclass(frozen=True, slots=True)
class RateLimit:
    """One limit.

    Attributes:
        limit: how much is allowed in its period, whatever that is.
        remaining: how much of it is left.
        reset: time until it is full again.
    """

    limit: int | None = None
    remaining: int | None = None
    reset: timedelta | None = None

    @property
    def told(self) -> bool:
        """Whether anything but a time is known."""
        return self.limit is not None or self.remaining is not None

    @property
    def spent(self) -> bool:
        """Whether nothing is left, or nothing is allowed at all, as on a plan without this model."""
        return 0 in (self.remaining, self.limit)

    @property
    def share_left(self) -> float:
        """Return how much is left, 0 to 1; 1 where that is unknown."""
        if self.spent:
            return 0
        return min(1, self.remaining / self.limit) if self.remaining and self.limit else 1


def request_limits(headers: Mapping[str, str], now: datetime) -> tuple[RateLimit, ...]:
    """Return the limits of requests; header names are lower-case."""
    drafted = RateLimit(*_draft(headers, now))
    found = (*_named(REQUESTS, headers, now), drafted)
    return tuple(limit for limit in found if limit.told)


def token_limits(headers: Mapping[str, str], now: datetime) -> tuple[RateLimit, ...]:
    """Return the limits of tokens; header names are lower-case."""
    return tuple(limit for limit in _named(TOKENS, headers, now) if limit.told)


def _named(names: tuple[str, ...], headers: Mapping[str, str], now: datetime) -> Iterator[RateLimit]:
    for name in names:
        limit, remaining, reset = (headers.get(name.format(part), "") for part in ("limit", "remaining", "reset"))
        if limit or remaining:
            yield RateLimit(_count(limit), _count(remaining), parse_reset(reset.strip(), now))


def _count(value: str) -> int | None:
    found = COUNT.match(value[:LONGEST_HEADER])
    return int(found[1]) if found else None


def _draft(headers: Mapping[str, str], now: datetime) -> tuple[int | None, int | None, timedelta | None]:
    """Read `RateLimit: limit=100, remaining=50, reset=5`, or `RateLimit: "name";r=50;t=5` with its policy."""
    value = headers.get("ratelimit", "")[:LONGEST_HEADER]
    members = dict(MEMBER.findall(value))
    if members:
        reset = parse_reset(members.get("reset", ""), now)
        return _count(members.get("limit", "")), _count(members.get("remaining", "")), reset
    quotas = {name: told.get("q", "") for name, told in _policies(headers.get("ratelimit-policy", ""))}
    for name, told in _policies(value):
        return _count(quotas.get(name, "")), _count(told.get("r", "")), parse_span(told.get("t", ""), 1)
    return None, None, None


def _policies(value: str) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Yield the named policies that count requests, which they do unless they tell another unit."""
    for name, parameters in POLICY.findall(value[:LONGEST_HEADER]):
        told = dict(PARAMETER.findall(parameters))
        if told.get("qu", "requests") == "requests":
            yield name, told
