"""A cluster played in memory and virtual time: the real operator between a small API server and played providers.

What Kubernetes itself does is tested against the real one in tests/e2e. Here the API server only keeps objects, so
that tests can say when it is slow, refuses or lies.
"""

import asyncio
import copy
import re
from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from prometheus_client import CollectorRegistry
from tests.support.policies import build_policy, build_provider
from tests.support.virtual_time import PlayedProvider, elapsed, loop_clock

from providerswitch.api import meta
from providerswitch.api.errors import ApiServerError
from providerswitch.api.selection import PrometheusSource
from providerswitch.controller.children import Children
from providerswitch.controller.detours import survey
from providerswitch.controller.drill_reports import DrillReports
from providerswitch.controller.drills import Drills
from providerswitch.controller.entry import Entry
from providerswitch.controller.evidence import Evidence
from providerswitch.controller.history import History, Revisions
from providerswitch.controller.metrics import Metrics
from providerswitch.controller.operator import Operator
from providerswitch.controller.override_desk import Scribe
from providerswitch.controller.overrides import Overrides
from providerswitch.controller.publisher import Publisher
from providerswitch.controller.reconciler import Parts, Reconciler
from providerswitch.controller.registry import UNLIMITED, Registry
from providerswitch.controller.rehearsing import Rehearsing
from providerswitch.controller.reporter import Reporter
from providerswitch.controller.switching import Switching
from providerswitch.core.limits import Limits
from providerswitch.core.metrics_source import SourceValues
from providerswitch.core.outcome import Outcome
from providerswitch.kube.client import JSON, KubeClient, Object
from providerswitch.kube.objects import OVERRIDES, ObjectKey
from providerswitch.kube.secrets import SecretStore
from providerswitch.probes.drill import DrillProber
from providerswitch.probes.scheduler import Prober, Scheduler
from providerswitch.probes.target import ProbeTarget
from providerswitch.publish.targets import RESOURCES, WITHOUT_SECRETS, TargetKey

NAMESPACE = "team-a"
POLICY = "assistant"
CONFIG_MAP = f"/api/v1/namespaces/{NAMESPACE}/configmaps/{POLICY}-provider"
PUBLISHED_SECRET = f"/api/v1/namespaces/{NAMESPACE}/secrets/{POLICY}-llm"
SERVICE = f"/api/v1/namespaces/{NAMESPACE}/services/llm"
STATUS = f"/apis/{meta.API_VERSION}/namespaces/{NAMESPACE}/{meta.POLICY_PLURAL}/{POLICY}/status"
KEY = ObjectKey(NAMESPACE, POLICY)

COLLECTION = re.compile(r"(/api/v1|/apis/[^/]+/[^/]+)/([^/]+)")
Trouble = Callable[[str, str], int | Exception | None]
"""Gets method and path; returns the status to refuse with, or what to raise."""


class PlayedApi(KubeClient):
    """An API server that keeps objects by path."""

    def __init__(self) -> None:
        self.objects: dict[str, Object] = {}
        self.asked: list[tuple[float, str, str]] = []
        self.rehearsed: list[float] = []
        self.trouble: Trouble = lambda _method, _path: None
        self.seconds: Callable[[str], float] = lambda _path: 0.001
        self.mutate: Callable[[Object], None] = lambda _obj: None
        self.told: Callable[[str, Object], None] = lambda _path, _obj: None
        self.version = 0

    async def request(
        self,
        method: str,
        path: str,
        *,
        what: str,
        body: object = None,
        query: Mapping[str, str] | None = None,
        content_type: str = JSON,
        accept: str = JSON,
    ) -> Object:
        self.asked.append((elapsed(), method, path))
        await asyncio.sleep(self.seconds(path))
        trouble = self.trouble(method, path)
        if isinstance(trouble, Exception):
            raise trouble
        if trouble is not None:
            raise ApiServerError(what, trouble or None, "played trouble")
        if query and query.get("dryRun"):
            self.rehearsed.append(self.asked[-1][0])
            return self._rehearse(path, copy.deepcopy(body))
        return copy.deepcopy(self._answer(method, path, what, copy.deepcopy(body)))

    def _rehearse(self, path: str, body: Any) -> Object:
        merged = _merged(copy.deepcopy(self.objects.get(path, {})), body)
        self.mutate(merged)
        return merged

    def _answer(self, method: str, path: str, what: str, body: Any) -> Object:
        if method == "PATCH":
            return self.store(path, body)
        if method == "POST":
            return self._create(f"{path}/{body['metadata']['name']}", what, body)
        if method == "GET" and (collection := COLLECTION.fullmatch(path)):
            return {"items": self.all_of(*collection.groups())}
        if path not in self.objects:
            raise ApiServerError(what, 404)
        if method == "DELETE":
            self._check_uid(path, what, body)
            return self.objects.pop(path)
        return self.objects[path]

    def all_of(self, root: str, plural: str) -> list[Object]:
        """Return all objects of a type."""
        wanted = re.compile(rf"{root}/namespaces/[^/]+/{plural}/[^/]+")
        return [self._whole(path) for path in self.objects if wanted.fullmatch(path)]

    def _whole(self, path: str) -> Object:
        """Return an object with its status, which is kept apart."""
        apart = self.objects.get(f"{path}/status", {})
        return {**self.objects[path], **{key: value for key, value in apart.items() if key == "status"}}

    def _create(self, path: str, what: str, body: Object) -> Object:
        if path in self.objects:
            raise ApiServerError(what, 409)
        return self.store(path, body)

    def _check_uid(self, path: str, what: str, body: Any) -> None:
        if self.objects[path]["metadata"]["uid"] != body["preconditions"]["uid"]:
            raise ApiServerError(what, 409)

    def store(self, path: str, body: Object) -> Object:
        """Merge an object into what is there, as a new version."""
        self.version += 1
        obj = _merged(self.objects.get(path, {}), body)
        obj["metadata"].setdefault("uid", f"uid-{self.version}")
        obj["metadata"]["resourceVersion"] = str(self.version)
        self.mutate(obj)
        self.objects[path] = obj
        self.told(path, obj)
        return obj

    def times(self, method: str, path: str) -> list[float]:
        """Return when something was asked."""
        return [at for at, seen, where in self.asked if (seen, where) == (method, path)]

    def events(self) -> list[str]:
        """Return the reasons of all Events, oldest first."""
        return [obj["reason"] for path, obj in self.objects.items() if "/events/" in path]


def _merged(old: Object, new: Object) -> Object:
    both = {**old, **new}
    for key, value in new.items():
        if isinstance(value, dict) and isinstance(old.get(key), dict) and key not in {"status", "data"}:
            both[key] = _merged(old[key], value)
    return both


@dataclass(slots=True)
class Wishes:
    """Golden prompts and status pages that are never asked: what is wanted of them is kept."""

    wanted: dict[Hashable, Any] = field(default_factory=dict)
    alive: bool = True

    def subscribe(self, subscriber: Hashable, wanted: Any) -> None:
        self.wanted[subscriber] = wanted

    async def aclose(self) -> None:
        self.alive = False


@dataclass(slots=True)
class PlayedSources:
    """A metrics source that says what a test puts into it, by provider."""

    says: dict[str, SourceValues] = field(default_factory=dict)
    wanted: dict[Hashable, PrometheusSource | None] = field(default_factory=dict)
    alive: bool = True

    def subscribe(self, subscriber: Hashable, source: PrometheusSource | None) -> None:
        self.wanted[subscriber] = source

    def values(self, _source: PrometheusSource) -> Mapping[str, SourceValues]:
        return self.says

    def problem(self, _source: PrometheusSource, _providers: Collection[str]) -> str | None:
        return None

    async def aclose(self) -> None:
        self.alive = False


@dataclass(slots=True)
class Cluster:
    """An operator at work.

    Attributes:
        providers: by host name; made on first use, so that a test may say beforehand how one behaves.
    """

    api: PlayedApi = field(default_factory=PlayedApi)
    metrics: Metrics = field(default_factory=lambda: Metrics(CollectorRegistry()))
    providers: dict[str, PlayedProvider] = field(default_factory=dict)
    quality: Wishes = field(default_factory=Wishes)
    pages: Wishes = field(default_factory=Wishes)
    sources: PlayedSources = field(default_factory=PlayedSources)
    limits: Limits = UNLIMITED
    publishes_secrets: bool = False
    keep_finished: timedelta = timedelta(hours=24)
    longest_override: timedelta = timedelta(hours=24)
    operator: Operator = field(init=False)
    switching: Switching = field(init=False)

    def __post_init__(self) -> None:
        children = Children(self._on_child, RESOURCES if self.publishes_secrets else WITHOUT_SECRETS)
        registry = Registry(self._wake, self.limits)
        scheduler = Scheduler(self._open, self._on_outcome, clock=loop_clock, jitter=lambda _span: timedelta(0))
        self.switching = Switching(self.api, children, lambda step: self.metrics.step_seconds.labels(step).time())
        secrets = SecretStore(self.api, registry.secret_changed)
        rehearsing = Rehearsing(loop_clock, self._wake)
        evidence = Evidence(self.quality, self.pages, self.sources)
        revisions = Revisions()
        scribe = Scribe(self.api, loop_clock, "played", self.keep_finished, registry.uid_of)
        overrides = Overrides(registry, self._wake, scribe, self.metrics, self.longest_override)
        parts = Parts(
            registry=registry,
            scheduler=scheduler,
            secrets=secrets,
            children=children,
            publisher=Publisher(self.switching, children, self.metrics, loop_clock),
            reporter=Reporter(self.api, self.metrics, loop_clock, "played"),
            history=History(self.api, revisions, loop_clock),
            metrics=self.metrics,
            evidence=evidence,
            rehearsing=rehearsing,
            overrides=overrides,
            clock=loop_clock,
        )
        reconciler = Reconciler(parts)
        reports = DrillReports(self.api, self.metrics, loop_clock, "played")
        look = reconciler.situation
        drills = Drills(registry.get, lambda entry: survey(entry, look), rehearsing, reports, loop_clock)
        drills.try_out = parts.publisher.try_out
        login: Any = None  # only kopf logs in, and it does not run here
        self.operator = Operator(
            self.api,
            login,
            (),
            self.metrics,
            registry,
            reconciler,
            children,
            secrets,
            revisions,
            scheduler,
            evidence,
            overrides,
            loop_clock,
            drills,
        )

    def _on_child(self, target: TargetKey, obj: Object) -> None:
        self.operator.on_child(target, obj)

    def _wake(self, entry: Entry) -> None:
        self.operator.reconciler.wake(entry)

    def _on_outcome(self, target: ProbeTarget, outcome: Outcome) -> None:
        self.operator.on_outcome(target, outcome)

    def _open(self, target: ProbeTarget) -> Prober:
        real = self.provider(target.host.removesuffix(".example"))
        return DrillProber(target.drill, real, loop_clock) if target.drill else real

    def provider(self, name: str) -> PlayedProvider:
        """Return the provider of a name."""
        return self.providers.setdefault(name, PlayedProvider(loop_clock))

    def start(self) -> None:
        """Let reconciles begin."""
        self.operator.reconciler.start()
        self.operator.overrides.lead()

    async def stop(self) -> None:
        """End everything."""
        self.operator.overrides.follow()
        for entry in self.operator.registry:
            self.operator.reconciler.stop(entry)
        await self.operator.scheduler.aclose()

    def put(self, obj: Object) -> Entry:
        """Show a policy to the operator, as its watch does."""
        self.operator.on_policy("MODIFIED", obj)
        entry = self.entry(obj["metadata"]["name"])
        assert entry
        return entry

    def delete(self, obj: Object) -> None:
        """Tell the operator that a policy is gone."""
        self.operator.on_policy("DELETED", obj)

    def override(self, name: str, provider: str, duration: str = "1h", *, seen: bool = True, **spec: Any) -> Object:
        """Have a person make an override now, and show it to the operator if it still runs."""
        path = f"{OVERRIDES.collection(NAMESPACE)}/{name}"
        made = f"{loop_clock():%Y-%m-%dT%H:%M:%SZ}"
        asked = {"policyRef": {"name": POLICY}, "provider": provider, "reason": "test", "duration": duration, **spec}
        named = {"name": name, "namespace": NAMESPACE, "creationTimestamp": made, "generation": 1}
        obj = self.api.store(path, {"metadata": named, "spec": asked})
        if seen:
            self.operator.overrides.see(copy.deepcopy(obj))
        return obj

    def show_overrides(self) -> None:
        """Let the watch of overrides begin, with those that are there."""
        self.operator.overrides.listener().replaced(self.api.all_of(OVERRIDES.root, OVERRIDES.plural))

    def clear(self, name: str, *, seen: bool = True) -> None:
        """Have a person delete an override, and show that to the operator if it still runs."""
        obj = self.api.objects.pop(f"{OVERRIDES.collection(NAMESPACE)}/{name}")
        if seen:
            self.operator.overrides.listener().deleted(obj)

    def standing(self, name: str) -> Any:
        """Return the status of an override as stored; an empty one before the first."""
        return self.api.objects.get(f"{OVERRIDES.collection(NAMESPACE)}/{name}/status", {}).get("status", {})

    def entry(self, name: str = POLICY) -> Entry | None:
        """Return the working state of a policy."""
        return self.operator.registry.get(ObjectKey(NAMESPACE, name))

    def show(self, kind: str, path: str) -> None:
        """Let the watch of published objects tell of one as it is."""
        self.operator.children.listener(RESOURCES[kind].kind).changed(copy.deepcopy(self.api.objects[path]))

    @property
    def status(self) -> Any:
        """The policy's status as stored; an empty one before the first."""
        return self.api.objects.get(STATUS, {}).get("status", {})

    @property
    def published(self) -> str | None:
        """The provider that consumers are sent to."""
        data = self.api.objects.get(CONFIG_MAP, {}).get("data", {})
        return str(data["LLM_PROVIDER"]) if data else None

    def value(self, name: str, **labels: str) -> float | None:
        """Return the value of a metric."""
        return self.metrics.registry.get_sample_value(name, labels)


def policy(*names: str, name: str = POLICY, generation: int = 1, uid: str = "uid-of-policy", **spec: Any) -> Object:
    """Return a policy as the watch shows it: providers of these names, each on a host of its own."""
    providers = [played(each) for each in names or ("openai", "backup")]
    made: Object = build_policy(name, NAMESPACE, *providers, **spec)
    made["metadata"].update({"uid": uid, "generation": generation, "resourceVersion": str(generation)})
    return made


def played(name: str, **fields: Any) -> Object:
    """Return an entry of spec.providers."""
    return build_provider(name, "openai-compatible", **{"baseURL": f"http://{name}.example/v1", **fields})
