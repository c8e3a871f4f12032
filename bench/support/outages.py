"""The outages of the failover benchmark: which fault hits which provider, and what came of it. No I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from providerswitch.demo.fakes import Fault
from support.figures import Figure, percentile

OUTAGES: Final = tuple(fault for fault in Fault if fault not in {Fault.HEALTHY, Fault.SLOW})
"""Every fault that stops a provider from serving; a slow one still serves."""

KINDS: Final = ("openai", "anthropic", "google")
"""Wire formats, in turn. Jina's list of models needs no key, so no unbilled check can see a bad one there."""

RATE_LIMIT_SECONDS: Final = 3600.0
"""Longer than the interval: a shorter rate limit is waited out and moves nobody."""


@dataclass(frozen=True, slots=True)
class Outage:
    """One provider that fails once."""

    fault: Fault
    kind: str
    number: int

    @property
    def name(self) -> str:
        """Name of everything that belongs to it."""
        return f"{self.fault}-{self.number}"


def plan_outages(repetitions: int) -> list[Outage]:
    """Return every outage so often, the faults taking turns, so that each is spread over the whole interval."""
    return [
        Outage(fault, KINDS[(number + place) % len(KINDS)], number)
        for number in range(repetitions)
        for place, fault in enumerate(OUTAGES)
    ]


Times = Mapping[Outage, float | None]
"""Seconds from the first failing answer until consumers are sent elsewhere; None where that never came."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What one side did about the outages."""

    times: Times

    def seen(self, *faults: Fault) -> list[float]:
        """Return the times of some faults, or of all."""
        return [
            seconds
            for outage, seconds in self.times.items()
            if seconds is not None and outage.fault in (faults or OUTAGES)
        ]

    @property
    def missed(self) -> int:
        """How many outages moved nobody."""
        return sum(seconds is None for seconds in self.times.values())

    def noticed(self, fault: Fault) -> bool:
        """Whether every outage of a kind was noticed."""
        return all(seconds is not None for outage, seconds in self.times.items() if outage.fault is fault)


def sum_up(ours: Tally, aim: float) -> list[Figure]:
    """Return the operator's figures."""
    seen = {fault: ours.seen(fault) for fault in OUTAGES}
    return [
        Figure("operator p50", percentile(ours.seen(), 50), "s"),
        Figure("operator p99", percentile(ours.seen(), 99), "s", aim),
        Figure("operator, outages missed", ours.missed, f"of {len(ours.times)}", 0),
        *(Figure(f"operator p50, {fault}", percentile(times, 50), "s") for fault, times in seen.items() if times),
        *(Figure(f"operator slowest, {fault}", max(times), "s") for fault, times in seen.items() if times),
    ]


def sum_up_peer(ours: Tally, peer: Tally) -> list[Figure]:
    """Return the peer's figures, and the ratios over the kinds of outage that both sides notice."""
    shared = [fault for fault in OUTAGES if peer.noticed(fault) and ours.noticed(fault)]
    unnoticed = [fault for fault in OUTAGES if not peer.noticed(fault)]
    named = f" ({', '.join(unnoticed)})" if unnoticed else ""
    return [
        Figure(f"HAProxy, kinds of outage not noticed{named}", len(unnoticed), f"of {len(OUTAGES)}"),
        *_compare(ours, peer, shared, ""),
        *_compare(ours, peer, [fault for fault in shared if fault is not Fault.HANG], ", without hang"),
        *(Figure(f"HAProxy p50, {fault}", percentile(peer.seen(fault), 50), "s") for fault in shared),
    ]


def _compare(ours: Tally, peer: Tally, faults: Sequence[Fault], which: str) -> list[Figure]:
    figures: list[Figure] = []
    for percent in (50, 99):
        ours_here, peer_here = percentile(ours.seen(*faults), percent), percentile(peer.seen(*faults), percent)
        figures += [
            Figure(f"operator p{percent}, outages that both notice{which}", ours_here, "s"),
            Figure(f"HAProxy p{percent}, outages that both notice{which}", peer_here, "s"),
            Figure(f"operator p{percent} / HAProxy p{percent}{which}", ours_here / peer_here, "x"),
        ]
    return figures
