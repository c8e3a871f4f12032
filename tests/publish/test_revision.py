"""A configuration as a ControllerRevision: its name is stable, and its metadata alone tells what it is."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providerswitch.controller.policy import spec_text
from providerswitch.core.history import Kept
from providerswitch.publish.choice import Owner
from providerswitch.publish.revision import (
    LONGEST_NAME,
    build_renumbering,
    build_revision,
    read_revision,
    revision_name,
)

OWNER = Owner("team-a", "chat", "uid-1")
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)
specs = st.dictionaries(st.text(), values)


def backwards(value: Any) -> Any:
    """Return the same value with the fields of its objects in the opposite order."""
    if isinstance(value, dict):
        return {key: backwards(inner) for key, inner in reversed(value.items())}
    return [backwards(inner) for inner in value] if isinstance(value, list) else value


def stored(body: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    """Return an object as a watch of metadata tells of it."""
    return {"metadata": {**body["metadata"], "uid": "uid-2", "resourceVersion": "7", **metadata}}


@given(specs)
def test_the_name_does_not_depend_on_the_order_of_fields(spec: dict[str, Any]) -> None:
    assert revision_name(OWNER, spec_text({"spec": spec})) == revision_name(OWNER, spec_text({"spec": backwards(spec)}))


@given(specs, specs)
def test_other_specs_have_other_names(one: dict[str, Any], other: dict[str, Any]) -> None:
    names = {revision_name(OWNER, spec_text({"spec": spec})) for spec in (one, other)}
    assert len(names) == len({spec_text({"spec": one}), spec_text({"spec": other})})


def test_a_policy_of_the_same_name_and_spec_that_comes_later_has_other_names() -> None:
    assert revision_name(OWNER, "{}") != revision_name(Owner("team-a", "chat", "uid-2"), "{}")


@pytest.mark.parametrize("policy", ["chat", "a" * 253, "a" * 241 + ".b" + "c" * 10])
def test_a_name_fits_whatever_the_policy_is_called(policy: str) -> None:
    name = revision_name(Owner("team-a", policy, "uid-1"), "{}")
    assert len(name) <= LONGEST_NAME
    assert ".-" not in name


@given(specs, st.integers(1, 10**9), st.booleans())
def test_metadata_alone_tells_number_and_mark(spec: dict[str, Any], number: int, good: bool) -> None:  # noqa: FBT001  # as Hypothesis calls it
    text = spec_text({"spec": spec})
    kept = Kept(revision_name(OWNER, text), number, good)
    body = build_revision(OWNER, text, kept)
    read = read_revision(stored(body))
    assert read is not None
    assert (read.kept, read.policy, read.policy_uid) == (kept, "chat", "uid-1")
    assert body["revision"] == number
    assert body["data"]["spec"] == json.loads(json.dumps(spec))


def test_what_another_controller_keeps_is_none_of_ours() -> None:
    reference = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "chat", "uid": "uid-1"}
    body = build_revision(OWNER, "{}", Kept("chat-1", 1))
    assert read_revision(stored(body, ownerReferences=[reference])) is None
    assert read_revision(stored(body, ownerReferences=None)) is None


@pytest.mark.parametrize("text", ["", "three", "-1", "٣", "1" * 19])
def test_a_number_that_somebody_spoilt_counts_as_none(text: str) -> None:
    body = build_revision(OWNER, "{}", Kept("chat-1", 1))
    read = read_revision(stored(body, labels={"providerswitch.dev/generation": text}))
    assert read is not None
    assert read.kept.number == 0


def test_a_new_number_takes_the_mark_away() -> None:
    labels = build_renumbering(OWNER, "uid-2", Kept("chat-1", 3))["metadata"]["labels"]
    assert labels["providerswitch.dev/last-good"] is None
