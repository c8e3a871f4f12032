"""Fakes as a process of their own, steered through the control port."""

import asyncio
import json
import os
import sys

import httpx


async def test_a_fake_in_its_own_process_obeys_the_control_port() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "providerswitch.demo.fakes", "--kind", "openai", "--kind", "openai",
        env={**os.environ, "PYTHONPATH": "operator"}, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    addresses = json.loads(await asyncio.wait_for(process.stdout.readline(), 10))
    async with httpx.AsyncClient(headers={"authorization": "Bearer k"}) as client:
        await client.put(addresses["control"] + "/openai-2", json={"fault": "server-error"})
        spared = await client.get(addresses["openai"] + "/models")
        broken = await client.get(addresses["openai-2"] + "/models")
        seen = (await client.get(addresses["control"] + "/openai-2")).json()
        wrong = await client.put(addresses["control"] + "/openai", json={"fault": "earthquake"})
        nobody = await client.get(addresses["control"] + "/mistral")
    assert (wrong.status_code, "server-error" in wrong.text) == (400, True)
    assert (nobody.status_code, "openai-2" in nobody.text) == (404, True)
    assert (spared.status_code, broken.status_code) == (200, 500)
    assert [(entry["path"], entry["status"]) for entry in seen["log"]] == [("/v1/models", 500)]
    await asyncio.wait_for(process.communicate(b""), 5)
    assert process.returncode == 0
