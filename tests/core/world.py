"""A policy in virtual time: providers with outcomes, a person who edits, an operator that may be restarted.

It gathers, decides and remembers with the functions of the core, as the controller does, and publishes by believing
that it worked. Beside that it keeps a record of its own, made of outcomes alone, for the tests to compare with.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from tests.core.moments import NOON, RULES

from providerswitch.api.health import ALIVE, TRIPS_AT_ONCE, TRIPS_WHEN_CONFIRMED, HealthClass
from providerswitch.api.policy import Mode
from providerswitch.api.status import PolicyStatus, Rejection, Switch
from providerswitch.core.case import Case, Decision
from providerswitch.core.decide import decide
from providerswitch.core.flapping import FlapRules
from providerswitch.core.freeze import Frozen, HostRecord, find_freeze, hear
from providerswitch.core.health import ProviderHealth, observe, witness
from providerswitch.core.memory import Memory, commit, restore_memory, settle_requests
from providerswitch.core.narrate import PolicyEvent, tell_changes, tell_switch
from providerswitch.core.outcome import Outcome, Tier
from providerswitch.core.report import Background, build_status
from providerswitch.core.shadow import Standing, tell_shadow
from providerswitch.core.wording import LONGEST_WHY

NOT_BLACKLISTED = {HealthClass.CONFIG_INVALID, HealthClass.MODEL_LOADING, HealthClass.RATE_LIMITED}


@dataclass(slots=True)
class Witness:
    """What somebody who only sees a provider's outcomes knows about it.

    Attributes:
        row: Failed probes since the last good one; silences of all hosts count once.
        last: Class of the last outcome that could be read.
        away: It asked to be left alone for longer than a policy has patience.
        banned_until: End of the blacklist, where it must have been put on one.
    """

    row: int = 0
    last: HealthClass | None = None
    away: bool = False
    banned_until: datetime | None = None

    def see(self, outcome: Outcome, *, frozen: bool, out: bool) -> None:
        """Take note of an outcome; only one that takes out a provider which was not `out` puts it on the blacklist."""
        kind = outcome.health_class
        if kind is HealthClass.UNKNOWN or (frozen and outcome.no_answer and self.row):
            return
        self.row = 0 if kind in ALIVE else self.row + 1
        self.last = kind
        self.away = kind is HealthClass.RATE_LIMITED and (outcome.retry_after or RULES.patience) > RULES.patience
        if self.dead and not out and kind not in NOT_BLACKLISTED:
            self.banned_until = outcome.ended_at + RULES.blacklist_duration

    @property
    def dead(self) -> bool:
        """Its last outcomes took it out for certain."""
        if self.away or (self.last in TRIPS_WHEN_CONFIRMED and self.row > 1):
            return True
        return self.row >= RULES.failure_threshold or self.last in {*TRIPS_AT_ONCE, HealthClass.CONFIG_INVALID}


@dataclass(slots=True)
class World:
    """One policy, its providers and its operator.

    Attributes:
        order: Candidates, the primary first.
        dry_run: Nothing is published: what is decided is only recorded.
        wish: A person asked for the present primary and has not got it yet.
        switches: All that were made, newest last, with the case that each was decided from.
    """

    order: tuple[str, ...]
    now: datetime = NOON
    mode: Mode = Mode.AUTOMATIC
    failback: Mode = Mode.AUTOMATIC
    token: str | None = None
    flap_rules: FlapRules = field(default_factory=FlapRules)
    config_errors: dict[str, str] = field(default_factory=dict)
    healths: dict[str, ProviderHealth] = field(default_factory=dict)
    hosts: dict[str, HostRecord] = field(default_factory=dict)
    memory: Memory = field(default_factory=Memory)
    status: PolicyStatus = field(default_factory=PolicyStatus)
    witnesses: dict[str, Witness] = field(default_factory=dict)
    wish: bool = False
    switches: list[tuple[Case, Switch]] = field(default_factory=list)
    events: list[PolicyEvent] = field(default_factory=list)
    dry_run: bool = False

    @property
    def frozen(self) -> Frozen | None:
        """The present fault of our own network."""
        return find_freeze(self.hosts.get(name, HostRecord()) for name in self.order)

    @property
    def active(self) -> str | None:
        """Who is published."""
        return self.memory.active

    @property
    def primary(self) -> str:
        """Who is preferred."""
        return self.order[0]

    def case(self) -> Case:
        """Return what there is to decide."""
        return Case(
            self.now,
            self.order,
            dict(self.healths),
            config_errors=dict(self.config_errors),
            mode=self.mode,
            failback=self.failback,
            active=self.memory.active,
            acted_primary=self.memory.acted_primary,
            failback_requested=self.token not in {None, self.memory.handled_failback},
            frozen=self.frozen,
            active_since=self.memory.active_since,
            arrived_by=self.memory.arrived_by,
            flap_rules=self.flap_rules,
            recent_switches=self.memory.recent,
        )

    def probe(self, name: str, kind: HealthClass, *, tier: Tier = Tier.LIVENESS, wait: timedelta | None = None) -> None:
        """Let a provider answer a probe."""
        outcome = Outcome(kind, f"HTTP: {kind}", self.now, self.now, wait, tier)
        self.hosts[name] = hear(self.hosts.get(name, HostRecord()), outcome)
        frozen, before = self.frozen is not None, self.healths.get(name, ProviderHealth())
        advance = witness if frozen and outcome.no_answer else observe
        self.healths[name] = advance(before, outcome, RULES)
        self.witnesses.setdefault(name, Witness()).see(outcome, frozen=frozen, out=not before.may_stay)

    def edit(self, *order: str) -> None:
        """Change the candidates; a provider that leaves is forgotten, as one that comes back is another one.

        To make another one the primary is a wish; to put back the one that was there before takes it back.
        """
        if order[0] != self.primary:
            self.wish = self.active is not None and order[0] not in {self.active, self.memory.acted_primary}
        self.order = order
        for known in (self.healths, self.hosts, self.witnesses, self.config_errors):
            for name in known.keys() - set(order):
                del known[name]

    def reconcile(self) -> None:
        """Decide, publish, remember, report."""
        case = self.case()
        decision = decide(case)
        if decision.trigger and decision.provider:
            self._switch(case, decision, decision.provider)
        self.memory = settle_requests(self.memory, self.primary, self.token)
        self.wish = self.wish and self.active != self.primary
        self.report()

    def _switch(self, case: Case, decision: Decision, to: str) -> None:
        switch = Switch(
            time=self.now,
            from_provider=self.memory.active,
            to=to,
            revision=self.memory.revision + 1,
            trigger=decision.trigger or "",
            reason=decision.why,
            switch_millis=0,
            outcome="Shadow" if self.dry_run else "Succeeded",
            rejected=[Rejection(provider=each.provider, why=each.why[:LONGEST_WHY]) for each in decision.rejected],
        )
        self.memory = commit(self.memory, switch)
        self.switches.append((case, switch))
        self.events.append(tell_switch(switch))

    def report(self) -> None:
        """Write the status."""
        settled = self.case()
        shadow = tell_shadow(Standing(), self.status, self.now) if self.dry_run else None
        before, self.status = self.status, build_status(
            settled, decide(settled), self.memory, problems=[], generation=1, before=self.status,
            background=Background(shadow=shadow),
        )  # fmt: skip
        self.events.extend(tell_changes(before, self.status))

    def restart(self) -> None:
        """Go on with another process, which knows the stored status and nothing else."""
        self.status = PolicyStatus.model_validate(self.status.model_dump(mode="json", by_alias=True, exclude_none=True))
        self.memory = restore_memory(self.status)
        self.healths = {name: health for name, health in self.memory.healths.items() if name in self.order}
        self.hosts = {}
        for name, seen in self.witnesses.items():
            if self.healths[name].may_stay:
                self.witnesses[name] = replace(seen, row=0, last=None, away=False)

    def fit(self) -> Iterator[str]:
        """Yield who may serve, best first."""
        for name in self.order:
            health = self.healths.get(name)
            if health and health.state == "Healthy" and name not in self.config_errors:
                yield name
