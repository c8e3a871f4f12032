"""All that a decision rests on, and what it says: the values between gathering and acting."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from providerswitch.api.policy import Mode
from providerswitch.api.selection import Strategy
from providerswitch.api.status import HealthState
from providerswitch.core.flapping import FlapRules, Hold
from providerswitch.core.freeze import Frozen
from providerswitch.core.health import ProviderHealth
from providerswitch.core.outcome import Tier
from providerswitch.core.outlook import Outlook
from providerswitch.core.override import Detour, Override


class Reason(StrEnum):
    """Why a provider is active, in one word: the column REASON of `kubectl get pswitch`."""

    PRIMARY_HEALTHY = "PrimaryHealthy"
    FAILED_OVER = "FailedOver"
    FAILBACK_HELD = "FailbackHeld"
    SCHEDULED = "Scheduled"
    BEST_SCORE = "BestScore"
    CHEAPEST = "Cheapest"
    HIGHEST_WEIGHT = "HighestWeight"
    ITS_TURN = "ItsTurn"
    LESS_DEGRADED = "LessDegraded"
    LAST_RESORT = "LastResort"
    MANUAL = "Manual"
    OVERRIDDEN = "Overridden"
    FROZEN = "Frozen"
    WAITING = "WaitingForProbes"
    NO_HEALTHY_PROVIDER = "NoHealthyProvider"


class Trigger(StrEnum):
    """What made a switch: the rule that decided."""

    INITIAL = "Initial"
    MANUAL_SWITCH = "ManualSwitch"
    FAILOVER = "Failover"
    FAILBACK = "Failback"
    SPEC_CHANGE = "SpecChange"
    SCHEDULE = "Schedule"
    DEGRADATION = "Degradation"
    PERFORMANCE = "Performance"
    COST = "Cost"
    WEIGHT = "Weight"
    ROTATION = "Rotation"
    OVERRIDE = "Override"
    OVERRIDE_ENDED = "OverrideEnded"
    DRILL_ENDED = "DrillEnded"


@dataclass(frozen=True, slots=True)
class Rejected:
    """A provider that may not be chosen, and why."""

    provider: str
    why: str


@dataclass(frozen=True, slots=True)
class Case:
    """All that a decision rests on.

    Attributes:
        order: providers that may be chosen, in the user's order; the first is the primary.
        healths: health of each provider of the spec, those outside `order` included.
        config_errors: providers whose configuration cannot be honoured, with the sentence for the user.
        misfits: providers that cannot stand in for the primary, with the reason.
        active: the published provider, None before the first publication.
        active_since: when it became active.
        arrived_by: trigger of the last switch; empty where it is not known.
        acted_primary: the primary that was last acted upon; another one in the spec is a request to switch.
        failback_requested: the user asked for the return to the primary.
        frozen: a fault of our own network.
        deepest: tier of the deepest probes that are made.
        recovery_threshold: consecutive good probes after which a provider works again.
        recent_switches: times of the switches of the last hour.
        outlook: what strategy and schedule make of the candidates; None goes by the order alone.
        override: the order of a person on call that is in force.
        detour: what the present choice was changed for, until it is undone.
        real: health of a provider that only seems to fail, in a drill.
    """

    now: datetime
    order: tuple[str, ...]
    healths: Mapping[str, ProviderHealth]
    config_errors: Mapping[str, str] = field(default_factory=dict)
    misfits: Mapping[str, str] = field(default_factory=dict)
    mode: Mode = Mode.AUTOMATIC
    failback: Mode = Mode.AUTOMATIC
    active: str | None = None
    active_since: datetime | None = None
    arrived_by: str = ""
    acted_primary: str | None = None
    failback_requested: bool = False
    frozen: Frozen | None = None
    deepest: Tier = Tier.GENERATION
    recovery_threshold: int = 5
    flap_rules: FlapRules = field(default_factory=FlapRules)
    recent_switches: tuple[datetime, ...] = ()
    outlook: Outlook | None = None
    override: Override | None = None
    detour: Detour | None = None
    real: Mapping[str, ProviderHealth] = field(default_factory=dict)

    @property
    def primary(self) -> str:
        """The provider the user prefers."""
        return self.order[0]

    @property
    def preference(self) -> tuple[str, ...]:
        """The candidates, best first, those that may serve before those that may not."""
        return self.outlook.names if self.outlook else self.order

    @property
    def ideal(self) -> tuple[str, ...]:
        """The candidates, best first, as if all of them could serve."""
        return self.outlook.ideal if self.outlook else self.order

    @property
    def strategy(self) -> Strategy:
        """The strategy in force."""
        return self.outlook.strategy if self.outlook else Strategy.PRIORITY

    @property
    def scheduled(self) -> str | None:
        """Name of the entry of the schedule that is in force."""
        return self.outlook.entry if self.outlook else None

    @property
    def degraded(self) -> Mapping[str, str]:
        """Providers that exceed a threshold, with the sentence that says which."""
        return self.outlook.degraded if self.outlook else {}

    @property
    def requested(self) -> bool:
        """Whether the user asks for the primary by name, not only by rank. While the schedule rules, it waits."""
        edited = self.acted_primary is not None and self.acted_primary != self.primary
        overruled = self.mode is Mode.AUTOMATIC and self.outlook is not None and self.outlook.overrules
        return (edited or self.failback_requested) and self.active != self.primary and not overruled

    def health(self, name: str) -> ProviderHealth:
        """Return the health of a provider; unknown for one that was never probed."""
        return self.healths.get(name, ProviderHealth())

    def real_health(self, name: str) -> ProviderHealth:
        """Return the health that consumers meet, whatever a drill plays to the probes."""
        return self.real.get(name) or self.health(name)

    def may_stay(self, name: str) -> bool:
        """Tell whether the active provider may remain: still in the spec, fit for it, not down or rate limited."""
        return name in self.order and name not in self.misfits and self.health(name).may_stay

    def suits(self, name: str) -> bool:
        """Tell whether nothing but its health may keep a provider from serving."""
        return name not in self.config_errors and name not in self.misfits

    def may_serve(self, name: str) -> bool:
        """Tell whether a provider may become active, or is and may remain."""
        well = self.health(name).state is HealthState.HEALTHY
        return (well and self.suits(name)) or (name == self.active and self.may_stay(name))

    def answers_again(self, name: str) -> bool:
        """Tell whether a provider that was down works again, and only its blacklist time keeps it out."""
        health = self.health(name)
        return self.suits(name) and health.state is HealthState.DOWN and health.successes >= self.recovery_threshold


@dataclass(frozen=True, slots=True)
class Held:
    """A switch for the better that flap control holds back."""

    provider: str
    trigger: Trigger
    hold: Hold

    @property
    def why(self) -> str:
        """Say it to a user."""
        return f'the switch to "{self.provider}" ({self.trigger}) waits: {self.hold.why}'


@dataclass(frozen=True, slots=True)
class Decision:
    """The provider that shall serve, and why.

    Attributes:
        provider: None only while nothing has been published yet.
        trigger: None where the active provider stays.
        why: a sentence for users.
        rejected: providers that were preferred to the chosen one and could not be chosen, best first.
        held: a switch that would be made now if it were not too soon.
        rule: name of the rule that decided.
    """

    provider: str | None
    reason: Reason
    why: str
    trigger: Trigger | None = None
    rejected: tuple[Rejected, ...] = ()
    held: Held | None = None
    rule: str = field(default="", compare=False)


def next_look(case: Case, decision: Decision) -> datetime | None:
    """Return when the same case would be decided differently though nothing else happens; None where never."""
    moments = (
        case.outlook.turns_at if case.outlook else None,
        decision.held.hold.until if decision.held else None,
        case.override.until if case.override else None,
    )
    return min((moment for moment in moments if moment), default=None)
