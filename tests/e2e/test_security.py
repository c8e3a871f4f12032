"""What a person who may only write policies cannot make the operator do."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml
from tests.support.api_proxy import ApiProxy
from tests.support.control_plane import ControlPlane
from tests.support.eventually import eventually
from tests.support.fault_server import always, serving
from tests.support.kubectl import Kubectl
from tests.support.operator_process import OperatorProcess, operator_kubeconfig
from tests.support.scene import POLICY, QUICK, Scene, key_of

from providerswitch.api import meta

BODY = b'{"object": "list", "data": []}'
MODELS = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(BODY), BODY)
Opener = Callable[..., Awaitable[Scene]]

REFUSED = {
    "by-number": ("http://127.0.0.1:{port}", "loopback"),
    "by-name": ("http://localhost:{port}", "loopback"),
    "in-one-number": ("http://2130706433:{port}", "loopback"),
    "far-loopback": ("http://127.8.9.10:{port}", "loopback"),
    "inside-ipv6": ("http://[::ffff:127.0.0.1]:{port}", "loopback"),
    "unspecified": ("http://0.0.0.0:{port}", "unspecified"),
    "link-local": ("http://169.254.10.20:{port}", "link-local"),
    "metadata": ("http://169.254.169.254", "cloud metadata"),
}
"""Addresses that lead to the node's own services, or to the cloud's credentials; and how they are called."""


@pytest.fixture
async def opened(installed: ControlPlane, namespace: str, kubectl: Kubectl, tmp_path: Path) -> AsyncIterator[Opener]:
    """Opens a scene whose operator was given these flags."""
    async with AsyncExitStack() as stack:

        async def open_scene(*flags: str) -> Scene:
            operator = OperatorProcess(operator_kubeconfig(installed, tmp_path), ("--namespaces", namespace, *flags))
            scene = Scene(namespace, kubectl, operator)
            await stack.enter_async_context(scene.stack)
            await operator.start()
            stack.push_async_callback(operator.stop)
            await operator.ready()
            return scene

        yield open_scene


@pytest.fixture
async def elsewhere(kubectl: Kubectl) -> AsyncIterator[str]:
    """Another team's namespace."""
    name = f"test-{uuid4().hex[:8]}"
    kubectl.ok("create", "namespace", name)
    yield name
    kubectl("delete", "namespace", name, "--wait=false")


def listed(name: str, url: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "type": "openai-compatible", "baseURL": url, **fields}


def policy(scene: Scene, *providers: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": meta.API_VERSION,
        "kind": meta.POLICY_KIND,
        "metadata": {"name": POLICY, "namespace": scene.namespace},
        "spec": {"primary": providers[0]["name"], "providers": [*providers], "healthCheck": QUICK, **spec},
    }


def secret(namespace: str, *hosts: str) -> dict[str, Any]:
    metadata = {"name": "llm-keys", "namespace": namespace, "annotations": {meta.HOSTS_ANNOTATION: ",".join(hosts)}}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"k": key_of("openai")}}


AUTH = {"auth": {"secretKeyRef": {"name": "llm-keys", "key": "k"}}}


async def test_addresses_of_the_node_and_the_cloud_are_never_contacted_and_the_user_told_why(opened: Opener) -> None:
    scene = await opened()
    async with serving(always(MODELS)) as server:
        providers = [listed(name, url.format(port=server.port)) for name, (url, _) in REFUSED.items()]
        await scene.apply(policy(scene, *providers))

        async def all_told() -> bool:
            return not [each for each in (await scene.status())["providers"] if each["state"] == "Unknown"]

        await scene.becomes("Ready", "False", "NoHealthyProvider")
        await eventually(all_told)
        ready = await scene.condition("Ready")
        statuses = {each["name"]: each for each in (await scene.status())["providers"]}
        assert server.accepted == 0
    assert "allow it with --allow-probe-cidr" in ready["message"]
    for name, (_, kind) in REFUSED.items():
        assert f"is a {kind} address" in statuses[name]["why"]
        assert statuses[name]["healthClass"] == "ConfigInvalid"
        assert not statuses[name]["eligible"]
    assert await scene.look("configmap", f"{POLICY}-provider") == {}


async def test_what_the_message_says_helps_and_allows_no_other_network(opened: Opener) -> None:
    scene = await opened("--allow-probe-cidr", "127.0.0.0/30")
    async with serving(always(MODELS)) as server:
        allowed = listed("allowed", f"http://127.0.0.1:{server.port}")
        other = listed("other", f"http://127.8.9.10:{server.port}")
        await scene.apply(policy(scene, allowed, other))
        await scene.serves("allowed")

        async def judged() -> bool:
            return (await scene.provider_status("other")).get("healthClass") == "ConfigInvalid"

        await eventually(judged)


async def test_a_secret_of_another_namespace_cannot_be_named(opened: Opener, elsewhere: str) -> None:
    scene = await opened("--allow-probe-cidr", "127.0.0.0/8")
    async with serving(always(MODELS)) as server:
        theirs = secret(elsewhere, f"127.0.0.1:{server.port}")
        await asyncio.to_thread(scene.kubectl.apply, json.dumps(theirs))
        reference = {"name": "llm-keys", "key": "k", "namespace": elsewhere}
        thief = policy(scene, listed("p", f"http://127.0.0.1:{server.port}", auth={"secretKeyRef": reference}))
        refused = scene.kubectl("apply", "-f", "-", stdin=json.dumps(thief))
        assert 'unknown field "spec.providers[0].auth.secretKeyRef.namespace"' in refused.stderr

        await scene.run("apply", "--validate=false", "-f", "-", stdin=json.dumps(thief))

        ready = await scene.becomes("Ready", "False", "SecretNotFound")
        assert f'Secret "llm-keys" in "{scene.namespace}" does not exist' in ready["message"]
        await eventually(lambda: server.requests)
        assert all(key_of("openai").encode() not in request for request in server.requests)


async def test_policies_and_secrets_outside_of_the_served_namespaces_are_left_alone(
    opened: Opener, elsewhere: str
) -> None:
    scene = await opened("--allow-probe-cidr", "127.0.0.0/8")
    async with serving(always(MODELS)) as server:
        other = policy(scene, listed("p", f"http://127.0.0.1:{server.port}/other"))
        other["metadata"]["namespace"] = elsewhere
        await asyncio.to_thread(scene.kubectl.apply, json.dumps(other))
        await scene.apply(policy(scene, listed("p", f"http://127.0.0.1:{server.port}")))

        await scene.serves("p")

        seen = scene.kubectl.json("get", "pswitch", POLICY, "-n", elsewhere)
        assert seen["status"] == {"observedGeneration": -1}, "what the API server gives to a new one"
        assert all(b"/other" not in request for request in server.requests)


async def test_a_redirect_is_not_followed_with_a_key_nor_without(opened: Opener) -> None:
    scene = await opened("--allow-probe-cidr", "127.0.0.0/8")
    async with serving(always(MODELS)) as target:
        elsewhere = f"http://127.0.0.1:{target.port}/v1/models".encode()
        answer = b"HTTP/1.1 307 Temporary Redirect\r\nlocation: " + elsewhere + b"\r\ncontent-length: 0\r\n\r\n"
        async with serving(always(answer)) as server:
            host = f"127.0.0.1:{server.port}"
            keyed, bare = listed("keyed", f"http://{host}/keyed", **AUTH), listed("bare", f"http://{host}/bare")
            await scene.apply(secret(scene.namespace, host, f"127.0.0.1:{target.port}"), policy(scene, keyed, bare))

            await scene.becomes("Ready", "False", "NoHealthyProvider")

            assert any(key_of("openai").encode() in request for request in server.requests)
        assert target.accepted == 0


async def test_no_key_is_in_the_log_at_the_most_talkative_level(opened: Opener) -> None:
    scene = await opened("--allow-probe-cidr", "127.0.0.0/8", "--log-level", "debug")
    await scene.opens("openai", "backup")
    await scene.apply(scene.secret(openai="sk-rotated-0123456789abcdef"))
    await scene.serves("backup")

    text = scene.operator.text
    talkers = {(line["level"], line["logger"].split(".")[0]) for line in map(json.loads, text.splitlines()[:-1])}
    assert {who for level, who in talkers if level in {"DEBUG", "INFO"}} == {"providerswitch"}
    for key in (key_of("openai"), key_of("backup"), "sk-rotated-0123456789abcdef"):
        assert key not in text
    (user,) = yaml.safe_load(scene.operator.kubeconfig.read_text())["users"]
    assert user["user"]["token"] not in text


async def test_keys_are_read_one_by_one_and_never_listed(
    installed: ControlPlane, namespace: str, kubectl: Kubectl, tmp_path: Path
) -> None:
    seen: list[tuple[str, str]] = []
    proxy = ApiProxy(installed.url, installed.certificate)

    async def note(moment: str, method: str, path: str) -> None:
        seen.append((method, path))

    proxy.tripwire = note
    await proxy.start()
    kubeconfig = proxy.kubeconfig(operator_kubeconfig(installed, tmp_path), tmp_path / "proxied.kubeconfig")
    flags = ("--namespaces", namespace, "--allow-probe-cidr", "127.0.0.0/8")
    scene = Scene(namespace, kubectl, OperatorProcess(kubeconfig, flags))
    async with scene.stack:
        await scene.operator.start()
        await scene.operator.ready()
        await scene.opens("openai", "backup")
        await scene.operator.stop()
    await proxy.stop()

    secrets = {path for method, path in seen if path.endswith("/secrets") or "/secrets/" in path}
    assert secrets == {f"/api/v1/namespaces/{namespace}/secrets", f"/api/v1/namespaces/{namespace}/secrets/llm-keys"}
