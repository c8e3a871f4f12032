"""Whatever happens to a policy and its providers, in whatever order: what never happens, and what always does."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.core.world import Witness, World

from providerswitch.api.health import ALIVE, NETWORK, HealthClass
from providerswitch.api.policy import Mode
from providerswitch.api.status import ConditionType, HealthState
from providerswitch.core.case import Trigger
from providerswitch.core.decide import FOR_THE_BETTER, decide
from providerswitch.core.flapping import FlapRules
from providerswitch.core.memory import SWITCHES_KEPT
from providerswitch.core.narrate import SWITCH_REASONS, condition
from providerswitch.core.outcome import Tier

NAMES = ("openai", "anthropic", "google", "jina")
BY_A_PERSON = {Trigger.INITIAL, Trigger.MANUAL_SWITCH, Trigger.SPEC_CHANGE}
"""Triggers that manual mode knows; a provider that a person removes is a person's switch too."""

SWITCH_EVENTS = set(SWITCH_REASONS.values())
ACTIVE = "whoever serves"
LONGEST_BLACKLIST = 80
"""Minutes: sixteen times that of a first relapse."""

names = st.sampled_from(NAMES)
providers = st.sampled_from((ACTIVE, ACTIVE, *NAMES))
waits = st.none() | st.sampled_from([0, 5, 31, 600, 100_000]).map(lambda seconds: timedelta(seconds=seconds))


class AnyWeather(RuleBasedStateMachine):
    """One policy of up to four providers."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(NAMES)
        self.twin = World(NAMES, dry_run=True)
        self.judged = 0

    @initialize(
        count=st.sampled_from([3, 4, 2, 1]),
        mode=st.sampled_from(Mode),
        failback=st.sampled_from(Mode),
        in_trouble=st.sets(names, max_size=1),
        flap_rules=st.builds(
            FlapRules, st.sampled_from([0, 60, 600]).map(lambda s: timedelta(seconds=s)), st.sampled_from([1, 2, 12])
        ),
    )
    def begins(self, count: int, mode: Mode, failback: Mode, in_trouble: set[str], flap_rules: FlapRules) -> None:
        self.world = World(NAMES[:count], mode=mode, failback=failback, flap_rules=flap_rules)
        self.twin = World(NAMES[:count], dry_run=True)
        self.settles()
        for name in self.world.order:
            kind = HealthClass.SERVER_ERROR if name in in_trouble else HealthClass.HEALTHY
            self.answers(name, kind, Tier.LIVENESS, None)

    def settles(self) -> None:
        """Reconcile as after any change, and check what concerns the step itself."""
        world, before = self.world, self.world.status
        active, frozen, wish = world.active, world.frozen, world.wish
        world.reconcile()
        self.the_twin_settles()
        if frozen and active:
            assert world.active == active, "a freeze holds what is"
        if wish and not frozen and world.primary in world.fit():
            assert world.active == world.primary, "a person is obeyed, if that provider may serve"
        for now in world.status.conditions:
            was = condition(before, ConditionType(now.type))
            same = was is not None and was.status == now.status
            moved = was is None or was.last_transition_time != now.last_transition_time
            assert not (same and moved), "the time of a condition moves with its status alone"

    def the_twin_settles(self) -> None:
        """The same policy in shadow mode sees the same, and remembers by itself."""
        world, twin = self.world, self.twin
        twin.now, twin.order, twin.token, twin.flap_rules = world.now, world.order, world.token, world.flap_rules
        twin.mode, twin.failback, twin.config_errors = world.mode, world.failback, dict(world.config_errors)
        twin.healths, twin.hosts = dict(world.healths), dict(world.hosts)
        twin.reconcile()

    @rule(name=providers, kind=st.sampled_from(HealthClass), tier=st.sampled_from(Tier), wait=waits)
    def answers(self, name: str, kind: HealthClass, tier: Tier, wait: timedelta | None) -> None:
        asked = self.world.active if name == ACTIVE else name
        if asked in self.world.order:
            self.world.probe(asked, kind, tier=tier, wait=wait)
            self.settles()

    @rule(
        name=providers,
        kind=st.sampled_from(sorted(set(HealthClass) - ALIVE - {HealthClass.UNKNOWN})),
        tier=st.sampled_from(Tier),
    )
    def breaks(self, name: str, kind: HealthClass, tier: Tier) -> None:
        broken = (self.world.active or name) if name == ACTIVE else name
        for _ in range(3):
            self.answers(broken, kind, tier, None)
            self.time_passes(1)

    @rule(name=providers, wait=waits)
    def asks_to_be_left_alone(self, name: str, wait: timedelta | None) -> None:
        self.answers(name, HealthClass.RATE_LIMITED, Tier.LIVENESS, wait)

    @rule(kind=st.sampled_from(sorted(NETWORK)))
    def all_fall_silent(self, kind: HealthClass) -> None:
        for name in (*self.world.order, *self.world.order):
            self.world.probe(name, kind)
            self.settles()

    @rule(name=names)
    def recovers(self, name: str) -> None:
        for tier in (Tier.GENERATION, *[Tier.LIVENESS] * 4):
            self.answers(name, HealthClass.HEALTHY, tier, None)
            self.time_passes(75)

    @rule(seconds=st.integers(1, 900))
    def time_passes(self, seconds: int) -> None:
        self.world.now += timedelta(seconds=seconds)
        self.settles()

    @rule(name=names)
    def a_person_edits_the_primary(self, name: str) -> None:
        order = self.world.order
        if name in order:
            self.world.edit(name, *(other for other in order if other != name))
            self.settles()

    @rule(mode=st.sampled_from(Mode), failback=st.sampled_from(Mode))
    def a_person_edits_the_modes(self, mode: Mode, failback: Mode) -> None:
        self.world.mode, self.world.failback = mode, failback
        self.settles()

    @rule(name=names)
    def a_provider_joins_or_leaves(self, name: str) -> None:
        order = self.world.order
        left = tuple(other for other in order if other != name)
        self.world.edit(*(left if name in order and left else dict.fromkeys((*order, name))))
        self.settles()

    @rule()
    def a_person_asks_for_the_failback(self) -> None:
        self.world.token = f"{self.world.now.isoformat()} {len(self.world.events)}"
        self.world.wish = self.world.active not in {None, self.world.primary}
        self.settles()

    @rule(name=names)
    def a_secret_goes_or_comes(self, name: str) -> None:
        if name in self.world.order and not self.world.config_errors.pop(name, None):
            self.world.config_errors[name] = 'Secret "llm-keys" does not exist. Create it.'
        self.settles()

    @rule()
    def the_operator_restarts(self) -> None:
        frozen, before = self.world.frozen, (self.world.active, self.world.memory.revision)
        self.world.restart()
        self.twin.restart()
        self.settles()
        assert frozen or (self.world.active, self.world.memory.revision) == before, "a restart changes nothing"

    @rule()
    def calm_comes(self) -> None:
        """Every provider works for as long as it takes, and nobody interferes."""
        self.world.config_errors.clear()
        self.a_person_edits_the_modes(Mode.AUTOMATIC, Mode.AUTOMATIC)
        for minute in range(0, LONGEST_BLACKLIST, LONGEST_BLACKLIST // 5):
            for name in self.world.order:
                self.answers(name, HealthClass.HEALTHY, Tier.LIVENESS if minute else Tier.GENERATION, None)
            self.time_passes(LONGEST_BLACKLIST // 5 * 60)
        for name in self.world.order:
            self.answers(name, HealthClass.HEALTHY, Tier.LIVENESS, None)
        self.time_passes(3600)
        assert self.world.active == self.world.primary, "the primary serves again"
        assert self.told("Ready") == "True"
        assert self.told("FailedOver") == self.told("Frozen") == "False"

    def told(self, kind: str) -> str | None:
        found = condition(self.world.status, ConditionType(kind))
        return found.status if found else None

    @invariant()
    def every_switch_is_a_good_one(self) -> None:
        for case, switch in self.world.switches[self.judged :]:
            seen = self.world.witnesses.get(switch.to, Witness())
            assert switch.to in case.order
            assert switch.to != case.active
            assert switch.to not in case.config_errors
            assert not seen.dead, "never to a provider that fails"
            if case.answers_again(switch.to):
                assert not any(case.may_serve(name) for name in case.order), "only where nobody else may serve"
                continue
            assert case.health(switch.to).state is HealthState.HEALTHY
            assert seen.banned_until is None or seen.banned_until <= switch.time, "never to a blacklisted one"
        self.judged = len(self.world.switches)

    @invariant()
    def nothing_is_switched_for_the_better_too_soon_or_too_often(self) -> None:
        rules, made = self.world.flap_rules, self.world.switches
        for place, (case, switch) in enumerate(made):
            if switch.trigger not in FOR_THE_BETTER:
                continue
            assert case.active_since is None or switch.time >= case.active_since + rules.min_dwell
            hour = {other.time for _, other in made[:place] if other.time > switch.time - timedelta(hours=1)}
            assert len(hour) < rules.max_switches_per_hour

    @invariant()
    def every_switch_is_recorded_with_its_cause(self) -> None:
        made = [switch for _, switch in reversed(self.world.switches)][:SWITCHES_KEPT]
        assert self.world.status.history == made
        assert self.world.memory.revision == self.world.status.switching.total == len(self.world.switches)
        assert self.world.active == (made[0].to if made else None), "active changes by switches alone"
        assert all(switch.reason and switch.trigger in set(Trigger) for switch in made[:1])

    @invariant()
    def shadow_mode_decides_the_same_and_counts_none_of_it(self) -> None:
        world, twin = self.world, self.twin
        ours, theirs = (
            [switch.model_copy(update={"outcome": ""}) for _, switch in each.switches] for each in (world, twin)
        )
        assert theirs == ours
        assert replace(decide(twin.case()), rule="") == replace(decide(world.case()), rule="")
        assert twin.status.switching.total == 0
        live, shadow = (condition(each.status, ConditionType.READY) for each in (world, twin))
        if live and shadow:
            assert (shadow.status, shadow.reason) == (live.status, "Shadow" if live.status == "True" else live.reason)
        assert all(event.note.startswith("Shadow: would") for event in twin.events if event.reason in SWITCH_EVENTS)

    @invariant()
    def the_choice_is_never_empty_again(self) -> None:
        assert self.world.active or not self.world.switches
        assert decide(self.world.case()).provider or not self.world.active

    @invariant()
    def what_is_manual_is_done_by_a_person_alone(self) -> None:
        for case, switch in self.world.switches:
            assert case.mode is Mode.AUTOMATIC or switch.trigger in BY_A_PERSON
            assert case.failback is Mode.AUTOMATIC or switch.trigger != Trigger.FAILBACK
            assert switch.trigger != Trigger.MANUAL_SWITCH or (case.requested and switch.to == case.primary)

    @invariant()
    def a_dead_provider_is_left_while_another_may_serve(self) -> None:
        world = self.world
        seen = world.witnesses.get(world.active or "")
        if seen and seen.dead and world.active in world.order and world.mode is Mode.AUTOMATIC and not world.frozen:
            assert not world.healths[world.active].may_stay, "the threshold is reached, and it may stay"
            assert list(world.fit()) == []

    @invariant()
    def ready_means_that_somebody_serves(self) -> None:
        world, ready = self.world, self.told("Ready")
        if ready == "True":
            assert world.active in world.order
            assert world.active is not None
            assert world.case().may_stay(world.active) or world.case().answers_again(world.active)
        if ready == "False" and world.mode is Mode.AUTOMATIC and world.active in world.order:
            assert list(world.fit()) == []

    @invariant()
    def failed_over_means_that_another_than_the_primary_serves(self) -> None:
        expected = self.world.active not in {None, self.world.primary}
        assert self.told("FailedOver") == str(expected)

    @invariant()
    def a_person_is_told_of_a_wish_that_is_not_granted(self) -> None:
        world = self.world
        if world.wish and not world.frozen and self.told("Ready") != "False":
            refused = condition(world.status, ConditionType.FAILED_OVER)
            assert refused is not None
            assert refused.reason == "SwitchRefused"
            assert world.primary in refused.message

    @precondition(lambda self: self.world.frozen)
    @invariant()
    def a_freeze_is_told(self) -> None:
        assert self.told("Frozen") == "True"
        assert self.world.active is None or self.told("Ready") == "Unknown"


TestAnyWeather = AnyWeather.TestCase
TestAnyWeather.settings = settings(
    max_examples=100, stateful_step_count=30, suppress_health_check=[HealthCheck.too_slow]
)
