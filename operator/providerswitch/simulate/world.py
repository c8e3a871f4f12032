"""One policy in virtual time: its providers are played, everything that is decided is decided by the product's core.

The loop around the core does what `controller.registry` and `controller.reconciler` do: it listens, asks the others at
the first sign of trouble, looks at a candidate before it switches, publishes, remembers, and tries again after a
refusal. A test runs both on the same incidents and compares.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Final

from providerswitch.api.policy import PolicySpec
from providerswitch.api.status import HealthState, Switch, SwitchOutcome
from providerswitch.core.case import Case, Decision, next_look
from providerswitch.core.decide import decide
from providerswitch.core.health import ProviderHealth, acquit, observe, witness
from providerswitch.core.memory import Memory, commit, settle_requests
from providerswitch.core.outcome import Outcome, Tier
from providerswitch.core.situation import Situation
from providerswitch.probes.cadence import NextProbe
from providerswitch.simulate.choosing import Choosing
from providerswitch.simulate.loop import Loop, Move, Publication, Turn
from providerswitch.simulate.probing import Probing
from providerswitch.simulate.timeline import Timeline, Wait, Work
from providerswitch.simulate.weather import Played

LONGEST_SENTENCE: Final = 1024

_lasting: Final = attrgetter(*(each.name for each in fields(ProviderHealth) if each.name != "last_probe_at"))
"""All of a health but the time of the last probe: equal ones lead to the same decisions."""


@dataclass(slots=True)
class World:
    """One policy.

    Args:
        providers: by name, all that the spec lists.
        publish: what comes of an attempt to publish at a moment.
        skip: whether probes that only confirm are skipped; what is decided is the same, only sooner.
        spread: between the first probes of two providers; the operator spreads them at random, 200 a second.
    """

    spec: PolicySpec
    providers: Mapping[str, Played]
    loop: Loop
    begin: datetime
    publish: Callable[[datetime], Publication] = lambda _moment: Publication.SUCCEEDED
    skip: bool = True
    spread: timedelta = timedelta(milliseconds=3.7)
    memory: Memory = field(default_factory=Memory)
    healths: dict[str, ProviderHealth] = field(default_factory=dict)
    moves: list[Move] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)
    decisions: list[tuple[datetime, Decision]] = field(default_factory=list)
    freezes: list[tuple[datetime, bool]] = field(default_factory=list)
    refusals: list[datetime] = field(default_factory=list)
    _timeline: Timeline = field(init=False)
    _probing: Probing = field(init=False)
    _choosing: Choosing = field(init=False)
    _dirty: bool = False
    _working: bool = False
    _timers: int = 0
    _attempts: int = 0
    _refused: bool = False

    def __post_init__(self) -> None:
        self._timeline = Timeline(self.begin)
        self._choosing = Choosing(self.spec, self.loop.rules, self.loop.weighs)
        self._probing = Probing(
            self._timeline, self.loop.cadence, self._hear, self._hear_skipped, skip=self.skip
        )  # fmt: skip
        for index, name in enumerate(self.spec.order()):
            self.healths[name] = ProviderHealth()
            first = NextProbe(self.begin + index * self.spread, Tier.LIVENESS, self.loop.cadence.timeout)
            self._probing.watch(name, self.providers[name], first)

    @property
    def now(self) -> datetime:
        """The present moment."""
        return self._timeline.now

    @property
    def active(self) -> str | None:
        """Whom consumers are sent to."""
        return self.memory.active

    @property
    def probes(self) -> int:
        """How many probes were made; skipped ones do not count."""
        return self._probing.made

    def run(self, until: datetime) -> None:
        """Let time pass."""
        self._timeline.run(until)
        self._probing.catch_up()

    def _hear(self, name: str, outcome: Outcome) -> bool:
        """Take note of an outcome; tell whether it was what everybody knew already."""
        if outcome.no_answer and not self.loop.network.is_silent(name):
            self._probing.account()
        turned = self.loop.network.hear(name, outcome)
        self._choosing.hear(name, outcome)
        before = self.healths[name]
        after = self.healths[name] = self._judge(before, outcome)
        if before.failures == 0 and after.failures > 0:
            self._ask_the_others(name)
        if self.loop.told_apart(before) != self.loop.told_apart(after):
            self.turns.append(Turn(self.now, name, after))
            self._wake()
        elif self.loop.weighs:
            self._wake()
        if turned:
            self._turn()
        settled = self._choosing.is_settled(self.now)
        if not settled:
            self._probing.catch_up()
        return settled and not self.loop.network.frozen and _lasting(before) == _lasting(after)

    def _judge(self, health: ProviderHealth, outcome: Outcome) -> ProviderHealth:
        silent_with_all = outcome.no_answer and self.loop.network.frozen is not None
        return (witness if silent_with_all else observe)(health, outcome, self.loop.rules)

    def _hear_skipped(self, name: str, outcome: Outcome, count: int, pace: timedelta) -> None:
        self.loop.network.hear(name, outcome)
        self._choosing.hear_row(name, outcome, count, pace)
        self.healths[name] = self._judge(self.healths[name], outcome)

    def _ask_the_others(self, failing: str) -> None:
        for name, health in self.healths.items():
            if name != failing and health.state is not HealthState.DOWN:
                self._probing.hasten(name)

    def _turn(self) -> None:
        """A freeze began or ended; at its end, all that failed in it are looked at anew."""
        frozen = self.loop.network.frozen is not None
        self.freezes.append((self.now, frozen))
        self._probing.catch_up()
        if frozen:
            last = self.loop.network.last_answer_at
            self.healths = {name: acquit(health, last) for name, health in self.healths.items()}
        else:
            self._probing.doubt(list(self.healths))
        self._wake()

    def _wake(self) -> None:
        """Ask for a reconcile: at most one is at work, and a wake-up during it runs it once more."""
        self._dirty = True
        if not self._working:
            self._working = True
            self._timeline.at(self.now, lambda: self._timeline.start(self._drain(), self._rest))

    def _rest(self) -> None:
        self._working = False

    def _later(self, wait: timedelta) -> None:
        """Wake after a time; a later call takes the place of an earlier one."""
        self._timers += 1
        timers = self._timers
        self._timeline.at(self.now + wait, lambda: self._wake() if timers == self._timers else None)

    def _drain(self) -> Work:
        while self._dirty:
            self._dirty = False
            yield from self._reconcile()

    def _reconcile(self) -> Work:
        decided_at = self.now
        validated: set[str] = set()
        passed_over: dict[str, str] = {}
        while True:
            seen = self._look(passed_over)
            case = self._choosing.case(self.memory, seen)
            decision = decide(case)
            if decision.trigger is None or decision.provider is None or decision.provider in validated:
                break
            came = yield self._validation(case, decision.provider)
            if came is None:
                passed_over[decision.provider] = "no answer to its validation probe yet"
            else:
                validated.add(decision.provider)
        self.decisions.append((self.now, decision))
        if decision.trigger is None or decision.provider is None:
            self._refused = False
        else:
            yield self._timeline.pause(self.now + self.loop.timing.publishing)
            self._enact(case, decision, decided_at)
            self.memory = settle_requests(self.memory, case.primary, None)
            case = self._choosing.case(self.memory, seen)
            decision = decide(case)
        self._conclude(case, decision, passed_over)

    def _conclude(self, held: Case, decision: Decision, passed_over: Mapping[str, str]) -> None:
        """Remember what the next look needs, and plan it; an attempt that got no answer is tried again first."""
        self.memory = replace(self.memory, degraded=held.degraded)
        timing = self.loop.timing
        if self._attempts:
            self._later(timing.retries[min(self._attempts, len(timing.retries)) - 1])
            return
        look = next_look(held, decision)
        waits = [max(timedelta(0), look - self.now)] if look else []
        waits += [timing.recheck] if passed_over else []
        waits += [timing.refused] if self._refused else []
        waits += [] if self._choosing.is_settled(self.now) else [timing.housekeeping]
        if waits:
            self._later(min(waits))

    def _look(self, passed_over: Mapping[str, str]) -> Situation:
        if self.loop.weighs:
            self._probing.account()
        return self._choosing.look(self.now, self.healths, self.loop.network.frozen, passed_over)

    def _validation(self, case: Case, name: str) -> Wait:
        """Wait for proof that a candidate has answered within its interval, and since the trouble began."""
        not_before = case.now - self.spec.health_check.interval
        trouble = case.health(case.active).first_failure_at if case.active else None
        wait = min(self.spec.health_check.timeout, self.loop.timing.patience)
        fresh = self._probing.fresh(name, not_before=max(not_before, trouble or not_before))
        over = self._timeline.pause(self.now + wait)

        def either(resume: Callable[[object], None]) -> None:
            fresh(resume)
            over(resume)

        return either

    def _enact(self, case: Case, decision: Decision, decided_at: datetime) -> None:
        match self.publish(self.now):
            case Publication.SUCCEEDED:
                self._attempts, self._refused = 0, False
                self._move(case, decision, decided_at)
            case Publication.REFUSED:
                self.refusals.append(self.now)
                self._attempts = 0
                self._undo(decision, decided_at)
            case Publication.UNANSWERED:
                self._attempts += 1

    def _undo(self, decision: Decision, decided_at: datetime) -> None:
        """Remember a refused switch once, however often it is tried again."""
        if not self._refused:
            self._refused = True
            if not self.spec.dry_run:  # a rehearsal that fails undoes nothing
                self.memory = commit(self.memory, self._switch(decision, decided_at, "RolledBack"))

    def _move(self, case: Case, decision: Decision, decided_at: datetime) -> None:
        switch = self._switch(decision, decided_at, "Shadow" if self.spec.dry_run else "Succeeded")
        left = case.health(case.active) if case.active else None
        self.memory = commit(self.memory, switch)
        self.moves.append(
            Move(
                at=self.now,
                origin=switch.from_provider,
                to=switch.to,
                trigger=switch.trigger,
                why=switch.reason,
                decided_at=decided_at,
                first_failure_at=left.first_failure_at if left else None,
            )
        )

    def _switch(self, decision: Decision, decided_at: datetime, outcome: SwitchOutcome) -> Switch:
        return Switch.model_construct(
            time=self.now,
            from_provider=self.memory.active,
            to=decision.provider or "",
            revision=self.memory.revision + 1,
            trigger=decision.trigger or "",
            reason=decision.why[:LONGEST_SENTENCE],
            switch_millis=round((self.now - decided_at).total_seconds() * 1000),
            outcome=outcome,
        )
