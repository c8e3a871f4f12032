"""The switch protocol after the decision: publish, verify, and commit or roll back. Each step is measured.

A step that the API server refuses is undone; one it could not answer is tried again later with the same revision, so
that a switch is either finished or undone, also by the next process after a crash.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager
from typing import Final, Protocol

from providerswitch.api import meta
from providerswitch.api.errors import ApiServerError, UserError
from providerswitch.controller.children import Children
from providerswitch.kube.client import KubeClient, Object
from providerswitch.kube.objects import SECRETS, Resource, apply, delete, fetch, rehearse
from providerswitch.kube.watch import METADATA_ONLY
from providerswitch.publish.choice import Owner
from providerswitch.publish.metadata import Ownership, drifted, owned_part, ownership, revision_of
from providerswitch.publish.secret import hide_keys, sealed
from providerswitch.publish.targets import RESOURCES, TargetKey

Bodies = Mapping[TargetKey, Object]
Send = Callable[[KubeClient, Resource, Object], Awaitable[Object]]

FORBIDDEN: Final = 403
DOUBT_SECONDS: Final = 1.0
"""An API server that has just started forbids everything until it knows its roles, so it is asked twice."""
LACKS_RIGHTS: Final = '" cannot '
"""What it says then (`User "..." cannot patch resource ...`), and admission does not: that is believed at once."""
TRANSIENT: Final = frozenset({None, 401, 408, 429, 500, 502, 503, 504})
"""Statuses after which the same request may succeed."""


class Timer(Protocol):
    """Measures a named step."""

    def __call__(self, step: str) -> AbstractContextManager[object]:
        """Return a context that measures the step."""


class Switching:
    """Publishes choices.

    Args:
        children: the published objects as last seen.
    """

    def __init__(self, client: KubeClient, children: Children, timer: Timer) -> None:
        self._client = client
        self._children = children
        self._timer = timer

    async def publish(
        self, owner: Owner, wanted: Bodies, former: Bodies, adopted: set[TargetKey] | None = None
    ) -> None:
        """Publish and verify all objects, then remove those that are no longer wanted.

        Objects of others that their annotation allows to take over are added to `adopted`, and taken out of it where
        they are given back.

        Raises:
            UserError: an object belongs to somebody else (nothing was touched), or the API server refused one (what
                stood before, by preference `former`, is published again).
            ApiServerError: no clear answer; call again with the same bodies.
        """
        standing = await self._find_standing(owner, wanted)
        applied: list[TargetKey] = []
        taken = set() if adopted is None else adopted
        try:
            with self._timer("publish"):
                for target, body in wanted.items():
                    self._children.keep(await self._apply(target, body))
                    applied.append(target)
                    if target in standing and ownership(standing[target], owner) is Ownership.ADOPTABLE:
                        taken.add(target)
            with self._timer("verify"):
                await self._verify(wanted)
        except ApiServerError as error:
            if error.status in TRANSIENT:
                raise
            with self._timer("rollback"):
                ours = {target: sealed(owned_part(obj)) for target, obj in standing.items()}
                await self._roll_back(applied, {**ours, **former})
            taken.difference_update(applied)
            raise UserError("PublishRefused", _refused(error)) from error
        for target in self._children.of(owner) - wanted.keys():
            await self._delete(target)

    async def rehearse_anew(self, owner: Owner, wanted: Bodies) -> None:
        """Rehearse a publication of which nothing is known yet.

        Raises:
            UserError: an object belongs to somebody else, or the API server would refuse one.
            ApiServerError: no clear answer.
        """
        await self._find_standing(owner, wanted)
        await self.rehearse(wanted)

    async def rehearse(self, wanted: Bodies) -> None:
        """Ask the API server what it would say to all objects, without storing one.

        After a refusal this comes first: consumers should not see a choice come and go with every attempt.

        Raises:
            UserError: the API server would refuse one.
            ApiServerError: no clear answer.
        """
        try:
            for target, body in wanted.items():
                _check(target, body, await self._send(rehearse, target, body))
        except ApiServerError as error:
            if error.status in TRANSIENT:
                raise
            raise UserError("PublishRefused", _refused(error)) from error

    async def _find_standing(self, owner: Owner, wanted: Bodies) -> dict[TargetKey, Object]:
        """Return the objects that exist already.

        Raises:
            UserError: one belongs to somebody else.
        """
        standing: dict[TargetKey, Object] = {}
        for target in wanted:
            known = self._children.get(target)
            existing = known or await self._look(target, owner)
            if ownership(existing, owner) is Ownership.FOREIGN:
                raise UserError("NotOwned", _foreign(target))
            if existing:
                standing[target] = sealed(existing)
        return standing

    async def _look(self, target: TargetKey, owner: Owner) -> Object | None:
        """Read an object; of a Secret that is somebody else's, its metadata alone."""
        resource = RESOURCES[target.kind]
        if resource is SECRETS:
            glimpse = await fetch(self._client, resource, target.key, accept=METADATA_ONLY)
            if ownership(glimpse, owner) in {Ownership.ABSENT, Ownership.FOREIGN}:
                return glimpse
        return await fetch(self._client, resource, target.key)

    async def _apply(self, target: TargetKey, body: Object) -> Object:
        try:
            return await self._send(apply, target, body)
        except ApiServerError as error:
            if error.status != FORBIDDEN or LACKS_RIGHTS not in error.detail:
                raise
        await asyncio.sleep(DOUBT_SECONDS)
        return await self._send(apply, target, body)

    async def _send(self, how: Send, target: TargetKey, body: Object) -> Object:
        """Send an object in some way.

        Raises:
            ApiServerError: refused or unreachable; an answer that quotes a key, as a webhook's may, is left out.
        """
        try:
            return await how(self._client, RESOURCES[target.kind], body)
        except ApiServerError as error:
            told = ApiServerError(error.what, error.status, hide_keys(error.detail, body), error.retry_after)
        raise told

    async def _verify(self, wanted: Bodies) -> None:
        """Read everything back: all targets must carry the one revision.

        Raises:
            ApiServerError: with status 409 where somebody else's value stands.
        """
        for target, body in wanted.items():
            _check(target, body, await fetch(self._client, RESOURCES[target.kind], target.key))

    async def _roll_back(self, applied: list[TargetKey], former: Bodies) -> None:
        for target in applied:
            if target in former:
                self._children.keep(await self._apply(target, former[target]))
            else:
                await self._delete(target)

    async def _delete(self, target: TargetKey) -> None:
        seen = self._children.get(target)
        if seen:
            await delete(self._client, RESOURCES[target.kind], target.key, seen["metadata"]["uid"])
            self._children.drop(target)


def _check(target: TargetKey, body: Object, seen: Object | None) -> None:
    """Compare what was written with what reads back.

    Raises:
        ApiServerError: with status 409 where somebody else's value stands.
    """
    if seen is None or revision_of(seen) != revision_of(body) or drifted(body, seen):
        detail = "it does not read back as it was written; another controller may be changing it"
        raise ApiServerError(f'verify {target.kind} "{target.key}"', 409, detail)


def _refused(error: ApiServerError) -> str:
    return (
        f"The API server refused to {error.what}: {error.detail or error.status}. The former choice stays published. "
        "Look for an admission webhook, a quota or another controller that manages this object."
    )


def _foreign(target: TargetKey) -> str:
    return (
        f'{target.kind} "{target.key.name}" in "{target.key.namespace}" exists and does not belong to this policy. '
        f"Choose another name in spec.publish, delete the object, or hand it over with the annotation "
        f'{meta.ADOPT_ANNOTATION}: "true".'
    )
