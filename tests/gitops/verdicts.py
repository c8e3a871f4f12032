"""What GitOps tools make of objects: asked of their own libraries, through the program in hack/kstatus."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pytest
import yaml
from tests.support.repository import ROOT

from kstatus import program  # isort: skip  # tests.support.repository puts hack/ on the path

Object = dict[str, Any]

GITOPS: Final = ROOT / "manifests" / "gitops"
SETTINGS: Final = "resource.customizations.{}.providerswitch.dev_ProviderSwitchPolicy"
LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
TRACKING_LABELS: Final = frozenset({
    "app.kubernetes.io/instance",
    "argocd.argoproj.io/instance",
    "kustomize.toolkit.fluxcd.io/name",
    "kustomize.toolkit.fluxcd.io/namespace",
})  # fmt: skip
"""By these labels Argo CD (by default; others can be set) and Flux know what is theirs, and prune what Git no longer
has."""
TRACKING_ANNOTATION: Final = "argocd.argoproj.io/tracking-id"


@cache
def argo_settings() -> Mapping[str, str]:
    """Return the keys of the example argocd-cm."""
    return dict(yaml.safe_load((GITOPS / "argocd" / "argocd-cm.yaml").read_text())["data"])


def actions() -> Object:
    """Return the resource actions of the example argocd-cm."""
    return dict(yaml.safe_load(argo_settings()[SETTINGS.format("actions")]))


def ask(questions: Sequence[Any], *arguments: str) -> list[Any]:
    """Run the program; a failure fails the test with what it said."""
    try:
        command = [str(program.require_program()), *arguments]
    except program.MissingProgramError as error:
        pytest.fail(str(error), pytrace=False)
    answer = subprocess.run(command, input=json.dumps(questions), capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    return list(json.loads(answer.stdout))


def ask_script(script: str, verb: str, policy: Object) -> Any:
    """Ask with a script: Lua for Argo CD, CEL for Flux."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "script"
        path.write_text(script)
        return ask([policy], verb, str(path))[0]


def health(policy: Object) -> tuple[str, str]:
    """Return the health that Argo CD shows, and its message."""
    found = ask_script(argo_settings()[SETTINGS.format("health")], "health", policy)
    return found["status"], found["message"]


def offered_actions(policy: Object) -> dict[str, Object]:
    """Return the actions in Argo CD's menu."""
    return dict(ask_script(actions()["discovery.lua"], "discover", policy))


def act(name: str, policy: Object) -> Object:
    """Return the policy as an action leaves it."""
    script = next(each["action.lua"] for each in actions()["definitions"] if each["name"] == name)
    return dict(ask_script(script, "act", policy))


def kstatus(policy: Object) -> tuple[str, str]:
    """Return what Flux and others make of a policy without being told: Current, InProgress, Failed or Terminating."""
    found = ask([policy], "status")[0]
    return found["status"], found["message"]


@cache
def flux_expressions() -> str:
    """Return the entry of healthCheckExprs in the example Kustomization, as JSON."""
    (found,) = yaml.safe_load((GITOPS / "flux" / "kustomization.yaml").read_text())["spec"]["healthCheckExprs"]
    return json.dumps(found)


def flux(policy: Object) -> str:
    """Return what Flux makes of a policy by the example's expressions: Current, InProgress or Failed."""
    return str(ask_script(flux_expressions(), "express", policy)["status"])


def after_another_sync(source: Object, live: Object) -> Object:
    """Return the live object as Argo CD's comparison predicts it; where that differs, it says OutOfSync."""
    applied = json.loads(live["metadata"]["annotations"][LAST_APPLIED])
    return dict(ask([{"applied": applied, "source": source, "live": live}], "predict")[0])


def tracks(obj: Object) -> frozenset[str]:
    """Return by which of its labels and annotations a GitOps tool takes an object for its own."""
    found = obj["metadata"]
    return (TRACKING_LABELS & set(found.get("labels") or {})) | (
        {TRACKING_ANNOTATION} & set(found.get("annotations") or {})
    )
