"""The sections of an explanation that show numbers: candidates with their scores, measured values, resilience. Pure."""

from collections.abc import Iterator
from datetime import timedelta
from math import isfinite
from typing import Final

from providerswitch.api.selection import ScoreWeights
from providerswitch.api.status import ProviderStatus, Reliability, Resilience, ResponseTime, SwitchCounts, Throughput
from providerswitch.core.measures import tell_price, tell_quality, tell_seconds, tell_share
from providerswitch.core.sections import Row, Section, Seen, build_table
from providerswitch.core.spans import tell_span
from providerswitch.core.window import blend_cost

NINES: Final = 6
"""Significant digits of an availability that was watched for long: `99.9953 %`."""

CANDIDATE: Final = (
    "PROVIDER",
    "RANK",
    "ROLE",
    "STATE",
    "SCORE",
    "LATENCY",
    "ACCURACY",
    "COST",
    "AVAILABILITY",
    "WEIGHT",
)
MEASURED: Final = (
    "PROVIDER",
    "P50",
    "P95",
    "FIRST BYTE P95",
    "ERRORS",
    "AVAILABLE",
    "PRICE",
    "QUALITY",
    "PROBES",
    "REQUESTS LEFT",
    "TOKENS LEFT",
    "REQUESTS/S",
)
RELIABILITY: Final = ("OF", "AVAILABILITY", "FAILURES", "MTBF", "MTTR", "DOWN", "OBSERVED")


def tell_candidates(seen: Seen) -> Section | None:
    """Rank, score and its parts of each provider."""
    table = build_table(CANDIDATE, (_candidate(seen, entry) for entry in seen.providers))
    if table is None:
        return None
    scored = any(entry.score is not None for entry in seen.providers)
    lines = (
        _strategy(seen),
        *([_formula(seen.spec.selection.weights)] if scored else []),
        *(f'"{entry.name}" is degraded: {entry.degraded}' for entry in seen.providers if entry.degraded),
    )
    return Section("candidates", "Candidates", lines, table)


def _strategy(seen: Seen) -> str:
    scheduled = seen.status.schedule.active if seen.status.schedule else None
    entry = next((entry for entry in seen.spec.schedule if entry.name == scheduled), None)
    if entry and entry.strategy:
        return f'Strategy {entry.strategy}, by "{entry.name}" of the schedule.'
    return f"Strategy {seen.spec.selection.strategy}."


def _formula(weights: ScoreWeights) -> str:
    parts = " + ".join(f"{weight:g} {name}" for name, weight in weights)
    return f"Score = {parts}, divided by the sum of these weights."


def _candidate(seen: Seen, entry: ProviderStatus) -> Row:
    parts = entry.score_parts
    values = (parts.latency, parts.accuracy, parts.cost, parts.availability) if parts else (None,) * 4
    return (
        entry.name,
        "" if entry.rank is None else f"{entry.rank}",
        ", ".join(_roles(seen, entry.name)),
        entry.state.value,
        _two_decimals(entry.score),
        *(_two_decimals(value) for value in values),
        "" if entry.weight is None else f"{entry.weight} %",
    )


def _roles(seen: Seen, name: str) -> Iterator[str]:
    if name == seen.status.active_provider:
        yield "active"
    if name == seen.spec.primary:
        yield "primary"


def _two_decimals(number: float | None) -> str:
    return "" if number is None else f"{number:.2f}"


def tell_measured(seen: Seen) -> Section | None:
    """Response time, errors, availability, price, quality and what is left of rate limits."""
    rows = [_measured(seen, entry) for entry in seen.providers]
    if not any(any(row[1:]) for row in rows):
        return None
    return Section("measured", "Measured and declared", table=build_table(MEASURED, rows))


def _measured(seen: Seen, entry: ProviderStatus) -> Row:
    provider = seen.spec.provider(entry.name)
    price = blend_cost(provider.cost) if provider else None
    return (
        entry.name,
        *_times(entry.response_time),
        "" if entry.error_rate is None else tell_share(entry.error_rate),
        "" if entry.availability is None else tell_share(entry.availability),
        "" if price is None else tell_price(price),
        _quality(entry, provider.quality if provider else None),
        "" if entry.samples is None else f"{entry.samples}",
        *_left(entry.throughput or Throughput()),
    )


def _times(times: ResponseTime | None) -> Row:
    if times is None:
        return ("",) * 3
    first = times.first_byte_p95_millis
    return (
        tell_seconds(times.p50_millis / 1000),
        tell_seconds(times.p95_millis / 1000),
        "" if first is None else tell_seconds(first / 1000),
    )


def _quality(entry: ProviderStatus, declared: float | None) -> str:
    quality = declared if entry.quality is None else entry.quality
    if quality is None:
        return ""
    measured = f" ({tell_share(entry.quality_confidence)} measured)" if entry.quality_confidence else ""
    return f"{tell_quality(quality)}{measured}"


def _left(throughput: Throughput) -> Row:
    return (
        _of(throughput.requests_remaining, throughput.requests_limit),
        _of(throughput.tokens_remaining, throughput.tokens_limit),
        "" if throughput.requests_per_second is None else f"{throughput.requests_per_second:.3g}",
    )


def _of(remaining: int | None, limit: int | None) -> str:
    if remaining is None:
        return ""
    return f"{remaining}" if limit is None else f"{remaining} of {limit}"


def tell_resilience(seen: Seen) -> Section | None:
    """How well consumers are protected, and how well it went so far."""
    resilience, counts = seen.status.resilience, seen.status.switching
    policy = (
        [_reliability("policy", resilience.observed)] if resilience and resilience.observed.observed_seconds else []
    )
    providers = [_reliability(each.name, each.reliability) for each in seen.providers if each.reliability]
    table = build_table(RELIABILITY, (*policy, *providers))
    lines = (*_protection(resilience), *_switching(counts))
    return Section("resilience", "Resilience", lines, table) if lines or table else None


def _protection(resilience: Resilience | None) -> Iterator[str]:
    if resilience is None:
        return
    yield f"Redundancy {resilience.redundancy}, fault tolerance {resilience.fault_tolerance}."
    means = (
        ("detection", resilience.detect_millis),
        ("switch", resilience.switch_millis),
        ("rollback", resilience.rollback_millis),
    )
    known = ", ".join(f"{name} {millis} ms" for name, millis in means if millis is not None)
    if known:
        yield f"Mean times: {known}."
    if resilience.config_load_millis is not None:
        yield f"The last change of the spec was in force after {resilience.config_load_millis} ms."


def _switching(counts: SwitchCounts) -> Iterator[str]:
    if counts.total:
        rate = tell_share(counts.succeeded / counts.total)
        yield f"Switches: {counts.total} tried, {counts.succeeded} succeeded ({rate}), {counts.rolled_back} undone."


def _reliability(name: str, seen: Reliability) -> Row:
    return (
        name,
        "" if seen.availability is None else tell_share(seen.availability, NINES),
        f"{seen.failures}",
        _span(seen.mtbf_seconds),
        _span(seen.mttr_seconds),
        _span(seen.down_seconds),
        _span(seen.observed_seconds),
    )


def _span(seconds: float | None) -> str:
    return "" if seconds is None or not isfinite(seconds) else tell_span(timedelta(seconds=seconds))
