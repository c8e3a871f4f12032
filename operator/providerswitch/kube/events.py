"""Write Kubernetes Events about a policy: the history that `kubectl describe` shows.

Names are derived from what happened, so that an Event repeated after a crash is the same object, not a second one.
"""

import hashlib
import logging
from dataclasses import dataclass
from datetime import datetime

from providerswitch.api import meta
from providerswitch.api.errors import ApiServerError
from providerswitch.core.narrate import PolicyEvent, Related
from providerswitch.kube.client import KubeClient, Object
from providerswitch.kube.objects import CONFLICT, EVENTS, ObjectKey

log = logging.getLogger(__name__)

NOTE_LIMIT = 1024
"""The API server's limit of an Event's note, bytes."""


@dataclass(frozen=True, slots=True)
class Regarding:
    """The policy, or another object of ours, that an Event is about."""

    key: ObjectKey
    uid: str
    resource_version: str
    kind: str = meta.POLICY_KIND


def build_event(event: PolicyEvent, policy: Regarding, now: datetime, reporter: str) -> Object:
    """Return the Event object."""
    digest = hashlib.sha256(f"{policy.uid}/{event.reason}/{event.identity}".encode()).hexdigest()[:16]
    related = {"related": _refer(event.related, policy.key.namespace)} if event.related else {}
    return {
        "apiVersion": EVENTS.api_version,
        "kind": EVENTS.kind,
        "metadata": {"name": f"{policy.key.name[:200].rstrip('-.')}.{digest}", "namespace": policy.key.namespace},
        "eventTime": now.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "type": event.type,
        "reason": event.reason,
        "action": event.reason,
        "note": event.note.encode()[:NOTE_LIMIT].decode(errors="ignore"),
        "reportingController": meta.GROUP + "/operator",
        "reportingInstance": reporter[:128],
        "regarding": {
            "apiVersion": meta.API_VERSION,
            "kind": policy.kind,
            "name": policy.key.name,
            "namespace": policy.key.namespace,
            "uid": policy.uid,
            "resourceVersion": policy.resource_version,
        },
        **related,
    }


def _refer(related: Related, namespace: str) -> Object:
    known = {"uid": related.uid} if related.uid else {}
    return {
        "apiVersion": related.api_version,
        "kind": related.kind,
        "name": related.name,
        "namespace": namespace,
        **known,
    }


async def post_event(client: KubeClient, event: Object) -> None:
    """Create an Event; one that exists already is left as it is.

    Raises:
        ApiServerError: refused or unreachable.
    """
    path = EVENTS.collection(event["metadata"]["namespace"])
    try:
        await client.request("POST", path, what=f'create Event for "{event["regarding"]["name"]}"', body=event)
    except ApiServerError as error:
        if error.status != CONFLICT:
            raise


async def tell(client: KubeClient, event: PolicyEvent, about: Regarding, now: datetime, reporter: str) -> None:
    """Create an Event; one that cannot be written must not hold up the work, and is lost."""
    try:
        await post_event(client, build_event(event, about, now, reporter))
    except ApiServerError as error:
        log.warning("an Event was lost: %s", error, extra={"reason": event.reason})
