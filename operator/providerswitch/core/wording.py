"""Say why a provider may not be chosen: the same words for status, Event, log and metrics. Pure."""

from datetime import datetime
from itertools import accumulate
from typing import Final

from providerswitch.api.status import HealthState
from providerswitch.core.case import Case, Rejected
from providerswitch.core.health import ProviderHealth

LONGEST_WHY: Final = 512
"""Characters of one provider's reason, as in status.history[].rejected[].why."""
LONGEST_LIST: Final = 768
"""Characters of the reasons of several; with what stands around them they are a sentence of at most 1024."""


def rejection(case: Case, name: str) -> Rejected | None:
    """Return why a provider may not become active, or None when it may."""
    if name in case.config_errors:
        return Rejected(name, case.config_errors[name])
    if name in case.misfits:
        return Rejected(name, f"unsuitable: {case.misfits[name]}")
    health = case.health(name)
    if health.state is HealthState.HEALTHY:
        return None
    return Rejected(name, _unfit(health, case.now))


def complaint(case: Case, name: str) -> Rejected:
    """Return why the active provider may not stay, or one that is asked for may not serve."""
    if name != case.active and name in case.config_errors:
        return Rejected(name, case.config_errors[name])
    if name in case.misfits:
        return Rejected(name, f"unsuitable: {case.misfits[name]}")
    return Rejected(name, _unfit(case.health(name), case.now))


def _unfit(health: ProviderHealth, now: datetime) -> str:
    match health.state:
        case HealthState.UNKNOWN:
            return health.why
        case HealthState.SUSPECT:
            return f"failing: {health.why}"
        case HealthState.RATE_LIMITED:
            return f"rate limited{_until(health.limited_until, now)}: {health.why}"
        case _:
            return f"down{_until(health.blacklisted_until, now, 'blacklisted ')}: {health.why}"


def _until(moment: datetime | None, now: datetime, prefix: str = "") -> str:
    return f", {prefix}until {moment:%H:%M:%S} UTC" if moment and moment > now else ""


def before(case: Case, name: str) -> tuple[Rejected, ...]:
    """Return those that are preferred to `name` but may not be chosen."""
    preferred = case.ideal[: case.ideal.index(name)]
    return tuple(refusal for refusal in (rejection(case, other) for other in preferred) if refusal)


def spell(rejected: tuple[Rejected, ...]) -> str:
    """Return the reasons of several providers as one phrase."""
    told = [f'"{refusal.provider}": {shorten(refusal.why.rstrip("."), LONGEST_WHY)}' for refusal in rejected]
    fitting = sum(length <= LONGEST_LIST for length in accumulate(len(sentence) + len("; ") for sentence in told))
    left = [f"and {len(told) - fitting} more"] if fitting < len(told) else []
    return "; ".join((*told[:fitting], *left))


def shorten(text: str, limit: int) -> str:
    """Return the text, cut where it is longer than `limit` characters."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
