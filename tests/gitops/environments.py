"""The kustomize overlays, built by kubectl as a GitOps tool builds them."""

import os
import subprocess
from pathlib import Path
from typing import Any, Final

import yaml
from tests.gitops.verdicts import GITOPS
from tests.support.kubectl import PROGRAM

Object = dict[str, Any]

KUSTOMIZE: Final = GITOPS / "kustomize"
OVERLAYS: Final = tuple(sorted(path.name for path in (KUSTOMIZE / "overlays").iterdir()))


def build(folder: Path) -> list[Object]:
    """Return the objects of a kustomization."""
    made = subprocess.run(
        [PROGRAM, "kustomize", str(folder)], capture_output=True, text=True, check=False, env={"PATH": os.defpath}
    )
    assert made.returncode == 0, made.stderr
    return [dict(each) for each in yaml.safe_load_all(made.stdout)]


def environment(name: str) -> list[Object]:
    """Return the objects of one of our overlays."""
    return build(KUSTOMIZE / "overlays" / name)


def only(kind: str, objects: list[Object]) -> Object:
    """Return the one object of a kind."""
    (found,) = (each for each in objects if each["kind"] == kind)
    return found
