"""How well are consumers protected, and how well did it go so far? Pure.

A `Track` adds up the time in which something (a provider, or a policy as its consumers saw it) was watched, and how
much of that it could not serve:

- availability = 1 - down / observed
- mtbf, mean time between failures = (observed - down) / failures
- mttr, mean time to repair = down / failures

Time that nobody watched (the operator was not running, the state is not known yet) counts neither way. An outage
counts from the first failed probe, not from the later moment at which there were enough of them; the one that is under
way counts with what it took so far. Failures that end before a provider is down are none.

An example: in one day a provider was down twice, for 2 minutes and for 4 minutes.

>>> from datetime import UTC
>>> start = datetime(2026, 11, 2, tzinfo=UTC)
>>> at = lambda minutes: start + timedelta(minutes=minutes)
>>> track = look(Track(), now=at(0), up=True)
>>> for minute, up in (60, False), (62, True), (600, False), (604, True):
...     track = look(track, now=at(minute), up=up)
>>> told = tell(track, now=at(24 * 60))
>>> told.mtbf_seconds, told.mttr_seconds, told.availability  # (86400 - 360) / 2, 360 / 2, 1 - 360 / 86400
(43020, 180.0, 0.995833)

- redundancy = eligible healthy providers in other failure domains than the active one's. Each counts, also where two of
  them share a domain.
- fault tolerance = distinct failure domains of the providers that may serve, the active one included, less one.

With openai active, azure on the domain of openai, and vllm-a and vllm-b together on another, redundancy is 2: two can
stand in when openai's domain fails. Fault tolerance is 1: two domains are left to lose, and the second one takes all.

>>> domains = {"openai": "us", "azure": "us", "vllm-a": "rack", "vllm-b": "rack"}
>>> redundancy("openai", domains, domains), fault_tolerance(domains, domains)
(2, 1)
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from providerswitch.api.status import Reliability, Resilience, Switch, SwitchCounts

NOTHING: Final = timedelta(0)
MILLISECOND: Final = timedelta(milliseconds=1)

LONGEST: Final = timedelta(days=365 * 100)
"""More cannot have been observed; a status that somebody edited may say so."""


@dataclass(frozen=True, slots=True)
class Track:
    """What was seen since observation began.

    Attributes:
        observed: time under observation.
        down: of that, time in which it could not serve.
        failures: outages, the one under way included.
        looked_at: the last look; None before the first, and after a restart.
        down_since: when the outage began that was under way when the state was last known; None where it was up.
        up_since: when the present stretch of service began, as far as it was watched; None while it is not in service.
        watched: whether the last look found a state, so that time since then is observed.
    """

    observed: timedelta = NOTHING
    down: timedelta = NOTHING
    failures: int = 0
    looked_at: datetime | None = None
    down_since: datetime | None = None
    up_since: datetime | None = None
    watched: bool = False


def look(track: Track, *, now: datetime, up: bool | None, since: datetime | None = None) -> Track:
    """Return the track after one more look; a look from before the last one changes nothing.

    Args:
        track: What was seen before.
        now: The time of the look.
        up: Whether it can serve; None where that is not known, which ends the stretch of observation.
        since: When an outage that is seen now for the first time really began: at the first failed probe. Time since
            then that looked like service is put right, but nothing before it last came up. Default: `now`.
    """
    if track.looked_at and now < track.looked_at:
        return track
    known = replace(_advance(track, now), looked_at=now, watched=up is not None)
    if up is None:
        return replace(known, up_since=None)
    if up:
        return replace(known, down_since=None, up_since=known.up_since or now)
    return known if known.down_since else _fail(known, now, since or now)


def _advance(track: Track, now: datetime) -> Track:
    """Count the time since the last look by the state that was found then."""
    if track.looked_at is None or not track.watched:
        return track
    passed = max(NOTHING, now - track.looked_at)
    down = track.down + passed if track.down_since else track.down
    return replace(track, observed=track.observed + passed, down=down)


def _fail(track: Track, now: datetime, since: datetime) -> Track:
    began = min(now, max(since, track.up_since or now))
    return replace(track, down=track.down + (now - began), failures=track.failures + 1, down_since=began, up_since=None)


def restore(reliability: Reliability, *, down_since: datetime | None = None) -> Track:
    """Return the track that a status holds, after a restart of the operator. The next look begins a new stretch.

    Args:
        reliability: What was told last; time since then was not observed.
        down_since: When the outage began that was under way by the status; where it still is, it is no new failure.
    """
    observed = _whole(reliability.observed_seconds)
    down = min(_whole(reliability.down_seconds), observed)
    return Track(observed, down, max(0, reliability.failures), down_since=down_since)


def _whole(seconds: int) -> timedelta:
    return timedelta(seconds=min(max(0, seconds), int(LONGEST.total_seconds())))


def tell(track: Track, *, now: datetime) -> Reliability:
    """Return the figures; what cannot be told yet is absent."""
    seen = _advance(track, now)
    failures = seen.failures
    return Reliability(
        observed_seconds=int(seen.observed.total_seconds()),
        down_seconds=int(seen.down.total_seconds()),
        failures=failures,
        mtbf_seconds=round((seen.observed - seen.down).total_seconds() / failures) if failures else None,
        mttr_seconds=round(seen.down.total_seconds() / failures, 3) if failures else None,
        availability=round(1 - seen.down / seen.observed, 6) if seen.observed else None,
    )


def redundancy(active: str | None, fit: Collection[str], domains: Mapping[str, str]) -> int:
    """Return how many of the fit providers can stand in when the active one's whole failure domain fails.

    Args:
        active: None while nothing serves; then nobody can stand in for it.
        fit: Those that may serve, each once; the active one may be among them.
        domains: Failure domain of each; one that is not listed is a domain of its own.
    """
    if active is None:
        return 0
    own = domains.get(active, active)
    return sum(domains.get(name, name) != own for name in fit)


def fault_tolerance(fit: Collection[str], domains: Mapping[str, str]) -> int:
    """Return how many failure domains may fail at once while one provider that may serve is left.

    Args:
        fit: Those that may serve, the active one included where it may.
        domains: Failure domain of each; one that is not listed is a domain of its own.
    """
    return max(0, len({domains.get(name, name) for name in fit}) - 1)


@dataclass(frozen=True, slots=True)
class MeanMillis:
    """Mean times of switches, in milliseconds; None where there is none of that kind.

    Attributes:
        detect: from the first failed probe to the decision.
        switch: from the decision to the verified publication.
        rollback: from the decision until the former choice was published again.
    """

    detect: int | None
    switch: int | None
    rollback: int | None


def mean_millis(switches: Sequence[Switch]) -> MeanMillis:
    """Return mean times.

    A switch that a restart of the operator interrupted says nothing of its usual duration, and one of shadow mode
    nothing of what consumers saw.
    """
    real = [switch for switch in switches if switch.outcome != "Shadow"]
    return MeanMillis(
        detect=_mean([switch.detect_millis for switch in real if switch.detect_millis is not None]),
        switch=_mean([switch.switch_millis for switch in real if switch.outcome == "Succeeded"]),
        rollback=_mean([switch.switch_millis for switch in real if switch.outcome == "RolledBack"]),
    )


def _mean(values: Sequence[int]) -> int | None:
    return round(sum(values) / len(values)) if values else None


def success_rate(counts: SwitchCounts) -> float | None:
    """Return the share of tried switches that were committed; None before the first."""
    return round(counts.succeeded / counts.total, 6) if counts.total else None


def build_resilience(
    *,
    active: str | None,
    fit: Collection[str],
    domains: Mapping[str, str],
    observed: Track,
    history: Sequence[Switch],
    config_load: timedelta | None,
    now: datetime,
) -> Resilience:
    """Return what a status says of a policy's resilience.

    Args:
        active: The provider that serves; None before the first choice.
        fit: Those that may serve, the active one included where it may.
        domains: Failure domain of each provider.
        observed: The policy as its consumers saw it.
        history: Switches whose times are averaged.
        config_load: From the arrival of the last changed spec to its decision in force; None where none changed yet.
        now: Until when an outage that is under way counts.
    """
    means = mean_millis(history)
    return Resilience(
        redundancy=redundancy(active, fit, domains),
        fault_tolerance=fault_tolerance(fit, domains),
        observed=tell(observed, now=now),
        detect_millis=means.detect,
        switch_millis=means.switch,
        rollback_millis=means.rollback,
        config_load_millis=None if config_load is None else round(config_load / MILLISECOND),
    )
