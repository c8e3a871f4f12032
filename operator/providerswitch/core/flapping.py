"""Not too often: how long a choice stays, how many switches an hour may bring, how long a relapsed provider is out.

Only what is done for the better is held back. A provider that fails is left at once, and a person is obeyed at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

HOUR: Final = timedelta(hours=1)
CLOCKS_DIFFER: Final = timedelta(minutes=1)
"""How far in the future a moment may lie that was noted a little earlier, maybe by another machine."""

LONGEST_FACTOR: Final = 16
"""A blacklist time doubles with each relapse, up to this many times the first."""

FORGETTING: Final = 10
"""One relapse is forgotten for each time this many blacklist times pass without another."""


@dataclass(frozen=True, slots=True)
class FlapRules:
    """The limits of a policy.

    Attributes:
        min_dwell: how long a choice stays at least.
        max_switches_per_hour: after so many within an hour, nothing is switched for the better.
    """

    min_dwell: timedelta = timedelta(0)
    max_switches_per_hour: int = 50


@dataclass(frozen=True, slots=True)
class Hold:
    """Why a switch for the better waits.

    Attributes:
        by: the setting that holds it.
        until: when it may be made, as far as this setting goes.
    """

    by: str
    until: datetime
    why: str


def find_hold(
    rules: FlapRules, *, now: datetime, active_since: datetime | None, recent: Sequence[datetime]
) -> Hold | None:
    """Return what holds back a switch for the better, the longer wait of two; `recent` are the last switches."""
    holds = [hold for hold in (_dwell(rules, now, active_since), _cap(rules, now, recent)) if hold]
    return max(holds, key=lambda hold: hold.until, default=None)


def _dwell(rules: FlapRules, now: datetime, active_since: datetime | None) -> Hold | None:
    """A choice that was made in the future was made by a clock that went wrong."""
    if active_since is None or active_since > now + CLOCKS_DIFFER or not rules.min_dwell:
        return None
    until = active_since + rules.min_dwell
    if until <= now:
        return None
    return Hold("minDwell", until, f"failover.minDwell holds it back until {until:%H:%M:%S} UTC")


def _cap(rules: FlapRules, now: datetime, recent: Sequence[datetime]) -> Hold | None:
    counted = sorted((at for at in recent if now - HOUR < at <= now + CLOCKS_DIFFER), reverse=True)
    if len(counted) < rules.max_switches_per_hour:
        return None
    until = counted[rules.max_switches_per_hour - 1] + HOUR
    why = (
        f"{len(counted)} switches within an hour, failover.maxSwitchesPerHour holds it back until {until:%H:%M:%S} UTC"
    )
    return Hold("maxSwitchesPerHour", until, why)


def count_relapses(relapses: int, *, last: datetime | None, now: datetime, blacklist: timedelta) -> int:
    """Return how many of a provider's relapses are not forgotten yet."""
    if last is None or not blacklist:
        return 0
    return max(0, relapses - int((now - last) / (blacklist * FORGETTING)))


def blacklist_for(relapses: int, blacklist: timedelta) -> timedelta:
    """Return how long a provider is out after its n-th relapse, from 1: 1, 2, 4, 8, 16 times the blacklist time."""
    factor: int = min(LONGEST_FACTOR, 2 ** min(relapses - 1, 10))
    return blacklist * factor
