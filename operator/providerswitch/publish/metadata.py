"""What all published objects have in common: owner, labels, revision. And whose an existing object is."""

from enum import StrEnum
from typing import Final

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
        "labels": {meta.MANAGED_BY_LABEL: meta.FIELD_MANAGER, meta.POLICY_LABEL: label_value(owner.name)},
        "annotations": {meta.REVISION_ANNOTATION: str(choice.revision)},
        "ownerReferences": [
            {
                "apiVersion": meta.API_VERSION,
                "kind": meta.POLICY_KIND,
                "name": owner.name,
                "uid": owner.uid,
                "controller": True,
                "blockOwnerDeletion": False,
            }
        ],
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


def drifted(desired: Object, seen: Object) -> bool:
    """Tell whether anything we published reads otherwise; fields of others do not matter."""
    return not _within(desired, seen)


def _within(desired: object, seen: object) -> bool:
    if isinstance(desired, dict):
        return isinstance(seen, dict) and all(_within(value, seen.get(key)) for key, value in desired.items())
    if isinstance(desired, list):
        return isinstance(seen, list) and all(any(_within(item, other) for other in seen) for item in desired)
    return desired == seen
