"""Whose an object is, which revision it carries, and whether it still says what we wrote."""

import copy
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.publish.choices import OWNER, choose_one

from providerswitch.api import meta
from providerswitch.publish.choice import Owner
from providerswitch.publish.metadata import (
    Ownership,
    build_metadata,
    drifted,
    label_value,
    owned_part,
    ownership,
    revision_of,
)

LABEL_VALUE = re.compile(r"[a-z0-9]([-a-z0-9_.]{0,61}[a-z0-9])?")
names = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,80}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,80}[a-z0-9])?){0,2}", fullmatch=True)

OUR_REFERENCE = {
    "apiVersion": "providerswitch.dev/v1alpha1",
    "kind": "ProviderSwitchPolicy",
    "name": "assistant",
    "uid": "uid-1",
    "controller": True,
    "blockOwnerDeletion": False,
}
OTHERS_REFERENCE = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "assistant", "uid": "uid-9"}


def build_object(*references: dict[str, Any], **annotations: str) -> dict[str, Any]:
    return {"metadata": {"ownerReferences": list(references), "annotations": annotations}}


def test_a_published_object_is_found_by_label_and_goes_with_its_policy() -> None:
    assert build_metadata("assistant-provider", choose_one()) == {
        "name": "assistant-provider",
        "namespace": "team-a",
        "labels": {"app.kubernetes.io/managed-by": "providerswitch", "providerswitch.dev/policy": "assistant"},
        "annotations": {"providerswitch.dev/revision": "7"},
        "ownerReferences": [OUR_REFERENCE],
    }


@given(names)
def test_any_policys_name_fits_into_a_label(name: str) -> None:
    assert LABEL_VALUE.fullmatch(label_value(name))
    assert name.startswith(label_value(name))


def test_a_long_name_is_cut_where_a_label_may_end() -> None:
    assert label_value("a" * 62 + "-b") == "a" * 62
    assert label_value("a" * 61 + ".-b") == "a" * 61


OWNERSHIPS = {
    "nothing there": (None, Ownership.ABSENT),
    "ours": (build_object(OUR_REFERENCE), Ownership.OURS),
    "ours of a newer version": (
        build_object({**OUR_REFERENCE, "apiVersion": "providerswitch.dev/v1"}),
        Ownership.OURS,
    ),
    "left by a deleted policy of the same name": (build_object({**OUR_REFERENCE, "uid": "old"}), Ownership.OURS),
    "ours and somebody else's": (build_object(OTHERS_REFERENCE, OUR_REFERENCE), Ownership.OURS),
    "nobody's": (build_object(), Ownership.FOREIGN),
    "nobody's, no metadata to speak of": ({"metadata": {}}, Ownership.FOREIGN),
    "handed over": (build_object(**{meta.ADOPT_ANNOTATION: "true"}), Ownership.ADOPTABLE),
    "not quite handed over": (build_object(**{meta.ADOPT_ANNOTATION: "yes"}), Ownership.FOREIGN),
    "somebody else's": (build_object(OTHERS_REFERENCE), Ownership.FOREIGN),
    "somebody else's, handed over by mistake": (
        build_object(OTHERS_REFERENCE, **{meta.ADOPT_ANNOTATION: "true"}),
        Ownership.FOREIGN,
    ),
    "another policy's": (build_object({**OUR_REFERENCE, "name": "other"}), Ownership.FOREIGN),
    "another policy's, handed over by mistake": (
        build_object({**OUR_REFERENCE, "name": "other"}, **{meta.ADOPT_ANNOTATION: "true"}),
        Ownership.FOREIGN,
    ),
    "a namesake's of another group": (
        build_object({**OUR_REFERENCE, "apiVersion": "providerswitch.dev.evil/v1"}),
        Ownership.FOREIGN,
    ),
    "a namesake's of another kind": (build_object({**OUR_REFERENCE, "kind": "ConfigMap"}), Ownership.FOREIGN),
    "labelled as ours by somebody": (
        {"metadata": {"labels": {meta.MANAGED_BY_LABEL: meta.FIELD_MANAGER, meta.POLICY_LABEL: "assistant"}}},
        Ownership.FOREIGN,
    ),
}


@pytest.mark.parametrize(("existing", "whose"), OWNERSHIPS.values(), ids=OWNERSHIPS)
def test_whose_an_object_is(existing: dict[str, Any] | None, whose: Ownership) -> None:
    assert ownership(existing, OWNER) is whose


def test_what_we_build_is_ours_and_no_other_policys() -> None:
    built = {"metadata": build_metadata("x", choose_one())}
    assert ownership(built, OWNER) is Ownership.OURS
    assert ownership(built, Owner("team-a", "other", "uid-1")) is Ownership.FOREIGN


def test_the_revision_of_what_we_build_is_read_back() -> None:
    assert revision_of({"metadata": build_metadata("x", choose_one())}) == 7


@pytest.mark.parametrize("text", ["", "x", "-1", "1.5", "²", " 7", "9" * 19, "9" * 10_000])
def test_a_revision_that_somebody_else_wrote_is_none(text: str) -> None:
    assert revision_of(build_object(**{meta.REVISION_ANNOTATION: text})) is None


def test_an_object_without_annotations_has_no_revision() -> None:
    assert revision_of({"metadata": {}}) is None
    assert revision_of({"metadata": {"annotations": None}}) is None


def desired() -> dict[str, Any]:
    return {"kind": "ConfigMap", "metadata": build_metadata("x", choose_one()), "data": {"LLM_PROVIDER": "mine"}}


def test_what_stands_as_written_has_not_drifted() -> None:
    assert not drifted(desired(), desired())


def test_what_others_add_is_no_drift() -> None:
    seen = copy.deepcopy(desired())
    seen["data"]["THEIRS"] = "x"
    seen["metadata"] |= {"resourceVersion": "5", "managedFields": [{}], "uid": "u"}
    seen["metadata"]["labels"]["team"] = "a"
    seen["metadata"]["ownerReferences"].insert(0, OTHERS_REFERENCE)
    assert not drifted(desired(), seen)


CHANGES = {
    "a value": lambda obj: obj["data"].update(LLM_PROVIDER="theirs"),
    "a value that is gone": lambda obj: obj["data"].clear(),
    "all data": lambda obj: obj.pop("data"),
    "data that is null": lambda obj: obj.update(data=None),
    "the revision": lambda obj: obj["metadata"]["annotations"].update({meta.REVISION_ANNOTATION: "8"}),
    "the label": lambda obj: obj["metadata"].pop("labels"),
    "the owner": lambda obj: obj["metadata"].update(ownerReferences=[OTHERS_REFERENCE]),
    "the owner's uid": lambda obj: obj["metadata"]["ownerReferences"][0].update(uid="uid-2"),
    "no owner": lambda obj: obj["metadata"].pop("ownerReferences"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_others_change_is_drift(change: str) -> None:
    seen = copy.deepcopy(desired())
    CHANGES[change](seen)
    assert drifted(desired(), seen)


def test_a_missing_object_has_drifted() -> None:
    assert drifted(desired(), {})


def seen_object(*records: dict[str, Any]) -> dict[str, Any]:
    """Return a ConfigMap as the API server shows it."""
    metadata = {
        "name": "n",
        "namespace": "team-a",
        "uid": "u",
        "labels": {"ours": "1", "theirs": "2"},
        "ownerReferences": [OUR_REFERENCE],
        "managedFields": list(records),
    }
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"OURS": "1", "EXTRA": "2"}}


OUR_RECORD = {
    "manager": "providerswitch",
    "operation": "Apply",
    "fieldsV1": {
        "f:metadata": {"f:labels": {"f:ours": {}}, "f:ownerReferences": {'k:{"uid":"uid-1"}': {}}},
        "f:data": {"f:OURS": {}, "f:GONE": {}},
    },
}


def test_what_is_ours_of_an_object_is_what_the_api_server_recorded() -> None:
    theirs = {"manager": "kubectl", "operation": "Update", "fieldsV1": {"f:data": {"f:EXTRA": {}}}}
    assert owned_part(seen_object(theirs, OUR_RECORD)) == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": "n",
            "namespace": "team-a",
            "labels": {"ours": "1"},
            "ownerReferences": [OUR_REFERENCE],
        },
        "data": {"OURS": "1"},
    }


def test_of_an_object_that_is_all_others_only_the_identity_is_left() -> None:
    bare = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "n", "namespace": "team-a"}}
    assert owned_part(seen_object()) == bare
    assert owned_part(seen_object({**OUR_RECORD, "subresource": "status"})) == bare
