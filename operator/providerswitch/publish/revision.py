"""A configuration as an apps/v1 ControllerRevision: what StatefulSets and DaemonSets keep their history in.

Its `data` never changes. The API server compares the bytes, so that one has to be created the way it is changed later,
by a patch: what was encoded anew once is encoded the same way again. Number and mark stand in labels besides, so that a
watch of metadata alone tells all that there is to know, and `kubectl get -l` finds one.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Final

from providerswitch.api import meta
from providerswitch.core.history import Kept
from providerswitch.kube.client import Object
from providerswitch.kube.objects import CONTROLLER_REVISIONS, ObjectKey, key_of
from providerswitch.publish.choice import Owner
from providerswitch.publish.metadata import build_labels, build_reference

HASH_DIGITS: Final = 10
LONGEST_NAME: Final = 253
LONGEST_NUMBER: Final = 18
"""Digits; what anybody else wrote there need not be a number that fits an int64."""


@dataclass(frozen=True, slots=True)
class Revision:
    """A ControllerRevision, as its metadata tells.

    Attributes:
        policy_uid: of the policy that it belongs to.
        version: a number; later ones are higher.
    """

    key: ObjectKey
    uid: str
    policy: str
    policy_uid: str
    version: int
    kept: Kept


def revision_name(owner: Owner, spec: str) -> str:
    """Return the name of a configuration's ControllerRevision: the same for the same policy and spec.

    The policy's uid counts, so that a policy never meets what one of the same name and spec has left behind.

    Args:
        owner: the policy.
        spec: its spec, as the one JSON text.
    """
    digest = hashlib.sha256(f"{owner.uid}\n{spec}".encode()).hexdigest()[:HASH_DIGITS]
    return f"{owner.name[: LONGEST_NAME - HASH_DIGITS - 1].rstrip('-.')}-{digest}"


def build_revision(owner: Owner, spec: str, kept: Kept) -> Object:
    """Return the ControllerRevision of a configuration."""
    identity = {"name": owner.name, "namespace": owner.namespace}
    policy = {"apiVersion": meta.API_VERSION, "kind": meta.POLICY_KIND, "metadata": identity}
    return {
        "apiVersion": CONTROLLER_REVISIONS.api_version,
        "kind": CONTROLLER_REVISIONS.kind,
        "metadata": {
            "name": kept.name,
            "namespace": owner.namespace,
            "labels": {name: text for name, text in _labels(owner, kept).items() if text is not None},
            "ownerReferences": [build_reference(owner)],
        },
        "data": {**policy, "spec": json.loads(spec)},
        "revision": kept.number,
    }


def build_renumbering(owner: Owner, uid: str, kept: Kept) -> Object:
    """Return the merge patch that gives a ControllerRevision its number and mark, if it is still the one of `uid`."""
    return {"metadata": {"uid": uid, "labels": _labels(owner, kept)}, "revision": kept.number}


def _labels(owner: Owner, kept: Kept) -> dict[str, str | None]:
    mark = "true" if kept.good else None
    return {**build_labels(owner.name), meta.GENERATION_LABEL: str(kept.number), meta.LAST_GOOD_LABEL: mark}


def read_revision(obj: Object) -> Revision | None:
    """Return what the metadata of a ControllerRevision tells; None where no policy owns it."""
    found, key = obj["metadata"], key_of(obj)
    owner = next(filter(_is_policy, found.get("ownerReferences") or []), None)
    if owner is None:
        return None
    labels = found.get("labels") or {}
    number = labels.get(meta.GENERATION_LABEL, "")
    readable = number.isascii() and number.isdecimal() and len(number) <= LONGEST_NUMBER
    return Revision(
        key=key,
        uid=found["uid"],
        policy=owner["name"],
        policy_uid=owner["uid"],
        version=int(found["resourceVersion"]),
        kept=Kept(key.name, int(number) if readable else 0, labels.get(meta.LAST_GOOD_LABEL) == "true"),
    )


def _is_policy(reference: Object) -> bool:
    group = str(reference.get("apiVersion", "")).partition("/")[0]
    return reference.get("kind") == meta.POLICY_KIND and group == meta.GROUP
