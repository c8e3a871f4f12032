"""The rights of the operator are minimal: it uses each one in the course of an ordinary life, and says when one lacks.

What it holds is read from the cluster it was installed in, by what is bound to its account. What it uses is what the
API server was really asked, seen on the way.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from tests.support.api_proxy import ApiProxy
from tests.support.control_plane import ControlPlane
from tests.support.eventually import eventually
from tests.support.kubectl import Kubectl
from tests.support.operator_process import SYSTEM, OperatorProcess, operator_kubeconfig
from tests.support.policies import AT_ONCE
from tests.support.scene import Scene
from typing_extensions import override

from providerswitch.api import meta
from providerswitch.controller.startup import find_obstacle
from providerswitch.kube.client import KubeClient
from providerswitch.kube.login import log_in
from providerswitch.kube.objects import ObjectKey

ACCOUNT = "providerswitch"
LEASE = ObjectKey(SYSTEM, "providerswitch")
OF_EVERYBODY = "authorization.k8s.io"
"""The group that every account may ask about its own rights; no rule of ours."""
VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


@dataclass(frozen=True, slots=True, order=True)
class Right:
    """One verb on one resource, `policies/status` for a subresource."""

    verb: str
    group: str
    resource: str


@dataclass(slots=True)
class Witness(ApiProxy):
    """Notes which rights the requests that pass it need.

    Attributes:
        used: the rights, and one request that needed each.
    """

    used: dict[Right, str] = field(default_factory=dict)

    @override
    async def forward(self, request: web.Request) -> web.StreamResponse:
        # The explicit form: a dataclass with slots is made twice, and super() would mean the first one.
        needed = right_of(request)
        if needed and needed.verb == "watch":  # a watch is answered only when it ends
            self.used.setdefault(needed, request.path_qs)
        response = await ApiProxy.forward(self, request)
        if needed and response.status < 300:
            self.used.setdefault(needed, request.path_qs)
        if needed and needed.verb == "patch" and response.status == 201:
            # An object that is applied and not there yet is created, which the API server asks a right of its own for.
            self.used.setdefault(Right("create", needed.group, needed.resource), request.path_qs)
        return response


def right_of(request: web.Request) -> Right | None:
    """Return the right that the API server asks for a request; None where it is everybody's."""
    parts = request.path.strip("/").split("/")
    group, rest = ("", parts[2:]) if parts[0] == "api" else (parts[1] if len(parts) > 1 else "", parts[3:])
    rest = rest[2:] if rest[:1] == ["namespaces"] and len(rest) > 2 else rest
    if not rest or group == OF_EVERYBODY:
        return None
    plural, name, subresource = (*rest, "", "")[:3]
    resource = f"{plural}/{subresource}" if subresource else plural
    if request.method != "GET":
        return Right(VERBS[request.method], group, resource)
    read = "get" if name else "list"
    return Right("watch" if request.query.get("watch") in {"1", "true"} else read, group, resource)


def test_a_request_is_told_by_its_right() -> None:
    def needed(method: str, path: str) -> Right | None:
        from aiohttp.test_utils import make_mocked_request

        return right_of(make_mocked_request(method, path))

    policies = "/apis/providerswitch.dev/v1alpha1/namespaces/team-a/providerswitchpolicies"
    assert needed("GET", "/api/v1/secrets?watch=1") == Right("watch", "", "secrets")
    assert needed("GET", "/api/v1/namespaces/team-a/secrets") == Right("list", "", "secrets")
    assert needed("GET", "/api/v1/namespaces/team-a/secrets/k") == Right("get", "", "secrets")
    assert needed("PATCH", f"{policies}/p/status") == Right(
        "patch", "providerswitch.dev", "providerswitchpolicies/status"
    )
    assert needed("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews") is None


def rights_in(rules: Collection[dict[str, Any]]) -> set[Right]:
    return {
        Right(verb, group, resource)
        for rule in rules
        for verb in rule["verbs"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }


def bound_roles(kubectl: Kubectl) -> Iterator[dict[str, Any]]:
    """Yield every role that is bound to the operator's account."""
    bindings = kubectl.json("get", "clusterrolebindings,rolebindings", "--all-namespaces")["items"]
    us = ("ServiceAccount", ACCOUNT, SYSTEM)
    for binding in bindings:
        subjects = binding.get("subjects") or []
        if us in [(each["kind"], each["name"], each.get("namespace")) for each in subjects]:
            role, place = binding["roleRef"], binding["metadata"].get("namespace")
            scope = ("-n", place) if place and role["kind"] == "Role" else ()
            yield kubectl.json("get", role["kind"].lower(), role["name"], *scope)


@pytest.fixture
def roles(installed: ControlPlane, kubectl: Kubectl) -> list[dict[str, Any]]:
    """What the operator was given, as it is installed."""
    return list(bound_roles(kubectl))


@pytest.fixture
async def witness(installed: ControlPlane) -> AsyncIterator[Witness]:
    """A proxy that sees all that the operator asks of the API server."""
    proxy = Witness(installed.url, installed.certificate)
    await proxy.start()
    yield proxy
    await proxy.stop()


async def live(scene: Scene) -> None:
    """Do what happens to an operator and its policies in the course of time."""
    for name in ("openai", "backup"):
        await scene.provider(name)
    publish = {"service": {"name": "llm"}, "configMap": {"name": "choice"}}
    failover = {**AT_ONCE, "blacklistDuration": "2s"}
    await scene.apply(scene.secret(), scene.policy(publish=publish, failover=failover))
    await published(scene, "choice", "openai")
    await scene.edit(primary="backup")
    await published(scene, "choice", "backup")
    await scene.run("patch", "configmap", "choice", "--type=merge", "-p", '{"data": {"LLM_PROVIDER": "mine"}}')
    await published(scene, "choice", "backup")
    await scene.run("annotate", "secret", "llm-keys", "team.example/rotated=now")
    await scene.edit(publish={"service": None, "configMap": {"name": "renamed"}}, revisionHistoryLimit=0)
    await published(scene, "renamed", "backup")
    await gone(scene, "service", "llm")
    await gone(scene, "configmap", "choice")
    await scene.told("Switched")
    await overridden(scene)
    await drilled(scene)


async def drilled(scene: Scene) -> None:
    """Make a drill that waits for its policy, and let it look as if it had been over for long."""
    spec = {"policyRef": {"name": "nobody"}}
    named = {"name": "old", "namespace": scene.namespace}
    await scene.apply({"apiVersion": meta.API_VERSION, "kind": meta.DRILL_KIND, "metadata": named, "spec": spec})

    async def seen() -> bool:
        return bool((await scene.look("psdrill", "old")).get("status"))

    await eventually(seen, within=20)
    over = {"status": {"state": "Refused", "finishedAt": "2020-01-01T00:00:00.000000Z"}}
    await scene.run("patch", "psdrill", "old", "--subresource=status", "--type=merge", "-p", json.dumps(over))
    await gone(scene, "psdrill", "old")


def override(scene: Scene, name: str) -> dict[str, Any]:
    spec = {"policyRef": {"name": "assistant"}, "provider": "openai", "reason": "test"}
    metadata = {"name": name, "namespace": scene.namespace}
    return {"apiVersion": meta.API_VERSION, "kind": meta.OVERRIDE_KIND, "metadata": metadata, "spec": spec}


async def leave_behind(scene: Scene) -> None:
    """Make an override that finished long ago, for the operator to remove."""
    await scene.apply(override(scene, "old"))
    status = {"state": "Expired", "reason": "Expired", "message": "over", "finishedAt": "2020-01-01T00:00:00.000000Z"}
    patch = json.dumps({"status": status})
    await scene.run("patch", "psoverride", "old", "--subresource=status", "--type=merge", "-p", patch)


async def overridden(scene: Scene) -> None:
    """Make an override and end it."""
    await scene.apply(override(scene, "calm"))
    await published(scene, "renamed", "openai")
    await scene.run("delete", "psoverride", "calm")
    await published(scene, "renamed", "backup")
    await gone(scene, "psoverride", "old")


async def published(scene: Scene, config_map: str, provider: str) -> None:
    async def told() -> bool:
        return (await scene.look("configmap", config_map)).get("data", {}).get("LLM_PROVIDER") == provider

    await eventually(told, within=20)


async def gone(scene: Scene, kind: str, name: str) -> None:
    async def absent() -> bool:
        return await scene.look(kind, name) == {}

    await eventually(absent, within=20)


async def test_every_right_is_used_and_every_right_used_is_granted(
    witness: Witness,
    roles: list[dict[str, Any]],
    installed: ControlPlane,
    namespace: str,
    kubectl: Kubectl,
    tmp_path: Path,
) -> None:
    kubeconfig = witness.kubeconfig(operator_kubeconfig(installed, tmp_path), tmp_path / "proxied.kubeconfig")
    flags = (
        *("--namespaces", namespace, "--allow-probe-cidr", "127.0.0.0/8"),
        *("--leader-elect", "--lease-namespace", SYSTEM, "--lease-name", LEASE.name),
    )
    await asyncio.to_thread(kubectl, "delete", "lease", LEASE.name, "-n", SYSTEM, "--ignore-not-found")
    scene = Scene(namespace, kubectl, OperatorProcess(kubeconfig, flags))
    await leave_behind(scene)
    async with scene.stack:
        await scene.operator.start()
        scene.stack.push_async_callback(scene.operator.stop)
        await scene.operator.ready()
        standby = OperatorProcess(kubeconfig, flags)
        await standby.start()
        scene.stack.push_async_callback(standby.stop)
        await live(scene)
        shared = [Right(verb, "coordination.k8s.io", "leases") for verb in ("update", "watch")]
        await eventually(lambda: all(right in witness.used for right in shared), within=20)

    granted = {right for role in roles for right in rights_in(role["rules"])}
    assert sorted(granted - witness.used.keys()) == [], "granted, but never used"
    assert sorted(witness.used.keys() - granted) == [], "used, but not granted to the account"


def without(role: dict[str, Any], lacking: Right, name: str) -> dict[str, Any]:
    """Return a copy of a role under another name that lacks one right and no other."""
    rules = [{**each, "verbs": [right.verb], "apiGroups": [right.group], "resources": [right.resource]}
             for each in role["rules"] for right in sorted(rights_in([each]) - {lacking})]  # fmt: skip
    place = {"namespace": SYSTEM} if role["kind"] == "Role" else {}
    return {"apiVersion": role["apiVersion"], "kind": role["kind"], "metadata": {"name": name, **place}, "rules": rules}


def binding_of(role: dict[str, Any], account: str) -> dict[str, Any]:
    metadata = {**role["metadata"], "name": f"{role['metadata']['name']}-{role['kind'].lower()}"}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": role["kind"], "name": role["metadata"]["name"]}
    subjects = [{"kind": "ServiceAccount", "name": account, "namespace": SYSTEM}]
    return {
        "apiVersion": role["apiVersion"],
        "kind": f"{role['kind']}Binding",
        "metadata": metadata,
        "roleRef": reference,
        "subjects": subjects,
    }


def account_without(roles: list[dict[str, Any]], lacking: Right, account: str) -> list[dict[str, Any]]:
    """Return an account with all rights but one, as objects to apply."""
    copies = [without(role, lacking, f"{account}-{index}") for index, role in enumerate(roles)]
    owner = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": account, "namespace": SYSTEM}}
    return [owner, *copies, *(binding_of(copy, account) for copy in copies)]


async def obstacle_for(account: str, plane: ControlPlane, kubectl: Kubectl, folder: Path) -> str | None:
    """Return what the start-up check of an account complains about."""
    token = (await asyncio.to_thread(kubectl.ok, "create", "token", account, "-n", SYSTEM)).strip()
    login = await log_in(str(plane.kubeconfig_for_token(token, folder / f"{account}.kubeconfig")))
    client = login.open()
    try:
        return await find_obstacle(KubeClient(client), plane.url, (), LEASE)
    finally:
        await client.close()  # type: ignore[no-untyped-call]  # ships no types


async def test_without_any_one_of_its_rights_it_does_not_start_and_names_the_one_that_lacks(
    roles: list[dict[str, Any]], installed: ControlPlane, kubectl: Kubectl, tmp_path: Path
) -> None:
    granted = sorted({right for role in roles for right in rights_in(role["rules"])})
    accounts = {f"lacks-{index}": right for index, right in enumerate(granted)}
    nothing = Right("", "", "")
    made = [obj for name, right in {**accounts, "lacks-nothing": nothing}.items()
            for obj in account_without(roles, right, name)]  # fmt: skip
    listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": made})
    await asyncio.to_thread(kubectl.apply, listed)
    try:
        told = {right: await obstacle_for(name, installed, kubectl, tmp_path) for name, right in accounts.items()}
        complete = await obstacle_for("lacks-nothing", installed, kubectl, tmp_path)
    finally:
        await asyncio.to_thread(kubectl, "delete", "-f", "-", "--wait=false", stdin=listed)

    assert complete is None
    for right, complaint in told.items():
        assert complaint is not None, f"nothing is said when {right} lacks"
        (named,) = complaint.split(": ", 1)[1].split(". Apply")[0].split("; ")
        assert named.split()[:2] == [right.verb, f"{right.resource}{'.' + right.group if right.group else ''}"]
