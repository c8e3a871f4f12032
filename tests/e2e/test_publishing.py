"""What is published: owned, repaired, collected, never taken from others, never blank."""

import asyncio
import json
from typing import Any

from tests.support.eventually import eventually
from tests.support.scene import POLICY, Scene

CONFIG_MAP = f"{POLICY}-provider"


def foreign_config_map(scene: Scene, **annotations: str) -> dict[str, Any]:
    metadata = {"name": CONFIG_MAP, "namespace": scene.namespace, "annotations": annotations}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"theirs": "precious"}}


async def test_a_foreign_config_map_is_left_alone_and_the_user_told_what_to_do(scene: Scene) -> None:
    await scene.apply(foreign_config_map(scene))
    await scene.provider("openai")
    await scene.provider("backup")
    await scene.apply(scene.secret(), scene.policy())
    ready = await scene.becomes("Ready", "False", "NotOwned")
    assert (
        f'ConfigMap "{CONFIG_MAP}" in "{scene.namespace}" exists and does not belong to this policy' in ready["message"]
    )
    assert 'providerswitch.dev/adopt: "true"' in ready["message"]
    assert (await scene.look("configmap", CONFIG_MAP))["data"] == {"theirs": "precious"}


async def test_what_the_message_says_helps_adopting(scene: Scene) -> None:
    await test_a_foreign_config_map_is_left_alone_and_the_user_told_what_to_do(scene)
    await scene.run("annotate", "configmap", CONFIG_MAP, "providerswitch.dev/adopt=true")
    data = await scene.serves("openai", within=30)
    assert data["theirs"] == "precious"
    await scene.becomes("Ready", "True", "PrimaryHealthy")


async def test_what_the_message_says_helps_deleting(scene: Scene) -> None:
    await test_a_foreign_config_map_is_left_alone_and_the_user_told_what_to_do(scene)
    await scene.run("delete", "configmap", CONFIG_MAP)
    await scene.serves("openai", within=30)


async def test_a_foreign_service_stops_the_switch_before_anything_is_published(scene: Scene) -> None:
    theirs = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "llm", "namespace": scene.namespace},
        "spec": {"type": "ExternalName", "externalName": "theirs.example"},
    }
    await scene.apply(theirs)
    await scene.provider("openai")
    await scene.apply(scene.secret(), scene.policy(publish={"service": {"name": "llm"}}))
    await scene.becomes("Ready", "False", "NotOwned")
    assert await scene.look("configmap", CONFIG_MAP) == {}
    assert (await scene.look("service", "llm"))["spec"]["externalName"] == "theirs.example"


async def test_a_foreign_edit_is_put_right_at_once_and_counted(scene: Scene) -> None:
    await scene.opens("openai", "backup")
    patch = json.dumps({"data": {"LLM_BASE_URL": "http://evil.example"}})
    await scene.run("patch", "configmap", CONFIG_MAP, "--type=merge", "-p", patch)
    url = scene.providers["openai"].base_url

    async def right() -> bool:
        return bool((await scene.look("configmap", CONFIG_MAP))["data"]["LLM_BASE_URL"] == url)

    await eventually(right, within=5)
    assert await scene.operator.metric("providerswitch_drift_repairs_total", policy=POLICY) == 1
    assert (await scene.serves("openai"))["LLM_REVISION"] == "1"


async def test_a_deleted_config_map_comes_back(scene: Scene) -> None:
    await scene.opens("openai", "backup")
    await scene.run("delete", "configmap", CONFIG_MAP)
    assert (await scene.serves("openai"))["LLM_REVISION"] == "1"


async def test_keys_of_others_in_our_config_map_are_none_of_our_business(scene: Scene) -> None:
    await scene.opens("openai", "backup")
    patch = json.dumps({"data": {"EXTRA": "1"}})
    await scene.run("patch", "configmap", CONFIG_MAP, "--type=merge", "-p", patch)
    await scene.edit(primary="backup")
    assert (await scene.serves("backup"))["EXTRA"] == "1"
    assert await scene.operator.metric("providerswitch_drift_repairs_total", policy=POLICY) == 0


async def test_a_deleted_policy_takes_its_objects_and_its_probes_with_it(scene: Scene) -> None:
    await scene.opens("openai", "backup", publish={"service": {"name": "llm"}})
    await scene.run("delete", "pswitch", POLICY)

    async def gone() -> bool:
        left = [await scene.look("configmap", CONFIG_MAP), await scene.look("service", "llm")]
        return left == [{}, {}]

    await eventually(gone, within=20)

    async def quiet() -> bool:
        return await scene.operator.metric("providerswitch_probe_targets") == 0

    await eventually(quiet)
    assert await scene.operator.samples("providerswitch_active_provider") == []
    asked = len(scene.providers["openai"].log)
    await asyncio.sleep(2.5)  # more than two intervals in which a forgotten probe would show
    assert len(scene.providers["openai"].log) == asked


async def test_the_service_follows_the_active_provider(scene: Scene) -> None:
    await scene.provider("openai")
    await scene.apply(scene.secret(), scene.policy(publish={"service": {"name": "llm"}}))
    await scene.serves("openai")
    service = await scene.look("service", "llm")
    assert service["spec"]["type"] == "ExternalName"
    assert service["spec"]["externalName"] == "127.0.0.1"
    config_map = await scene.look("configmap", CONFIG_MAP)
    marks = [obj["metadata"]["annotations"]["providerswitch.dev/revision"] for obj in (service, config_map)]
    assert marks == ["1", "1"]


async def test_a_service_that_is_no_longer_wanted_is_removed(scene: Scene) -> None:
    await scene.opens("openai", "backup", publish={"service": {"name": "llm"}})
    await scene.edit(publish={"service": None})

    async def gone() -> bool:
        return await scene.look("service", "llm") == {}

    await eventually(gone)
    assert (await scene.serves("openai"))["LLM_REVISION"] == "2"


async def test_a_renamed_config_map_is_published_under_the_new_name_and_the_old_one_goes(scene: Scene) -> None:
    await scene.opens("openai", "backup")
    await scene.edit(publish={"configMap": {"name": "chosen"}})

    async def moved() -> bool:
        old, new = await scene.look("configmap", CONFIG_MAP), await scene.look("configmap", "chosen")
        return old == {} and new.get("data", {}).get("LLM_PROVIDER") == "openai"

    await eventually(moved)


async def test_a_changed_model_of_the_active_provider_is_published_as_a_new_revision(scene: Scene) -> None:
    await scene.opens("openai", "backup")
    providers = [{**scene.listed("openai"), "model": "newer"}, scene.listed("backup")]
    await scene.edit(providers=providers)

    async def newer() -> dict[str, str] | None:
        data: dict[str, str] = (await scene.look("configmap", CONFIG_MAP))["data"]
        return data if data["LLM_MODEL"] == "newer" else None

    data = await eventually(newer)
    assert data
    assert data["LLM_REVISION"] == "2"


async def test_a_provider_without_model_and_key_leaves_no_blank_variables(scene: Scene) -> None:
    await scene.provider("openai", "openai")
    provider = scene.providers["openai"]
    bare = {"name": "openai", "type": "openai-compatible", "baseURL": provider.base_url}
    await scene.apply(scene.policy(providers=[bare]))
    data = await scene.serves("openai")
    assert "LLM_MODEL" not in data
    assert "LLM_SECRET_NAME" not in data
    assert all(data.values())
