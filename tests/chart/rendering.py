"""What the chart renders, for tests: objects by kind, or the text of a refusal."""

import functools
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from tests.support.helm import CHART, Helm

NAMESPACE = "providerswitch-system"
Object = dict[str, Any]
NO_CRDS = {"crds": {"install": False}}


@dataclass(frozen=True, slots=True)
class Rendered:
    """The objects of one release."""

    objects: tuple[Object, ...]

    def all(self, kind: str) -> list[Object]:
        """Return the objects of a kind."""
        return [each for each in self.objects if each["kind"] == kind]

    def one(self, kind: str) -> Object:
        """Return the only object of a kind."""
        (found,) = self.all(kind)
        return found

    @property
    def kinds(self) -> set[str]:
        """The kinds that there are."""
        return {each["kind"] for each in self.objects}

    @property
    def pod(self) -> Object:
        """The Pod's spec."""
        return dict(self.one("Deployment")["spec"]["template"]["spec"])

    @property
    def container(self) -> Object:
        """The operator's container."""
        (found,) = self.pod["containers"]
        return dict(found)

    @property
    def args(self) -> list[str]:
        """The operator's arguments."""
        return list(self.container["args"])


def render(release: str = "providerswitch", **values: Any) -> Rendered:
    """Render the chart with values, without CRDs unless `crds` is among them."""
    return _render(release, json.dumps({**NO_CRDS, **values}, sort_keys=True))


def refusal(**values: Any) -> str:
    """Return why the chart refuses values."""
    result = _template("providerswitch", {**NO_CRDS, **values})
    assert result.returncode, "it was accepted"
    return str(result.stderr)


@functools.cache
def _render(release: str, values: str) -> Rendered:
    result = _template(release, json.loads(values))
    assert result.returncode == 0, result.stderr
    return Rendered(tuple(each for each in yaml.safe_load_all(result.stdout) if each))


def _template(release: str, values: Mapping[str, Any]) -> Any:
    return offline()("template", release, str(CHART), "--namespace", NAMESPACE, values=values)


@functools.cache
def offline() -> Helm:
    """Return a helm without a cluster."""
    return Helm(Path(tempfile.gettempdir()))
