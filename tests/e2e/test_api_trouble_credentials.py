"""Credentials that are renewed on disk while the operator runs: the old ones expire, and nobody notices."""

from pathlib import Path

import yaml
from aiohttp import web
from tests.support.api_proxy import Meddler, behind_a_proxy, refuses
from tests.support.control_plane import ControlPlane
from tests.support.eventually import eventually
from tests.support.kubectl import Kubectl
from tests.support.operator_process import SYSTEM, OperatorProcess
from tests.support.scene import Scene

IN_A_POD = """
import os, sys
from pathlib import Path
from providerswitch.kube import login
from providerswitch.main import main
del os.environ["KUBECONFIG"]
os.environ.update(KUBERNETES_SERVICE_HOST="127.0.0.1", KUBERNETES_SERVICE_PORT={port!r})
login.SERVICE_ACCOUNT = Path({folder!r})
sys.exit(main())
"""


def token(kubectl: Kubectl, *flags: str) -> str:
    """Return a new token of the operator's account."""
    return kubectl.ok("create", "token", "providerswitch", "-n", SYSTEM, *flags).strip()


def accepts(wanted: str) -> Meddler:
    """Return what refuses all tokens but one."""
    refuse = refuses(401, "Unauthorized")

    async def meddle(request: web.Request) -> web.StreamResponse | None:
        allowed = request.headers.get("Authorization") == f"Bearer {wanted}"
        return None if allowed else await refuse(request)

    return meddle


async def test_a_token_file_that_is_renewed_is_followed(
    installed: ControlPlane, kubectl: Kubectl, namespace: str, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text(token(kubectl))
    document = yaml.safe_load(installed.kubeconfig.read_text())
    document["users"][0]["user"] = {"tokenFile": str(file)}
    original = tmp_path / "original.kubeconfig"
    original.write_text(yaml.safe_dump(document))
    async with behind_a_proxy(installed, namespace, tmp_path, original) as proxied:
        scene, proxy = proxied.scene, proxied.proxy
        await scene.opens("openai", "backup")
        renewed = token(kubectl, "--duration=20m")
        file.write_text(renewed)
        proxy.meddle = accepts(renewed)
        proxy.cut()
        await scene.edit(primary="backup")
        await scene.serves("backup", within=30)
        asked = len(proxy.asked)
        await scene.edit(primary="openai")
        await scene.serves("openai")
        assert len(proxy.asked) - asked < 40, "a hot loop"
        assert renewed not in scene.operator.text


async def test_in_a_pod_the_operator_works_and_outlives_its_token(
    installed: ControlPlane, kubectl: Kubectl, namespace: str, tmp_path: Path
) -> None:
    for name in ("first", "second"):
        kubectl.ok("create", "secret", "generic", f"{namespace}-{name}", "-n", SYSTEM)
    bound = {name: bound_token(kubectl, f"{namespace}-{name}") for name in ("first", "second")}
    (tmp_path / "token").write_text(bound["first"])
    (tmp_path / "ca.crt").write_bytes(installed.certificate.read_bytes())
    program = ("-c", IN_A_POD.format(port=installed.url.rpartition(":")[2], folder=str(tmp_path)))
    operator = OperatorProcess(tmp_path / "none", ("--namespaces", namespace, "--allow-probe-cidr", "127.0.0.0/8"))
    operator.program = program
    scene = Scene(namespace, kubectl, operator)
    async with scene.stack:
        await operator.start()
        scene.stack.push_async_callback(operator.stop)
        await operator.ready()
        await scene.opens("openai", "backup")
        (tmp_path / "token").write_text(bound["second"])
        kubectl.ok("delete", "secret", f"{namespace}-first", "-n", SYSTEM)
        first = kubectl.as_bearer(bound["first"])
        await eventually(lambda: first("get", "pswitch", "-n", namespace).returncode != 0, within=30)
        await scene.edit(primary="backup")
        await scene.serves("backup")
        assert "Unauthorized" not in operator.text
        assert bound["second"] not in operator.text


def bound_token(kubectl: Kubectl, secret: str) -> str:
    """Return a token of the operator's account that ends with a Secret."""
    return token(kubectl, "--bound-object-kind=Secret", f"--bound-object-name={secret}")
