"""The long-lived tasks: when the operator is ready, when it is alive, and what the end of a task does."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import kopf
import pytest
from kubernetes.aio.client import Configuration
from tests.controller.played_cluster import CONFIG_MAP, POLICY, Cluster, PlayedApi, policy
from tests.kube.played_leases import TIMING, Candidate, Line, Store

from providerswitch.api import meta
from providerswitch.api.errors import ApiServerError
from providerswitch.controller.handlers import build_kopf_registry, build_kopf_settings
from providerswitch.controller.operator import Operator
from providerswitch.kube.client import JSON, Object
from providerswitch.kube.login import Login
from providerswitch.kube.objects import DRILLS, OVERRIDES

pytestmark = pytest.mark.looptime(start=0)


class WatchedApi(PlayedApi):
    """Also lists and watches: a watch lasts until `ending` is set, and then ends with its error."""

    def __init__(self) -> None:
        super().__init__()
        self.ending = asyncio.Event()
        self.error: BaseException = ApiServerError("watch", None)
        self.lists: Callable[[str], int | None] = lambda _path: None

    async def request(self, method: str, path: str, **rest: Any) -> Object:
        of_all = {"/apis/apps/v1/controllerrevisions", OVERRIDES.collection(None), DRILLS.collection(None)}
        if method == "GET" and (path.count("/") == 3 or path in of_all):  # of all namespaces
            status = self.lists(path)
            if status is not None:
                raise ApiServerError(rest["what"], status or None)
            return {"items": [], "metadata": {"resourceVersion": "1"}}
        return await super().request(method, path, **rest)

    async def stream(
        self, path: str, *, what: str, query: Mapping[str, str], accept: str = JSON
    ) -> AsyncIterator[Object]:
        await self.ending.wait()
        raise self.error
        yield {}


class Running:
    """An operator whose kopf is played: it works until told to stop."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.api = WatchedApi()
        self.cluster = Cluster(api=self.api)
        self.operator = self.cluster.operator
        self.kopf_ends = asyncio.Event()
        self.kopf_error: Exception | None = None
        self.signals_taken = 0
        self.task: asyncio.Task[None]

        async def play_kopf(_: Operator, started: asyncio.Event) -> None:
            started.set()
            await self.kopf_ends.wait()
            if self.kopf_error:
                raise self.kopf_error

        monkeypatch.setattr(Operator, "_run_kopf", play_kopf)

    def start(self) -> None:
        """Let it run; not in the fixture, which runs before the clock does."""
        self.task = asyncio.create_task(self.operator.run(self.take_signals))

    def take_signals(self) -> None:
        self.signals_taken += 1

    async def stop(self, within: float) -> None:
        """Tell it to stop; it has to be over by then."""
        self.task.cancel()
        await asyncio.wait([self.task], timeout=within)
        assert self.task.done()


@pytest.fixture
async def running(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Running]:
    made = Running(monkeypatch)
    yield made
    made.task.cancel()
    await asyncio.wait([made.task])


async def test_it_is_ready_once_all_that_is_published_is_known(running: Running) -> None:
    running.api.lists = lambda path: 503 if path.endswith("/services") else None
    running.start()
    await asyncio.sleep(10)
    assert not running.operator.ready
    assert running.operator.alive
    running.api.lists = lambda _path: None
    await asyncio.sleep(10)
    assert running.operator.ready


async def test_no_policy_is_reconciled_before_that(running: Running) -> None:
    running.api.lists = lambda _path: 0
    running.start()
    running.cluster.put(policy())
    await asyncio.sleep(50)
    assert running.cluster.published is None
    running.api.lists = lambda _path: None
    await asyncio.sleep(10)
    assert running.cluster.published == "openai"


async def test_a_broken_watch_is_begun_again_and_no_sign_of_death(running: Running) -> None:
    running.start()
    await asyncio.sleep(1)
    running.api.ending.set()
    await asyncio.sleep(60)
    assert (running.operator.ready, running.operator.alive) == (True, True)


async def test_a_watch_that_dies_of_a_bug_ends_the_operator(running: Running) -> None:
    running.start()
    await asyncio.sleep(1)
    running.api.error = RuntimeError("a bug")
    running.api.ending.set()
    await asyncio.wait([running.task], timeout=10)

    assert isinstance(running.task.exception(), ExceptionGroup)
    assert (running.operator.ready, running.operator.alive) == (False, False)


async def test_a_watch_that_ends_without_a_word_is_no_longer_alive(running: Running) -> None:
    running.start()
    await asyncio.sleep(1)
    running.api.error = asyncio.CancelledError()
    running.api.ending.set()
    await asyncio.sleep(1)

    assert not running.task.done()
    assert not running.operator.alive


async def test_the_signals_are_taken_back_from_kopf_once_it_has_started(running: Running) -> None:
    running.api.lists = lambda _path: 503
    running.start()
    await asyncio.sleep(10)
    assert running.signals_taken == 0
    running.api.lists = lambda _path: None
    await asyncio.sleep(10)
    assert running.signals_taken == 1


async def test_told_to_stop_it_stops_all_probes_at_once_and_says_no_longer_ready(running: Running) -> None:
    running.start()
    running.cluster.put(policy())
    await asyncio.sleep(5)
    running.cluster.provider("openai").seconds = 3600
    await asyncio.sleep(31)
    await running.stop(within=0.1)

    assert running.task.cancelled()
    assert not running.operator.ready
    assert running.operator.scheduler.targets == 0
    assert running.cluster.published == "openai"


async def test_told_to_stop_it_finishes_the_switch_under_way(running: Running) -> None:
    running.start()
    running.cluster.put(policy())
    await asyncio.sleep(5)
    running.api.seconds = lambda _path: 0.1
    running.cluster.put(policy(generation=2, primary="backup"))
    await asyncio.sleep(0.15)
    await running.stop(within=2)

    assert running.cluster.published == "backup"
    assert running.cluster.status["activeProvider"] == "backup"
    assert running.cluster.status["history"][0]["outcome"] == "Succeeded"


async def test_told_to_stop_it_waits_two_seconds_at_most(running: Running) -> None:
    running.start()
    running.cluster.put(policy())
    await asyncio.sleep(5)
    running.api.seconds = lambda _path: 15
    running.cluster.put(policy(generation=2, primary="backup"))
    await asyncio.sleep(1)
    await running.stop(within=2.1)


async def test_told_to_stop_it_begins_nothing_more(running: Running) -> None:
    running.start()
    await asyncio.sleep(1)
    running.api.seconds = lambda path: 0.6 if path == CONFIG_MAP else 0.001
    running.cluster.put(policy())
    await asyncio.sleep(0.5)
    running.task.cancel()
    await asyncio.sleep(0.1)
    running.cluster.put(policy(name="other", uid="uid-of-other"))
    await asyncio.wait([running.task])
    assert running.cluster.published == "openai"
    assert running.api.times("PATCH", CONFIG_MAP.replace(POLICY, "other")) == []


@pytest.mark.parametrize(("seconds", "at_once"), [(0.5, True), (8.0, False)])
async def test_the_lease_is_given_back_only_if_no_write_was_cut_off(
    seconds: float,
    at_once: bool,  # noqa: FBT001  # a parameter of the test
    running: Running,
) -> None:
    store = Store()
    leader, other = (Candidate(name, Line(store)) for name in ("leader", "other"))
    running.operator.election = leader.election
    running.start()
    await asyncio.sleep(1)
    other.start()
    running.api.seconds = lambda path: seconds if path == CONFIG_MAP else 0.001
    running.cluster.put(policy())
    while not running.api.times("PATCH", CONFIG_MAP):  # noqa: ASYNC110  # virtual time
        await asyncio.sleep(0.01)
    await running.stop(within=3)
    await asyncio.sleep(0.1)
    assert other.leads is at_once
    await asyncio.sleep(TIMING.lease)
    assert other.leads
    await other.stop()


async def test_kopf_that_ends_by_itself_ends_the_operator(running: Running) -> None:
    running.start()
    running.cluster.put(policy())
    await asyncio.sleep(5)
    running.kopf_ends.set()
    await asyncio.wait([running.task], timeout=0.1)

    assert running.task.done()
    assert not running.operator.ready
    assert running.operator.scheduler.targets == 0


async def test_the_only_policy_is_forgotten_at_once_if_it_was_deleted_while_kopf_could_not_watch(
    running: Running,
) -> None:
    running.operator.login = Login(Configuration(host="http://cluster.example"))
    running.start()
    await asyncio.sleep(1)
    running.cluster.put(policy())
    await asyncio.sleep(5)
    assert running.cluster.published == "openai"
    running.kopf_error = OSError("the connection broke")
    running.kopf_ends.set()
    await asyncio.sleep(1)
    running.kopf_error = None
    assert running.cluster.entry() is None


async def test_an_error_of_kopf_is_not_lost(running: Running) -> None:
    running.start()
    await asyncio.sleep(1)
    running.kopf_error = RuntimeError("watching failed")
    running.kopf_ends.set()
    await asyncio.wait([running.task], timeout=0.1)

    error = running.task.exception()
    assert isinstance(error, ExceptionGroup)
    assert error.exceptions == (running.kopf_error,)


def test_kopf_writes_nothing_to_policies() -> None:
    login: Any = None
    registry = build_kopf_registry(login, lambda _kind, _obj: None)
    resource = kopf.Resource(meta.GROUP, meta.VERSION, meta.POLICY_PLURAL)

    assert registry._watching.has_handlers(resource)
    for states in (registry._changing, registry._spawning, registry._indexing):
        assert not states.has_handlers(resource), "such a handler leaves annotations or finalizers"
    settings = build_kopf_settings()
    assert not settings.posting.loggers
    assert settings.scanning.disabled, "else it needs rights on namespaces and CRDs"
