"""After a restart: compare what a policy remembers with what is published, and believe the objects."""

from dataclasses import replace
from datetime import datetime
from typing import Final

from providerswitch.api.status import Switch
from providerswitch.controller.children import Children, provider_json
from providerswitch.controller.entry import Entry
from providerswitch.core.detours import UNKNOWN, set_out, undo_drill
from providerswitch.core.memory import Memory, Publication, adopt, commit, unfinished, unpublished
from providerswitch.kube.objects import CONFIG_MAPS, ObjectKey
from providerswitch.publish.choice import read_publication
from providerswitch.publish.config_map import config_map_name
from providerswitch.publish.metadata import Ownership, ownership
from providerswitch.publish.targets import TargetKey

NOT_RECORDED: Final = "it was published, and the operator ended before it was recorded"


def restore(entry: Entry, children: Children, now: datetime) -> None:
    """Finish what a crash interrupted, in memory; the reconcile that follows repairs the objects.

    In shadow mode the objects tell nothing of what was decided.
    """
    entry.restored = True
    if entry.policy and entry.policy.spec.dry_run and entry.status.shadow:
        entry.memory = undo_drill(entry.memory)
        return
    published = find_publication(entry, children)
    left = unfinished(entry.memory, published)
    if left:
        before = entry.memory.history
        entry.memory = _resume(entry.memory, left, now)
        entry.unannounced.extend(entry.memory.history[: len(entry.memory.history) - len(before)])
    entry.memory = undo_drill(entry.memory)
    agreed = published and (published.revision, published.active) == (entry.memory.revision, entry.memory.active)
    entry.publication = published if agreed else None


def find_publication(entry: Entry, children: Children) -> Publication | None:
    """Return what the policy's ConfigMap says, or None where there is none of ours."""
    policy = entry.policy
    assert policy is not None
    name = config_map_name(policy.spec, policy.owner)
    seen = children.get(TargetKey(CONFIG_MAPS.kind, ObjectKey(entry.key.namespace, name)))
    if ownership(seen, policy.owner) is not Ownership.OURS:
        return None
    return read_publication(provider_json(seen))


def _resume(memory: Memory, left: Publication, now: datetime) -> Memory:
    """Commit what was published but not recorded; with the status lost there is nothing to commit."""
    if memory.revision == 0:
        return set_out(adopt(memory, left), left)
    moved = {
        task: name for task, name in left.tasks.items() if memory.seat(task).active != name or unpublished(memory, task)
    }
    resumed = memory
    for task, name in moved.items():
        former = memory.seat(task).active
        switch = _resumed(left, now, former if former != name else None, name, NOT_RECORDED)
        resumed = commit(resumed, switch.model_copy(update={"task": task, "trigger": UNKNOWN}))
    went_live = unpublished(memory, None) and left.previous != left.active
    if left.active == memory.active and not went_live:
        return replace(adopt(resumed, left), seats=resumed.seats)
    switched = commit(resumed, _resumed(left, now, left.previous, left.active, left.why))
    return set_out(replace(adopt(switched, left), active_since=now, seats=resumed.seats), left)


def _resumed(left: Publication, now: datetime, former: str | None, to: str, why: str) -> Switch:
    took = now - (left.decided_at or now)
    return Switch(
        time=now,
        from_provider=former,
        to=to,
        revision=left.revision,
        trigger=left.trigger,
        reason=why,
        switch_millis=max(0, round(took.total_seconds() * 1000)),
        outcome="Resumed",
    )
