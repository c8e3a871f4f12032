"""Runs the kubectl of the virtual environment, as a user would."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROGRAM = Path(sys.executable).parent / "kubectl"
TIMEOUT_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Kubectl:
    """A kubectl for one kubeconfig: `kubectl("get", "pods", "-n", namespace)`."""

    kubeconfig: Path
    options: tuple[str, ...] = ()

    def __call__(self, *args: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run it and return exit code, stdout and stderr, whatever they are."""
        return subprocess.run(
            [PROGRAM, *self.options, *args],
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_SECONDS,
            env=self._environment(),
        )

    def ok(self, *args: str, stdin: str | None = None) -> str:
        """Run it and return stdout; a failure fails the test with what kubectl said."""
        result = self(*args, stdin=stdin)
        assert result.returncode == 0, f"kubectl {' '.join(args)}: {result.stderr or result.stdout}"
        return result.stdout

    def json(self, *args: str) -> Any:
        """Run it with `-o json` and return what it printed."""
        return json.loads(self.ok(*args, "-o", "json"))

    def apply(self, manifest: str, *args: str) -> str:
        """Apply a manifest, YAML or JSON, and return stdout."""
        return self.ok("apply", *args, "-f", "-", stdin=manifest)

    def as_bearer(self, token: str) -> "Kubectl":
        """Return a kubectl for whoever the token belongs to."""
        # Only the token counts then: one given beside the kubeconfig's own wins.
        return Kubectl(self.kubeconfig, (*self.options, "--token", token))

    def _environment(self) -> dict[str, str]:
        # The discovery cache goes beside the kubeconfig: in the home folder it would outlive the server it describes.
        home = str(self.kubeconfig.parent)
        return {"PATH": os.defpath, "HOME": home, "KUBECONFIG": str(self.kubeconfig)}
