"""Who may give hints: asked of the API server, a few times a second at most, and remembered for a few seconds.

A flood of bad tokens must not become one of reviews: those that are not remembered are limited for each address, so
that one Pod cannot use up what all may ask together, and in all.
"""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Hashable
from typing import Final, TypeVar

from providerswitch.api import meta
from providerswitch.api.errors import ApiServerError
from providerswitch.controller.hints.recent import Recent
from providerswitch.controller.hints.throttle import Throttle
from providerswitch.core.hints import BAD_TOKEN, NO_TOKEN, NOBODY_TO_ASK, Answer, Hint, Rate, forbid, too_many
from providerswitch.kube.client import KubeClient
from providerswitch.kube.reviews import Caller, identify, may

log = logging.getLogger(__name__)

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

AUDIENCE: Final = meta.GROUP
"""Tokens are issued for it alone, so that one that is stolen opens nothing else."""
REMEMBERED_SECONDS: Final = 10.0
"""For so long a token that was revoked, or a right that was taken away, still counts."""
REMEMBERED_MOST: Final = 4096
REVIEW_SECONDS: Final = 2.0
PER_CALLER: Final = Rate(20, 10)
PER_ADDRESS: Final = Rate(20, 10)
"""Reviews that one address may cause; each new caller needs two."""
IN_ALL: Final = Rate(100, 50)
SCHEME: Final = "bearer"


class Gate:
    """Lets in who may give a hint.

    Args:
        client: for reviews. It must not be behind the fence of the Lease: they change nothing.
        clock: seconds that never go back.
    """

    def __init__(self, client: KubeClient, clock: Callable[[], float]) -> None:
        self._client = client
        self._callers: Recent[bytes, Caller | None] = Recent(REMEMBERED_SECONDS, REMEMBERED_MOST, clock)
        self._rights: Recent[tuple[Caller, str, str], bool] = Recent(REMEMBERED_SECONDS, REMEMBERED_MOST, clock)
        self._of_callers: Throttle[str] = Throttle(PER_CALLER, REMEMBERED_MOST, clock)
        self._of_addresses: Throttle[str] = Throttle(PER_ADDRESS, REMEMBERED_MOST, clock)
        self._in_all: Throttle[None] = Throttle(IN_ALL, 1, clock)

    async def identify(self, authorization: str | None, address: str) -> Caller | Answer:
        """Return who calls, or what to answer instead.

        Args:
            authorization: the header, or None.
            address: whence the request came.
        """
        scheme, _, token = (authorization or "").partition(" ")
        token = token.strip()
        if scheme.lower() != SCHEME or not token:
            return NO_TOKEN
        digest = hashlib.sha256(token.encode(errors="surrogateescape")).digest()
        found = await self._review(self._callers, digest, address, lambda: identify(self._client, token, AUDIENCE))
        if isinstance(found, Answer):
            return found
        if found is None:
            return BAD_TOKEN
        wait = self._of_callers.take(found.name)
        return too_many("hints of this caller", wait) if wait else found

    async def admit(self, caller: Caller, hint: Hint, address: str) -> Answer | None:
        """Return None where somebody may give a hint, or what to answer instead."""
        attributes = {
            "verb": "create",
            "group": meta.GROUP,
            "version": meta.VERSION,
            "resource": meta.POLICY_PLURAL,
            "subresource": "hints",
            "namespace": hint.namespace,
            "name": hint.policy,
        }
        key = (caller, hint.namespace, hint.policy)
        allowed = await self._review(self._rights, key, address, lambda: may(self._client, caller, attributes))
        if isinstance(allowed, Answer):
            return allowed
        return None if allowed else forbid(caller.name, hint)

    async def _review(
        self, known: Recent[K, V], key: K, address: str, question: Callable[[], Awaitable[V]]
    ) -> V | Answer:
        if key not in known and (wait := self._of_addresses.take(address) or self._in_all.take(None)):
            return too_many("callers whom nobody knows yet", wait)
        try:
            return await known.ask(key, lambda: _in_time(question))
        except ApiServerError as error:
            log.debug("a hint cannot be judged: %s failed with %s", error.what, error.status or "no answer")
        except TimeoutError:
            log.debug("a hint cannot be judged: the API server is slow")
        return NOBODY_TO_ASK


async def _in_time(question: Callable[[], Awaitable[V]]) -> V:
    async with asyncio.timeout(REVIEW_SECONDS):
        return await question()
