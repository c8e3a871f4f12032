"""The published Secret on a real API server: one revision for address and key, least rights, nobody else's Secrets."""

import asyncio
import base64
import json
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.chart.rendering import render
from tests.e2e.test_rbac_minimal import Right, Witness
from tests.support.control_plane import ControlPlane
from tests.support.crashes import Stage
from tests.support.eventually import eventually
from tests.support.kubectl import Kubectl
from tests.support.operator_process import SYSTEM, OperatorProcess, operator_kubeconfig
from tests.support.scene import POLICY, Scene, key_of

from providerswitch.api import meta
from providerswitch.demo.fakes import Fault

ACCOUNT = "secret-publisher"
NAME = "assistant-llm"
PUBLISH = {"secret": {"name": NAME}}
ROTATED = "sk-rotated-0123456789abcdef"
CONSENT = {meta.PUBLISH_ANNOTATION: "true"}


@pytest.fixture(scope="session")
def publisher(installed: ControlPlane) -> str:
    """Return the token of an account that the chart gave the right to write Secrets."""
    values = {"rbac": {"publishSecrets": True, "aggregateToDefaultRoles": False}, "fullnameOverride": ACCOUNT}
    rendered = render(leaderElection={"enabled": False}, replicas=1, **values)
    kinds = ("ServiceAccount", "ClusterRole", "ClusterRoleBinding")
    items = [obj for kind in kinds for obj in rendered.all(kind)]
    kubectl = Kubectl(installed.kubeconfig)
    kubectl.apply(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    return kubectl.ok("create", "token", ACCOUNT, "-n", SYSTEM).strip()


@pytest.fixture
async def stage(
    installed: ControlPlane, publisher: str, namespace: str, kubectl: Kubectl, tmp_path: Path
) -> AsyncIterator[Stage]:
    """A scene whose operator may write Secrets, and talks at the most talkative level."""
    proxy = Witness(installed.url, installed.certificate)
    await proxy.start()
    kubeconfig = installed.kubeconfig_for_token(publisher, tmp_path / "publisher.kubeconfig")
    flags = ("--namespaces", namespace, "--allow-probe-cidr", "127.0.0.0/8", "--publish-secrets", "--log-level=debug")
    operator = OperatorProcess(proxy.kubeconfig(kubeconfig, tmp_path / "proxied.kubeconfig"), flags)
    made = Stage(Scene(namespace, kubectl, operator), proxy)
    async with made.scene.stack:
        await made.start_operator()
        yield made
        await made.scene.operator.stop(signal.SIGKILL)
    await proxy.stop()


def source(scene: Scene, *, consent: bool = True, **changes: str) -> dict[str, Any]:
    made = scene.secret(**changes)
    made["metadata"]["annotations"] |= CONSENT if consent else {}
    return made


async def opens(scene: Scene, *names: str, **spec: Any) -> None:
    for name in names or ("openai", "backup"):
        await scene.provider(name)
    await scene.apply(source(scene), scene.policy(**{"publish": PUBLISH, **spec}))
    await becomes(scene, names[0] if names else "openai")


async def seen(scene: Scene) -> dict[str, str]:
    """Return what a reader of the Secret finds; the revision of the object under "revision"."""
    found = await scene.look("secret", NAME)
    data = {name: base64.b64decode(value).decode() for name, value in (found.get("data") or {}).items()}
    return {**data, "revision": found["metadata"]["annotations"][meta.REVISION_ANNOTATION]} if found else {}


async def becomes(scene: Scene, provider: str, key: str | None = None) -> dict[str, str]:
    """Wait until the Secret sends its readers to a provider, with its key; return what they find."""

    async def there() -> dict[str, str] | None:
        data = await seen(scene)
        told = data.get("LLM_PROVIDER"), data.get("LLM_API_KEY")
        return data if told == (provider, key or key_of(provider)) else None

    try:
        data = await eventually(there, within=20)
    except AssertionError as error:
        raise AssertionError(
            f"{provider} is not in the Secret: {await scene.status()}\n{scene.operator.text}"
        ) from error
    assert data
    return data


def assert_whole(scene: Scene, data: dict[str, str]) -> None:
    provider = data["LLM_PROVIDER"]
    assert data["LLM_API_KEY"] == data["OPENAI_API_KEY"] == key_of(provider)
    assert data["LLM_BASE_URL"] == data["OPENAI_BASE_URL"] == scene.providers[provider].base_url
    assert data["revision"] == data["LLM_REVISION"]


async def test_a_failover_changes_address_and_key_in_one_revision_and_shows_no_key_elsewhere(stage: Stage) -> None:
    scene = stage.scene
    await opens(scene)
    found: list[dict[str, str]] = []

    async def read_on() -> None:
        while True:
            found.append(await seen(scene))  # one `kubectl get` after the other

    reading = asyncio.create_task(read_on())
    await scene.providers["openai"].behave(Fault.SERVER_ERROR)
    data = await becomes(scene, "backup")
    reading.cancel()

    assert {each["LLM_PROVIDER"] for each in found} <= {"openai", "backup"}
    for each in (*found, data):
        assert_whole(scene, each)
    config_map = await scene.serves("backup")
    assert config_map["LLM_REVISION"] == data["LLM_REVISION"] == "2"
    kinds = ("pswitch", "configmaps", "events.events.k8s.io", "services")
    told = [await scene.run("get", kind, "-o", "json") for kind in kinds]
    for name in scene.providers:
        for form in (key_of(name), base64.b64encode(key_of(name).encode()).decode()):
            assert form not in "".join((*told, scene.operator.text))


async def test_a_renewed_key_is_published_within_a_moment(stage: Stage) -> None:
    scene = stage.scene
    await opens(scene)
    await scene.apply(source(scene, openai=ROTATED))
    data = await becomes(scene, "openai", ROTATED)
    assert (data["LLM_REVISION"], data["revision"]) == ("2", "2")
    assert await scene.operator.metric("providerswitch_drift_repairs_total", policy=POLICY) == 0


async def right_again(scene: Scene) -> None:
    async def right() -> bool:
        return (await seen(scene)).get("LLM_API_KEY") == key_of("openai")

    await eventually(right, within=2)


async def test_an_edited_or_deleted_secret_is_put_right_and_counted(stage: Stage) -> None:
    scene = stage.scene
    await opens(scene)
    await scene.run("patch", "secret", NAME, "--type=merge", "-p", '{"stringData": {"LLM_API_KEY": "sk-evil"}}')
    await right_again(scene)
    await scene.run("delete", "secret", NAME)
    await right_again(scene)
    assert_whole(scene, await seen(scene))

    async def counted() -> bool:
        return await scene.operator.metric("providerswitch_drift_repairs_total", policy=POLICY) == 2

    await eventually(counted)
    assert (await seen(scene))["revision"] == "1"


async def test_a_secret_of_somebody_else_is_left_alone_and_taken_over_when_handed_over(stage: Stage) -> None:
    scene = stage.scene
    metadata = {"name": NAME, "namespace": scene.namespace}
    await scene.apply(
        {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"theirs": "precious"}}
    )
    before = await scene.look("secret", NAME)
    await scene.provider("openai")
    await scene.apply(source(scene), scene.policy(publish=PUBLISH))
    await scene.becomes("Ready", "False", "NotOwned")
    assert await scene.look("secret", NAME) == before
    await scene.run("annotate", "secret", NAME, f"{meta.ADOPT_ANNOTATION}=true")
    assert (await becomes(scene, "openai"))["theirs"] == "precious"


async def test_a_key_of_a_secret_that_does_not_consent_is_not_copied(stage: Stage) -> None:
    scene = stage.scene
    await scene.provider("openai")
    await scene.apply(source(scene, consent=False), scene.policy(publish=PUBLISH))
    ready = await scene.becomes("Ready", "False", "KeyNotPublishable")
    assert f'set its annotation {meta.PUBLISH_ANNOTATION} to "true"' in ready["message"]
    assert await seen(scene) == {}
    await scene.run("annotate", "secret", "llm-keys", f"{meta.PUBLISH_ANNOTATION}=true")
    await becomes(scene, "openai")


async def test_a_deleted_policy_takes_its_secret_with_it_and_leaves_the_source(stage: Stage) -> None:
    scene = stage.scene
    await opens(scene)
    await scene.run("delete", "pswitch", POLICY)

    async def gone() -> bool:
        return await seen(scene) == {}

    await eventually(gone, within=20)
    assert await scene.look("secret", "llm-keys") != {}


KILLS = [("before", "/secrets/"), ("after", "/secrets/"), ("before", "/configmaps/"), ("after", "/configmaps/")]


@pytest.mark.parametrize(("moment", "part"), KILLS, ids=["-".join(each).replace("/", "") for each in KILLS])
async def test_a_kill_during_a_switch_leaves_no_mixture_and_is_finished(stage: Stage, moment: str, part: str) -> None:
    scene = stage.scene
    await opens(scene)
    killed = await stage.die_at(moment, "PATCH", part)
    await scene.edit(primary="backup")
    await asyncio.wait_for(killed.wait(), 10)
    assert_whole(scene, await seen(scene))
    await stage.start_operator()
    data = await becomes(scene, "backup")
    assert_whole(scene, data)
    assert (await scene.serves("backup"))["LLM_REVISION"] == data["LLM_REVISION"] == "2"


async def test_every_right_to_write_secrets_is_used_and_no_other_secret_is_streamed(stage: Stage) -> None:
    scene, proxy = stage.scene, stage.proxy
    assert isinstance(proxy, Witness)
    await opens(scene)
    await scene.edit(publish={"secret": None})

    async def gone() -> bool:
        return await seen(scene) == {}

    await eventually(gone)
    assert {Right(verb, "", "secrets") for verb in ("create", "patch", "delete")} <= proxy.used.keys()
    collection = f"/api/v1/namespaces/{scene.namespace}/secrets"
    streamed = {path for _, _, path in proxy.asked if path.startswith((f"{collection}?", f"{collection} "))}
    labelled = {path for path in streamed if "labelSelector=" in path and "managed-by" in path}
    assert labelled
    named = {path.partition("?")[0] for _, _, path in proxy.asked if path.startswith(f"{collection}/")}
    assert named == {f"{collection}/llm-keys", f"{collection}/{NAME}"}


async def test_without_the_flag_all_else_is_published_and_the_user_told_what_to_do(scene: Scene) -> None:
    await scene.provider("openai")
    await scene.apply(source(scene), scene.policy(publish={**PUBLISH, "service": {"name": "llm"}}))
    ready = await scene.becomes("Ready", "False", "SecretsNotPublished")
    assert "rbac.publishSecrets: true" in ready["message"]
    assert (await scene.serves("openai"))["LLM_REVISION"] == "1"
    assert await scene.look("service", "llm") != {}
    assert await seen(scene) == {}
    await scene.edit(publish={"secret": None})
    await scene.becomes("Ready", "True", "PrimaryHealthy")


async def test_with_the_flag_and_without_the_rights_it_says_which_it_lacks(
    installed: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    operator = OperatorProcess(
        operator_kubeconfig(installed, tmp_path), ("--namespaces", namespace, "--publish-secrets")
    )
    await operator.start()
    try:
        await eventually(lambda: f"in namespaces {namespace}: create secrets; delete secrets; patch secrets. Apply"
                         in operator.text, within=20)  # fmt: skip
    finally:
        await operator.stop()
