"""The configurations that a policy can return to: read from the cluster, told apart, compared."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TextIO

import yaml

from providerswitch.api import meta
from providerswitch.api.errors import UserError
from providerswitch.kube.client import KubeClient, Object
from providerswitch.kube.objects import CONTROLLER_REVISIONS, POLICIES, ObjectKey, fetch, list_all
from providerswitch.publish.metadata import build_labels
from providerswitch.publish.revision import read_revision

COLOURS: Final = {"@": "\033[36m", "-": "\033[31m", "+": "\033[32m"}
PLAIN: Final = "\033[0m"
FIELD_MANAGER: Final = f"kubectl-{meta.FIELD_MANAGER}"
"""Who the API server records for a rollback. Flux takes over the fields of managers whose names begin with `kubectl`:
its next apply removes also what Git does not have."""
NO_CONFIGURATIONS: Final = (
    "No configuration is kept. The operator keeps each one that it put in force: see whether it runs, and what "
    '"kubectl get pswitch {name} -n {namespace}" says.'
)


@dataclass(frozen=True, slots=True)
class Configuration:
    """One that was in force.

    Attributes:
        number: generation of the policy at which it was accepted last.
        created: when it was accepted first, as the API server writes it.
        last_good: it is the last that was published completely.
    """

    number: int
    name: str
    created: str
    last_good: bool
    spec: Mapping[str, Any]

    @property
    def primary(self) -> str:
        """The preferred provider."""
        return str(self.spec.get("primary", ""))


@dataclass(frozen=True, slots=True)
class PolicyHistory:
    """A policy and its configurations, newest first."""

    policy: Object
    configurations: tuple[Configuration, ...]

    @property
    def spec(self) -> Mapping[str, Any]:
        """The spec as it stands."""
        return dict(self.policy.get("spec") or {})

    @property
    def generation(self) -> int:
        """Number of the spec as it stands."""
        return int(self.policy["metadata"].get("generation", 0))

    @property
    def present(self) -> Configuration | None:
        """The configuration that the spec is; None where the operator has not accepted it."""
        return next((each for each in self.configurations if each.spec == self.spec), None)

    def numbered(self, number: int) -> Configuration:
        """Return the configuration of a number.

        Raises:
            UserError: there is none.
        """
        found = next((each for each in self.configurations if each.number == number), None)
        if found is None:
            there = ", ".join(str(each.number) for each in self.configurations)
            raise UserError("NoSuchRevision", f"There is no revision {number}. There are: {there}.")
        return found

    def before(self) -> Configuration:
        """Return the configuration that was in force before the spec that stands.

        Raises:
            UserError: there is none.
        """
        present = self.present
        earlier = [each for each in self.configurations if present is None or each.number < present.number]
        if not earlier:
            raise UserError("NoSuchRevision", "There is no revision before the present one.")
        return earlier[0]


async def fetch_history(client: KubeClient, key: ObjectKey) -> PolicyHistory:
    """Read a policy and what it can return to.

    Raises:
        UserError: there is no such policy, or nothing is kept of it.
        ApiServerError: they could not be read.
    """
    policy = await fetch(client, POLICIES, key)
    if policy is None:
        message = f'There is no policy "{key.name}" in namespace "{key.namespace}". See: kubectl get pswitch -A'
        raise UserError("NoSuchPolicy", message)
    selector = ",".join(f"{name}={value}" for name, value in build_labels(key.name).items())
    found = [obj async for obj in list_all(client, CONTROLLER_REVISIONS, key.namespace, selector=selector)]
    uid = policy["metadata"]["uid"]
    read = [each for each in (_read(obj, uid) for obj in found) if each]
    if not read:
        raise UserError("NoSuchRevision", NO_CONFIGURATIONS.format(name=key.name, namespace=key.namespace))
    return PolicyHistory(policy, tuple(sorted(read, key=lambda each: each.number, reverse=True)))


def _read(obj: Object, policy_uid: str) -> Configuration | None:
    revision, data = read_revision(obj), obj.get("data")
    spec = data.get("spec") if isinstance(data, dict) else None
    if revision is None or revision.policy_uid != policy_uid or not isinstance(spec, dict):
        return None
    created = str(obj["metadata"].get("creationTimestamp", ""))
    return Configuration(revision.kept.number, revision.key.name, created, revision.kept.good, spec)


def compare(history: PolicyHistory, wanted: Configuration) -> list[str]:
    """Return what a return to a configuration would change, as a unified diff; nothing where that is nothing."""
    before, after = (_lines(spec) for spec in (history.spec, wanted.spec))
    names = f"spec of generation {history.generation}, as it stands", f"revision {wanted.number}"
    return list(difflib.unified_diff(before, after, *names, lineterm=""))


def _lines(spec: Mapping[str, Any]) -> list[str]:
    return yaml.safe_dump({"spec": dict(spec)}, sort_keys=True, allow_unicode=True, width=120).splitlines()


def print_difference(lines: Sequence[str], out: TextIO, *, colour: bool) -> None:
    """Print a diff, in colours where a terminal shows them."""
    for line in _coloured(lines) if colour else lines:
        print(line, file=out)


def _coloured(lines: Sequence[str]) -> Iterator[str]:
    for line in lines:
        colour = COLOURS.get(line[:1])
        yield f"{colour}{line}{PLAIN}" if colour else line


def wants_colour(out: TextIO, environ: Mapping[str, str]) -> bool:
    """Tell whether colours are shown: on a terminal, unless NO_COLOR says otherwise."""
    return out.isatty() and not environ.get("NO_COLOR")


def managed_by(policy: Object) -> str | None:
    """Return which GitOps tool puts the policy's spec back from Git, and how to pause it; None where none is known."""
    metadata = policy["metadata"]
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    if name := labels.get("kustomize.toolkit.fluxcd.io/name"):
        namespace = labels.get("kustomize.toolkit.fluxcd.io/namespace", "flux-system")
        return f"Flux (pause it: flux suspend kustomization {name} -n {namespace})"
    if name := labels.get("helm.toolkit.fluxcd.io/name"):
        namespace = labels.get("helm.toolkit.fluxcd.io/namespace", "flux-system")
        return f"Flux (pause it: flux suspend helmrelease {name} -n {namespace})"
    tracked = annotations.get("argocd.argoproj.io/tracking-id", "").partition(":")[0]
    if name := tracked or labels.get("argocd.argoproj.io/instance"):
        return f"Argo CD (pause it: argocd app set {name} --sync-policy none)"
    return None
