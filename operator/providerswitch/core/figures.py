"""Tell what is known of a provider in numbers, as its entry in the status. Pure.

Numbers are rounded to what people can use, so that a status does not change with every probe.
"""

from providerswitch.api.status import ProviderStatus, ResponseTime, ScoreParts, Throughput
from providerswitch.core.case import Case
from providerswitch.core.measures import Latency, Measures
from providerswitch.core.memory import Memory
from providerswitch.core.outcome import Tier
from providerswitch.core.resilience import tell
from providerswitch.core.score import Score
from providerswitch.core.wording import LONGEST_WHY, rejection, shorten

LONGEST_SENTENCE = 1024


def tell_provider(case: Case, memory: Memory, name: str) -> ProviderStatus:
    """Return the entry of a provider in the status."""
    health = case.health(name)
    outlook = case.outlook
    measures = outlook.measures.get(name, Measures()) if outlook else Measures()
    track = memory.tracks.get(name)
    return ProviderStatus(
        name=name,
        state=health.state,
        health_class=health.health_class,
        since=health.since,
        blacklisted_until=health.blacklisted_until,
        rate_limited_until=health.limited_until,
        failing_tier="generation" if health.failing_tier is Tier.GENERATION else None,
        eligible=rejection(case, name) is None,
        why=shorten(_why(case, name), LONGEST_SENTENCE),
        degraded=shorten(case.degraded[name], LONGEST_SENTENCE) if name in case.degraded else None,
        ejections=health.ejections or None,
        ejected_at=health.ejected_at,
        back_since=health.back_since,
        rank=_rank(case, name),
        weight=outlook.shares.get(name) if outlook else None,
        reliability=tell(track, now=case.now) if track else None,
        **_measured(measures),
        **_scored(outlook.scores.get(name) if outlook else None),
    )


def _why(case: Case, name: str) -> str:
    """A mistake in the configuration does not hide what the probes find."""
    health = case.health(name)
    misfit = f"unsuitable: {case.misfits[name]}" if name in case.misfits else None
    mistake = case.config_errors.get(name) or misfit
    if mistake is None:
        return health.why
    found = health.state not in {"Unknown", "Healthy"}
    return f"{shorten(mistake, LONGEST_WHY).rstrip('.')}. Its probes: {health.why}." if found else mistake


def _rank(case: Case, name: str) -> int | None:
    fit = [other for other in case.preference if case.may_serve(other)]
    return fit.index(name) + 1 if name in fit else None


def _measured(measures: Measures) -> dict[str, object]:
    return {
        "samples": measures.samples or None,
        "response_time": _response_time(measures.latency),
        "error_rate": _round(measures.error_rate, 4),
        "availability": _round(measures.availability, 4),
        "throughput": _throughput(measures),
        "quality": _round(measures.quality, 3),
        "quality_confidence": _round(measures.quality_confidence, 3) or None,
    }


def _scored(score: Score | None) -> dict[str, object]:
    if score is None:
        return {}
    parts = ScoreParts(
        latency=round(score.latency, 3),
        accuracy=round(score.accuracy, 3),
        cost=round(score.cost, 3),
        availability=round(score.availability, 3),
    )
    return {"score": round(score.total, 3), "score_parts": parts}


def _response_time(latency: Latency | None) -> ResponseTime | None:
    if latency is None:
        return None
    first = latency.first_byte_p95
    return ResponseTime(
        p50_millis=_millis(latency.p50),
        p95_millis=_millis(latency.p95),
        mean_millis=_millis(latency.mean),
        first_byte_p95_millis=None if first is None else _millis(first),
    )


def _throughput(measures: Measures) -> Throughput | None:
    allowance = measures.allowance
    told = Throughput(
        requests_limit=allowance.requests_limit,
        requests_remaining=allowance.requests_remaining,
        tokens_limit=allowance.tokens_limit,
        tokens_remaining=allowance.tokens_remaining,
        reset_at=allowance.reset_at,
        requests_per_second=_round(measures.requests_per_second, 3),
    )
    return told if told != Throughput() else None


def _millis(seconds: float) -> int:
    return round(seconds * 1000)


def _round(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
