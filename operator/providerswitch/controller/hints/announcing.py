"""Lead consumers to the replica that leads: the Service for hints has no selector, and one endpoint."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from providerswitch.api.errors import ApiServerError
from providerswitch.kube.client import KubeClient
from providerswitch.kube.endpoint_slices import point_service_here
from providerswitch.kube.objects import ObjectKey

log = logging.getLogger(__name__)

PORT_NAME: Final = "hints"
REPEAT_SECONDS: Final = 30.0
"""Somebody may have deleted or edited the EndpointSlice."""
RETRY_SECONDS: Final = 1.0


class Announcer:
    """Points the Service here while this replica leads.

    Args:
        client: behind the fence of the Lease, as for every write.
        address: of this Pod.
        port: on which it listens for hints.
    """

    def __init__(
        self, client: KubeClient, service: ObjectKey, address: str, port: int, leads: Callable[[], bool]
    ) -> None:
        self._client = client
        self._service = service
        self._address = address
        self._port = port
        self._leads = leads
        self._wake = asyncio.Event()
        self._told = ""

    def wake(self) -> None:
        """Say that this replica begins to lead."""
        self._wake.set()

    async def run(self) -> None:
        """Keep the Service pointed here whenever this replica leads, until cancelled."""
        while True:
            self._wake.clear()
            pause = await self._announce() if self._leads() else REPEAT_SECONDS
            try:
                async with asyncio.timeout(pause):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _announce(self) -> float:
        """Return the seconds after which to look again."""
        try:
            await point_service_here(self._client, self._service, self._address, self._port, PORT_NAME)
        except ApiServerError as error:
            self._tell(str(error))
            return max(RETRY_SECONDS, error.retry_after)
        self._tell("")
        return REPEAT_SECONDS

    def _tell(self, trouble: str) -> None:
        """Log each trouble once."""
        if trouble and trouble != self._told:
            log.warning("hints do not reach this replica, which is tried again: %s", trouble)
        self._told = trouble
