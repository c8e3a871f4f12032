"""The probe scheduler in virtual time: what `probes.scheduler` does with tasks, done with planned events.

Probes that only confirm what is known may be skipped: the watch of such a target jumps to the next moment at which its
provider fares differently, and whoever wants to know what became of it meanwhile is told as if every probe had been
made.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from providerswitch.api.health import HealthClass
from providerswitch.core.outcome import Outcome
from providerswitch.probes.cadence import NextProbe, Streak, follow, plan_next
from providerswitch.probes.target import Cadence
from providerswitch.simulate.timeline import Resume, Timeline, Wait
from providerswitch.simulate.weather import Played


@dataclass(slots=True)
class Watch:
    """One target under probe.

    Attributes:
        plans: how often it was planned anew; what was planned before that is void.
        pace: between the starts of probes that are being skipped; None while each is made.
    """

    name: str
    provider: Played
    plan: NextProbe
    streak: Streak = field(default_factory=Streak)
    last: Outcome | None = None
    in_flight: bool = False
    plans: int = 0
    pace: timedelta | None = None
    waiters: list[Resume] = field(default_factory=list)

    @property
    def left_alone(self) -> bool:
        """Whether the provider asked to be left alone."""
        return self.last is not None and self.last.health_class is HealthClass.RATE_LIMITED


class Probing:
    """Keeps all targets probed.

    Args:
        on_outcome: hears of every outcome, before anyone who waits for it; tells whether it changed nothing.
        on_skipped: hears of the last of a row of outcomes that changed nothing, how many there were, and their pace.
        skip: whether probes that only confirm are skipped.
    """

    def __init__(
        self,
        timeline: Timeline,
        cadence: Cadence,
        on_outcome: Callable[[str, Outcome], bool],
        on_skipped: Callable[[str, Outcome, int, timedelta], None],
        *,
        skip: bool,
    ) -> None:
        self._timeline = timeline
        self._cadence = cadence
        self._on_outcome = on_outcome
        self._on_skipped = on_skipped
        one_tier = cadence.generation_interval is None or cadence.generation_interval <= cadence.interval
        self._skip = skip and one_tier
        self._watches: dict[str, Watch] = {}
        self.made = 0
        """Probes that were made, the skipped ones not counted."""

    def watch(self, name: str, provider: Played, first: NextProbe) -> None:
        """Probe a provider from now on."""
        self._watches[name] = watch = Watch(name, provider, first)
        self._plan(watch)

    def account(self) -> None:
        """Tell of the probes that were skipped until now, and go on skipping."""
        for watch in self._watches.values():
            self._account(watch)

    def catch_up(self) -> None:
        """Tell of the probes that were skipped until now, and skip no more until another one has confirmed."""
        for watch in self._watches.values():
            self._catch_up(watch)

    def fresh(self, name: str, *, not_before: datetime) -> Wait:
        """Wait for an outcome that ended at `not_before` or later; a probe is made at once if there is none."""
        watch = self._watches[name]
        self._catch_up(watch)
        last = watch.last
        if last and (last.ended_at >= not_before or watch.left_alone):
            return lambda resume: resume(last)

        def wait(resume: Resume) -> None:
            watch.waiters.append(resume)
            self.hasten(name)

        return wait

    def hasten(self, name: str) -> None:
        """Probe now, unless a probe is under way or the provider asked to be left alone."""
        watch = self._watches[name]
        self._catch_up(watch)
        if not watch.in_flight and not watch.left_alone:
            watch.plan = NextProbe(self._timeline.now, watch.plan.tier, watch.plan.deadline)
            self._plan(watch)

    def doubt(self, names: Collection[str]) -> None:
        """Let what targets failed so far count as one failure, and probe them now."""
        for watch in (self._watches[name] for name in names):
            self._catch_up(watch)
            if watch.streak.failures and not watch.left_alone:
                watch.streak = replace(watch.streak, failures=1)
                watch.plan = replace(watch.plan, at=min(watch.plan.at, self._timeline.now))
                self._plan(watch)

    def _plan(self, watch: Watch) -> None:
        """Start the next probe when it is due; one that is under way leads to a plan of its own."""
        if watch.in_flight:
            return
        watch.plans += 1
        plans = watch.plans
        self._timeline.at(watch.plan.at, lambda: self._start(watch, plans))

    def _start(self, watch: Watch, plans: int) -> None:
        if plans != watch.plans or watch.in_flight:
            return
        if watch.pace is not None:
            self._catch_up(watch)
            return
        self._ask(watch)

    def _ask(self, watch: Watch) -> None:
        self.made += 1
        watch.in_flight = True
        outcome = _asked(watch, watch.plan.at)
        self._timeline.at(outcome.ended_at, lambda: self._deliver(watch, outcome))

    def _deliver(self, watch: Watch, outcome: Outcome) -> None:
        watch.in_flight = False
        watch.last = outcome
        watch.streak = follow(watch.streak, outcome)
        watch.plan = plan_next(self._cadence, watch.streak, outcome)
        self._plan(watch)
        plans = watch.plans
        nothing_new = self._on_outcome(watch.name, outcome)
        waiters, watch.waiters = watch.waiters, []
        for waiter in waiters:
            waiter(outcome)
        if self._skip and nothing_new and plans == watch.plans:
            self._skip_ahead(watch, outcome)

    def _skip_ahead(self, watch: Watch, outcome: Outcome) -> None:
        """Jump to the first probe that may fare differently; the pace must have settled."""
        if 0 < watch.streak.failures < self._cadence.failure_threshold:
            return
        pace, again = watch.plan.at - outcome.started_at, _asked(watch, watch.plan.at)
        settled = plan_next(self._cadence, follow(watch.streak, again), again)
        if (again.health_class, again.took) != (outcome.health_class, outcome.took):
            return
        if settled.at - watch.plan.at != pace or settled.deadline != watch.plan.deadline:
            return
        until = watch.provider.same_until(watch.plan.at)
        if until - watch.plan.at > 2 * pace:
            watch.pace = pace
            watch.plans += 1
            plans, jump = watch.plans, watch.plan.at + (until - watch.plan.at) // pace * pace
            self._timeline.at(jump, lambda: self._start(watch, plans))

    def _catch_up(self, watch: Watch) -> None:
        """Account for the probes that were skipped; one that is under way now is made in earnest."""
        if watch.pace is None:
            return
        self._account(watch)
        watch.pace = None
        if watch.plan.at <= self._timeline.now:
            self._ask_late(watch)
        else:
            self._plan(watch)

    def _account(self, watch: Watch) -> None:
        """Account for the probes that were skipped and have ended."""
        if watch.pace is None or watch.last is None:
            return
        missed = (self._timeline.now - watch.plan.at - watch.last.took) // watch.pace + 1
        if missed > 0:
            outcome = _asked(watch, watch.plan.at + (missed - 1) * watch.pace)
            self._follow(watch, outcome, missed)
            self._on_skipped(watch.name, outcome, missed, watch.pace)

    def _follow(self, watch: Watch, outcome: Outcome, missed: int) -> None:
        for _ in range(missed):
            before, watch.streak = watch.streak, follow(watch.streak, outcome)
            if watch.streak.usual == before.usual:
                break
        watch.last = outcome
        watch.plan = plan_next(self._cadence, watch.streak, outcome)

    def _ask_late(self, watch: Watch) -> None:
        watch.plans += 1
        self._ask(watch)


def _asked(watch: Watch, at: datetime) -> Outcome:
    """Return what comes of the planned probe if it starts `at` a moment."""
    return watch.provider.answer(at, watch.plan.tier, watch.plan.deadline)
