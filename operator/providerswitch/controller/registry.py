"""All policies, and the routes between them: which targets they probe, who must think again after an outcome."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime

from providerswitch.api.health_check import QualityChecks
from providerswitch.api.selection import PrometheusSource
from providerswitch.api.status import HealthState
from providerswitch.controller.entry import Entry
from providerswitch.controller.measuring import Measuring
from providerswitch.controller.network import Network
from providerswitch.controller.policy import parse_policy, parse_status
from providerswitch.controller.spending import pay, pay_for_probe
from providerswitch.controller.wanted import Wanted, cadence_of, secrets_of
from providerswitch.core.health import ProviderHealth, acquit, observe, witness
from providerswitch.core.memory import restore_memory
from providerswitch.core.outcome import Outcome
from providerswitch.core.report import Problem
from providerswitch.kube.client import Object
from providerswitch.kube.objects import ObjectKey, key_of
from providerswitch.probes.golden_answer import Asked
from providerswitch.probes.scheduler import Scheduler
from providerswitch.probes.target import ProbeTarget


class Registry:
    """Every policy that is served.

    Args:
        wake: asks for a reconcile of one policy.
    """

    def __init__(self, wake: Callable[[Entry], None]) -> None:
        self._wake = wake
        self._entries: dict[ObjectKey, Entry] = {}
        self._watchers: dict[ProbeTarget, set[ObjectKey]] = defaultdict(set)
        self._secret_users: dict[ObjectKey, set[ObjectKey]] = defaultdict(set)
        self.network = Network()
        self.measuring = Measuring()

    def __iter__(self) -> Iterator[Entry]:
        return iter(tuple(self._entries.values()))

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: ObjectKey) -> Entry | None:
        """Return a policy's entry, or None."""
        return self._entries.get(key)

    def put(self, obj: Object) -> bool:
        """Take in a policy as read; tell whether anything but its status is new."""
        key, uid = key_of(obj), obj["metadata"]["uid"]
        entry = self._entries.get(key)
        if entry is None or entry.uid != uid:
            status = parse_status(obj)
            memory = restore_memory(status)
            entry = self._entries[key] = Entry(key, uid, status, memory, healths=dict(memory.healths))
        return _take(entry, obj)

    def remove(self, key: ObjectKey, scheduler: Scheduler) -> Entry | None:
        """Forget a policy and stop the probes that only it wanted."""
        entry = self._entries.pop(key, None)
        if entry:
            scheduler.subscribe(entry.key, {})
            self._route(entry, frozenset())
            self._use(entry, frozenset())
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
            self._meet(entry, name, wanted.targets[name])
        entry.healths = {name: entry.healths.get(name, ProviderHealth()) for name in wanted.targets}
        entry.acquaintances = {name: known for name, known in entry.acquaintances.items() if name in wanted.targets}
        self._route(entry, frozenset(wanted.targets.values()))
        entry.targets, entry.problems = wanted.targets, wanted.problems
        cadence = cadence_of(entry.policy.spec.health_check, billed=entry.exhausted is None)
        scheduler.subscribe(entry.key, dict.fromkeys(wanted.targets.values(), cadence))
        self._learn(entry, scheduler)

    def _meet(self, entry: Entry, name: str, target: ProbeTarget) -> None:
        """Tell a new acquaintance from one whose key was only missing for a while: that one keeps its past."""
        former = entry.acquaintances.get(name)
        if former and not _same_provider(former, target):
            entry.healths[name] = ProviderHealth()
        entry.acquaintances[name] = target

    def _route(self, entry: Entry, targets: frozenset[ProbeTarget]) -> None:
        for target in targets:
            self._watchers[target].add(entry.key)
        for target in frozenset(entry.targets.values()) - targets:
            watchers = self._watchers[target]
            watchers.discard(entry.key)
            if not watchers:
                del self._watchers[target]
                self.measuring.forget(target)
                self._forget_host(target.host)

    def _forget_host(self, host: str) -> None:
        """Let the network know that a host is no longer probed; another target may be on it, with another key."""
        if not self.network.is_silent(host) or any(target.host == host for target in self._watchers):
            return
        if self.network.forget(host):
            self.wake_all(self)

    def _learn(self, entry: Entry, scheduler: Scheduler) -> None:
        """A newcomer to a target that others probe already need not wait for the next probe."""
        for name, target in entry.targets.items():
            outcome = scheduler.last(target)
            if outcome and entry.healths[name].last_probe_at is None:
                self._observe(entry, name, outcome)

    def hear(self, target: ProbeTarget, outcome: Outcome, scheduler: Scheduler) -> None:
        """Route an outcome to the policies it concerns, and wake those for which it changes something."""
        turned = self.network.hear(target.host, outcome)
        self.measuring.hear(target, outcome)
        for key in tuple(self._watchers.get(target, ())):
            entry = self._entries[key]
            names = [name for name, wanted in entry.targets.items() if wanted == target]
            for name in names:
                self._consider(entry, name, outcome, scheduler)
            if names and pay_for_probe(entry, names[0], outcome):
                self._wake(entry)
        if turned:
            self._turn(scheduler)

    def _turn(self, scheduler: Scheduler) -> None:
        """A freeze began or ended; at its end, all that failed in it are looked at anew."""
        if self.network.frozen is None:
            scheduler.doubt(list(self._watchers))
        else:
            self._acquit()
        self.wake_all(self)

    def _acquit(self) -> None:
        for entry in self:
            entry.healths = {name: acquit(each, self.network.last_answer_at) for name, each in entry.healths.items()}

    def _consider(self, entry: Entry, name: str, outcome: Outcome, scheduler: Scheduler) -> None:
        before = entry.healths[name]
        self._observe(entry, name, outcome)
        after = entry.healths[name]
        if before.failures == 0 and after.failures > 0:
            self._ask_the_others(entry, name, scheduler)
        if entry.weighs_each_outcome or entry.told_apart(before) != entry.told_apart(after):
            self._wake(entry)

    def _observe(self, entry: Entry, name: str, outcome: Outcome) -> None:
        silent_with_all = outcome.no_answer and self.network.frozen is not None
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
            names = [name for name, probed in entry.targets.items() if probed == target] if wanted else []
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


def _source_of(entry: Entry) -> PrometheusSource | None:
    source = entry.policy.spec.selection.metrics_source if entry.policy else None
    return source.prometheus if source else None


def _take(entry: Entry, obj: Object) -> bool:
    parsed = parse_policy(obj)
    if isinstance(parsed, Problem):
        changed = entry.spec_problem != parsed
        entry.spec_problem = parsed
        return changed
    former = entry.newest
    entry.newest, entry.spec_problem = parsed, None
    return former is None or replace(former, resource_version="") != replace(parsed, resource_version="")


def _same_provider(former: ProbeTarget, target: ProbeTarget) -> bool:
    """Tell whether a target is asked the same thing as before; whom it fails with does not matter."""
    return replace(former, failure_domain=target.failure_domain) == target
