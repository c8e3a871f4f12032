"""After a restart the objects are believed: what was published is committed, what was not is forgotten."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.controller.played_cluster import KEY, NAMESPACE, POLICY, policy

from providerswitch.api.status import PolicyStatus, SwitchCounts
from providerswitch.controller.children import Children
from providerswitch.controller.entry import Entry
from providerswitch.controller.policy import Policy, parse_policy
from providerswitch.controller.restoring import restore
from providerswitch.core.memory import Memory
from providerswitch.publish.choice import Choice
from providerswitch.publish.config_map import build_config_map

DECIDED = datetime(2026, 1, 1, 12, tzinfo=UTC)
NOW = DECIDED + timedelta(seconds=3)


def parsed() -> Policy:
    found = parse_policy(policy())
    assert isinstance(found, Policy)
    return found


def entry(**memory: Any) -> Entry:
    return Entry(KEY, "uid-of-policy", PolicyStatus(), Memory(**memory), parsed())


def published(active: str, revision: int, previous: str | None = None) -> dict[str, Any]:
    found = parsed()
    provider = found.spec.provider(active)
    assert provider
    choice = Choice(found.owner, found.spec, provider, revision, "Failover", "openai is down", DECIDED, previous)
    obj = build_config_map(choice)
    obj["metadata"]["resourceVersion"] = "1"
    return obj


def seen(*objects: dict[str, Any]) -> Children:
    children = Children(lambda _target, _obj: None)
    children.listener("ConfigMap").replaced(list(objects))
    return children


def test_a_switch_that_was_published_but_not_recorded_is_committed_and_will_be_told() -> None:
    restored = entry(active="openai", revision=4, active_since=DECIDED)

    restore(restored, seen(published("backup", 5, "openai")), NOW)

    memory = restored.memory
    assert (memory.active, memory.revision, memory.active_since) == ("backup", 5, NOW)
    assert memory.counts == SwitchCounts(total=1, succeeded=1)
    (switch,) = memory.history
    assert (switch.from_provider, switch.to, switch.trigger, switch.outcome) == (
        "openai",
        "backup",
        "Failover",
        "Resumed",
    )
    assert switch.switch_millis == 3000
    assert restored.unannounced == [switch]
    assert restored.publication
    assert restored.publication.active == "backup"


def test_what_status_and_objects_agree_on_is_kept() -> None:
    restored = entry(active="backup", revision=5, active_since=DECIDED)
    before = restored.memory

    restore(restored, seen(published("backup", 5, "openai")), NOW)

    assert restored.memory == before
    assert restored.unannounced == []
    assert restored.publication
    assert restored.publication.revision == 5


def test_with_the_status_lost_the_published_choice_is_adopted_without_a_made_up_switch() -> None:
    restored = entry()

    restore(restored, seen(published("backup", 5, "openai")), NOW)

    assert (restored.memory.active, restored.memory.revision) == ("backup", 5)
    assert restored.memory.active_since == DECIDED
    assert restored.memory.history == ()
    assert restored.unannounced == []


def test_a_new_revision_of_the_same_provider_is_no_switch() -> None:
    restored = entry(active="backup", revision=4, active_since=DECIDED)

    restore(restored, seen(published("backup", 5)), NOW)

    assert (restored.memory.revision, restored.memory.active_since) == (5, DECIDED)
    assert restored.memory.history == ()


def test_objects_older_than_the_status_are_not_believed() -> None:
    restored = entry(active="backup", revision=6)

    restore(restored, seen(published("openai", 5)), NOW)

    assert (restored.memory.active, restored.memory.revision) == ("backup", 6)
    assert restored.publication is None


def test_a_first_start_finds_nothing_and_makes_nothing_up() -> None:
    restored = entry()

    restore(restored, seen(), NOW)

    assert restored.restored
    assert restored.memory == Memory()
    assert restored.publication is None


def _of_nobody(obj: dict[str, Any]) -> None:
    del obj["metadata"]["ownerReferences"]


def _of_another_policy(obj: dict[str, Any]) -> None:
    obj["metadata"]["ownerReferences"][0]["name"] = "another"


def _of_another_kind(obj: dict[str, Any]) -> None:
    obj["metadata"]["ownerReferences"][0]["apiVersion"] = "example.com/v1"


def _garbled(obj: dict[str, Any]) -> None:
    obj["data"]["provider.json"] = "{"


def _emptied(obj: dict[str, Any]) -> None:
    obj["data"] = None


def _forged_revision(obj: dict[str, Any]) -> None:
    document = json.loads(obj["data"]["provider.json"])
    obj["data"]["provider.json"] = json.dumps({**document, "revision": "many"})


@pytest.mark.parametrize(
    "spoil", [_of_nobody, _of_another_policy, _of_another_kind, _garbled, _emptied, _forged_revision]
)
def test_what_is_not_ours_or_cannot_be_read_is_not_believed(spoil: Any) -> None:
    obj = published("backup", 5)
    spoil(obj)
    restored = entry(active="openai", revision=4)

    restore(restored, seen(obj), NOW)

    assert (restored.memory.active, restored.memory.revision) == ("openai", 4)


def test_a_clock_that_went_back_makes_no_negative_duration() -> None:
    restored = entry(active="openai", revision=4)

    restore(restored, seen(published("backup", 5, "openai")), DECIDED - timedelta(hours=1))

    assert restored.memory.history[0].switch_millis == 0


def test_the_config_map_is_looked_for_under_the_name_in_the_spec() -> None:
    obj = published("backup", 5)
    obj["metadata"]["name"] = f"{POLICY}-elsewhere"
    assert obj["metadata"]["namespace"] == NAMESPACE
    restored = entry(active="openai", revision=4)

    restore(restored, seen(obj), NOW)

    assert restored.memory.active == "openai"
