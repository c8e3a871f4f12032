"""Limits of a namespace in the operator: who is served, who waits, who comes in, and what a restart makes of it."""

import asyncio
import copy
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.controller.played_cluster import NAMESPACE, Cluster, played, policy

from providerswitch.api import meta
from providerswitch.api.health import HealthClass
from providerswitch.api.status import PolicyStatus
from providerswitch.controller.limits import Admission
from providerswitch.core.event_room import BURST, REFILL
from providerswitch.core.limits import Limits
from providerswitch.kube.client import Object
from providerswitch.kube.objects import ObjectKey

pytestmark = pytest.mark.looptime(start=0)

TWO = Limits(policies=2)


def aged(name: str, minute: int = 0, *, providers: int = 2, generation: int = 1) -> Object:
    """Return a policy made at a minute, with providers of its own."""
    listed = [played(f"{name}-{number}") for number in range(providers)]
    made = policy(name=name, uid=f"uid-{name}", generation=generation, providers=listed, primary=f"{name}-0")
    made["metadata"]["creationTimestamp"] = f"2026-01-01T00:{minute:02}:00Z"
    return made


def status_path(name: str) -> str:
    return f"/apis/{meta.API_VERSION}/namespaces/{NAMESPACE}/{meta.POLICY_PLURAL}/{name}/status"


def config_map(name: str) -> str:
    return f"/api/v1/namespaces/{NAMESPACE}/configmaps/{name}-provider"


def status_of(cluster: Cluster, name: str) -> dict[str, Any]:
    return dict(cluster.api.objects.get(status_path(name), {}).get("status", {}))


def ready(cluster: Cluster, name: str) -> tuple[str, str]:
    found = next(each for each in status_of(cluster, name)["conditions"] if each["type"] == "Ready")
    return found["status"], found["reason"]


def probed(cluster: Cluster) -> set[str]:
    """Return the policies for which something was asked."""
    return {name.rpartition("-")[0] for name, provider in cluster.providers.items() if provider.asked}


def as_stored(cluster: Cluster, *objects: Object) -> list[Object]:
    """Return policies as a list tells of them after a restart: with their status."""
    return [{**copy.deepcopy(obj), "status": status_of(cluster, obj["metadata"]["name"])} for obj in objects]


def restart(cluster: Cluster, policies: Sequence[Object], limits: Limits) -> Cluster:
    """Start another operator on the same API server."""
    new = Cluster(api=cluster.api, limits=limits)
    for path, obj in cluster.api.objects.items():
        if "/configmaps/" in path:
            new.operator.children.listener("ConfigMap").changed(copy.deepcopy(obj))
    new.operator.registry.allot(policies)
    for obj in policies:
        new.put(obj)
    new.start()
    return new


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    made = Cluster(limits=TWO)
    made.start()
    yield made
    await made.stop()


async def test_a_policy_over_the_limit_is_told_so_and_neither_probed_nor_published(cluster: Cluster) -> None:
    for minute, name in enumerate("abc"):
        cluster.put(aged(name, minute))
    await asyncio.sleep(120)

    assert probed(cluster) == {"a", "b"}
    assert ready(cluster, "c") == ("False", "LimitExceeded")
    assert config_map("b") in cluster.api.objects
    assert config_map("c") not in cluster.api.objects
    assert cluster.api.events().count("LimitExceeded") == 1
    assert cluster.value("providerswitch_policies_over_limit", namespace=NAMESPACE) == 1


async def test_a_provider_that_comes_and_goes_does_not_flood_the_namespace_with_events(cluster: Cluster) -> None:
    cluster.provider("openai").answers = [HealthClass.HEALTHY, HealthClass.SERVER_ERROR]
    check = {"interval": "1s", "failureThreshold": 1, "recoveryThreshold": 1}
    cluster.put(policy(healthCheck=check, failover={"blacklistDuration": "0s", "minDwell": "0s"}))
    await asyncio.sleep(600)
    written = sum(method == "POST" for _, method, _ in cluster.api.asked)
    assert BURST < written <= BURST + 600 / REFILL.total_seconds() + 1
    assert len(cluster.provider("openai").asked) > 3 * written


async def test_what_is_told_of_it_is_told_once_however_many_come_after_it(cluster: Cluster) -> None:
    for minute, name in enumerate("abcdefgh"):
        cluster.put(aged(name, minute))
        await asyncio.sleep(1)
    entry = cluster.entry("c")
    assert entry
    cluster.operator.reconciler.wake(entry)
    await asyncio.sleep(1)

    assert len(cluster.api.times("PATCH", status_path("c"))) == 1
    assert cluster.value("providerswitch_policies_over_limit", namespace=NAMESPACE) == 6
    assert cluster.value("providerswitch_policy_ready", namespace=NAMESPACE, policy="c") is None


async def test_it_comes_in_by_itself_as_soon_as_another_is_deleted(cluster: Cluster) -> None:
    made = [aged(name, minute) for minute, name in enumerate("abcd")]
    for obj in made:
        cluster.put(obj)
    await asyncio.sleep(5)
    cluster.delete(made[0])
    await asyncio.sleep(0.1)

    assert ready(cluster, "c") == ("True", "PrimaryHealthy")
    assert config_map("c") in cluster.api.objects
    assert ready(cluster, "d") == ("False", "LimitExceeded")
    assert cluster.value("providerswitch_policies_over_limit", namespace=NAMESPACE) == 1
    cluster.delete(made[1])
    assert cluster.value("providerswitch_policies_over_limit", namespace=NAMESPACE) is None


async def test_one_that_waits_and_is_deleted_makes_room_for_nobody(cluster: Cluster) -> None:
    made = [aged(name, minute) for minute, name in enumerate("abcd")]
    for obj in made:
        cluster.put(obj)
    cluster.delete(made[2])
    await asyncio.sleep(1)
    assert ready(cluster, "d") == ("False", "LimitExceeded")


async def test_one_that_is_made_anew_waits_behind_the_others(cluster: Cluster) -> None:
    for minute, name in enumerate("abc"):
        cluster.put(aged(name, minute))
    await asyncio.sleep(1)
    again = aged("a", 9)
    again["metadata"]["uid"] = "uid-of-another"
    cluster.put(again)
    await asyncio.sleep(1)
    assert ready(cluster, "a") == ("False", "LimitExceeded")
    assert ready(cluster, "c") == ("True", "PrimaryHealthy")


async def test_other_namespaces_have_places_of_their_own(cluster: Cluster) -> None:
    for minute, name in enumerate("abc"):
        cluster.put(aged(name, minute))
    other = aged("d", 9)
    other["metadata"]["namespace"] = "team-b"
    cluster.operator.on_policy("ADDED", other)
    await asyncio.sleep(1)
    assert "/api/v1/namespaces/team-b/configmaps/d-provider" in cluster.api.objects


async def test_a_policy_that_grows_over_the_limit_is_refused_and_goes_on_with_its_former_spec() -> None:
    cluster = Cluster(limits=Limits(providers=5))
    cluster.start()
    cluster.put(aged("old"))
    cluster.put(aged("young", 1))
    await asyncio.sleep(1)
    cluster.put(aged("old", providers=4, generation=2))
    await asyncio.sleep(1)

    assert ready(cluster, "old") == ("False", "LimitExceeded")
    assert ready(cluster, "young") == ("True", "PrimaryHealthy")
    assert "LimitExceeded" in cluster.api.events()
    assert set(cluster.providers) == {"old-0", "old-1", "young-0", "young-1"}
    cluster.provider("old-0").health_class = HealthClass.SERVER_ERROR
    await asyncio.sleep(60)
    assert cluster.api.objects[config_map("old")]["data"]["LLM_PROVIDER"] == "old-1"
    cluster.delete(aged("young", 1))
    await asyncio.sleep(1)
    assert ready(cluster, "old")[0] == "True"
    assert "old-3" in cluster.providers
    await cluster.stop()


async def test_an_edit_that_makes_it_smaller_again_is_served_at_once() -> None:
    cluster = Cluster(limits=Limits(providers=5))
    cluster.start()
    cluster.put(aged("old"))
    cluster.put(aged("young", 1))
    await asyncio.sleep(1)
    cluster.put(aged("old", providers=4, generation=2))
    await asyncio.sleep(1)
    cluster.put(aged("old", providers=3, generation=3))
    await asyncio.sleep(1)
    assert ready(cluster, "old") == ("True", "PrimaryHealthy")
    assert "old-2" in cluster.providers
    await cluster.stop()


async def test_one_that_shrinks_lets_another_in() -> None:
    cluster = Cluster(limits=Limits(providers=5))
    cluster.start()
    cluster.put(aged("a", providers=4))
    cluster.put(aged("b", 1, providers=3))
    await asyncio.sleep(1)
    assert ready(cluster, "b") == ("False", "LimitExceeded")
    cluster.put(aged("a", providers=2, generation=2))
    await asyncio.sleep(1)
    assert ready(cluster, "b") == ("True", "PrimaryHealthy")
    await cluster.stop()


async def test_a_spec_that_cannot_be_read_stays_told_as_such_when_a_place_becomes_free(cluster: Cluster) -> None:
    made = [aged(name, minute) for minute, name in enumerate("abc")]
    for obj in made:
        cluster.put(obj)
    broken = aged("c", 2, generation=2)
    broken["spec"]["primary"] = "nobody"
    cluster.put(broken)
    cluster.delete(made[0])
    await asyncio.sleep(1)
    assert ready(cluster, "c") == ("False", "SpecInvalid")
    cluster.put(aged("c", 2, generation=3))
    await asyncio.sleep(1)
    assert ready(cluster, "c") == ("True", "PrimaryHealthy")


@pytest.mark.parametrize("order", ["abc", "cba", "bca"])
async def test_a_restart_decides_the_same_in_whatever_order_policies_are_told(order: str, cluster: Cluster) -> None:
    """`c` is the oldest, but the others were here when it came back from another namespace's backup."""
    made = {"a": aged("a", 1), "b": aged("b", 2), "c": aged("c", 0)}
    for obj in made.values():
        cluster.put(obj)
    await asyncio.sleep(1)
    await cluster.stop()
    writes = len(cluster.api.times("PATCH", status_path("c")))
    stored = {obj["metadata"]["name"]: obj for obj in as_stored(cluster, *made.values())}
    new = restart(cluster, [stored[name] for name in order], TWO)
    await asyncio.sleep(1)

    assert probed(new) == {"a", "b"}
    assert len(cluster.api.times("PATCH", status_path("c"))) == writes
    assert cluster.api.events().count("LimitExceeded") == 1
    await new.stop()


async def test_after_a_restart_one_that_has_grown_still_has_its_place_and_what_it_published_stays() -> None:
    limits = Limits(providers=5)
    cluster = Cluster(limits=limits)
    cluster.start()
    grown = aged("old", providers=4, generation=2)
    for obj in (aged("old"), aged("young", 1)):
        cluster.put(obj)
    await asyncio.sleep(1)
    cluster.put(grown)
    await asyncio.sleep(1)
    await cluster.stop()
    new = restart(cluster, as_stored(cluster, grown, aged("young", 1)), limits)
    late = aged("late", 2)
    new.put(late)
    await asyncio.sleep(1)

    assert probed(new) == {"young"}
    assert ready(new, "old") == ready(new, "late") == ("False", "LimitExceeded")
    assert status_of(new, "old")["activeProvider"] == "old-0"
    assert config_map("old") in new.api.objects
    new.put(aged("old", generation=3))
    await asyncio.sleep(1)
    assert ready(new, "old") == ("True", "PrimaryHealthy")
    await new.stop()


async def test_a_spec_that_cannot_be_read_holds_no_more_after_a_restart_than_what_is_in_force() -> None:
    limits = Limits(providers=5)
    cluster = Cluster(limits=limits)
    cluster.start()
    for obj in (aged("old"), aged("young", 1)):
        cluster.put(obj)
    await asyncio.sleep(1)
    unreadable = aged("old", providers=4, generation=2)
    unreadable["spec"]["primary"] = "nobody"
    cluster.put(unreadable)
    await asyncio.sleep(1)
    assert ready(cluster, "old") == ("False", "SpecInvalid")
    await cluster.stop()
    new = restart(cluster, as_stored(cluster, unreadable, aged("young", 1)), limits)
    await asyncio.sleep(1)

    assert ready(new, "young") == ("True", "PrimaryHealthy")
    assert probed(new) == {"young"}
    await new.stop()


async def test_a_lower_limit_after_a_restart_takes_the_youngest_out_and_leaves_what_they_published(
    cluster: Cluster,
) -> None:
    made = [aged(name, minute) for minute, name in enumerate("ab")]
    for obj in made:
        cluster.put(obj)
    await asyncio.sleep(1)
    await cluster.stop()
    new = restart(cluster, as_stored(cluster, *made), Limits(policies=1))
    await asyncio.sleep(1)
    assert probed(new) == {"a"}
    assert ready(new, "b") == ("False", "LimitExceeded")
    assert config_map("b") in new.api.objects
    await new.stop()


async def test_whoever_turns_out_to_have_no_place_is_no_longer_probed(cluster: Cluster) -> None:
    """A replica that stood by may have decided otherwise than the one that led; what that one wrote counts."""
    made = [aged(name) for name in "abc"]
    for obj in made:
        cluster.put(obj)
    await asyncio.sleep(1)
    stored = as_stored(cluster, *made)
    for obj, served in zip(stored, (True, False, True), strict=True):
        obj["status"] = {"observedGeneration": 1} if served else {}
    cluster.operator.registry.allot(stored)
    for entry in cluster.operator.registry:
        cluster.operator.reconciler.wake(entry)
    await asyncio.sleep(1)
    asked = len(cluster.provider("b-0").asked)
    await asyncio.sleep(120)

    assert len(cluster.provider("b-0").asked) == asked
    assert ready(cluster, "b") == ("False", "LimitExceeded")
    assert ready(cluster, "c") == ("True", "PrimaryHealthy")


async def test_a_policy_that_came_after_the_others_were_read_keeps_its_place(cluster: Cluster) -> None:
    cluster.put(aged("a"))
    await asyncio.sleep(1)
    read = as_stored(cluster, aged("a"))
    cluster.put(aged("b", 1))
    cluster.operator.registry.allot(read)
    cluster.put(aged("c", 2))
    await asyncio.sleep(1)
    assert ready(cluster, "b") == ("True", "PrimaryHealthy")
    assert ready(cluster, "c") == ("False", "LimitExceeded")


Step = tuple[str, str, int]
STEPS = st.lists(st.tuples(st.sampled_from(["put", "put", "leave"]), st.sampled_from("abcdef"), st.integers(1, 9)))


@given(STEPS, st.builds(Limits, policies=st.integers(0, 4), providers=st.integers(0, 20)))
def test_step_by_step_no_limit_is_exceeded_and_nobody_waits_who_would_fit(steps: list[Step], limits: Limits) -> None:
    admission, known = Admission(limits), dict[str, Object]()
    for number, (verb, name, providers) in enumerate(steps):
        if verb == "leave":
            admission.leave(ObjectKey(NAMESPACE, name))
            known.pop(name, None)
        else:
            former = known.get(name)
            minute = int(former["metadata"]["creationTimestamp"][14:16]) if former else number % 7
            known[name] = aged(name, minute, providers=providers)
            admission.meet(known[name], PolicyStatus())
            admission.resize(ObjectKey(NAMESPACE, name), providers)
        held = {each: admission.holds(ObjectKey(NAMESPACE, each)) for each in known}
        refused = {each for each in known if admission.refusal(ObjectKey(NAMESPACE, each))}
        sums = [len(obj["spec"]["providers"]) for each, obj in known.items() if each not in refused]
        assert {each for each, has in held.items() if not has} <= refused
        assert not limits.policies or sum(held.values()) <= limits.policies
        assert not limits.providers or sum(sums) <= limits.providers
        if not any(held[each] for each in refused):
            for each in refused:
                full = limits.policies and sum(held.values()) >= limits.policies
                more = sum(sums) + len(known[each]["spec"]["providers"])
                assert full or (limits.providers and more > limits.providers)
        assert admission.over() == ({NAMESPACE: len(refused)} if refused else {})
