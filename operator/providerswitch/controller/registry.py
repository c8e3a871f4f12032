"""All policies, and the routes between them: which targets they probe, who must think again after an outcome."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from providerswitch.api.health_check import QualityChecks
from providerswitch.api.selection import PrometheusSource
from providerswitch.api.status import HealthState
from providerswitch.controller.entry import Entry
from providerswitch.controller.limits import Admission, providers_of
from providerswitch.controller.measuring import Measuring
from providerswitch.controller.networks import Networks
from providerswitch.controller.policy import Policy, parse_policy, parse_status
from providerswitch.controller.spending import pay, pay_for_probe
from providerswitch.controller.wanted import Wanted, cadence_of, secrets_of
from providerswitch.core.health import ProviderHealth, acquit, observe, witness
from providerswitch.core.limits import Limits
from providerswitch.core.memory import restore_memory
from providerswitch.core.outcome import Outcome
from providerswitch.core.rehearsal import notice
from providerswitch.core.report import LIMIT_EXCEEDED, Problem
from providerswitch.kube.client import Object
from providerswitch.kube.objects import ObjectKey, key_of
from providerswitch.probes.golden_answer import Asked
from providerswitch.probes.scheduler import Scheduler
from providerswitch.probes.target import ProbeTarget

UNLIMITED: Final = Limits()


class Registry:
    """Every policy that is served.

    Args:
        wake: asks for a reconcile of one policy.
        limits: of the policies of each namespace.
    """

    def __init__(self, wake: Callable[[Entry], None], limits: Limits = UNLIMITED) -> None:
        self._wake = wake
        self._admission = Admission(limits)
        self._entries: dict[ObjectKey, Entry] = {}
        self._watchers: dict[ProbeTarget, set[ObjectKey]] = defaultdict(set)
        self._secret_users: dict[ObjectKey, set[ObjectKey]] = defaultdict(set)
        self.networks = Networks()
        self.measuring = Measuring()

    def __iter__(self) -> Iterator[Entry]:
        return iter(tuple(self._entries.values()))

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: ObjectKey) -> Entry | None:
        """Return a policy's entry, or None."""
        return self._entries.get(key)

    def uid_of(self, key: ObjectKey) -> str | None:
        """Return a policy's uid, or None."""
        entry = self._entries.get(key)
        return entry.uid if entry else None

    def put(self, obj: Object) -> bool:
        """Take in a policy as read; tell whether anything but its status is new."""
        key, uid = key_of(obj), obj["metadata"]["uid"]
        entry = self._entries.get(key)
        if entry is None or entry.uid != uid:
            status = parse_status(obj)
            memory = restore_memory(status)
            if entry:
                self._let_in(self._admission.leave(key))
            entry = self._entries[key] = Entry(key, uid, status, memory, healths=dict(memory.healths))
        self._admission.meet(obj, entry.status)
        self._let_in(self._admission.resize(key, providers_of(obj)))
        return _take(entry, obj, self._admission.refusal(key))

    def _let_in(self, keys: Iterable[ObjectKey]) -> None:
        """Serve policies that had to wait for a place."""
        for key in keys:
            entry = self._entries.get(key)
            if entry and entry.spec_problem and entry.spec_problem.reason == LIMIT_EXCEEDED:
                entry.newest, entry.spec_problem = entry.offered, None
                self._wake(entry)

    def allot(self, policies: Iterable[Object]) -> None:
        """Decide for all policies that exist, at once, which have a place: a restart has to decide as before.

        Taken in one by one, one that had none might come first and take that of another.
        """
        self._admission.begin((obj, parse_status(obj)) for obj in policies)
        for entry in self:
            before = entry.newest, entry.spec_problem
            _judge(entry, self._admission.refusal(entry.key))
            if not self._admission.holds(entry.key):
                entry.newest = None
            if (entry.newest, entry.spec_problem) != before:
                self._wake(entry)

    @property
    def over_limit(self) -> Mapping[str, int]:
        """How many policies of each namespace have no place, or not as large a one as they ask for."""
        return self._admission.over()

    def rest(self, entry: Entry, scheduler: Scheduler) -> None:
        """Stop the probes that only this policy wanted."""
        scheduler.subscribe(entry.key, {})
        self._route(entry, frozenset())
        self._use(entry, frozenset())
        entry.targets = {}

    def take_over(self, obj: Object) -> None:
        """Begin anew with a known policy from what its status says now; whoever led wrote it until a moment ago."""
        entry, status = self._entries[key_of(obj)], parse_status(obj)
        self.measuring.forget_verdicts(entry.targets.values())
        self._entries[entry.key] = entry.anew(status, restore_memory(status))

    def remove(self, key: ObjectKey, scheduler: Scheduler) -> Entry | None:
        """Forget a policy and stop the probes that only it wanted."""
        entry = self._entries.pop(key, None)
        if entry:
            self.rest(entry, scheduler)
            self._let_in(self._admission.leave(key))
        return entry

    def hosts(self) -> frozenset[str]:
        """Return the hosts that are probed."""
        return frozenset(target.host for target in self._watchers)

    def use_secrets(self, entry: Entry) -> frozenset[ObjectKey]:
        """Note which Secrets a policy refers to, so that their changes wake it; return them."""
        assert entry.policy is not None
        used = secrets_of(entry.policy.spec, entry.key.namespace)
        self._use(entry, used)
        return used

    def _use(self, entry: Entry, used: frozenset[ObjectKey]) -> None:
        for secret in used:
            self._secret_users[secret].add(entry.key)
        for secret in entry.secrets - used:
            self._secret_users[secret].discard(entry.key)
            if not self._secret_users[secret]:
                del self._secret_users[secret]
        entry.secrets = used

    def secrets_in_use(self) -> frozenset[ObjectKey]:
        """Return the Secrets that any policy refers to."""
        return frozenset(self._secret_users)

    def watch(self, entry: Entry, wanted: Wanted, scheduler: Scheduler) -> None:
        """Probe what a policy wants; a provider whose target changed is a new acquaintance."""
        assert entry.policy is not None
        for name in wanted.targets.keys() - wanted.problems.keys():
            self._meet(entry, name, wanted.targets[name].real)
        entry.healths = {name: entry.healths.get(name, ProviderHealth()) for name in wanted.targets}
        entry.acquaintances = {name: known for name, known in entry.acquaintances.items() if name in wanted.targets}
        self._route(entry, frozenset(wanted.targets.values()))
        entry.targets, entry.problems = wanted.targets, wanted.problems
        cadence = cadence_of(entry.policy.spec.health_check, billed=entry.may_bill)
        played = {
            target: replace(cadence, generation_interval=None) for target in entry.targets.values() if target.drill
        }
        scheduler.subscribe(entry.key, dict.fromkeys(_probed(wanted.targets.values()), cadence) | played)
        self._learn(entry, scheduler)
        for target in played:
            if scheduler.last(target) is None:
                scheduler.hasten(target)

    def _meet(self, entry: Entry, name: str, target: ProbeTarget) -> None:
        """Tell a new acquaintance from one whose key was only missing for a while: that one keeps its past."""
        former = entry.acquaintances.get(name)
        if former and not _same_provider(former, target):
            entry.healths[name] = ProviderHealth()
        entry.acquaintances[name] = target

    def _route(self, entry: Entry, targets: frozenset[ProbeTarget]) -> None:
        probed = _probed(targets)
        for target in probed:
            self._watchers[target].add(entry.key)
            if target.drill:
                self.measuring.copy(target.real, target)
        for target in frozenset(_probed(entry.targets.values())) - frozenset(probed):
            watchers = self._watchers[target]
            watchers.discard(entry.key)
            if not watchers:
                del self._watchers[target]
                self.measuring.forget(target)
            self._forget_host(target.host, entry.key.namespace)

    def _forget_host(self, host: str, namespace: str) -> None:
        """Let the network know that a host is no longer probed; another target may be on it, with another key."""
        if not self.networks.is_silent(host, namespace) or self._is_probed(host, namespace):
            return
        if self.networks.forget(host, namespace):
            self.wake_all(self._of(namespace))

    def _is_probed(self, host: str, namespace: str) -> bool:
        keys = (key for target, watchers in self._watchers.items() if target.host == host for key in watchers)
        return any(key.namespace == namespace for key in keys)

    def _of(self, namespace: str) -> list[Entry]:
        return [entry for entry in self if entry.key.namespace == namespace]

    def _learn(self, entry: Entry, scheduler: Scheduler) -> None:
        """A newcomer to a target that others probe already need not wait for the next probe."""
        for name, target in entry.targets.items():
            outcome = scheduler.last(target)
            if outcome and entry.healths[name].last_probe_at is None:
                self._observe(entry, name, outcome)

    def hear(self, target: ProbeTarget, outcome: Outcome, scheduler: Scheduler) -> None:
        """Route an outcome to the policies it concerns, and wake those for which it changes something."""
        watchers = tuple(self._watchers.get(target, ()))
        waiting = set() if target.drill else {key.namespace for key in watchers}
        turned = self.networks.hear(target.host, outcome, waiting) if waiting else frozenset()
        self.measuring.hear(target, outcome)
        for key in watchers:
            entry = self._entries[key]
            names = [name for name, wanted in entry.targets.items() if target in {wanted, wanted.real}]
            for name in names:
                if entry.targets[name] == target:
                    self._consider(entry, name, outcome, scheduler)
                else:
                    self._spare(entry, outcome)
            if names and pay_for_probe(entry, names[0], outcome):
                self._wake(entry)
        for namespace in turned:
            self._turn(namespace, scheduler)

    def _turn(self, namespace: str, scheduler: Scheduler) -> None:
        """A freeze began or ended; at its end, all that failed in it are looked at anew."""
        entries = self._of(namespace)
        if self.networks.frozen(namespace) is None:
            scheduler.doubt({target for entry in entries for target in entry.targets.values()})
        else:
            self._acquit(entries)
        self.wake_all(entries)

    def _acquit(self, entries: Iterable[Entry]) -> None:
        last = self.networks.last_answer_at
        for entry in entries:
            entry.healths = {name: acquit(each, last) for name, each in entry.healths.items()}

    def _consider(self, entry: Entry, name: str, outcome: Outcome, scheduler: Scheduler) -> None:
        before = entry.healths[name]
        self._observe(entry, name, outcome)
        after = entry.healths[name]
        if before.failures == 0 and after.failures > 0:
            self._ask_the_others(entry, name, scheduler)
        if entry.weighs_each_outcome or entry.told_apart(before) != entry.told_apart(after):
            self._wake(entry)

    def _spare(self, entry: Entry, outcome: Outcome) -> None:
        """Keep aside what a provider really says while a drill plays its failure."""
        rehearsal = entry.rehearsal
        if rehearsal is None:
            return
        before, rehearsal.real = rehearsal.real, observe(rehearsal.real, outcome, entry.rules)
        if before.may_stay != rehearsal.real.may_stay:
            self._wake(entry)

    def _observe(self, entry: Entry, name: str, outcome: Outcome) -> None:
        rehearsal, played = entry.rehearsal, entry.targets[name].drill
        if played:
            if rehearsal and rehearsal.run.begun == played:  # else it is over, and the next reconcile ends the probes
                rehearsal.run = notice(rehearsal.run, outcome)
                entry.healths[name] = observe(entry.healths[name], outcome, entry.rules)
            return
        silent_with_all = outcome.no_answer and self.networks.frozen(entry.key.namespace) is not None
        advance = witness if silent_with_all else observe
        entry.healths[name] = advance(entry.healths[name], outcome, entry.rules)

    def _ask_the_others(self, entry: Entry, failing: str, scheduler: Scheduler) -> None:
        """At the first sign of trouble, look at who could take over, and whether our own network is at fault."""
        for name, target in entry.targets.items():
            if name != failing and entry.healths[name].state is not HealthState.DOWN:
                scheduler.hasten(target)

    def wake_all(self, entries: Iterable[Entry]) -> None:
        """Ask for a reconcile of many."""
        for entry in entries:
            self._wake(entry)

    def secret_changed(self, secret: ObjectKey) -> None:
        """Wake the policies that use a Secret."""
        known = (self._entries.get(key) for key in tuple(self._secret_users.get(secret, ())))
        self.wake_all(entry for entry in known if entry)

    def hear_answer(self, target: ProbeTarget, checks: QualityChecks, asked: Asked, now: datetime) -> None:
        """Route the answer to a golden prompt to the policies that wanted it."""
        if asked.passed is not None:
            self.measuring.hear_answer(target, checks, passed=asked.passed)
        for key in tuple(self._watchers.get(target, ())):
            entry = self._entries[key]
            wanted = entry.policy is not None and entry.policy.spec.quality_checks == checks
            names = [name for name, probed in entry.targets.items() if probed.real == target] if wanted else []
            if names and (asked.usage or asked.passed is not None):
                pay(entry, names[0], asked.usage, now)
            if names:
                self._wake(entry)

    def hear_source(self, source: PrometheusSource) -> None:
        """Wake the policies that read a metrics source."""
        self.wake_all(entry for entry in self if _source_of(entry) == source)

    def hear_page(self, url: str, scheduler: Scheduler) -> None:
        """Probe at once what a status page tells trouble of: a hint is never believed, only followed up."""
        for entry in self:
            providers = entry.policy.spec.providers if entry.policy else ()
            for provider in providers:
                if provider.status_page == url and provider.name in entry.targets:
                    scheduler.hasten(entry.targets[provider.name])


def _probed(targets: Collection[ProbeTarget]) -> tuple[ProbeTarget, ...]:
    """Return what is asked, in order: beside a provider whose failure is played, the provider itself."""
    return tuple(dict.fromkeys((*targets, *(target.real for target in targets))))


def _source_of(entry: Entry) -> PrometheusSource | None:
    source = entry.policy.spec.selection.metrics_source if entry.policy else None
    return source.prometheus if source else None


def _take(entry: Entry, obj: Object, refusal: Problem | None) -> bool:
    parsed, entry.looked_at = parse_policy(obj), obj["metadata"].get("generation", 0)
    if isinstance(parsed, Problem):
        changed = entry.spec_problem != parsed
        entry.spec_problem = parsed
        return changed
    former, problem = entry.offered, entry.spec_problem
    entry.offered, entry.spec_problem = parsed, None
    _judge(entry, refusal)
    return problem != entry.spec_problem or _differ(former, parsed)


def _judge(entry: Entry, refusal: Problem | None) -> None:
    """Put the newest spec to work if there is a place for it; a policy that has grown goes on with its former one."""
    if entry.spec_problem and entry.spec_problem.reason != LIMIT_EXCEEDED:
        return
    entry.spec_problem = refusal
    if refusal is None:
        entry.newest = entry.offered


def _differ(former: Policy | None, parsed: Policy) -> bool:
    return former is None or replace(former, resource_version="") != replace(parsed, resource_version="")


def _same_provider(former: ProbeTarget, target: ProbeTarget) -> bool:
    """Tell whether a target is asked the same thing as before; whom it fails with, and how soon, does not matter."""
    return replace(former, failure_domain=target.failure_domain, timeout=target.timeout) == target
