"""Keep each configuration that was put in force as a ControllerRevision, so that people can return to it.

History never holds up the work: it is written after everything else, with little patience, and what the API server
refuses is only logged.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from typing import Final

from providerswitch.api.errors import ApiServerError
from providerswitch.controller.entry import Entry
from providerswitch.controller.policy import Policy
from providerswitch.controller.switching import TRANSIENT
from providerswitch.core.history import Kept, amend
from providerswitch.kube.client import KubeClient, Object
from providerswitch.kube.objects import CONFLICT, CONTROLLER_REVISIONS, NOT_FOUND, ObjectKey, claim, delete, merge
from providerswitch.kube.watch import Listener
from providerswitch.publish.choice import Owner
from providerswitch.publish.revision import (
    Revision,
    build_renumbering,
    build_revision,
    read_revision,
    revision_name,
)

log = logging.getLogger(__name__)

REFUSED_RETRY: Final = timedelta(seconds=60)
"""What the API server refused is tried again after this long: a quota or an admission webhook may have changed."""
PATIENCE_SECONDS: Final = 2.0
"""What takes longer counts as refused: meanwhile the policy could not fail over."""
TOO_LONG: Final = f"no answer for {PATIENCE_SECONDS:.0f} s"


class Revisions:
    """The ControllerRevisions of all policies as the API server last showed them; their metadata only."""

    def __init__(self) -> None:
        self._of: dict[ObjectKey, dict[str, Revision]] = defaultdict(dict)
        self._owner: dict[ObjectKey, ObjectKey] = {}

    def of(self, owner: Owner) -> Mapping[str, Revision]:
        """Return those of a policy by name."""
        found = self._of.get(ObjectKey(owner.namespace, owner.name), {})
        return {name: each for name, each in found.items() if each.policy_uid == owner.uid}

    def keep(self, obj: Object) -> None:
        """Remember one as it was read or just written; late news of an older state are passed over."""
        revision, key = read_revision(obj), ObjectKey(obj["metadata"]["namespace"], obj["metadata"]["name"])
        known = self._known(key)
        if known and known.version > int(obj["metadata"]["resourceVersion"]):
            return
        self.drop(key)
        if revision:
            self._owner[key] = owner = ObjectKey(key.namespace, revision.policy)
            self._of[owner][key.name] = revision

    def drop(self, key: ObjectKey) -> None:
        """Forget one that is gone."""
        owner = self._owner.pop(key, None)
        if owner is None:
            return
        del self._of[owner][key.name]
        if not self._of[owner]:
            del self._of[owner]

    def _known(self, key: ObjectKey) -> Revision | None:
        owner = self._owner.get(key)
        return self._of[owner][key.name] if owner else None

    def listener(self, namespace: str | None = None) -> Listener:
        """Return what a metadata watch of ControllerRevisions in a namespace, or in all, has to feed."""
        reached = 0

        def listed(version: str, undone: bool) -> None:  # noqa: FBT001  # as the listener is called
            """Take note of a list; of an API server that was restored from a backup, only the list is true."""
            nonlocal reached
            reached = int(version)
            if undone:
                self._forget(namespace)

        def replaced(objects: list[Object]) -> None:
            found = {ObjectKey(obj["metadata"]["namespace"], obj["metadata"]["name"]) for obj in objects}
            self._forget(namespace, found, reached)
            for obj in objects:
                self.keep(obj)

        def deleted(obj: Object) -> None:
            self.drop(ObjectKey(obj["metadata"]["namespace"], obj["metadata"]["name"]))

        return Listener(replaced, self.keep, deleted, listed)

    def _forget(self, namespace: str | None, but: Collection[ObjectKey] = (), until: int | None = None) -> None:
        """Forget all but some; what was written after a version is not in a list of that version."""
        for key in tuple(self._owner):
            known = self._known(key)
            later = until is not None and known is not None and known.version > until
            if namespace in {None, key.namespace} and key not in but and not later:
                self.drop(key)


class History:
    """Writes ControllerRevisions.

    Args:
        revisions: those that exist as last seen.
    """

    def __init__(self, client: KubeClient, revisions: Revisions, clock: Callable[[], datetime]) -> None:
        self._client = client
        self._revisions = revisions
        self._clock = clock

    async def record(self, entry: Entry) -> None:
        """Keep the configuration in force, number it, mark the last good one, and remove what is beyond the limit.

        Raises:
            ApiServerError: no clear answer; call again.
        """
        policy, now = entry.policy, self._clock()
        assert policy is not None
        if entry.unrecorded == policy.generation and entry.record_again_at and now < entry.record_again_at:
            return
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._amend(policy, entry.memory.last_good_generation)
        except TimeoutError:
            self._leave(entry, policy, TOO_LONG)
        except ApiServerError as error:
            if error.status in TRANSIENT:
                raise
            self._leave(entry, policy, str(error))
        else:
            entry.unrecorded = None

    def _leave(self, entry: Entry, policy: Policy, why: str) -> None:
        if entry.unrecorded != policy.generation:
            log.warning("a configuration is not kept, so that no one can return to it: %s", why, extra=_who(policy))
        entry.unrecorded, entry.record_again_at = policy.generation, self._clock() + REFUSED_RETRY

    async def _amend(self, policy: Policy, good: int | None) -> None:
        known = self._revisions.of(policy.owner)
        present = Kept(revision_name(policy.owner, policy.stored), policy.generation)
        kept = [each.kept for each in known.values()]
        wanted = amend(kept, present, good, policy.spec.revision_history_limit)
        for each in wanted.put:
            await self._put(policy, known.get(each.name), each)
        for name in wanted.remove:
            await self._remove(known[name])

    async def _put(self, policy: Policy, known: Revision | None, wanted: Kept) -> None:
        if known is None:
            body = build_revision(policy.owner, policy.stored, wanted)
            self._revisions.keep(await claim(self._client, CONTROLLER_REVISIONS, body))
            return
        changes = build_renumbering(policy.owner, known.uid, wanted)
        try:
            self._revisions.keep(await merge(self._client, CONTROLLER_REVISIONS, known.key, changes))
        except ApiServerError as error:
            if error.status not in {NOT_FOUND, CONFLICT}:
                raise
            self._revisions.drop(known.key)  # somebody deleted it: the next look makes another

    async def _remove(self, known: Revision) -> None:
        await delete(self._client, CONTROLLER_REVISIONS, known.key, known.uid)
        self._revisions.drop(known.key)


def _who(policy: Policy) -> dict[str, str]:
    return {"namespace": policy.key.namespace, "policy": policy.key.name}
