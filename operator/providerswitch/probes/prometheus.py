"""Ask a Prometheus server one question, and read its answer. Pure; never raises, whatever the bytes are.

Source: "HTTP API" in the documentation of Prometheus, read 2026-11. Thanos, Mimir, VictoriaMetrics and others answer in
the same words.

What a server says about a query is shown to users, who wrote the query, but only if it calls its error by one of
Prometheus's own names: whoever may write a policy must not read arbitrary services of the cluster through its status.
"""

import json
from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Any, Final
from urllib.parse import quote

from providerswitch.api.health import HealthClass
from providerswitch.probes.exchange import Finding, ProbeRequest, Reply

SUCCESS: Final = range(200, 300)
REDIRECT: Final = range(300, 400)
LONGEST_TEXT: Final = 200
"""Characters of a server's error that are shown."""

CORRECT_QUERY: Final = "correct the query"
MAKE_CHEAPER: Final = "ask less of it, for example with a recording rule"
LOOK_THERE: Final = "look at that server"

ERRORS: Final[Mapping[str, str]] = {
    "bad_data": CORRECT_QUERY,
    "execution": CORRECT_QUERY,
    "timeout": MAKE_CHEAPER,
    "canceled": MAKE_CHEAPER,
    "internal": LOOK_THERE,
    "unavailable": LOOK_THERE,
    "not_found": LOOK_THERE,
    "not_acceptable": LOOK_THERE,
}
"""What to do about each of Prometheus's error types."""

WANTS_CREDENTIALS: Final = "it asks for credentials, which a metrics source has none of; name a server that needs none"
CORRECT_URL: Final = "correct url, which ends before /api/v1"
NO_API: Final = f"there is no query API of Prometheus below this URL; {CORRECT_URL}"
STATUSES: Final[Mapping[int, str]] = {401: WANTS_CREDENTIALS, 403: WANTS_CREDENTIALS, 404: NO_API, 405: NO_API}

OTHER_KINDS: Final[Mapping[str, str]] = {
    "scalar": "the result is one number for all providers; ask for one for each, for example without scalar()",
    "string": "the result is a string; ask for numbers, one for each provider",
    "matrix": "the result is a range of values; ask for one value now, for example with rate() or avg_over_time()",
}
"""What is wrong with each type of result that is no instant vector."""

ADVICE: Final[Mapping[HealthClass, str]] = {
    HealthClass.TIMEOUT: f"see that it runs, or {MAKE_CHEAPER}",
    HealthClass.DNS: "correct url, or see that this Service exists",
    HealthClass.CONNECT_REFUSED: "see that it runs, and that url names its port",
    HealthClass.TLS: "correct the scheme of url, or let the operator trust that certificate",
    HealthClass.PROTOCOL: "see that url names its HTTP port",
    HealthClass.CONFIG_INVALID: "",
}
"""What to do where no answer came; the reasons of CONFIG_INVALID say it themselves."""


def query_request(query: str) -> ProbeRequest:
    """Build the question for a query's values now.

    A GET, because that is repeated when a kept connection turns out to be dead. The longest query that a policy may
    hold stays below the 8 KiB that proxies take, unless most of it is not ASCII.
    """
    return ProbeRequest("GET", f"/api/v1/query?query={quote(query, safe='', errors='replace')}")


def read_vector(reply: Reply, label: str) -> dict[str, float] | str:
    """Return the value of each provider, or say in a clause what is wrong and what to do.

    Providers whose value is not finite are left out: NaN is Prometheus's word for a ratio without traffic. So are
    series whose label (the one that holds the provider's name) is missing, unless there are no others: that is a
    mistake in the query, as are several series for one provider.
    """
    if reply.truncated:
        return f"the answer is over 64 KiB; let it have one series for each provider, such as sum by ({label}) (...)"
    match _parse(reply.body):
        case {"status": "success", "data": {"resultType": "vector", "result": list(series)}} if _succeeded(reply):
            return _read_series(series, label)
        case {"status": "success", "data": {"resultType": str(kind)}} if _succeeded(reply) and kind in OTHER_KINDS:
            return OTHER_KINDS[kind]
        case {"status": "error", "errorType": str(kind), "error": str(text)} if kind in ERRORS:
            return f"HTTP {reply.status} {kind}: {_shown(text, LONGEST_TEXT)}; {ERRORS[kind]}"
    return _no_answer(reply)


def explain(finding: Finding) -> str:
    """Say in a clause why no answer came, and what to do."""
    advice = ADVICE.get(finding.health_class, LOOK_THERE)
    return f"{finding.why}; {advice}" if advice else finding.why


def _parse(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _succeeded(reply: Reply) -> bool:
    return reply.status in SUCCESS


def _no_answer(reply: Reply) -> str:
    if reply.status in SUCCESS:
        return f"the answer is none of Prometheus's query API; {CORRECT_URL}"
    if reply.status in REDIRECT:
        return f"HTTP {reply.status}: it redirects, which is not followed; name the final address in url"
    return f"HTTP {reply.status}: {STATUSES.get(reply.status, f'it failed; {LOOK_THERE}')}"


def _read_series(series: Iterable[object], label: str) -> dict[str, float] | str:
    values: dict[str, float] = {}
    missing = 0
    for one in series:
        match one:
            case {"metric": {**labels}, "value": [_, str(text)]}:
                name = labels.get(label)
            case {"metric": {**labels}, "histogram": _}:
                return "the result holds histograms; ask for a number of each, for example with histogram_quantile()"
            case _:
                return f"a series of the answer is malformed; {LOOK_THERE}"
        if not isinstance(name, str) or not name:
            missing += 1
        elif name in values:
            return f"there are several series for one provider; make them one, such as sum by ({label}) (...)"
        else:
            values[name] = _number(text)
    if missing and not values:
        return f'no series has the label "{label}"; keep it, such as sum by ({label}) (...), or correct providerLabel'
    return {name: value for name, value in values.items() if isfinite(value)}


def _number(text: str) -> float:
    """Read a sample; what is no number is as good as NaN."""
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _shown(text: str, longest: int) -> str:
    """Return a text in one printable line, cut to a length."""
    line = "".join(character if character.isprintable() else " " for character in text[: 2 * longest])
    short = " ".join(line.split())
    return short if len(short) <= longest else f"{short[: longest - 3]}..."
