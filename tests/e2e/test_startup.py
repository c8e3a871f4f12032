"""The command as an administrator meets it: what it says when it cannot begin, and how it ends."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
import yaml
from tests.support.control_plane import ControlPlane
from tests.support.crds import CRD_NAME, install_crds
from tests.support.eventually import eventually
from tests.support.kubectl import Kubectl
from tests.support.operator_process import OperatorProcess, free_port
from tests.support.repository import ROOT
from tests.support.scene import POLICY, Scene

from providerswitch import __version__
from providerswitch.api import meta
from providerswitch.controller.settings import FLAGS
from providerswitch.demo.fakes import Fault

QUICKLY = 5.0
"""Seconds in which a process has to be over; Kubernetes would wait for 30."""


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    """A control plane of its own: CRDs come and go, and its API server is stopped."""
    with ControlPlane() as made:
        yield made


@pytest.fixture
def admin(plane: ControlPlane) -> Kubectl:
    return Kubectl(plane.kubeconfig)


@pytest.fixture
def crds(admin: Kubectl) -> None:
    install_crds(admin)


@dataclass(slots=True)
class Launches:
    """Starts operators and ends those that are still there."""

    stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def start(self, kubeconfig: Path, *flags: str) -> OperatorProcess:
        operator = OperatorProcess(kubeconfig, flags)
        await operator.start()
        self.stack.push_async_callback(operator.stop, signal.SIGKILL)
        return operator


@pytest.fixture
async def launches() -> AsyncIterator[Launches]:
    made = Launches()
    async with made.stack:
        yield made


def run(*arguments: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    """Run a command that ends by itself."""
    return subprocess.run(
        [sys.executable, "-m", "providerswitch", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        env={"PATH": os.defpath, "PYTHONPATH": str(ROOT / "operator"), **environ},
    )


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def complaints(operator: OperatorProcess) -> list[str]:
    """Return the errors in an operator's log so far."""
    whole = operator.text[: operator.text.rfind("\n") + 1]
    return [line["message"] for line in lines(whole) if line["level"] == "ERROR"]


async def complains(operator: OperatorProcess) -> str:
    """Wait for the first complaint; return it."""
    return (await eventually(lambda: complaints(operator), within=20))[0]


async def status_of(operator: OperatorProcess, path: str) -> int:
    async with httpx.AsyncClient(trust_env=False) as client:
        return (await client.get(f"http://127.0.0.1:{operator.port}{path}")).status_code


def account(admin: Kubectl, plane: ControlPlane, name: str, folder: Path) -> Path:
    """Make a ServiceAccount; return a kubeconfig with its token."""
    admin.ok("create", "serviceaccount", name, "-n", "default")
    token = admin.ok("create", "token", name, "-n", "default").strip()
    return plane.kubeconfig_for_token(token, folder / f"{name}.kubeconfig")


def role(kind: str, name: str, namespace: str | None = None, *, without: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the operator's role as a role of this kind, but for the rules about some resources."""
    documents = yaml.safe_load_all((ROOT / "manifests" / "install.yaml").read_text())
    named = (each for each in documents if each["metadata"]["name"] == "providerswitch")
    rules = next(each for each in named if each["kind"] == "ClusterRole")["rules"]
    kept = [rule for rule in rules if not set(rule["resources"]) & set(without)]
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": metadata, "rules": kept}


def edited(kubeconfig: Path, path: Path, **cluster: object) -> Path:
    """Write a kubeconfig with another address or authority."""
    document = yaml.safe_load(kubeconfig.read_text())
    document["clusters"][0]["cluster"].update(cluster)
    path.write_text(yaml.safe_dump(document))
    return path


async def test_without_the_crd_of_overrides_it_works_says_so_once_and_notices_when_it_comes(
    crds: None, plane: ControlPlane, admin: Kubectl, launches: Launches
) -> None:
    await asyncio.to_thread(admin.ok, "delete", "crd", "providerswitchoverrides.providerswitch.dev")
    operator = await launches.start(plane.kubeconfig)
    await operator.ready()
    await eventually(lambda: "providerswitchoverrides is not served: apply crds/" in operator.text)
    await asyncio.to_thread(admin.ok, "apply", "-f", str(ROOT / "crds"))
    spec = {"policyRef": {"name": "nobody"}, "provider": "openai", "reason": "test"}
    metadata = {"name": "calm", "namespace": "default"}
    made = {"apiVersion": meta.API_VERSION, "kind": meta.OVERRIDE_KIND, "metadata": metadata, "spec": spec}
    await asyncio.to_thread(admin.ok, "wait", "--for=condition=Established", "--timeout=30s", "crd", "--all")
    await asyncio.to_thread(admin.apply, json.dumps(made))

    async def rejected() -> bool:
        found = await asyncio.to_thread(admin.json, "get", "psoverride", "calm", "-n", "default")
        return bool(found.get("status", {}).get("state") == "Rejected")

    await eventually(rejected, within=30)
    assert operator.text.count("is not served") == 1


async def test_missing_crds_are_told_and_waited_for(plane: ControlPlane, admin: Kubectl, launches: Launches) -> None:
    await asyncio.to_thread(admin.ok, "delete", "crd", CRD_NAME, "--ignore-not-found")
    operator = await launches.start(plane.kubeconfig)

    told = await complains(operator)

    assert told == (
        f"The CustomResourceDefinition {CRD_NAME} is not installed. Run: kubectl apply --server-side -f crds/. "
        "Trying again every 2 s."
    )
    assert await status_of(operator, "/healthz") == 200
    assert await status_of(operator, "/readyz") == 503
    await asyncio.to_thread(admin.ok, "apply", "-f", str(ROOT / "crds"))
    await operator.ready()
    assert complaints(operator) == [told]
    assert await operator.stop() == 0


async def test_missing_rights_are_named_and_their_grant_is_noticed(
    crds: None, plane: ControlPlane, admin: Kubectl, tmp_path: Path, launches: Launches
) -> None:
    kubeconfig = account(admin, plane, "poor", tmp_path)
    missing = ("providerswitchpolicies/status", "events")
    admin.apply(json.dumps(role("ClusterRole", "poor", without=missing)))
    admin.ok("create", "clusterrolebinding", "poor", "--clusterrole=poor", "--serviceaccount=default:poor")
    operator = await launches.start(kubeconfig)

    told = await complains(operator)

    assert "lacks permissions in all namespaces: " in told
    named = told.split("in all namespaces: ")[1].split(". Apply")[0]
    assert named == "create events.events.k8s.io; patch providerswitchpolicies/status.providerswitch.dev"
    assert "manifests/install.yaml" in told
    assert await status_of(operator, "/readyz") == 503
    await asyncio.to_thread(admin.apply, json.dumps(role("ClusterRole", "poor")))
    await operator.ready()


async def test_rights_in_the_namespaces_that_are_served_are_enough(
    crds: None, plane: ControlPlane, admin: Kubectl, tmp_path: Path, launches: Launches
) -> None:
    kubeconfig = account(admin, plane, "local", tmp_path)
    admin.apply(json.dumps(role("Role", "local", "default")))
    admin.ok("create", "rolebinding", "local", "--role=local", "--serviceaccount=default:local", "-n", "default")

    narrow = await launches.start(kubeconfig, "--namespaces", "default")
    wide = await launches.start(kubeconfig)

    await narrow.ready()
    assert "in all namespaces" in await complains(wide)
    assert "or limit it with --namespaces" in await complains(wide)


async def test_an_unreachable_api_server_is_told_and_waited_for(
    crds: None, plane: ControlPlane, launches: Launches
) -> None:
    plane.stop_apiserver()
    try:
        operator = await launches.start(plane.kubeconfig)
        told = await complains(operator)
    finally:
        await asyncio.to_thread(plane.start_apiserver)

    assert told.startswith(f"The API server at {plane.url} does not answer (")
    assert "Check the address in the kubeconfig" in told
    await operator.ready()


async def test_a_certificate_of_somebody_else_is_told(plane: ControlPlane, tmp_path: Path, launches: Launches) -> None:
    authority = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(authority)
    document = yaml.safe_load(plane.kubeconfig.read_text())
    document["clusters"][0]["cluster"] = {"server": plane.url, "certificate-authority": str(authority)}
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(document))

    told = await complains(await launches.start(kubeconfig))

    assert "does not answer (ClientConnectorCertificateError)" in told
    assert "the server's certificate" in told


async def test_credentials_that_are_not_accepted_are_told(
    plane: ControlPlane, tmp_path: Path, launches: Launches
) -> None:
    kubeconfig = plane.kubeconfig_for_token("not-a-token", tmp_path / "kubeconfig")

    told = await complains(await launches.start(kubeconfig))

    assert f"The API server at {plane.url} does not accept the operator's credentials (HTTP 401)" in told
    assert "not-a-token" not in told


GARBLED = {"certificate-authority-data": "bm90IGEgY2VydGlmaWNhdGU="}
CONTEXT = {
    "apiVersion": "v1",
    "kind": "Config",
    "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
    "users": [{"name": "u", "user": {"token": "sk-token-0123456789"}}],
    "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
    "current-context": "x",
}
BAD_KUBECONFIGS = {
    "none": (None, "no kubeconfig at"),
    "empty": ("", "cannot be used"),
    "no YAML": ("a: [", "cannot be used"),
    "no text": ("\xff\x00", "cannot be used"),
    "some other YAML": ("- 1", "cannot be used"),
    "an unknown context": (yaml.safe_dump({**CONTEXT, "current-context": "y"}), "cannot be used"),
    "a garbled authority": (
        yaml.safe_dump({**CONTEXT, "clusters": [{"name": "c", "cluster": {**CONTEXT["clusters"][0]["cluster"],  # type: ignore[index]
                                                                       **GARBLED}}]}),
        "Check certificate-authority",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_KUBECONFIGS)
def test_a_bad_kubeconfig_ends_it_with_one_line(case: str, tmp_path: Path) -> None:
    text, says = BAD_KUBECONFIGS[case]
    path = tmp_path / "kubeconfig"
    if text is not None:
        path.write_text(text, encoding="latin-1")

    ended = run("run", "--listen", f"127.0.0.1:{free_port()}", KUBECONFIG=str(path))

    assert ended.returncode == 1
    (line,) = lines(ended.stderr)
    assert says in line["message"]
    assert "sk-token" not in ended.stderr


def test_outside_of_a_cluster_the_user_is_told_how_to_name_one(tmp_path: Path) -> None:
    ended = run("run", HOME=str(tmp_path))

    assert ended.returncode == 1
    (line,) = lines(ended.stderr)
    assert "name a kubeconfig with --kubeconfig or KUBECONFIG" in line["message"]


def test_a_port_in_use_ends_it_with_one_line(plane: ControlPlane) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        ended = run("run", "--listen", f"127.0.0.1:{port}", KUBECONFIG=str(plane.kubeconfig))

    assert ended.returncode == 1
    (line,) = lines(ended.stderr)
    assert f"Cannot listen on 127.0.0.1:{port}" in line["message"]
    assert "--listen" in line["message"]


@pytest.mark.parametrize("text", [None, "not a certificate"])
def test_a_bad_file_of_authorities_ends_it_with_one_line(plane: ControlPlane, tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "ca.pem"
    if text:
        path.write_text(text)

    ended = run("run", "--ca-file", str(path), KUBECONFIG=str(plane.kubeconfig))

    assert ended.returncode == 1
    (line,) = lines(ended.stderr)
    assert f'--ca-file "{path}" is not a readable PEM file' in line["message"]


@pytest.mark.parametrize(
    ("arguments", "environ", "says"),
    [
        ((), {}, "required: COMMAND"),
        (("fly",), {}, "choose from"),
        (("run", "--nonsense"), {}, "unrecognized arguments: --nonsense"),
        (("run", "--listen", "8080"), {}, "write for example 0.0.0.0:8080"),
        (("run",), {"PROVIDERSWITCH_LISTEN": "8080"}, "PROVIDERSWITCH_LISTEN"),
        (("run",), {"PROVIDERSWITCH_LOG_LEVEL": "loud"}, "write one of debug, info, warning, error"),
    ],
)
def test_a_bad_command_line_or_variable_ends_with_code_2(
    arguments: tuple[str, ...], environ: dict[str, str], says: str
) -> None:
    ended = run(*arguments, **environ)

    assert ended.returncode == 2
    assert says in ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""


def test_it_tells_its_version() -> None:
    told = run("--version")

    assert (told.returncode, told.stdout) == (0, f"providerswitch {__version__}\n")


def test_help_names_the_commands_and_every_flag_with_its_variable() -> None:
    assert {"run", "classify"} <= set(run("--help").stdout.split())
    told = run("run", "--help")
    assert told.returncode == 0
    assert [word for flag, variable, _, _ in FLAGS for word in (flag, f"[{variable}]") if word not in told.stdout] == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_told_to_stop_it_ends_at_once_and_leaves_what_is_published(scene: Scene, number: signal.Signals) -> None:
    await scene.opens("openai", "backup")
    config_map, status = await scene.look("configmap", f"{POLICY}-provider"), await scene.status()

    async with asyncio.timeout(QUICKLY):
        code = await scene.operator.stop(number)

    assert code == 0
    assert lines(scene.operator.text)[-1]["message"] == "stopped; what is published stays published"
    assert await scene.look("configmap", f"{POLICY}-provider") == config_map
    assert await scene.status() == status


async def test_told_to_stop_it_does_not_wait_for_a_provider_that_hangs_or_a_client_that_dawdles(scene: Scene) -> None:
    await scene.opens("openai", "backup", healthCheck={"timeout": "60s", "interval": "1s"})
    await scene.providers["backup"].behave(Fault.HANG)
    asked = len(scene.providers["backup"].log)
    await eventually(lambda: len(scene.providers["backup"].log) > asked)
    reader, writer = await asyncio.open_connection("127.0.0.1", scene.operator.port)
    writer.write(b"GET /metrics HTTP/1.1\r\n")
    await writer.drain()

    async with asyncio.timeout(QUICKLY):
        assert await scene.operator.stop() == 0

    assert await reader.read() == b""
    writer.close()


async def test_told_to_stop_while_it_waits_it_ends_at_once(tmp_path: Path, launches: Launches) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(CONTEXT))
    operator = await launches.start(kubeconfig)
    await complains(operator)

    async with asyncio.timeout(QUICKLY):
        assert await operator.stop() == 0

    assert lines(operator.text)[-1]["message"] == "stopped; what is published stays published"


async def test_every_line_of_the_log_is_json(scene: Scene) -> None:
    await scene.opens("openai", "backup")
    await scene.operator.stop()

    told = lines(scene.operator.text)
    assert all({"timestamp", "level", "logger", "message"} <= line.keys() for line in told)
    decisions = [line for line in told if line["message"] == "decision"]
    assert [line["active"] for line in decisions if line["trigger"] == "Initial"] == ["openai"]
