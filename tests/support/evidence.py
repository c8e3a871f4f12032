"""What end-to-end tests of the choice need besides a scene: status pages, and an operator that begins with all at once.

An operator spreads the first questions to status pages and of golden prompts over their intervals, which are a minute
and more; no test waits so long.
"""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest
from aiohttp import web
from tests.support.control_plane import ControlPlane
from tests.support.emergencies import operating
from tests.support.kubectl import Kubectl
from tests.support.operator_process import ROOT, OperatorProcess, operator_kubeconfig
from tests.support.scene import Scene

WITHOUT_SPREAD: Final = """
import sys
from datetime import timedelta
from providerswitch import main
main.jitter = lambda span: timedelta(0)
sys.exit(main.main())
"""


@pytest.fixture
async def eager_scene(
    installed: ControlPlane, namespace: str, kubectl: Kubectl, tmp_path: Path
) -> AsyncIterator[Scene]:
    """A scene whose operator asks everything for the first time as soon as it is wanted."""
    flags = ("--namespaces", namespace, "--allow-probe-cidr", "127.0.0.0/8")
    operator = OperatorProcess(operator_kubeconfig(installed, tmp_path), flags, program=("-c", WITHOUT_SPREAD))
    async with operating(operator, namespace, kubectl) as scene:
        yield scene


@dataclass(slots=True)
class Pages:
    """Public status pages.

    Attributes:
        url: of the server; each page lies below it.
        indicators: what each page says, by its name.
        asked: how often each page was.
    """

    url: str = ""
    indicators: dict[str, str] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)

    async def answer(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        self.asked[name] += 1
        status = {"indicator": self.indicators[name], "description": "Partial System Outage"}
        return web.json_response({"page": {"name": name}, "status": status})


@asynccontextmanager
async def status_pages(**indicators: str) -> AsyncIterator[Pages]:
    """Serve status pages in Statuspage's format: `status_pages(openai="major")` is at `<url>/openai`."""
    pages = Pages(indicators=indicators)
    app = web.Application()
    app.add_routes([web.get("/{name}/api/v2/status.json", pages.answer)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    pages.url = f"http://{host}:{port}"
    try:
        yield pages
    finally:
        await runner.cleanup()


async def explain(text: str, *flags: str) -> str:
    """Feed what kubectl printed to `providerswitch explain`, a process of its own; return what it says."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "providerswitch",
        "explain",
        *flags,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"PYTHONPATH": str(ROOT / "operator")},
    )
    said, complaints = await process.communicate(text.encode())
    assert (process.returncode, complaints.decode()) == (0, "")
    return said.decode()


async def document(scene: Scene, policy: str) -> dict[str, object]:
    """Return the provider.json that a policy publishes; an empty one before it does."""
    data = (await scene.look("configmap", f"{policy}-provider")).get("data", {})
    return dict(json.loads(data["provider.json"])) if data else {}
