"""Runs the helm that `make helm` builds, as a user would."""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.support.repository import ROOT

import helm  # isort: skip  # tests.support.repository puts hack/envtest on the path

CHART = ROOT / "charts" / "providerswitch"
TIMEOUT_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Helm:
    """A helm with folders of its own, so that nothing of the user's counts.

    Attributes:
        home: where it keeps what it caches.
        kubeconfig: None is no cluster.
    """

    home: Path
    kubeconfig: Path | None = None

    def __call__(self, *args: str, values: Mapping[str, Any] | None = None) -> subprocess.CompletedProcess[str]:
        """Run it and return exit code, stdout and stderr, whatever they are; values are read after all others."""
        return subprocess.run(
            [program(), *args, *(("--values", "-") if values is not None else ())],
            input=json.dumps(values or {}),
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_SECONDS,
            env={"PATH": os.defpath, "HOME": str(self.home), "KUBECONFIG": str(self.kubeconfig or os.devnull)},
        )

    def ok(self, *args: str, values: Mapping[str, Any] | None = None) -> str:
        """Run it and return stdout; a failure fails the test with what helm said."""
        result = self(*args, values=values)
        assert result.returncode == 0, f"helm {' '.join(args)}: {result.stderr or result.stdout}"
        return result.stdout


def program() -> Path:
    """Return the path of helm; a test fails without it."""
    try:
        return helm.require_helm()
    except helm.MissingHelmError as error:
        pytest.fail(str(error), pytrace=False)
