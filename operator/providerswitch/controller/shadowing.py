"""Shadow mode and its end: what consumers are really sent to, and the switches that going live makes for them."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Final

from providerswitch.api.fields import DNS_LABEL
from providerswitch.api.status import ShadowStatus, Switch
from providerswitch.controller.children import Children
from providerswitch.controller.entry import Entry
from providerswitch.controller.restoring import find_publication
from providerswitch.core.case import Case, Trigger
from providerswitch.core.memory import Memory, Publication, unpublished
from providerswitch.core.service import rest_consumers, watch_consumers
from providerswitch.core.shadow import Standing, tell_shadow
from providerswitch.kube.client import Object
from providerswitch.kube.objects import CONFIG_MAPS, ObjectKey
from providerswitch.publish.config_map import config_map_name
from providerswitch.publish.metadata import LONGEST_REVISION, Ownership, ownership
from providerswitch.publish.targets import TargetKey

LONGEST_NAME: Final = 63
"""Characters of the name of a provider."""
WENT_LIVE: Final = "spec.dryRun was switched off, and what shadow mode had chosen is published"


def build_shadow(entry: Entry, children: Children, now: datetime) -> ShadowStatus | None:
    """Return what the status says of shadow mode, None where choices are published."""
    assert entry.policy is not None
    if not entry.policy.spec.dry_run:
        return None
    return tell_shadow(find_standing(entry, children), entry.status, now)


def find_standing(entry: Entry, children: Children) -> Standing:
    """Return what consumers read now: in the ConfigMap of the spec's name, or in a former one."""
    policy = entry.policy
    assert policy is not None
    name = config_map_name(policy.spec, policy.owner)
    wanted = TargetKey(CONFIG_MAPS.kind, ObjectKey(entry.key.namespace, name))
    former = sorted(target for target in children.of(policy.owner) if target.kind == CONFIG_MAPS.kind)
    seen = (children.get(target) for target in (wanted, *former))
    ours = next((obj for obj in seen if obj and ownership(obj, policy.owner) is Ownership.OURS), None)
    return read_standing(ours) if ours else Standing()


def read_standing(config_map: Object) -> Standing:
    """Return what consumers read in a ConfigMap that anybody may have edited."""
    data = config_map.get("data") or {}
    provider, revision = str(data.get("LLM_PROVIDER") or ""), str(data.get("LLM_REVISION") or "")
    if not re.fullmatch(DNS_LABEL, provider) or len(provider) > LONGEST_NAME:
        return Standing()
    known = revision.isdecimal() and revision.isascii() and len(revision) < LONGEST_REVISION
    return Standing(provider, int(revision) if known else None)


def overtake(entry: Entry, children: Children) -> None:
    """Count on from a publication that was left half-way when shadow mode began, so that revisions only go up."""
    left = find_publication(entry, children)
    if left and left.revision == entry.memory.revision + 1:
        entry.memory = replace(entry.memory, revision=left.revision)


def prepare_going_live(entry: Entry, children: Children, current: Publication) -> Publication:
    """Return the publication of a choice that shadow mode made, with what it does to consumers as its cause."""
    if not unpublished(entry.memory, None):
        return current
    former = _served_before(entry, children)
    trigger = Trigger.SPEC_CHANGE if former else Trigger.INITIAL
    return replace(current, previous=former, trigger=trigger, why=f"{WENT_LIVE}: {current.why}")


def _served_before(entry: Entry, children: Children) -> str | None:
    """Return whom consumers were sent to; an attempt of our own that was left half-way remembers it."""
    standing = find_publication(entry, children)
    if standing and standing.revision == entry.memory.revision + 1 and standing.why.startswith(WENT_LIVE):
        return standing.previous
    return find_standing(entry, children).provider


def switches_of_going_live(
    entry: Entry, former: Publication | None, live: Publication, decided_at: datetime, now: datetime
) -> Iterator[Switch]:
    """Yield the switches that consumers saw when the choices of shadow mode were published.

    Args:
        entry: The policy.
        former: What was published before; None where nothing was.
        live: What is published now.
        decided_at: When the publication was begun.
        now: When it was verified.
    """
    before = former.tasks if former else {}
    tasks = [(task, before.get(task), name) for task, name in live.tasks.items()]
    for task, left, name in ((None, live.previous, live.active), *tasks):
        if unpublished(entry.memory, task) and left != name:
            yield Switch(
                time=now,
                from_provider=left,
                to=name,
                revision=live.revision,
                trigger=Trigger.SPEC_CHANGE if left else Trigger.INITIAL,
                reason=(live.why if task is None else WENT_LIVE)[:1024],
                switch_millis=round((now - decided_at).total_seconds() * 1000),
                outcome="Succeeded",
                task=task,
            )


def watch_served(entry: Entry, memory: Memory, case: Case) -> Memory:
    """Return the memory after one more look at what consumers are sent to; in shadow mode that is not ours to judge."""
    shadow = entry.policy is not None and entry.policy.spec.dry_run
    return (rest_consumers if shadow else watch_consumers)(memory, case)
