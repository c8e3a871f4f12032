"""What all published objects have in common: owner, labels, revision. And whose an existing object is."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from providerswitch.api import meta
from providerswitch.kube.client import Object
from providerswitch.publish.choice import Choice, Owner

LONGEST_REVISION: Final = 18
"""Digits; what anybody else wrote there need not be a number that fits an int64."""


class Ownership(StrEnum):
    """Whose an object of the wanted name is."""

    ABSENT = "absent"
    OURS = "ours"
    ADOPTABLE = "adoptable"
    FOREIGN = "foreign"


def build_metadata(name: str, choice: Choice) -> Object:
    """Return the metadata of a published object: owned by its policy, found by label, marked with its revision."""
    owner = choice.owner
    return {
        "name": name,
        "namespace": owner.namespace,
        "labels": build_labels(owner.name),
        "annotations": {meta.REVISION_ANNOTATION: str(choice.revision)},
        "ownerReferences": [build_reference(owner)],
    }


def build_labels(policy: str) -> dict[str, str]:
    """Return the labels by which all objects of a policy are found."""
    return {meta.MANAGED_BY_LABEL: meta.FIELD_MANAGER, meta.POLICY_LABEL: label_value(policy)}


def build_reference(owner: Owner) -> Object:
    """Return the owner reference of all objects of a policy: they go with it."""
    return {
        "apiVersion": meta.API_VERSION,
        "kind": meta.POLICY_KIND,
        "name": owner.name,
        "uid": owner.uid,
        "controller": True,
        "blockOwnerDeletion": False,
    }


def label_value(policy: str) -> str:
    """Return a policy's name as a label value, which may be 63 characters at most."""
    return policy[:63].rstrip("-.")


def ownership(existing: Object | None, owner: Owner) -> Ownership:
    """Tell whose an object is; one left by a deleted policy of the same name counts as ours."""
    if existing is None:
        return Ownership.ABSENT
    found = existing["metadata"]
    owners = found.get("ownerReferences") or []
    if any(_is_us(reference, owner) for reference in owners):
        return Ownership.OURS
    if not owners and (found.get("annotations") or {}).get(meta.ADOPT_ANNOTATION) == "true":
        return Ownership.ADOPTABLE
    return Ownership.FOREIGN


def _is_us(reference: Object, owner: Owner) -> bool:
    return bool(
        reference.get("kind") == meta.POLICY_KIND
        and str(reference.get("apiVersion", "")).startswith(meta.GROUP + "/")
        and reference.get("name") == owner.name
    )


def revision_of(obj: Object) -> int | None:
    """Return the revision an object carries, or None."""
    text = (obj["metadata"].get("annotations") or {}).get(meta.REVISION_ANNOTATION, "")
    return int(text) if text.isdecimal() and len(text) <= LONGEST_REVISION else None


def owned_part(obj: Object) -> Object:
    """Return what of an object is ours by the API server's own record: applied again, it restores just that.

    Of an object in which nothing is ours only the identity is left, which takes our fields out of it again.
    """
    found = obj["metadata"]
    records = found.get("managedFields") or []
    ours = (
        record for record in records if record.get("manager") == meta.FIELD_MANAGER and not record.get("subresource")
    )
    fields = next((record.get("fieldsV1") or {} for record in ours if record.get("operation") == "Apply"), {})
    identity = {"name": found["name"], "namespace": found.get("namespace")}
    part = _pick(obj, fields) if fields else {}
    metadata = {**part.get("metadata", {}), **identity}
    return {**part, "apiVersion": obj["apiVersion"], "kind": obj["kind"], "metadata": metadata}


def _pick(value: Any, fields: Mapping[str, Any]) -> Any:
    """Return the fields of an object that a fieldsV1 record names; lists are taken whole."""
    if not isinstance(value, dict) or not fields:
        return value
    names = {name.removeprefix("f:"): inner for name, inner in fields.items() if name.startswith("f:")}
    return {name: _pick(value[name], inner) for name, inner in names.items() if name in value}


def drifted(desired: Object, seen: Object) -> bool:
    """Tell whether anything we published reads otherwise; fields of others do not matter."""
    return not _within(desired, seen)


def _within(desired: object, seen: object) -> bool:
    if isinstance(desired, dict):
        return isinstance(seen, dict) and all(_within(value, seen.get(key)) for key, value in desired.items())
    if isinstance(desired, list):
        return isinstance(seen, list) and all(any(_within(item, other) for other in seen) for item in desired)
    return desired == seen
