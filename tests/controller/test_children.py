"""What is published, as the watch tells it: late news of our own writes must not look like somebody else's."""

from typing import Any

import pytest
from tests.controller.played_cluster import KEY

from providerswitch.controller.children import Children
from providerswitch.kube.objects import ObjectKey
from providerswitch.publish.choice import Owner
from providerswitch.publish.targets import TargetKey

OWNER = Owner(KEY.namespace, KEY.name, "uid")
TARGET = TargetKey("ConfigMap", ObjectKey(KEY.namespace, "choice"))


class Watched:
    """Children, and what they told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []
        self.children = Children(lambda target, obj: self.told.append((target.key.name, version(obj))))
        self.listener = self.children.listener("ConfigMap")


def config_map(revision: int, name: str = "choice", policy: str | None = KEY.name) -> dict[str, Any]:
    owners = [{"kind": "ProviderSwitchPolicy", "name": policy}] if policy else []
    metadata = {"name": name, "namespace": KEY.namespace, "resourceVersion": str(revision), "ownerReferences": owners}
    return {"kind": "ConfigMap", "metadata": metadata}


def version(obj: dict[str, Any]) -> str:
    found: str = obj["metadata"]["resourceVersion"]
    return found


@pytest.fixture
def watched() -> Watched:
    return Watched()


def test_lists_leave_out_the_kind_and_it_is_put_back(watched: Watched) -> None:
    obj = config_map(1)
    del obj["kind"]
    watched.listener.replaced([obj])

    assert (watched.children.get(TARGET) or {})["kind"] == "ConfigMap"
    assert watched.children.of(OWNER) == {TARGET}


def test_late_news_of_an_older_state_is_not_believed(watched: Watched) -> None:
    watched.children.keep(config_map(10))
    watched.listener.changed(config_map(9))
    watched.listener.deleted(config_map(9))
    watched.listener.replaced([config_map(9)])

    assert watched.told == []
    assert version(watched.children.get(TARGET) or {}) == "10"


def test_versions_are_compared_as_numbers(watched: Watched) -> None:
    watched.listener.changed(config_map(99))
    watched.listener.changed(config_map(100))

    assert [seen for _, seen in watched.told] == ["99", "100"]


def test_a_deletion_is_told_and_forgotten(watched: Watched) -> None:
    watched.listener.changed(config_map(1))
    watched.listener.deleted(config_map(2))

    assert watched.told[-1] == ("choice", "2")
    assert watched.children.get(TARGET) is None
    assert watched.children.of(OWNER) == frozenset()


def test_what_a_new_list_does_not_hold_is_gone(watched: Watched) -> None:
    watched.listener.replaced([config_map(1), config_map(1, "other")])
    watched.told.clear()
    watched.listener.replaced([config_map(1, "other")])

    assert watched.told[0] == ("choice", "1")
    assert watched.children.get(TARGET) is None


def test_a_list_of_one_kind_says_nothing_of_another(watched: Watched) -> None:
    watched.listener.replaced([config_map(1)])
    watched.children.listener("Service").replaced([])

    assert watched.children.get(TARGET)


def test_an_object_that_changes_hands_changes_its_owner(watched: Watched) -> None:
    watched.listener.changed(config_map(1))
    watched.listener.changed(config_map(2, policy="another"))

    assert watched.children.of(OWNER) == frozenset()
    watched.listener.changed(config_map(3, policy=None))
    assert watched.children.of(Owner(KEY.namespace, "another", "uid")) == frozenset()
    assert watched.children.get(TARGET)


def test_the_list_of_one_namespace_says_nothing_about_another(watched: Watched) -> None:
    here, there = config_map(1), config_map(2, name="elsewhere")
    there["metadata"]["namespace"] = "team-b"
    watched.children.listener("ConfigMap", KEY.namespace).replaced([here])
    watched.children.listener("ConfigMap", "team-b").replaced([there])
    assert watched.children.get(TARGET) == {"apiVersion": "v1", **here}
    watched.children.listener("ConfigMap", "team-b").replaced([])
    assert watched.children.get(TARGET) == {"apiVersion": "v1", **here}
    assert [name for name, _ in watched.told] == ["choice", "elsewhere", "elsewhere"]


def test_a_list_tells_nothing_about_what_was_written_after_it(watched: Watched) -> None:
    watched.listener.listed("5", False)
    watched.listener.replaced([config_map(4)])
    watched.children.keep(config_map(10))
    watched.children.keep(config_map(11, "other"))
    watched.told.clear()
    watched.listener.listed("9", False)
    watched.listener.replaced([config_map(4)])

    assert watched.told == []
    assert version(watched.children.get(TARGET) or {}) == "10"


def test_what_a_restored_backup_holds_is_believed_though_its_versions_are_lower(watched: Watched) -> None:
    watched.listener.listed("90", False)
    watched.listener.replaced([config_map(80), config_map(85, "other")])
    watched.listener.changed(config_map(95))
    watched.told.clear()
    watched.listener.listed("60", True)
    watched.listener.replaced([config_map(50)])
    watched.listener.changed(config_map(61))

    assert watched.told == [("other", "85"), ("choice", "50"), ("choice", "61")]
    assert version(watched.children.get(TARGET) or {}) == "61"


def test_what_a_restored_backup_holds_is_believed_though_much_was_written_since(watched: Watched) -> None:
    undone: list[bool] = []
    watched.children.on_undone = lambda: undone.append(True)
    watched.listener.listed("90", False)
    watched.listener.replaced([config_map(80)])
    watched.listener.listed("100", False)
    watched.listener.replaced([config_map(81)])
    assert undone == []
    watched.listener.listed("900", False)
    watched.listener.replaced([config_map(50)])

    assert undone == [True]
    assert version(watched.children.get(TARGET) or {}) == "50"


def test_the_keys_in_a_secret_cannot_be_printed_however_they_came_in() -> None:
    watched, target = Watched(), TargetKey("Secret", TARGET.key)
    for take in (watched.children.keep, watched.children.listener("Secret").changed):
        take({**config_map(1), "kind": "Secret", "data": {"LLM_API_KEY": "c2stc2VjcmV0"}})
        kept = watched.children.get(target)
        assert kept
        assert kept["data"] == {"LLM_API_KEY": "c2stc2VjcmV0"}
        assert "c2stc2VjcmV0" not in f"{kept} {kept!r}"
