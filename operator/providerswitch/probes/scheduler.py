"""Probe every target at its cadence: one task and one connection for each, however many policies share it.

A target is never asked twice at the same time, so a provider that hangs cannot pile up probes; a probe that is wanted
now joins the one under way.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

from providerswitch.api.health import HealthClass
from providerswitch.core.outcome import Outcome, Tier
from providerswitch.probes.cadence import NextProbe, Streak, follow, plan_hinted, plan_next, start_spread
from providerswitch.probes.target import Cadence, ProbeTarget, shared_cadence

log = logging.getLogger(__name__)


class Prober(Protocol):
    """Asks one target; holds its connection."""

    async def probe(self, tier: Tier, deadline: timedelta) -> Outcome:
        """Ask once. Never raises but for cancellation, and is back by the deadline."""

    async def aclose(self) -> None:
        """Close the connection."""


@dataclass(frozen=True, slots=True)
class Planned:
    """What comes of a hint.

    Attributes:
        at: when the next probe starts; now, where one is under way.
        new: it would have started later without the hint.
    """

    at: datetime
    new: bool


@dataclass(slots=True)
class _Watch:
    """One target under probe.

    Attributes:
        hinted: the planned probe, or the one under way, is due to a hint.
        hinted_meanwhile: a hint came while a probe was under way, which may have begun too early to see why.
        unfounded: consecutive probes that hints brought about, and that found the target well.
    """

    prober: Prober
    plan: NextProbe
    wishes: dict[Hashable, Cadence] = field(default_factory=dict)
    streak: Streak = field(default_factory=Streak)
    last: Outcome | None = None
    in_flight: bool = False
    hinted: bool = False
    hinted_meanwhile: bool = False
    unfounded: int = 0
    hurry: asyncio.Event = field(default_factory=asyncio.Event)
    waiters: list[asyncio.Future[Outcome | None]] = field(default_factory=list)
    task: asyncio.Task[None] | None = None


class Scheduler:
    """Keeps all targets probed.

    Args:
        make_prober: opens the connection of a target.
        on_outcome: hears of every outcome, before anyone who waits for it.
        jitter: returns a random share of a span, from nothing to all of it.
    """

    def __init__(
        self,
        make_prober: Callable[[ProbeTarget], Prober],
        on_outcome: Callable[[ProbeTarget, Outcome], None],
        *,
        clock: Callable[[], datetime],
        jitter: Callable[[timedelta], timedelta],
    ) -> None:
        self._make_prober = make_prober
        self._on_outcome = on_outcome
        self._clock = clock
        self._jitter = jitter
        self._watches: dict[ProbeTarget, _Watch] = {}
        self._wanted: dict[Hashable, frozenset[ProbeTarget]] = {}
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def targets(self) -> int:
        """How many distinct targets are probed."""
        return len(self._watches)

    @property
    def alive(self) -> bool:
        """Whether every target still has its task."""
        return not any(watch.task and watch.task.done() for watch in self._watches.values())

    def last(self, target: ProbeTarget) -> Outcome | None:
        """Return the newest outcome of a target, or None."""
        watch = self._watches.get(target)
        return watch.last if watch else None

    def subscribe(self, subscriber: Hashable, wanted: Mapping[ProbeTarget, Cadence]) -> None:
        """Probe exactly these targets for a subscriber; what nobody wants any more is stopped."""
        for target, cadence in wanted.items():
            self._want(subscriber, target, cadence)
        for target in self._wanted.pop(subscriber, frozenset()) - wanted.keys():
            self._unwant(subscriber, target)
        if wanted:
            self._wanted[subscriber] = frozenset(wanted)

    def _want(self, subscriber: Hashable, target: ProbeTarget, cadence: Cadence) -> None:
        watch = self._watches.get(target)
        if watch is None:
            watch = self._watches[target] = self._open(target, cadence)
        if watch.wishes.get(subscriber) == cadence:
            return
        watch.wishes[subscriber] = cadence
        self._replan(watch)

    def _replan(self, watch: _Watch) -> None:
        """Let a new cadence take effect; a probe that is due is not put off, and leads to a plan of its own."""
        cadence = shared_cadence(tuple(watch.wishes.values()))
        if cadence.generation_interval is None:
            # What a billed probe found can no longer be disproved.
            watch.streak = replace(watch.streak, failing_tier=Tier.LIVENESS)
        if watch.last is None:
            watch.plan = replace(watch.plan, deadline=cadence.timeout)
        elif watch.plan.at > self._clock():
            watch.plan = plan_next(cadence, watch.streak, watch.last)
            watch.hurry.set()

    def _open(self, target: ProbeTarget, cadence: Cadence) -> _Watch:
        delay = self._jitter(start_spread(len(self._watches), cadence.interval))
        first = NextProbe(self._clock() + delay, Tier.LIVENESS, cadence.timeout)
        watch = _Watch(self._make_prober(target), first)
        known = self._watches.get(target.real)
        if known:  # what a drill plays befalls a provider that was well until now
            watch.streak = known.streak
        watch.task = asyncio.create_task(self._run(target, watch), name=f"probe {target.host}")
        return watch

    def _unwant(self, subscriber: Hashable, target: ProbeTarget) -> None:
        watch = self._watches[target]
        watch.wishes.pop(subscriber, None)
        if watch.wishes:
            self._replan(watch)
        else:
            del self._watches[target]
            closing = asyncio.create_task(_close(watch))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    async def fresh(self, target: ProbeTarget, *, not_before: datetime) -> Outcome | None:
        """Return an outcome that ended at `not_before` or later, probing at once if there is none.

        None for a target that nobody subscribes to, or no longer does. One that asked to be left alone is left alone:
        its last outcome stands.
        """
        watch = self._watches.get(target)
        if watch is None:
            return None
        if watch.last and (watch.last.ended_at >= not_before or _left_alone(watch)):
            return watch.last
        waiter: asyncio.Future[Outcome | None] = asyncio.get_running_loop().create_future()
        watch.waiters.append(waiter)
        self.hasten(target)
        return await waiter

    def hasten(self, target: ProbeTarget) -> None:
        """Probe a target now, unless a probe is under way, nobody wants it, or it asked to be left alone."""
        watch = self._watches.get(target)
        if watch and not watch.in_flight and not _left_alone(watch):
            watch.plan = NextProbe(self._clock(), watch.plan.tier, watch.plan.deadline)
            watch.hurry.set()

    def hint(self, target: ProbeTarget) -> Planned | None:
        """Probe a target as soon as hints may have it probed, since somebody says that it fails; see `plan_hinted`.

        One that fails already is probed at the pace of failures, and no hint changes that. None for a target that
        nobody wants, or that asked to be left alone.
        """
        watch = self._watches.get(target)
        if watch is None or _left_alone(watch):
            return None
        if watch.in_flight:
            watch.hinted_meanwhile = True
            return Planned(self._clock(), new=False)
        return self._bring_forward(watch)

    def _bring_forward(self, watch: _Watch) -> Planned:
        now = self._clock()
        if watch.last is None:
            found = replace(watch.plan, at=now)
        elif watch.streak.failures:
            found = watch.plan
        else:
            cadence = shared_cadence(tuple(watch.wishes.values()))
            found = plan_hinted(cadence, watch.streak, watch.last, watch.unfounded, now)
        if found.at >= watch.plan.at:
            return Planned(max(now, watch.plan.at), new=False)
        watch.plan, watch.hinted = found, True
        watch.hurry.set()
        return Planned(found.at, new=True)

    def doubt(self, targets: Collection[ProbeTarget]) -> None:
        """Let what targets failed so far count as one failure, and probe them soon, spread as at a start."""
        for target in targets:
            watch = self._watches.get(target)
            if watch and watch.streak.failures and not _left_alone(watch):
                watch.streak = replace(watch.streak, failures=1)
                at = self._clock() + self._jitter(start_spread(len(targets), _interval(watch)))
                watch.plan = replace(watch.plan, at=min(watch.plan.at, at))
                watch.hurry.set()

    async def aclose(self) -> None:
        """Stop all probes and close all connections."""
        watches = list(self._watches.values())
        self._watches.clear()
        await asyncio.gather(*(_close(watch) for watch in watches), *self._closing)

    async def _run(self, target: ProbeTarget, watch: _Watch) -> None:
        while True:
            await self._until_due(watch)
            outcome = await self._ask(watch)
            if not watch.wishes:
                return
            watch.last = outcome
            watch.streak = follow(watch.streak, outcome)
            watch.plan = plan_next(shared_cadence(tuple(watch.wishes.values())), watch.streak, outcome)
            self._look_back_at_hints(watch, outcome)
            self._tell(target, outcome)
            _release(watch, outcome)

    def _look_back_at_hints(self, watch: _Watch, outcome: Outcome) -> None:
        meanwhile, watch.hinted_meanwhile = watch.hinted_meanwhile, False
        hinted, watch.hinted = watch.hinted, False
        watch.unfounded = watch.unfounded + 1 if hinted and outcome.alive else 0
        if meanwhile and not _left_alone(watch):
            self._bring_forward(watch)

    async def _until_due(self, watch: _Watch) -> None:
        while (wait := (watch.plan.at - self._clock()).total_seconds()) > 0:
            watch.hurry.clear()
            try:
                async with asyncio.timeout(wait):
                    await watch.hurry.wait()
            except TimeoutError:  # due, even if the wall clock was set back meanwhile
                return

    async def _ask(self, watch: _Watch) -> Outcome:
        watch.in_flight = True
        started = self._clock()
        try:
            return await watch.prober.probe(watch.plan.tier, watch.plan.deadline)
        except Exception:
            log.exception("probe failed for a reason of our own")
            why = "internal error of the prober, see the operator's log"
            return Outcome(HealthClass.UNKNOWN, why, started, self._clock(), tier=watch.plan.tier)
        finally:
            watch.in_flight = False

    def _tell(self, target: ProbeTarget, outcome: Outcome) -> None:
        try:
            self._on_outcome(target, outcome)
        except Exception:
            log.exception("an outcome could not be handled", extra={"host": target.host})


def _interval(watch: _Watch) -> timedelta:
    return shared_cadence(tuple(watch.wishes.values())).interval


def _left_alone(watch: _Watch) -> bool:
    return watch.last is not None and watch.last.health_class is HealthClass.RATE_LIMITED


def _release(watch: _Watch, outcome: Outcome | None) -> None:
    waiters, watch.waiters = watch.waiters, []
    for waiter in waiters:
        if not waiter.done():
            waiter.set_result(outcome)


async def _close(watch: _Watch) -> None:
    if watch.task:
        watch.task.cancel()
        await asyncio.wait([watch.task])
    _release(watch, None)
    await watch.prober.aclose()
