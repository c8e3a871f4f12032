"""Hints, with real tokens and rights of a real API server, over TLS."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
from tests.support.api_proxy import ApiProxy
from tests.support.control_plane import ControlPlane
from tests.support.eventually import eventually
from tests.support.hints import Endpoint, grant, issue_token, make_account, revoke
from tests.support.kubectl import Kubectl
from tests.support.operator_process import OperatorProcess, operator_kubeconfig
from tests.support.scene import QUICK, Scene

from providerswitch.controller.hints.settings import HintSettings
from providerswitch.controller.startup import find_obstacle, needed_for_hints
from providerswitch.demo.fakes import Fault
from providerswitch.kube.client import KubeClient
from providerswitch.kube.login import log_in
from providerswitch.kube.objects import ObjectKey

RARE = {**QUICK, "interval": "1h"}
"""Without a hint nothing would be noticed in the time of a test."""


@dataclass(slots=True)
class Hinted:
    """A scene whose operator takes hints, and what it asked of the API server.

    Attributes:
        reviews: paths of the reviews of tokens and of rights.
    """

    scene: Scene
    endpoint: Endpoint
    reviews: list[str]

    async def token(self, name: str = "app", *options: str) -> str:
        """Return a token of an account of the scene's namespace."""
        return await issue_token(self.scene.kubectl, self.scene.namespace, name, *options)

    async def status(self, token: str | None, **fields: str) -> int:
        """Give a hint and return the HTTP status."""
        about = {"namespace": self.scene.namespace, **fields}
        return (await self.endpoint.hint(token, **about)).status_code


@pytest.fixture
async def hinted(installed: ControlPlane, namespace: str, kubectl: Kubectl, tmp_path: Path) -> AsyncIterator[Hinted]:
    await asyncio.to_thread(grant, kubectl)
    proxy, endpoint = ApiProxy(installed.url, installed.certificate), Endpoint(tmp_path)
    reviews: list[str] = []

    async def note(moment: str, _method: str, path: str) -> None:
        if moment == "before" and path.endswith(("/tokenreviews", "/subjectaccessreviews")):
            reviews.append(path)

    proxy.tripwire = note
    await proxy.start()
    kubeconfig = proxy.kubeconfig(operator_kubeconfig(installed, tmp_path), tmp_path / "proxied.kubeconfig")
    flags = ("--namespaces", namespace, "--allow-probe-cidr", "127.0.0.0/8", "--log-level", "debug", *endpoint.flags())
    scene = Scene(namespace, kubectl, OperatorProcess(kubeconfig, flags))
    async with scene.stack:
        scene.stack.push_async_callback(proxy.stop)
        await scene.operator.start()
        scene.stack.push_async_callback(scene.operator.stop)
        await scene.operator.ready()
        await make_account(kubectl, namespace, "app", [namespace])
        yield Hinted(scene, endpoint, reviews)
    await asyncio.to_thread(revoke, kubectl)


async def test_a_true_hint_of_a_consumer_brings_a_failover_that_would_have_taken_an_hour(hinted: Hinted) -> None:
    scene, token = hinted.scene, await hinted.token()
    await scene.opens("openai", "backup", healthCheck=RARE)
    await scene.providers["openai"].behave(Fault.SERVER_ERROR)

    answer = await hinted.endpoint.hint(token, scene.namespace)

    assert (answer.status_code, answer.json()["probing"]) == (202, ["openai"])
    await scene.serves("backup", within=5)
    assert await scene.operator.metric("providerswitch_hints_total", source="consumer") == 1
    assert await scene.operator.metric("providerswitch_hint_requests_total", code="202") == 1
    assert token not in scene.operator.text


async def test_a_false_hint_changes_nothing_but_the_time_of_a_probe(hinted: Hinted) -> None:
    scene, token = hinted.scene, await hinted.token()
    await scene.opens("openai", "backup", healthCheck=RARE)
    asked = len(scene.providers["openai"].log)
    assert await hinted.status(token) == 202
    await eventually(lambda: len(scene.providers["openai"].log) > asked)
    assert (await scene.status())["activeProvider"] == "openai"
    assert len((await scene.status())["history"]) == 1


async def test_a_token_for_another_audience_opens_nothing_and_ours_opens_nothing_else(
    hinted: Hinted, installed: ControlPlane, kubectl: Kubectl
) -> None:
    await hinted.scene.opens("openai", "backup")
    ours = await hinted.token()
    for_the_api = await issue_token(kubectl, hinted.scene.namespace, "app", "--duration=1h")
    for_others = await hinted.token("app", "--audience=vault")
    assert [await hinted.status(token) for token in (ours, for_the_api, for_others, "made-up", None)] == [
        202, 401, 401, 401, 401]  # fmt: skip
    refused = await asyncio.to_thread(kubectl.as_bearer(ours), "auth", "whoami")
    assert refused.returncode != 0
    for token in (ours, for_the_api, for_others):
        assert token not in hinted.scene.operator.text


async def test_a_token_whose_account_is_gone_opens_nothing(hinted: Hinted) -> None:
    await make_account(hinted.scene.kubectl, hinted.scene.namespace, "gone", [hinted.scene.namespace])
    token = await hinted.token("gone")
    await hinted.scene.run("delete", "serviceaccount", "gone")

    async def refused() -> bool:
        return await hinted.status(token) == 401

    await eventually(refused, within=20)


async def test_only_who_was_granted_it_in_the_namespace_of_the_policy_may_give_hints(
    hinted: Hinted, kubectl: Kubectl
) -> None:
    here, there = hinted.scene.namespace, f"test-{uuid4().hex[:8]}"
    await hinted.scene.opens("openai", "backup")
    await asyncio.to_thread(kubectl.ok, "create", "namespace", there)
    await make_account(kubectl, here, "nobody")
    await make_account(kubectl, there, "neighbour", [there])
    await make_account(kubectl, there, "gateway", [there, here])
    tokens = [
        await issue_token(kubectl, here, "nobody"),
        await issue_token(kubectl, there, "neighbour"),
        await issue_token(kubectl, there, "gateway"),
    ]
    assert [await hinted.status(token) for token in tokens] == [403, 403, 202]
    assert [await hinted.status(token, policy="unknown") for token in tokens] == [403, 403, 404]
    await asyncio.to_thread(kubectl, "delete", "namespace", there, "--wait=false")


async def test_a_right_can_be_for_one_policy(hinted: Hinted, kubectl: Kubectl) -> None:
    scene = hinted.scene
    await scene.opens("openai", "backup")
    await make_account(kubectl, scene.namespace, "narrow")
    rule = ("--verb=create", "--resource=providerswitchpolicies.providerswitch.dev/hints", "--resource-name=assistant")
    await scene.run("create", "role", "narrow", *rule)
    await scene.run("create", "rolebinding", "narrow", "--role=narrow", f"--serviceaccount={scene.namespace}:narrow")
    token = await hinted.token("narrow")
    assert [await hinted.status(token, policy=name) for name in ("assistant", "other")] == [202, 403]


async def flood(endpoint: Endpoint, who: int, hints: int) -> list[int]:
    """Give hints one after the other, each with another token that nobody issued; return the statuses."""
    async with endpoint.client() as client:
        headers = [{"Authorization": f"Bearer flood-{who}-{number}"} for number in range(hints)]
        return [(await client.post("/v1/hints", json={}, headers=each)).status_code for each in headers]


async def test_a_flood_of_bad_tokens_reaches_the_api_server_as_a_trickle_and_policies_are_served(
    hinted: Hinted,
) -> None:
    scene = hinted.scene
    await scene.opens("openai", "backup")
    began = time.monotonic()
    answers = await asyncio.gather(*(flood(hinted.endpoint, who, 50) for who in range(10)))
    took = time.monotonic() - began
    statuses = Counter(status for each in answers for status in each)
    assert statuses.keys() <= {401, 429, 503}
    assert statuses[429] > 0
    assert 0 < len(hinted.reviews) <= 20 + 10 * took + 1
    await scene.providers["openai"].behave(Fault.SERVER_ERROR)
    await scene.serves("backup")


async def test_without_the_rights_for_hints_the_operator_names_each_that_lacks(
    installed: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    settings = HintSettings(listen=("127.0.0.1", 1), service=ObjectKey(namespace, "hints"))
    client = (await log_in(str(operator_kubeconfig(installed, tmp_path)))).open()
    try:
        further = needed_for_hints(settings)[2:]
        told = await find_obstacle(KubeClient(client), installed.url, (), once=further)
    finally:
        await client.close()  # type: ignore[no-untyped-call]  # ships no types
    assert told is not None
    lacking = ('create endpointslices.discovery.k8s.io "', 'patch endpointslices.discovery.k8s.io "')
    assert [words in told for words in lacking] == [True, True]


async def test_a_wrong_setting_ends_the_start_with_what_to_do(installed: ControlPlane, tmp_path: Path) -> None:
    operator = OperatorProcess(operator_kubeconfig(installed, tmp_path), ("--hints-listen", "127.0.0.1:0"))
    await operator.start()
    assert operator.process
    assert await asyncio.wait_for(operator.process.wait(), 20) == 1
    assert operator.reader
    await operator.reader
    lines = [json.loads(line)["message"] for line in operator.text.splitlines()]
    assert lines[-1].startswith("--hints-listen needs --hints-cert and --hints-key")
