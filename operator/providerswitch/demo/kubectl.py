"""Runs kubectl, as a user would."""

import asyncio
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from providerswitch.demo.processes import DemoError


def find_kubectl() -> str:
    """Return the path of kubectl: the one installed beside this Python wins.

    Raises:
        DemoError: there is none.
    """
    found = shutil.which(
        "kubectl", path=os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    )
    if found is None:
        raise DemoError("kubectl is missing: install providerswitch[demo], which brings it, or put one on the PATH")
    return found


@dataclass(frozen=True, slots=True)
class Kubectl:
    """A kubectl for one kubeconfig.

    Attributes:
        kubeconfig: a private file of the demo; its context may be changed.
    """

    kubeconfig: Path

    async def __call__(self, *arguments: str, stdin: str = "") -> str:
        """Run it and return its standard output.

        Raises:
            DemoError: it failed; the text is what it said.
        """
        process = await asyncio.create_subprocess_exec(
            find_kubectl(),
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            # The discovery cache stands beside the kubeconfig: a local cluster is another one each time.
            env={
                **os.environ,
                "KUBECONFIG": str(self.kubeconfig),
                "KUBECACHEDIR": str(self.kubeconfig.parent / "cache"),
            },
        )
        output, errors = await process.communicate(stdin.encode())
        if process.returncode:
            raise DemoError(f"kubectl {' '.join(arguments)}: {errors.decode(errors='replace').strip()}")
        return output.decode()

    async def apply(self, *objects: dict[str, Any]) -> None:
        """Apply objects server-side.

        Raises:
            DemoError: the API server refused one of them.
        """
        await self("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=yaml.safe_dump_all(objects))
