"""What an earlier release stored, put into a cluster again; tests/data/releases/README.md says how it is kept."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from tests.support.crds import CRD_NAME
from tests.support.kubectl import Kubectl

from providerswitch.api import meta

import schema_evolution  # isort: skip  # tests.support.repository puts hack/ on the path

Object = dict[str, Any]
AS_OPERATOR: Final = ("--server-side", "--force-conflicts", f"--field-manager={meta.FIELD_MANAGER}")


def newest_folder() -> Path:
    return Path(schema_evolution.newest_release().parent)


def recorded() -> list[Object]:
    """Return the objects of the newest release as they are kept."""
    return [dict(each) for each in yaml.safe_load_all((newest_folder() / "objects.yaml").read_text())]


def policies(objects: list[Object]) -> dict[str, Object]:
    """Return the policies by name."""
    return {each["metadata"]["name"]: each for each in objects if each["kind"] == meta.POLICY_KIND}


def filled(objects: Any, values: Mapping[str, str]) -> Any:
    """Return objects with names of the file replaced by what they stand for, wherever they occur."""
    text = json.dumps(objects)
    for name, value in values.items():
        text = text.replace(name, value)
    return json.loads(text)


def install_crd(kubectl: Kubectl, path: Path) -> None:
    """Put a CRD in the place of the one that is there, and wait until the API server works with it."""
    text = path.read_text()
    kubectl.apply(text, "--server-side", "--force-conflicts")
    kubectl.ok("wait", "--for=jsonpath={.status.conditions}", f"crd/{CRD_NAME}", "--timeout=30s")
    kubectl.ok("wait", "--for=condition=Established", f"crd/{CRD_NAME}", "--timeout=30s")


@dataclass(frozen=True, slots=True)
class Past:
    """A namespace in which an earlier release worked.

    Attributes:
        hosts: of the fake providers, by what stands for them in the file.
    """

    kubectl: Kubectl
    namespace: str
    hosts: Mapping[str, str]

    def stored(self) -> list[Object]:
        """Return the recorded objects with the names of this cluster."""
        place = {
            '"namespace": "team"': f'"namespace": "{self.namespace}"',
            'in \\"team\\"': f'in \\"{self.namespace}\\"',
        }
        objects: list[Object] = filled(recorded(), {**place, **self.hosts})
        return objects

    def store(self) -> None:
        """Put everything where the earlier release had it; its CRD must be installed."""
        uids = {f"uid-of-{name}": self._store_policy(policy) for name, policy in policies(self.stored()).items()}
        for obj in filled([each for each in self.stored() if each["kind"] != meta.POLICY_KIND], uids):
            self.kubectl.apply(json.dumps(obj), *AS_OPERATOR)

    def _store_policy(self, policy: Object) -> str:
        """Edit it as often as it was, so that its generation is the one that its status knows."""
        for edit in range(policy["metadata"].pop("generation"), 0, -1):
            timeout = policy["spec"]["healthCheck"]["timeout"] if edit == 1 else f"{edit}s"
            check = {**policy["spec"]["healthCheck"], "timeout": timeout}
            self._apply({**policy, "spec": {**policy["spec"], "healthCheck": check}, "status": None})
        told = {key: policy[key] for key in ("apiVersion", "kind", "status")}
        told["metadata"] = {"name": policy["metadata"]["name"], "namespace": self.namespace}
        self.kubectl.apply(json.dumps(told), *AS_OPERATOR, "--subresource=status")
        return str(self.read("pswitch", policy["metadata"]["name"])["metadata"]["uid"])

    def _apply(self, policy: Object) -> None:
        kept = {key: value for key, value in policy.items() if value is not None}
        self.kubectl.apply(json.dumps(kept))

    def read(self, kind: str, name: str) -> Object:
        """Return an object as it is now."""
        return dict(self.kubectl.json("get", kind, name, "-n", self.namespace))


def misses(found: object, wanted: object, path: str = "") -> list[str]:
    """Return the paths at which `found` lacks or changes what is in `wanted`; more may be in it."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        pairs = [(f"{path}.{key}".lstrip("."), found.get(key), value) for key, value in wanted.items()]
    elif isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        pairs = [(f"{path}[]", *both) for both in zip(found, wanted, strict=True)]
    else:
        return [] if found == wanted else [path]
    return [missed for where, mine, theirs in pairs for missed in misses(mine, theirs, where)]
