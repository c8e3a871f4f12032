"""An operator that is killed at a request of its own, and started again."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.api_proxy import ApiProxy, behind_a_proxy
from tests.support.control_plane import ControlPlane
from tests.support.operator_process import OperatorProcess
from tests.support.scene import Scene


@dataclass(slots=True)
class Stage:
    """A scene whose operator talks to the API server through a proxy, and can be started again."""

    scene: Scene
    proxy: ApiProxy

    async def start_operator(self) -> None:
        """Start an operator with the same rights and settings as the last."""
        last = self.scene.operator
        self.scene.operator = OperatorProcess(last.kubeconfig, last.flags)
        await self.scene.operator.start()
        await self.scene.operator.ready()

    async def die_at(self, moment: str, method: str, part: str) -> asyncio.Event:
        """Have the operator killed when a request of this kind is seen; return what is set then."""
        done = asyncio.Event()

        async def kill(now: str, seen: str, path: str) -> None:
            if (now, seen) == (moment, method) and part in path and not done.is_set():
                done.set()
                await self.scene.operator.stop(signal.SIGKILL)

        self.proxy.tripwire = kill
        return done


@asynccontextmanager
async def mortal(plane: ControlPlane, namespace: str, folder: Path) -> AsyncIterator[Stage]:
    """Run an operator that can be killed at any request, while the context is open."""
    async with behind_a_proxy(plane, namespace, folder) as made:
        yield Stage(made.scene, made.proxy)
