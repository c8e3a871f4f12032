"""Policies that went while nobody could tell are found, and nothing else is taken for gone."""

import asyncio
from collections.abc import Callable, Mapping

import pytest
from tests.controller.played_cluster import KEY, policy

from providerswitch.api.errors import ApiServerError
from providerswitch.controller.registry import Registry
from providerswitch.controller.sweeping import SWEEP_SECONDS, sweep, sweep_forever
from providerswitch.kube.client import JSON, KubeClient, Object
from providerswitch.kube.objects import ObjectKey

pytestmark = pytest.mark.looptime(start=0)


class Listing(KubeClient):
    """Answers every list with the same uids; `meanwhile` happens while it is under way."""

    def __init__(self, *uids: str, meanwhile: Callable[[], None] = lambda: None) -> None:
        self.uids = uids
        self.meanwhile = meanwhile
        self.fails = False
        self.paths: list[str] = []

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
        self.paths.append(path)
        self.meanwhile()
        if self.fails:
            raise ApiServerError(what, None)
        return {"items": [{"metadata": {"uid": uid}} for uid in self.uids]}


@pytest.fixture
def registry() -> Registry:
    made = Registry(lambda _entry: None)
    made.put(policy(uid="uid-1"))
    return made


async def test_a_policy_that_is_gone_is_forgotten(registry: Registry) -> None:
    gone: list[ObjectKey] = []
    await sweep(Listing("uid-9"), (), registry, gone.append)
    assert gone == [KEY]


async def test_a_policy_that_exists_stays(registry: Registry) -> None:
    gone: list[ObjectKey] = []
    await sweep(Listing("uid-1"), ("team-a", "team-b"), registry, gone.append)
    assert gone == []


async def test_a_policy_that_is_made_during_the_list_stays(registry: Registry) -> None:
    gone: list[ObjectKey] = []
    made = policy(name="young", uid="uid-2")
    await sweep(Listing("uid-1", meanwhile=lambda: bool(registry.put(made)) and None), (), registry, gone.append)
    assert gone == []


async def test_a_policy_that_was_made_anew_during_the_list_stays(registry: Registry) -> None:
    gone: list[ObjectKey] = []
    await sweep(Listing(meanwhile=lambda: bool(registry.put(policy(uid="uid-2"))) and None), (), registry, gone.append)
    assert gone == []


async def test_a_list_that_fails_forgets_nothing_and_is_tried_again(registry: Registry) -> None:
    gone: list[ObjectKey] = []
    client = Listing("uid-9")
    client.fails = True
    task = asyncio.create_task(sweep_forever(client, ("team-a",), registry, gone.append, lambda: None))
    await asyncio.sleep(SWEEP_SECONDS * 1.5)
    assert (gone, len(client.paths)) == ([], 1)
    client.fails = False
    await asyncio.sleep(SWEEP_SECONDS)
    assert gone == [KEY]
    task.cancel()


async def test_a_sweep_that_is_asked_for_comes_at_once(registry: Registry) -> None:
    gone: list[ObjectKey] = []
    soon = asyncio.Event()
    task = asyncio.create_task(sweep_forever(Listing("uid-9"), (), registry, gone.append, lambda: None, soon))
    await asyncio.sleep(1)
    soon.set()
    await asyncio.sleep(0.1)
    assert gone == [KEY]
    task.cancel()
