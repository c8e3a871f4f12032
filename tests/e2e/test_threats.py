"""What the threat model promises, tried on a real API server."""

import json
import random
import re
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import yaml
from tests.fuzz.crd_specs import NUMBERS, WORDS
from tests.support.control_plane import ControlPlane
from tests.support.eventually import eventually_sync
from tests.support.fault_server import always, serving
from tests.support.kubectl import Kubectl
from tests.support.repository import ROOT
from tests.support.scene import POLICY, Scene, key_of

from providerswitch.api import meta
from providerswitch.controller.policy import parse_policy
from providerswitch.core.report import Problem

FORGED: Final = '\n{"level": "CRITICAL"}\x1b[2J\x1b]0;owned\x07'


async def test_a_hostile_provider_writes_neither_into_the_log_nor_the_status_nor_events(scene: Scene) -> None:
    body = json.dumps(
        {"error": {"message": FORGED + key_of("openai"), "code": FORGED, "type": key_of("openai")}}
    ).encode()
    head = (
        b"HTTP/1.1 500 Oops\r\ncontent-type: application/json\r\nretry-after: 9999999999\r\ncontent-length: %d\r\n\r\n"
    )
    async with serving(always(head % len(body) + body)) as server:
        await scene.provider("openai")
        hostile = {**scene.listed("openai"), "type": "openai-compatible", "baseURL": server.url()}
        secret = scene.secret()
        secret["metadata"]["annotations"][meta.HOSTS_ANNOTATION] = f"127.0.0.1:{server.port}"
        await scene.apply(secret, scene.policy(providers=[hostile]))

        await scene.becomes("Ready", "False", "NoHealthyProvider")
        await scene.told("ProviderDown")

        assert any(key_of("openai").encode() in request for request in server.requests)
    seen = [json.dumps(await scene.status()), json.dumps(await scene.events()), scene.operator.text]
    for text in seen:
        assert key_of("openai") not in text
        assert "owned" not in text
        assert "CRITICAL" not in text
    assert all(json.loads(line)["level"] != "CRITICAL" for line in scene.operator.text.splitlines()[:-1])


def can(kubectl: Kubectl, user: str, verb: str, resource: str, namespace: str) -> bool:
    resource, _, subresource = resource.partition("/")
    flags = [f"--subresource={subresource}"] if subresource else []
    name = f"{resource}.{meta.GROUP}" if resource == meta.POLICY_PLURAL else resource
    return kubectl("auth", "can-i", verb, name, *flags, f"--as={user}", "-n", namespace).stdout.strip() == "yes"


def test_editors_may_write_policies_and_viewers_read_them_and_neither_may_write_a_status(
    installed: ControlPlane, namespace: str, kubectl: Kubectl
) -> None:
    policies, status = meta.POLICY_PLURAL, f"{meta.POLICY_PLURAL}/status"
    for role, user in (("edit", "author"), ("view", "reader")):
        binding = ("create", "rolebinding", f"own-{role}", f"--clusterrole=providerswitch-{role}", f"--user={user}")
        kubectl.ok(*binding, "-n", namespace)

    assert can(kubectl, "author", "patch", policies, namespace)
    assert can(kubectl, "reader", "get", policies, namespace)
    assert not can(kubectl, "reader", "patch", policies, namespace)
    for user in ("author", "reader"):
        assert not can(kubectl, user, "patch", status, namespace)
        assert not can(kubectl, user, "get", "secrets", namespace)
        assert not can(kubectl, user, "get", policies, "kube-system")


def guide_of_hosts() -> str:
    """Return the YAML that the checklist shows."""
    page = (ROOT / "docs" / "security" / "hardening.md").read_text()
    found = re.search(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert found
    return found[1]


@pytest.fixture
def hosts_are_listed(installed: ControlPlane, namespace: str, kubectl: Kubectl) -> Iterator[None]:
    """The admission policy of the checklist, for the namespace of the test alone."""
    guard, binding = yaml.safe_load_all(guide_of_hosts())
    selector = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    binding["spec"]["matchResources"] = {"namespaceSelector": selector}
    listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": [guard, binding]})
    kubectl.apply(listed)
    yield
    kubectl("delete", "-f", "-", "--ignore-not-found", stdin=listed)


def naming(namespace: str, **provider: str) -> str:
    spec = {"primary": "p", "providers": [{"name": "p", **provider}]}
    metadata = {"name": POLICY, "namespace": namespace}
    return json.dumps({"apiVersion": meta.API_VERSION, "kind": meta.POLICY_KIND, "metadata": metadata, "spec": spec})


def test_the_admission_policy_of_the_checklist_refuses_other_hosts_and_no_others(
    hosts_are_listed: None, namespace: str, kubectl: Kubectl
) -> None:
    def apply(**provider: str) -> Any:
        return kubectl("apply", "--dry-run=server", "-f", "-", stdin=naming(namespace, **provider))

    foreign = {"type": "openai-compatible", "baseURL": "https://evil.example/gateway.llm.svc"}
    eventually_sync(lambda: apply(**foreign).returncode != 0, within=20)  # the API server learns of it a moment later

    assert "the platform team does not allow" in apply(**foreign).stderr
    assert apply(type="openai").returncode == 0
    assert apply(type="openai-compatible", baseURL="http://gateway.llm.svc:8080/v1").returncode == 0


ACCEPTED: Final = sorted((Path(__file__).parent / "data" / "crd").glob("*/accepted.yaml"))
TRIES: Final = 150


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of everything in a spec that is neither list nor map."""
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(inner, (*path, key))
    else:
        yield path


def damage(spec: Any, dice: random.Random) -> Any:
    """Put something else into one place of a spec."""
    changed = json.loads(json.dumps(spec))
    path = dice.choice(list(leaves(changed)))
    holder = changed
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = dice.choice([*WORDS, *NUMBERS, 0.5, True])
    return changed


async def test_what_the_api_server_accepts_the_operator_understands_or_refuses_in_words(
    installed: ControlPlane, namespace: str
) -> None:
    dice = random.Random(20261124)  # the same damage each time
    specs = [yaml.safe_load(path.read_text())["spec"] for path in ACCEPTED]
    headers = {"authorization": f"Bearer {installed.token}"}
    path = f"/apis/{meta.API_VERSION}/namespaces/{namespace}/{meta.POLICY_PLURAL}?dryRun=All&fieldValidation=Ignore"
    accepted = []
    context = ssl.create_default_context(cafile=str(installed.certificate))
    async with httpx.AsyncClient(base_url=installed.url, verify=context, headers=headers, trust_env=False) as client:
        for _ in range(TRIES):
            body = json.loads(naming(namespace)) | {"spec": damage(dice.choice(specs), dice)}
            answer = await client.post(path, json=body)
            assert answer.status_code in {201, 400, 422}, answer.text
            if answer.status_code == 201:
                accepted.append(answer.json())

    assert len(accepted) > TRIES / 10
    for obj in accepted:
        obj["metadata"]["resourceVersion"] = "1"
        parsed = parse_policy(obj)
        if isinstance(parsed, Problem):
            assert "Correct the policy" in parsed.message
            assert "has no host and port that can be called" in parsed.message, parsed.message
