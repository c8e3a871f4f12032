"""Shadow mode touches nothing on a real API server; outside it, what others do is put right within a second."""

import asyncio
import contextlib
import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.support.eventually import eventually
from tests.support.kubectl import PROGRAM
from tests.support.operator_process import OperatorProcess
from tests.support.scene import POLICY, Scene

from providerswitch.demo.fakes import Fault

CONFIG_MAP = f"{POLICY}-provider"
PUBLISH = {"service": {"name": "llm"}}
BOTH = (("configmap", CONFIG_MAP), ("service", "llm"))
WITHIN = 1.0


async def versions(scene: Scene) -> list[str | None]:
    """Return the resource versions of what is published."""
    objects = [await scene.look(kind, name) for kind, name in BOTH]
    return [obj["metadata"]["resourceVersion"] if obj else None for obj in objects]


async def would_serve(scene: Scene, provider: str) -> None:
    async def told() -> bool:
        return (await scene.status()).get("activeProvider") == provider

    await eventually(told, within=20)


@dataclass(slots=True)
class Seen:
    """What somebody who watches an object saw, with the time of the event loop."""

    lines: list[tuple[float, str]] = field(default_factory=list)

    def moment(self, text: str, *, after: float = 0.0) -> float | None:
        """Return when a line was seen first."""
        return next((at for at, line in self.lines if line == text and at > after), None)

    async def sees(self, text: str, *, after: float = 0.0) -> float:
        """Wait for a line and return when it was seen."""
        found = await eventually(lambda: self.moment(text, after=after), within=10)
        assert found
        return found


@asynccontextmanager
async def watching(scene: Scene, kind: str, name: str, path: str) -> AsyncIterator[Seen]:
    """Watch one field of an object as kubectl shows it: the type of each event and the value."""
    template = "{.type} {.object." + path + '}{"\\n"}'
    what = ("get", kind, "-n", scene.namespace, "--field-selector", f"metadata.name={name}")
    how = ("--watch", "--output-watch-events", "-o", f"jsonpath={template}")
    command = (PROGRAM, "--kubeconfig", scene.kubectl.kubeconfig, *what, *how)
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    seen = Seen()
    reading = asyncio.create_task(_read(process, seen))
    try:
        await eventually(lambda: seen.lines, within=10)
        yield seen
    finally:
        process.terminate()
        await process.wait()
        reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reading


async def _read(process: asyncio.subprocess.Process, seen: Seen) -> None:
    assert process.stdout
    async for line in process.stdout:
        seen.lines.append((asyncio.get_running_loop().time(), line.decode().strip()))


async def test_shadow_mode_decides_a_failover_and_writes_to_no_published_object(scene: Scene) -> None:
    await scene.opens("openai", "backup", publish=PUBLISH)
    await scene.edit(dryRun=True)
    await scene.becomes("Ready", "True", "Shadow")
    before = await versions(scene)
    await scene.providers["openai"].behave(Fault.SERVER_ERROR)
    await would_serve(scene, "backup")

    assert await versions(scene) == before
    status = await scene.status()
    assert status["history"][0]["outcome"] == "Shadow"
    assert status["shadow"]["publishedProvider"] == "openai"
    assert (await scene.told("FailedOver")).startswith('Shadow: would switch from "openai" to "backup"')
    assert await scene.operator.metric("providerswitch_policy_shadow", policy=POLICY) == 1
    wide = await scene.run("get", "pswitch", POLICY, "-o", "wide")
    assert "DRYRUN" in wide
    assert "DRYRUN" not in await scene.run("get", "pswitch", POLICY)


async def test_a_kill_in_shadow_mode_keeps_its_choice_and_going_live_leaves_no_gap(scene: Scene) -> None:
    await scene.opens("openai", "backup", publish=PUBLISH, failover={"blacklistDuration": "1h"})
    await scene.edit(dryRun=True)
    await scene.providers["openai"].behave(Fault.SERVER_ERROR)
    await would_serve(scene, "backup")
    before, told = await versions(scene), await scene.events()
    await scene.operator.stop(signal.SIGKILL)
    scene.operator = OperatorProcess(scene.operator.kubeconfig, scene.operator.flags)
    await scene.operator.start()
    await scene.operator.ready()
    await eventually(lambda: "Shadow: would" in scene.operator.text)
    assert (await scene.status())["activeProvider"] == "backup"
    assert await versions(scene) == before
    assert [each for each in await scene.events() if each[0] == "FailedOver"] == [
        each for each in told if each[0] == "FailedOver"
    ]

    owner = (await scene.look("configmap", CONFIG_MAP))["metadata"]["ownerReferences"]
    async with watching(scene, "configmap", CONFIG_MAP, "data.LLM_REVISION") as seen:
        await scene.edit(dryRun=False)
        data = await scene.serves("backup")
        revisions = [line.split() for _, line in seen.lines]
    assert {kind for kind, _ in revisions} <= {"ADDED", "MODIFIED"}
    numbers = [int(revision) for _, revision in revisions]
    assert numbers == sorted(numbers)
    assert int(data["LLM_REVISION"]) > 1
    assert (await scene.look("configmap", CONFIG_MAP))["metadata"]["ownerReferences"] == owner


async def test_shadow_mode_from_the_start_publishes_nothing_until_it_goes_live(scene: Scene) -> None:
    await scene.provider("openai")
    await scene.apply(scene.secret(), scene.policy(publish=PUBLISH, dryRun=True))
    await scene.becomes("Ready", "True", "Shadow")
    assert await versions(scene) == [None, None]
    await scene.edit(dryRun=False)
    await scene.serves("openai")
    assert None not in await versions(scene)


async def test_what_others_do_in_shadow_mode_is_left(scene: Scene) -> None:
    await scene.opens("openai", "backup", publish=PUBLISH)
    await scene.edit(dryRun=True)
    await scene.becomes("Ready", "True", "Shadow")
    patch = json.dumps({"data": {"LLM_PROVIDER": "theirs"}})
    await scene.run("patch", "configmap", CONFIG_MAP, "--type=merge", "-p", patch)
    await scene.run("delete", "service", "llm")

    async def told() -> bool:
        return bool((await scene.status())["shadow"].get("publishedProvider") == "theirs")

    await eventually(told)
    assert await scene.look("service", "llm") == {}
    assert (await scene.look("configmap", CONFIG_MAP))["data"]["LLM_PROVIDER"] == "theirs"


async def test_a_quota_that_would_refuse_going_live_shows_in_shadow_mode(scene: Scene) -> None:
    theirs = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": CONFIG_MAP, "namespace": scene.namespace}}
    await scene.apply(theirs)
    await scene.provider("openai")
    await scene.apply(scene.secret(), scene.policy(dryRun=True))
    await scene.becomes("Ready", "False", "NotOwned")


EDITS: dict[str, tuple[str, str, str, dict[str, Any]]] = {
    "ConfigMap": ("configmap", CONFIG_MAP, "data.LLM_PROVIDER", {"data": {"LLM_PROVIDER": "evil"}}),
    "Service": ("service", "llm", "spec.externalName", {"spec": {"externalName": "evil"}}),
}


@pytest.mark.parametrize("kind", EDITS)
async def test_an_edit_is_put_right_within_a_second_and_told_with_its_author(scene: Scene, kind: str) -> None:
    resource, name, path, patch = EDITS[kind]
    await scene.opens("openai", "backup", publish=PUBLISH)
    async with watching(scene, resource, name, path) as seen:
        right = seen.lines[0][1].split()[1]
        await scene.run("patch", resource, name, "--type=merge", "--field-manager=somebody", "-p", json.dumps(patch))
        edited = await seen.sees("MODIFIED evil")
        mended = await seen.sees(f"MODIFIED {right}", after=edited)
    assert mended - edited < WITHIN
    assert f'{kind} "{name}" was changed by "somebody"' in await scene.told("DriftCorrected")
    assert await scene.operator.metric("providerswitch_drift_repairs_total", policy=POLICY, kind=kind) == 1


@pytest.mark.parametrize("kind", EDITS)
async def test_a_deleted_object_is_back_within_a_second(scene: Scene, kind: str) -> None:
    resource, name, path, _ = EDITS[kind]
    await scene.opens("openai", "backup", publish=PUBLISH)
    async with watching(scene, resource, name, path) as seen:
        right = seen.lines[0][1].split()[1]
        await scene.run("delete", resource, name)
        deleted = await seen.sees(f"DELETED {right}")
        assert await seen.sees(f"ADDED {right}", after=deleted) - deleted < WITHIN
    assert f'{kind} "{name}" was deleted' in await scene.told("DriftCorrected")


async def test_adopted_objects_are_told_of(scene: Scene) -> None:
    annotations = {"providerswitch.dev/adopt": "true"}
    for api_kind, (_, name, _, _) in EDITS.items():
        spec = {"spec": {"type": "ExternalName", "externalName": "theirs"}} if api_kind == "Service" else {}
        metadata = {"name": name, "namespace": scene.namespace, "annotations": annotations}
        await scene.apply({"apiVersion": "v1", "kind": api_kind, "metadata": metadata, **spec})
    await scene.opens("openai", publish=PUBLISH)

    async def both() -> bool:
        notes = [note for reason, note in await scene.events() if reason == "Adopted"]
        return len(notes) == 2 and any(note.startswith("Service") for note in notes)

    await eventually(both)


async def test_the_events_of_switches_show_in_describe_and_in_core_v1_with_what_they_changed(scene: Scene) -> None:
    await scene.opens("openai", "backup", publish=PUBLISH)
    await scene.edit(primary="backup")
    await scene.serves("backup")
    await scene.told("Switched")
    uid = (await scene.look("configmap", CONFIG_MAP))["metadata"]["uid"]
    listed = json.loads(await scene.run("get", "--raw", f"/api/v1/namespaces/{scene.namespace}/events"))["items"]
    by_reason = {event["reason"]: event for event in listed}
    for reason in ("Activated", "Switched"):
        event = by_reason[reason]
        assert event["involvedObject"]["name"] == POLICY
        related = event["related"]
        assert (related["kind"], related["name"], related["uid"]) == ("ConfigMap", CONFIG_MAP, uid)
    described = await scene.run("describe", "pswitch", POLICY)
    assert "Switched" in described.split("Events:")[1]
