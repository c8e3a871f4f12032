"""How much a provider still lets through, from the rate-limit headers of any answer. Pure; never raises."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from providerswitch.core.outcome import Allowance
from providerswitch.probes.rate_limits import RateLimit, request_limits, token_limits


def read_allowance(headers: Mapping[str, str], now: datetime) -> Allowance | None:
    """Return what headers tell of limits; None where they tell nothing.

    Where a provider has several limits of a kind (a minute and a day, tokens sent and tokens answered), the one with
    the smallest share left is told, because it ends first. Of requests and tokens, that one also tells `reset_at`: a
    limit that is hardly used is full again within milliseconds, which helps nobody.

    Args:
        headers: with lower-case names.
        now: when the answer came, for times that are told as spans.
    """
    requests = _tightest(request_limits(headers, now))
    tokens = _tightest(token_limits(headers, now))
    if requests is None and tokens is None:
        return None
    resetting = _tightest(limit for limit in (requests, tokens) if limit and limit.reset is not None)
    return Allowance(
        requests_limit=requests.limit if requests else None,
        requests_remaining=requests.remaining if requests else None,
        tokens_limit=tokens.limit if tokens else None,
        tokens_remaining=tokens.remaining if tokens else None,
        reset_at=now + resetting.reset if resetting and resetting.reset is not None else None,
    )


def _tightest(limits: Iterable[RateLimit]) -> RateLimit | None:
    return min(limits, key=lambda limit: limit.share_left, default=None)
