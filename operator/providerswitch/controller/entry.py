"""The working state of one policy between reconciles; owned by the registry, touched by the event loop alone."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from providerswitch.api.selection import Strategy
from providerswitch.api.status import PolicyStatus, Switch
from providerswitch.controller.policy import Policy
from providerswitch.core.contest import Contest
from providerswitch.core.event_room import EventRoom
from providerswitch.core.health import HealthRules, ProviderHealth, succeed
from providerswitch.core.memory import Memory, Publication
from providerswitch.core.narrate import PolicyEvent, Related
from providerswitch.core.outcome import Tier
from providerswitch.core.override import Override
from providerswitch.core.rehearsal import Run
from providerswitch.core.report import Problem
from providerswitch.kube.client import Object
from providerswitch.kube.objects import ObjectKey
from providerswitch.probes.target import ProbeTarget
from providerswitch.publish.targets import TargetKey


@dataclass(slots=True)
class Rehearsal:
    """The drill that runs on a policy.

    Attributes:
        real: health of the drilled provider by its own probes, which go on beside the played ones.
    """

    run: Run
    real: ProviderHealth


@dataclass(slots=True)
class Entry:
    """One policy.

    Attributes:
        newest: the last spec that could be parsed and has a place in its namespace.
        offered: the last spec that could be parsed.
        policy: the spec that is being worked on; it does not change while a reconcile runs.
        looked_at: generation of the newest spec, in force or refused.
        spec_problem: why the newest spec could not be.
        status: as last written to (or first read from) the API server.
        following: another replica leads, this one only probes.
        restored: memory has been compared with what is published.
        targets, problems: what the last gathering found; by provider name.
        mistakes: parts of the spec that are ignored until they are mended.
        acquaintances: the last target of each provider whose configuration could be honoured.
        published: the bodies last applied or found in order.
        unannounced: switches that no Event tells of yet.
        publish_problem: why the last publication was refused.
        retries: consecutive failed reconciles.
        left_alone_until: the API server asked to be left alone until then, in the time of the loop.
        refused: the last publication was refused, so that the next is rehearsed.
        paid_at: start of the last billed probe of each provider that this policy was charged for.
        passed_over: candidates that did not answer their validation probe in the present reconcile.
        misfits: providers that can never be chosen for the policy itself.
        shares: percent of the traffic of each provider, under strategy Weighted.
        exhausted: what the budget of billed requests says; None while there is room.
        exhausted_at: since when it says so.
        recalled: what an earlier process learned of the quality of answers has been taken over from the status.
        written: the status as it stands at the API server, as far as it is known, and when it was written.
        arrived_at: when the newest spec came in and is not in force yet.
        config_load: from the arrival of the last changed spec to its decision in force.
        event_room, room_for_drills: None before the first Event.
        overrides: the newest accepted override of each task, and of the policy itself (None).
        rehearsal: the drill that runs.
        unrecorded: generation whose configuration the API server refused to keep; None where there is none.
        record_again_at: when that is tried again.
        rehearsed: the bodies that the API server would have taken, in shadow mode.
        rehearsed_generation: generation of the last spec of which that is so; None outside shadow mode.
        contest: how often its objects were put right lately; None before the first time.
        contested: sentence for a tug of war over them.
        drifts_told: the hour of the last Event of drift, by kind of object.
        adopted: objects of others that were taken over and not told of yet.
        news: Events to be written with the next report.
        related: the published object that Events of switches refer to.
    """

    key: ObjectKey
    uid: str
    status: PolicyStatus
    memory: Memory
    policy: Policy | None = None
    newest: Policy | None = None
    offered: Policy | None = None
    looked_at: int = 0
    spec_problem: Problem | None = None
    following: bool = False
    restored: bool = False
    secrets: frozenset[ObjectKey] = frozenset()
    targets: Mapping[str, ProbeTarget] = field(default_factory=dict)
    problems: Mapping[str, Problem] = field(default_factory=dict)
    mistakes: tuple[Problem, ...] = ()
    acquaintances: dict[str, ProbeTarget] = field(default_factory=dict)
    healths: dict[str, ProviderHealth] = field(default_factory=dict)
    publication: Publication | None = None
    published: dict[TargetKey, Object] = field(default_factory=dict)
    publish_problem: Problem | None = None
    refused: bool = False
    unannounced: list[Switch] = field(default_factory=list)
    paid_at: dict[str, datetime] = field(default_factory=dict)
    passed_over: dict[str, str] = field(default_factory=dict)
    misfits: Mapping[str, str] = field(default_factory=dict)
    shares: Mapping[str, int] = field(default_factory=dict)
    exhausted: str | None = None
    exhausted_at: datetime | None = None
    recalled: bool = False
    written: Object | None = None
    written_at: datetime | None = None
    arrived_at: datetime | None = None
    config_load: timedelta | None = None
    event_room: EventRoom | None = None
    room_for_drills: EventRoom | None = None
    overrides: Mapping[str | None, Override] = field(default_factory=dict)
    rehearsal: Rehearsal | None = None
    unrecorded: int | None = None
    record_again_at: datetime | None = None
    rehearsed: dict[TargetKey, Object] = field(default_factory=dict)
    rehearsed_generation: int | None = None
    contest: Contest | None = None
    contested: str = ""
    drifts_told: dict[str, str] = field(default_factory=dict)
    adopted: set[TargetKey] = field(default_factory=set)
    news: list[PolicyEvent] = field(default_factory=list)
    related: Related | None = None
    last_log: str = ""
    dirty: bool = False
    retries: int = 0
    left_alone_until: float = 0.0
    task: asyncio.Task[None] | None = None
    timer: asyncio.TimerHandle | None = None

    @property
    def may_bill(self) -> bool:
        """Whether requests that cost money are made for it."""
        return self.exhausted is None and not self.following

    def anew(self, status: PolicyStatus, memory: Memory) -> "Entry":
        """Return the entry that a restart would begin with, but for what was learned of the providers meanwhile."""
        known = {name: succeed(own, memory.healths.get(name)) for name, own in self.healths.items()}
        return Entry(
            self.key,
            self.uid,
            status,
            memory,
            policy=self.policy,
            newest=self.newest,
            offered=self.offered,
            looked_at=self.looked_at,
            spec_problem=self.spec_problem,
            secrets=self.secrets,
            targets=self.targets,
            problems=self.problems,
            acquaintances=self.acquaintances,
            healths={**memory.healths, **known},
            overrides=self.overrides,
        )

    @property
    def rules(self) -> HealthRules:
        """The thresholds of the policy."""
        assert self.policy is not None
        spec = self.policy.spec
        billed = spec.health_check.generation is not None and not self.following
        return HealthRules(
            failure_threshold=spec.health_check.failure_threshold,
            recovery_threshold=spec.health_check.recovery_threshold,
            blacklist_duration=spec.failover.blacklist_duration,
            patience=spec.health_check.interval,
            deepest=Tier.GENERATION if billed else Tier.LIVENESS,
        )

    @property
    def weighs_each_outcome(self) -> bool:
        """Whether any probe may change the choice, not only one that changes a provider's health."""
        spec = self.policy.spec if self.policy else None
        if spec is None:
            return False
        strategies = {spec.selection.strategy, *(task.strategy for task in spec.tasks)}
        strategies |= {entry.strategy for entry in spec.schedule}
        return spec.selection.leaves_degraded or bool(strategies & {Strategy.PERFORMANCE, Strategy.COST})

    def told_apart(self, health: ProviderHealth) -> tuple[object, ...]:
        """Return what a decision or a status can tell from a health."""
        asked = health.last_probe_at is not None
        again = health.successes >= self.rules.recovery_threshold if self.policy else False
        return (health.state, health.health_class, health.blacklisted_until, asked, again)
